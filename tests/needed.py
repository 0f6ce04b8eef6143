"""What some tests need beside Python: where it is missing they are skipped and say so; in CI they fail."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it in CI, for want of something that this machine does not have."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing")
    pytest.skip(f"needs {what}")


def program(name: str) -> str:
    """The path of a program."""
    return shutil.which(name) or missing(name)
