"""Which bucket the media jobs at home read the uploads from."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitejobs.errors import InvalidInput

BUCKET, FOLDER = "MEDIA_BUCKET", "MEDIA_FOLDER"
READ_UPLOADS = frozenset({"media-metadata", "media-metadata-all", "media-metadata-batch", "upload"})
"""Jobs and commands that need the bucket."""


@dataclass(frozen=True)
class MediaPlace:
    """Where the uploads are.

    `folder` keeps the local bucket; `as_keys`: its files are the objects, named by their storage keys. `bucket` is a
    bucket on S3 instead; `access` are the variables that reach it.
    """

    folder: Path
    as_keys: bool = False
    bucket: str | None = None
    access: Mapping[str, str] | None = None


def media_place(own_folder: Path, environ: Mapping[str, str], jobs: Collection[str], *, embedded: bool) -> MediaPlace:
    """The place for a run of these jobs.

    The embedded database's uploads are in the local bucket. Of another database the bucket must be named: in an empty
    one every upload would be found gone.

    Raises
    ------
    InvalidInput : it is not named, cannot be reached, or the folder holds nothing.
    """
    asking = sorted(READ_UPLOADS.intersection(jobs))
    bucket, folder = environ.get(BUCKET, ""), environ.get(FOLDER, "")
    if embedded or not asking:
        return MediaPlace(own_folder)
    if bucket and folder:
        raise InvalidInput(f"{BUCKET} and {FOLDER} name two places of the uploads: set one of them")
    if bucket:
        _reach(bucket)
        access = {name: value for name, value in environ.items() if name.startswith("AWS_")}
        return MediaPlace(own_folder, bucket=bucket, access={**access, BUCKET: bucket})
    if not folder:
        raise InvalidInput(
            f"{', '.join(asking)}: where are this site's uploads? Name their bucket ({BUCKET}=<name>, read with your"
            f" AWS credentials) or a folder with a copy of its files ({FOLDER}=<folder>)"
        )
    return MediaPlace(_with_files(Path(folder).expanduser(), empty=asking == ["upload"]), as_keys=True)


def _with_files(folder: Path, *, empty: bool) -> Path:
    """The folder, if it is one and holds files; `empty`: it need not hold any."""
    if not folder.is_dir():
        raise InvalidInput(f"{FOLDER}: {folder} is no folder")
    if not empty and not any(files for _, _, files in os.walk(folder)):
        raise InvalidInput(f"{FOLDER}: there is no file in {folder}, so every upload would be found gone")
    return folder.absolute()


def s3_client() -> Any:
    """S3 as this shell's AWS settings reach it."""
    import boto3

    return boto3.client("s3")


def _reach(bucket: str) -> None:
    """Refuse a bucket that is not there or not this account's to read: its uploads are not gone for that."""
    from botocore.exceptions import BotoCoreError, ClientError

    from sitejobs.aws_codes import code_of

    try:
        s3_client().head_bucket(Bucket=bucket)
    except ClientError as error:
        raise InvalidInput(f"{BUCKET}: the bucket {bucket!r} cannot be read: {code_of(error)}") from None
    except BotoCoreError as error:
        raise InvalidInput(f"{BUCKET}: the bucket {bucket!r} cannot be reached: {error}") from None
