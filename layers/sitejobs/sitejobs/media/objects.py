"""The media bucket: an object's current state, and byte ranges of exactly that object."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sitejobs.aws_codes import ARCHIVED, BUSY, CHANGED, GONE, code_of
from sitejobs.errors import InvalidInput, Transient


class ObjectGone(Exception):
    """The object does not exist, or no longer."""


class ObjectChanged(Exception):
    """The object was overwritten after it was looked at."""


class ObjectLocked(Exception):
    """The object is archived: it cannot be read before it is restored."""


@dataclass(frozen=True)
class StoredObject:
    """An object as HEAD described it. `etag` distinguishes its content from any other under the same key."""

    key: str
    size: int
    etag: str
    modified_at: datetime


class MediaObjects(Protocol):
    """What the checks need of a bucket."""

    def head(self, key: str) -> StoredObject:
        """Look at an object. `ObjectGone` when there is none."""

    def read(self, found: StoredObject, start: int, length: int) -> bytes:
        """Bytes of exactly this object. `ObjectChanged` or `ObjectGone`: it was overwritten or deleted."""


@dataclass(frozen=True)
class ObjectSource:
    """One object as the parser reads it."""

    objects: MediaObjects
    found: StoredObject

    def read(self, start: int, length: int) -> bytes:
        return self.objects.read(self.found, start, length)


class S3Objects:
    """A bucket on S3."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._is_there = False

    def head(self, key: str) -> StoredObject:
        try:
            with _translated():
                answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except ObjectGone:
            self._see_that_it_is_there()
            raise
        self._is_there = True
        return StoredObject(key, int(answer["ContentLength"]), str(answer["ETag"]).strip('"'), answer["LastModified"])

    def read(self, found: StoredObject, start: int, length: int) -> bytes:
        asked = f"bytes={start}-{start + length - 1}"
        with _translated():
            answer = self._client.get_object(Bucket=self._bucket, Key=found.key, Range=asked, IfMatch=f'"{found.etag}"')
            data: bytes = answer["Body"].read()
        if len(data) != length:
            raise ObjectChanged
        return data

    def _see_that_it_is_there(self) -> None:
        """Where there is no bucket, HEAD answers 404 as well. InvalidInput: no upload is gone for that."""
        if self._is_there:
            return
        try:
            with _translated():
                self._client.head_bucket(Bucket=self._bucket)
        except ObjectGone:
            raise InvalidInput("the media bucket cannot be read: there is no such bucket") from None
        except InvalidInput:  # this may be forbidden where reading objects is not
            pass
        self._is_there = True


@contextmanager
def _translated() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _of_code(code_of(error)) from None
    except BotoCoreError as error:
        raise Transient(f"the media bucket: {type(error).__name__}") from None


def _of_code(code: str) -> Exception:
    if code in GONE:
        return ObjectGone()
    if code in CHANGED:
        return ObjectChanged()
    if code == ARCHIVED:
        return ObjectLocked()
    if code in BUSY:
        return Transient(f"the media bucket: {code}")
    # A bucket that refuses access says nothing about the object: no verdict is stored.
    return InvalidInput(f"the media bucket cannot be read: {code}")
