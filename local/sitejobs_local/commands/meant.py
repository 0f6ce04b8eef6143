"""What may have been meant by a name that does not exist: of a command, a job, an option or a value."""

import re
from collections.abc import Iterable, Sequence

import click

_ELSEWHERE = {
    "help": "sitejobs --help",
    "list": "sitejobs --help",
    "jobs": "sitejobs --help",
    "version": "sitejobs --version",
    "migrate": "sitejobs db migrate",
    "roles": "sitejobs db roles",
    "reset": "sitejobs db reset",
    "psql": "sitejobs db shell",
    "retry": "sitejobs runs retry",
}
"""Words that are no command here, and the command line that does what they say."""


def meant(given: str, known: Iterable[str]) -> list[str]:
    """Names that `given` may stand for: the same letters with other joints and case, else similar ones, best first."""
    by_letters = {_letters(name): name for name in known}
    if _letters(given) in by_letters:
        return [by_letters[_letters(given)]]
    from difflib import get_close_matches

    return [by_letters[letters] for letters in get_close_matches(_letters(given), by_letters)]


def question(names: Sequence[str]) -> str:
    """` Did you mean 'a' or 'b'?`; empty without names."""
    if not names:
        return ""
    quoted = [repr(name) for name in names]
    return f" Did you mean {', '.join(quoted[:-1])}{' or ' if quoted[1:] else ''}{quoted[-1]}?"


def explained(error: click.UsageError) -> str:
    """What to say of a command line that cannot be understood."""
    if error.ctx is None:
        return _without_context(error)
    return f"{_sentence(error, error.ctx)}\n`{error.ctx.command_path} --help` tells what there is."


def _without_context(error: click.UsageError) -> str:
    """Click says of a switch that it takes no value without the command that it belongs to."""
    text = error.format_message().rstrip(".") + "."
    if isinstance(error, click.BadOptionUsage) and "does not take a value" in text:
        return f"{text} Did you mean {error.option_name!r}? Leave it out to say no."
    return text


def _sentence(error: click.UsageError, context: click.Context) -> str:
    known = [name for parameter in context.command.get_params(context) for name in parameter.opts if name[:2] == "--"]
    if isinstance(error, click.NoSuchOption):
        found = question(meant(error.option_name, known))
        if isinstance(context.command, click.Group) and not found:
            found = " Options follow the name of the job or command."
        return error.message + found
    if isinstance(error, click.exceptions.NoSuchCommand):
        return _no_command(error, context)
    return error.format_message().rstrip(".") + "." + _of_extra(error.message, known)


def _no_command(error: click.exceptions.NoSuchCommand, context: click.Context) -> str:
    assert isinstance(context.command, click.Group)
    known = context.command.list_commands(context)
    if context.parent is not None:
        return error.message + question(meant(error.command_name, known))
    found = meant(error.command_name, known)
    if not found and _letters(error.command_name) in _ELSEWHERE:
        found = [_ELSEWHERE[_letters(error.command_name)]]
    return f"There is no job or command {error.command_name!r}.{question(found)}"


def _of_extra(message: str, options: Sequence[str]) -> str:
    """What an argument that nothing takes may be: an option without its dashes."""
    extra = re.search(r"unexpected extra arguments? \((\S+?)[\s)]", message)
    name, equals, value = extra[1].partition("=") if extra is not None else ("", "", "")
    found = meant(name, options) if name else []
    return question([f"{found[0]}{equals}{value}"]) if found else ""


def _letters(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).casefold()
