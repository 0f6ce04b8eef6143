"""The work files of a run in an S3 bucket; the bucket's lifecycle rule deletes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sitejobs.aws_codes import BUSY, CHANGED, GONE, NO_BUCKET, code_of
from sitejobs.errors import DataUnavailable, Transient


class S3WorkStore:
    """The work bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put_file(self, key: str, path: Path) -> None:
        # boto3 uploads files above 8 MB in parts; an interrupted upload leaves no object.
        with _translated(key):
            self._client.upload_file(str(path), self._bucket, key)

    def size(self, key: str) -> int:
        with _translated(key):
            return int(self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"])

    def read(self, key: str, start: int, length: int) -> bytes:
        with _translated(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes={start}-{start + length - 1}")
            data: bytes = answer["Body"].read()
        if len(data) != length:
            raise DataUnavailable(f"work file {key} is shorter than {start + length} bytes")
        return data


@contextmanager
def _translated(key: str) -> Iterator[None]:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, S3UploadFailedError) as error:
        # boto3 wraps S3's answer to an upload.
        answer = error if isinstance(error, ClientError) else error.__context__
        raise _of_code(key, answer) from error
    except BotoCoreError as error:
        raise Transient(f"work file {key}: {type(error).__name__}") from error


def _of_code(key: str, error: Any) -> DataUnavailable | Transient:
    """The error that S3's code means."""
    code = code_of(error)
    if code in GONE | CHANGED | {NO_BUCKET}:
        return DataUnavailable(f"work file {key} is not there ({code})")
    if code in BUSY:
        return Transient(f"work file {key}: {code}")
    return DataUnavailable(f"work file {key}: {code}")
