"""A folder whose files are the objects of a bucket, each named by its key: a copy of a site's uploads."""

import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

from moto.s3.models import FakeBucket, FakeKey

from sitejobs_local.aws.work_files import StoredKey


class MediaFiles:
    """A bucket of moto's and the folder with its files. Files are added, never changed or removed."""

    def __init__(self, folder: Path, bucket: FakeBucket) -> None:
        self._folder = folder
        self._bucket = bucket
        self._restored: dict[str, FakeKey] = {}

    def restore(self) -> None:
        """Put the folder's files into the bucket; their bytes are read when they are asked for."""
        for file in self._folder.rglob("*"):
            if file.is_file():
                key = StoredKey(file, self._description(file), self._bucket.name)
                self._restored[key.name] = key
                self._bucket.keys.setlist(key.name, [key])

    def save(self) -> None:
        """Write the objects that were put into the bucket since `restore`."""
        for name, key in self._bucket.keys.items():
            if isinstance(key, FakeKey) and self._restored.get(name) is not key:
                self._write(key)

    def _description(self, file: Path) -> dict[str, object]:
        known = file.stat()
        return {
            "key": file.relative_to(self._folder).as_posix(),
            "size": known.st_size,
            "etag": None,  # the content's MD5, made when it is asked for
            "last_modified": datetime.fromtimestamp(known.st_mtime, UTC).replace(tzinfo=None).isoformat(),
            "metadata": {},
        }

    def _write(self, key: FakeKey) -> None:
        file = self._folder / key.name
        if not file.resolve().is_relative_to(self._folder.resolve()):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{uuid.uuid4().hex}")
        with draft.open("xb") as target, key.lock:
            key._value_buffer.seek(0)
            shutil.copyfileobj(key._value_buffer, target, 1 << 20)
        moment = key.last_modified.replace(tzinfo=UTC).timestamp()
        os.utime(draft, (moment, moment))
        draft.replace(file)
