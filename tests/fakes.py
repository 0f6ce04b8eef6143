"""Stand-ins that behave like the real thing, for tests that need no AWS."""

import shutil
from pathlib import Path

from sitejobs.errors import DataUnavailable


class FolderWorkStore:
    """The work bucket as a folder: whole objects in, byte ranges out, and the same errors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_file(self, key: str, path: Path) -> None:
        """Store the file whole: a reader sees the old object or the new one."""
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = target.with_name(target.name + ".arriving")
        shutil.copyfile(path, arriving)
        arriving.replace(target)

    def size(self, key: str) -> int:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            raise DataUnavailable(f"work file {key} is not there (404)") from None

    def read(self, key: str, start: int, length: int) -> bytes:
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                data = file.read(length)
        except FileNotFoundError:
            raise DataUnavailable(f"work file {key} is not there (NoSuchKey)") from None
        if len(data) != length:
            raise DataUnavailable(f"work file {key} is shorter than {start + length} bytes")
        return data

    def _path(self, key: str) -> Path:
        return self.folder / key
