"""What tests ask about processes, without /proc."""

import subprocess
import time
from collections.abc import Callable

from tests.limits import PATIENCE_S


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.strip().startswith("Z")


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
