"""Completion in real shells: what is typed, a tab, and what the shell has made of it."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.limits import PATIENCE_S
from tests.local.command import environment, sitejobs
from tests.skips import Lacking, program

START: Final = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(sitejobs completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -D; eval "$(sitejobs completion zsh)"'),
}


def variables(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return environment(PATH=path, HOME=str(home), PS1="$ ", TERM="dumb")


class Shell:
    """A shell in a terminal of its own."""

    def __init__(self, name: str, home: Path) -> None:
        command, setup = START[name]
        self._terminal, inside = pty.openpty()
        self._process = subprocess.Popen(
            command, env=variables(home), stdin=inside, stdout=inside, stderr=inside, start_new_session=True
        )
        os.close(inside)
        self._shown = b""
        self.type(f"{setup}; echo rea''dy\n")
        self.wait_for("ready")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, text: str) -> str:
        """Read until the shell has written `text`; what it has written since the last time."""
        deadline = time.monotonic() + PATIENCE_S
        while text.encode() not in self._shown:
            assert time.monotonic() < deadline, self._shown.decode()
            self._shown += os.read(self._terminal, 4096)
        shown, self._shown = self._shown.decode(), b""
        return shown

    def end(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        os.close(self._terminal)


@pytest.fixture(params=sorted(START))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    name: str = request.param
    program(Lacking(name))
    started = Shell(name, tmp_path)
    yield started
    started.end()


def test_a_tab_completes_jobs_commands_options_and_names_of_jobs(shell: Shell) -> None:
    for begun, whole in (
        ("sitejobs after-al", "after-algorithm-update"),
        ("sitejobs match-scores --cand", "--candidateBatchSize"),
        ("sitejobs runs --job tren", "--job trending"),
        ("sitejobs runs --job=tren", "--job=trending"),
        ("sitejobs all --only=search,feed-presort-", "--only=search,feed-presort-cleanup"),
    ):
        shell.type(f"{begun}\t")
        shell.wait_for(whole)
        shell.type("\x15")


def test_bash_that_does_not_cut_words_at_equals_signs_keeps_the_option(tmp_path: Path) -> None:
    program(Lacking.BASH)
    shell = Shell("bash", tmp_path)
    shell.type("COMP_WORDBREAKS=${COMP_WORDBREAKS//=}; echo do''ne\n")
    shell.wait_for("done")
    shell.type("sitejobs runs --job=tren\t")
    shell.wait_for("--job=trending")
    shell.end()


def test_fish_completes_them_too(tmp_path: Path) -> None:
    asked = "sitejobs completion fish | source; complete -C 'sitejobs runs --job=tren'; complete -C 'sitejobs after-al'"
    fish = [program(Lacking.FISH), "--no-config", "-c", asked]
    told = subprocess.run(fish, env=variables(tmp_path), capture_output=True, text=True, check=True).stdout
    assert [line.split("\t")[0] for line in told.splitlines()] == ["--job=trending", "after-algorithm-update"]


def test_a_shell_that_is_not_known_is_refused() -> None:
    refused = sitejobs("completion", "tcsh")
    assert (refused.returncode, "bash" in refused.stderr) == (2, True)
