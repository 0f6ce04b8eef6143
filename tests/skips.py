"""Why tests are skipped: what this machine lacks. The summary line counts the tests without each of them."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import NoReturn

import pytest


class Lacking(Enum):
    """What a test needs and not every machine has; the values are the summary line's words."""

    FFMPEG = "ffmpeg"
    FFPROBE = "ffprobe"
    EXIFTOOL = "exiftool"
    BROWSER = "Chromium or Chrome"
    PYTHON_3_13 = "python3.13"
    ANOTHER_PYTHON = "a Python other than 3.13"
    CONTAINERS = "a container engine"
    HOST_OF_CONTAINERS = "a way from containers to this machine"
    LINUX = "Linux"
    ROOT = "root"
    SETPRIV = "setpriv"
    PGBOUNCER = "pgbouncer"
    IP = "ip"
    NAMESPACES = "network namespaces"
    NPM = "npm"
    NODE = "Node.js 20.19"
    PRISMA = "Prisma"
    OLD_POSTGRES = "the oldest PostgreSQL"
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    C_COMPILER = "a C compiler"
    C_UTF8 = "the locale C.UTF-8"


NEEDED_IN_CI = {
    *(Lacking.FFMPEG, Lacking.FFPROBE, Lacking.EXIFTOOL, Lacking.PYTHON_3_13),
    *(Lacking.SETPRIV, Lacking.NPM, Lacking.PRISMA, Lacking.OLD_POSTGRES, Lacking.PGBOUNCER, Lacking.IP, Lacking.BASH),
    Lacking.C_COMPILER,
}
_MARK = "without "


def skip(lacking: Lacking, detail: object = "") -> NoReturn:
    """Skip the test; in CI fail it if CI must have what is missing."""
    reason = _MARK + lacking.value + (f": {detail}" if str(detail) else "")
    if lacking in NEEDED_IN_CI and os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(lacking: Lacking) -> str:
    """The path of a program; skips the test where there is none."""
    return shutil.which(lacking.value) or skip(lacking)


def skip_unless(has: bool, lacking: Lacking) -> pytest.MarkDecorator:
    """A mark for tests that need something."""
    return pytest.mark.skipif(not has, reason=_MARK + lacking.value)


def counted(reasons: Iterable[str]) -> str:
    """One line: how many tests were skipped without what, the most first; `reasons` as pytest reports them."""
    without = [reason.removeprefix("Skipped: ").removeprefix(_MARK).partition(": ")[0] for reason in reasons]
    parts = [f"{count} without {what}" for what, count in Counter(without).most_common()]
    return f"skipped: {', '.join(parts)}" if parts else ""
