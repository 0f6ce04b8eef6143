"""Draw docs/demo.svg: what `make demo` shows, from a real run on a database of its own.

python -m tools.demo_picture
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tools.pictures import note

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "demo.svg"
COLUMNS = 96
MATCHES_SHOWN = 2

_ERASED = re.compile(r"\r\x1b\[2K|\r?\n")
_BAR = re.compile(r"match-scores .* (?P<done>\d+)/(?P<planned>\d+) pages")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]")  # all but colours
_REMOTE_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def run_demo(home: Path) -> tuple[str, str]:
    """Run the demonstration on an empty database; returns what a terminal would get as stdout and as stderr."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "PG"))}
    terminal = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "sitejobs_local.cli", "demo"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=kept | terminal | {"SITEJOBS_HOME": str(home)}, stdout=subprocess.PIPE, stderr=writer
    ) as process:
        os.close(writer)
        notes = bytearray()
        while chunk := _read(reader):
            notes += chunk
        assert process.stdout is not None
        shown = process.stdout.read()
    os.close(reader)
    if process.returncode:
        raise SystemExit(f"the demonstration ended with {process.returncode}:\n{notes.decode()}")
    return shown.decode(), notes.decode()


def excerpt(shown: str, notes: str) -> list[Text]:
    """The lines of the picture: the prompt, the bar on its way, the summary, the first matches, the distribution."""
    lines = [Text.from_ansi(line) for line in shown.splitlines()]
    plain = [line.plain for line in lines]
    summary = _index(plain, "match-scores: run")
    matches = _index(plain, "best matches of user")
    scores = _index(plain, " scores of ")
    table = lines[matches:scores]
    ends = [at for at, line in enumerate(plain[matches:scores]) if line.startswith("├")]
    prompt = Text("$ make demo", style="bold")
    return [
        prompt,
        bar_of(notes),
        *lines[summary:matches],
        *table[: ends[MATCHES_SHOWN - 1]],
        table[-1],
        *lines[scores:-1],
    ]


def bar_of(notes: str) -> Text:
    """The progress bar a little beyond its middle."""
    frames = [_CONTROL.sub("", frame) for frame in _ERASED.split(notes)]
    found = [(frame, match) for frame in frames if (match := _BAR.search(Text.from_ansi(frame).plain))]
    half = [frame for frame, match in found if int(match["done"]) * 2 >= int(match["planned"])]
    return Text.from_ansi(half[0])


def draw(lines: Sequence[Text]) -> str:
    """The lines as a picture of a terminal, without fonts from elsewhere."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        for line in lines:
            console.print(line, no_wrap=True, crop=True)
        picture = console.export_svg(title="make demo", unique_id="demo")
    return _REMOTE_FONTS.sub("", picture)


def main() -> int:
    """Run the demonstration and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o711)  # as root the server runs as another user
        PICTURE.write_text(draw(excerpt(*run_demo(home))))
    note(PICTURE.name)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1024:.0f} KB")
    return 0


def _read(terminal: int) -> bytes:
    """What the terminal got since; nothing when the program has ended (an error on Linux, empty on macOS)."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def _index(plain: Sequence[str], sign: str) -> int:
    return next(at for at, line in enumerate(plain) if sign in line)


if __name__ == "__main__":
    sys.exit(main())
