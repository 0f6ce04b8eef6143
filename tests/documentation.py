"""README.md and the pages of docs/: their blocks, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "layers" / "sitejobs" / "sitejobs"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELLS = {"bash", "sh", "console"}


@dataclass(frozen=True)
class Line:
    """A command as the documentation has it, up to a pipe or the next command."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def variables(self) -> dict[str, str]:
        """Those set in front of the command."""
        pairs = (word.partition("=") for word in self.words[: self._start])
        return {name: value for name, _, value in pairs}

    @property
    def program(self) -> str:
        """Its name, without a folder."""
        return Path(self.words[self._start]).name

    @property
    def arguments(self) -> list[str]:
        """What follows the program, without redirections."""
        rest = self.words[self._start + 1 :]
        return rest[: rest.index(">")] if ">" in rest else rest

    @property
    def _start(self) -> int:
        return next(at for at, word in enumerate(self.words) if not re.match(r"[A-Z_]+=", word))


def blocks(page: Path, languages: set[str]) -> Iterator[str]:
    """The fenced blocks of a page in these languages."""
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language in languages:
            yield body


def lines_of(page: Path) -> Iterator[Line]:
    """The commands of a page: those in blocks, and those in backticks that begin with a program of ours."""
    for body in blocks(page, SHELLS):
        for line in body.replace("\\\n", " ").splitlines():
            text = line.removeprefix("$ ")
            yield from (Line(page.name, part) for part in _parts(text))
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for quoted in re.findall(r"`([^`\n]+)`", prose):
        if re.match(r"([A-Z_]+=\S+ )*(make|sitejobs|sam|psql) [a-z-]", quoted) and "..." not in quoted:
            yield from (Line(page.name, part) for part in _parts(quoted))


def _parts(text: str) -> list[str]:
    """A command line's commands, without a comment at its end."""
    words = re.findall(r"""(?:[^\s|&;'"]|'[^']*'|"[^"]*")+|[|&;]+""", re.sub(r"(^|\s)# .*", "", text))
    parts: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set("|&;"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]
