"""Storage of a run's work files, such as snapshots."""

from pathlib import Path
from typing import Protocol


class WorkStore(Protocol):
    """Stores whole objects and reads byte ranges."""

    def put_file(self, key: str, path: Path) -> None:
        """Store the file's content under `key`, whole or not at all."""

    def size(self, key: str) -> int:
        """Bytes of the object; raises `DataUnavailable` when it is gone."""

    def read(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`; raises `DataUnavailable` when the object is gone or shorter."""
