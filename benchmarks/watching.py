"""The most memory that the functions' processes of a command ever had."""

import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_LOOK_SECONDS = 0.25
_WORKER = "lambda_worker.py"


class Watch:
    """Looks at the workers below a process from entering the context to leaving it.

    `peaks`: KiB by handler, such as `match_scores.app.batch`.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._root = process.pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._peaks: dict[str, int] = {}

    @property
    def peaks(self) -> Mapping[str, int]:
        return self._peaks

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            with suppress(psutil.Error):
                for process in psutil.Process(self._root).children(recursive=True):
                    self._look_at(process)

    def _look_at(self, process: psutil.Process) -> None:
        with suppress(psutil.Error, OSError):
            handler = handler_of(process)
            if handler is not None:
                self._peaks[handler] = max(self._peaks.get(handler, 0), _peak_kb(process))


def handler_of(process: psutil.Process) -> str | None:
    """Which handler an environment of a function runs; None for another process."""
    command = process.cmdline()
    handler = next((word for word in command if ".app." in word), None)
    return handler if any(word.endswith(_WORKER) for word in command) else None


def own_peak_mb() -> float:
    """The most memory that this process ever had."""
    return _peak_kb(psutil.Process()) / 1024


def forget_peak() -> None:
    """Have the system count this process's peak from now on, where it can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def status_mb(process: psutil.Process, what: str) -> float:
    """A line of a process's status, such as `RssAnon`, in MB; 0 where the system has none."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(what)), 0) / 1024


def _peak_kb(process: psutil.Process) -> int:
    """Its peak resident memory; its present one where the system does not report the peak."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
    return int(process.memory_info().rss) // 1024
