"""How shells are answered that ask what may follow: click's answers, with values of `--option=value`."""

import os
from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

VARIABLE: Final = "_SITEJOBS_COMPLETE"


class _Joined(ShellComplete):
    """Values of `--option=value` come with the option: these shells replace the whole word."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if not (equals and option.startswith("--")):
            return found
        return [CompletionItem(f"{option}={item.value}", type=item.type, help=item.help) for item in found]


class _Zsh(_Joined, ZshComplete):
    pass


class _Fish(_Joined, FishComplete):
    pass


class _Bash(_Joined, BashComplete):
    """Bash cuts `--option=value` at the equals sign and replaces the value alone, unless COMP_WORDBREAKS has none."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        word = os.environ["COMP_WORDS"].split("\n")[int(os.environ["COMP_CWORD"])]
        if word != incomplete:  # cut
            return BashComplete.get_completions(self, args, incomplete)
        return super().get_completions(args, incomplete)

    def get_completion_args(self) -> tuple[list[str], str]:
        words = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
        joined: list[str] = []
        for word in words:
            before = joined[-1] if joined else ""
            if before.startswith("--") and (word == "=" or before.endswith("=")):
                joined[-1] += word
            else:
                joined.append(word)
        *args, incomplete = joined
        return [part for word in args[1:] for part in split_arg_string(word)], incomplete.strip("\"'")


def script(shell: str, command: click.Command) -> str:
    """The script that lets a shell ask."""
    classes: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
    return classes[shell](command, {}, "sitejobs", VARIABLE).source()


def register() -> None:
    """Have click answer shells by these classes."""
    for shell in (_Zsh, _Fish, _Bash):
        add_completion_class(shell)
