"""What tests ask about processes, without /proc."""

import subprocess
import time
from collections.abc import Callable

from tests.limits import PATIENCE_S


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not.

    While others of its threads are still ending (`l`), its files are open.
    """
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state = shown.stdout.strip()
    return bool(state) and (not state.startswith("Z") or "l" in state)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
