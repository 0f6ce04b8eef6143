"""Bytes to parse, and a bucket in memory that answers like S3; a test may act before each read."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sitejobs.media.attributes import Attributes
from sitejobs.media.objects import ObjectChanged, ObjectGone, StoredObject
from sitejobs.media.parser_host import ParserHost

FILES = Path(__file__).parent / "files"


def content(name: str) -> bytes:
    """A file of the set."""
    return (FILES / name).read_bytes()


@dataclass
class Bytes:
    """A source of bytes that counts, and calls `meanwhile` before each read."""

    data: bytes
    meanwhile: Callable[[], object] = lambda: None
    reads: list[tuple[int, int]] = field(default_factory=list)

    def read(self, start: int, length: int) -> bytes:
        self.meanwhile()
        self.reads.append((start, length))
        return self.data[start : start + length]


def extracted(parser: ParserHost, data: bytes) -> Attributes:
    """The parser's result for some bytes."""
    return parser.extract(Bytes(data), len(data))


class Bucket:
    """Objects by key. `on_read` is called before each ranged read."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, datetime]] = {}
        self._clock = datetime(2026, 6, 1, tzinfo=UTC)
        self.on_read: Callable[[], object] = lambda: None
        self.on_head: Callable[[], object] = lambda: None

    def put(self, key: str, data: bytes) -> None:
        self._clock += timedelta(seconds=1)
        self._objects[key] = (data, self._clock)

    def delete(self, key: str) -> None:
        del self._objects[key]

    def head(self, key: str) -> StoredObject:
        self.on_head()
        if key not in self._objects:
            raise ObjectGone
        data, modified = self._objects[key]
        return StoredObject(key, len(data), hashlib.md5(data).hexdigest(), modified)

    def read(self, found: StoredObject, start: int, length: int) -> bytes:
        self.on_read()
        if found.key not in self._objects:
            raise ObjectGone
        data, _ = self._objects[found.key]
        if hashlib.md5(data).hexdigest() != found.etag:
            raise ObjectChanged
        return data[start : start + length]
