"""Objects of a bucket kept in a folder between commands, as S3 would keep them.

Restoring reads only the objects' descriptions: an object's bytes are read when it is asked for. Several commands may
use one folder at a time; the last to write an object wins, as on S3.
"""

import hashlib
import json
import shutil
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from moto.s3.models import FakeBucket, FakeKey

from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION
from sitejobs_local.template.resources import Bucket

_ORPHAN_SECONDS: Final = 3600.0


class StoredKey(FakeKey):
    """An object whose bytes are still in its file."""

    def __init__(self, file: Path, description: dict[str, Any], bucket: str) -> None:
        super().__init__(
            name=description["key"],
            value=b"",
            account_id=ACCOUNT_ID,
            region_name=REGION,
            etag=description["etag"],
            bucket_name=bucket,
            version_id="null",
        )
        self._value_buffer.close()
        self._value_buffer = _LazyFile(file)  # type: ignore[assignment] # as much of it as is used
        self.contentsize = description["size"]
        self.last_modified = datetime.fromisoformat(description["last_modified"])
        self._metadata.update(description["metadata"])


class _LazyFile:
    """The methods of a binary file that moto calls to read a key's bytes; opened on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def seek(self, offset: int) -> int:
        if self._file is None:
            self._file = self._path.open("rb")
        return int(self._file.seek(offset))

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(size))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class WorkFiles:
    """A bucket of moto's and the folder that keeps its objects.

    Parameters
    ----------
    folder : made when it is missing, readable by its owner only.
    settings : the bucket as the template has it; its expiry rules hold here too.
    bucket : moto's.
    """

    def __init__(self, folder: Path, settings: Bucket, bucket: FakeBucket) -> None:
        self._folder = folder
        self._settings = settings
        self._bucket = bucket
        self._restored: dict[str, FakeKey] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def restore(self) -> None:
        """Put the folder's objects into the bucket and remove expired ones."""
        now = datetime.now(UTC)
        wanted = set()
        for file in self._folder.glob("*.json"):
            description = _described(file)
            if description is None:
                continue
            if self._expired(description, now):
                file.unlink(missing_ok=True)
                continue
            data = self._folder / description["data"]
            if data.is_file():
                wanted.add(data.name)
                key = StoredKey(data, description, self._bucket.name)
                self._restored[key.name] = key
                self._bucket.keys.setlist(key.name, [key])
        for data in self._folder.glob("*.data"):
            # Files younger than an hour stay: another command may be about to write the description.
            if data.name not in wanted and data.stat().st_mtime < time.time() - _ORPHAN_SECONDS:
                data.unlink(missing_ok=True)

    def save(self) -> None:
        """Write objects put into the bucket since `restore`, and remove deleted ones."""
        current = {name: key for name, key in self._bucket.keys.items() if isinstance(key, FakeKey)}
        for name, key in current.items():
            if self._restored.get(name) is not key:
                self._write(key)
        for name in self._restored.keys() - current.keys():
            self._remove(name)

    def _expired(self, description: dict[str, Any], now: datetime) -> bool:
        written = datetime.fromisoformat(description["last_modified"]).replace(tzinfo=UTC)
        return any(
            description["key"].startswith(rule.prefix) and now - written > timedelta(days=rule.days)
            for rule in self._settings.expirations
        )

    def _write(self, key: FakeKey) -> None:
        data = self._folder / f"{_stem(key.name)}-{uuid.uuid4().hex}.data"
        with data.open("xb") as target, key.lock:
            key._value_buffer.seek(0)
            shutil.copyfileobj(key._value_buffer, target, 1 << 20)
        description = {
            "key": key.name,
            "data": data.name,
            "size": key.size,
            "etag": key.etag.strip('"'),
            "last_modified": key.last_modified.isoformat(),
            "metadata": dict(key.metadata),
        }
        file = self._folder / f"{_stem(key.name)}.json"
        before = _described(file)
        draft = data.with_suffix(".draft")
        draft.write_text(json.dumps(description), encoding="utf-8")
        draft.replace(file)
        if before is not None:
            (self._folder / before["data"]).unlink(missing_ok=True)

    def _remove(self, name: str) -> None:
        file = self._folder / f"{_stem(name)}.json"
        description = _described(file)
        file.unlink(missing_ok=True)
        if description is not None:
            (self._folder / description["data"]).unlink(missing_ok=True)


def _stem(key: str) -> str:
    """A file's name for a key of any characters and length."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _described(file: Path) -> dict[str, Any] | None:
    """An object's description; None when the file is gone or damaged."""
    try:
        description: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return description
