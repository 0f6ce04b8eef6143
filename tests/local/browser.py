"""A headless Chromium of this machine, where there is one."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.limits import PATIENCE_S
from tests.skips import Lacking, skip

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """The program's path; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        skip(Lacking.BROWSER, f"none of {', '.join(NAMES)} is installed")
    return found


def browse(folder: Path, *arguments: str) -> str:
    """Run the browser to its end and return what it printed."""
    call = [chromium(), "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder / 'browser'}"]
    if os.geteuid() == 0:
        call.append("--no-sandbox")  # it does not start as root otherwise
    done = subprocess.run([*call, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(page: Path, folder: Path) -> str:
    """The page's document as HTML once its scripts have run."""
    return browse(folder, "--dump-dom", page.as_uri())


def picture(page: Path, target: Path, folder: Path, width: int, height: int) -> None:
    """A screenshot of the page as PNG."""
    browse(folder, f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri())
