"""Take the pictures of the documentation anew: the pages of feed and quality and the studio, of a real run.

    python -m tools.pictures

Needs Chromium or Chrome. docs/pictures.json keeps what each picture was made of; a test compares it with what there is.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from tools.browser import Page, browser

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
MADE_OF = DOCS / "pictures.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COLOURS = 128
USERS = 400

_COMMANDS = "local/sitejobs_local/commands"
_STUDIO = tuple(f"{_COMMANDS}/studio/page/{name}" for name in ("index.html", "studio.css", "studio.js"))
INPUTS: Mapping[str, tuple[str, ...]] = {
    "demo.svg": (f"{_COMMANDS}/matches.py", "local/sitejobs_local/runs/report.py", "tools/demo_picture.py"),
    "feed.png": ("local/sitejobs_local/feed_page.py",),
    "quality.png": tuple(f"local/sitejobs_local/quality/{name}.py" for name in ("page", "pictures", "words")),
    "studio-runs.png": _STUDIO,
    "studio-user.png": _STUDIO,
    "studio-phone.png": _STUDIO,
}
"""What decides how each picture looks."""


def inputs_of(picture: str) -> str:
    """A hash of what a picture is made of; comments and line breaks do not count."""
    digest = hashlib.sha256()
    for name in INPUTS[picture]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        code = "".join(line for line in lines if not line.lstrip().startswith(("#", "//")))
        digest.update(re.sub(r"\s+", "", code).encode())
    return digest.hexdigest()


def note(*pictures: str) -> None:
    """Keep what these pictures were made of."""
    known = json.loads(MADE_OF.read_text()) if MADE_OF.is_file() else {}
    kept = {name: inputs_of(name) if name in pictures else known.get(name, "") for name in INPUTS}
    MADE_OF.write_text(json.dumps(kept, indent=2) + "\n")


def started(
    environment: Mapping[str, str], *arguments: str, stdout: int = subprocess.DEVNULL
) -> "subprocess.Popen[str]":
    """One command line of ours, under way."""
    call = [sys.executable, "-m", "sitejobs_local.cli", *arguments]
    return subprocess.Popen(  # noqa: S603 - our own command
        call, cwd=ROOT, env=environment, stdout=stdout, stderr=None if stdout == subprocess.PIPE else stdout, text=True
    )


@contextmanager
def studio(environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a studio that runs as long as the block."""
    with started(environment, "studio", "--no-open", "--port=0", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


def run(environment: Mapping[str, str], *arguments: str) -> None:
    """One command line of ours, to its end."""
    with started(environment, *arguments) as process:
        if process.wait() != 0:
            raise RuntimeError(f"sitejobs {' '.join(arguments)} failed")


def take(page: Page, name: str) -> None:
    """Take a picture of the page as it is, with few colours."""
    target = DOCS / name
    page.picture(target)
    Image.open(target).convert("RGB").quantize(COLOURS).save(target, optimize=True)
    print(f"docs/{name}: {target.stat().st_size / 1024:.0f} KB")


def take_all(page: Page, environment: Mapping[str, str], folder: Path) -> None:
    """Take the pictures of a site for which everything is computed."""
    with studio(environment) as address:
        page.resize(1000, 760)
        page.open(f"{address}&at={quote('/runs', safe='')}")
        page.until("document.querySelector('main li')")
        with started(environment, "match-scores", "--pauseMs=500", "--maxConcurrency=1"):
            page.until("document.querySelector('main progress')")
            take(page, "studio-runs.png")
        asked = "fetch('/api/site', {headers: {'X-Studio-Key': sessionStorage.getItem('key')}})"
        user = page.run(f"{asked}.then((answer) => answer.json()).then((site) => site.example)")
        show(page, f"/user/{user}", "section:nth-of-type(2)")
        take(page, "studio-user.png")
        page.resize(390, 844, dark=True)
        show(page, f"/user/{user}", "section:nth-of-type(3)")
        take(page, "studio-phone.png")
    made = folder / "feed.html"
    run(environment, "feed", f"--userId={user}", "--html", str(made))
    page.resize(760, 1146)
    page.open(made.as_uri())
    take(page, "feed.png")
    take_quality(page, environment, folder)


def take_quality(page: Page, environment: Mapping[str, str], folder: Path) -> None:
    """Take the picture of what the newest model is worth."""
    made = folder / "quality.html"
    run(environment, "quality", f"--html={made}")
    page.resize(860, 840)
    page.open(made.as_uri())
    take(page, "quality.png")


def show(page: Page, view: str, part: str) -> None:
    """Show a view of the studio from one of its parts on."""
    page.run(f"location.hash = '#{view}'")
    page.until(f"location.hash === '#{view}' && document.querySelector('main {part} li')")
    page.run(f"document.querySelector('main {part}').scrollIntoView()")


def main() -> int:
    """Make a site, compute everything, and take the pictures."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        print(f"the pictures stay as they are: none of {', '.join(BROWSERS)} is installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o711)  # as root the server runs as another user
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "PG"))}
        environment = kept | {"SITEJOBS_HOME": str(home / "site"), "PYTHONUNBUFFERED": "1"}
        (home / "site").mkdir(mode=0o711)
        run(environment, "population", f"--users={USERS}", "--seed=1")
        run(environment, "match-model")
        run(environment, "all")
        with browser(program, home) as page:
            take_all(page, environment, home)
    note(*(name for name in INPUTS if name != "demo.svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
