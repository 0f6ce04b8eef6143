"""Whether a function reaches what the jobs need beside the database: buckets and the queue of uploads."""

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from sitejobs.aws_codes import code_of
from sitejobs.handlers.environment import queue_client
from sitejobs.handlers.settings import MediaVariables, Settings
from sitejobs.schema.check import Finding, Level
from sitejobs.variables import read_environment

_NETWORK: Final = "-- the network or the rights of the functions: docs/deploying.md, The network"
_TRIED: Final = "snapshots/check"
_MEDIA_JOBS: Final = ("media-metadata", "media-metadata-all", "media-metadata-batch")


def unreached(settings: Settings) -> Iterator[Finding]:
    """What of the buckets and the queue cannot be used from here, each with the reason."""
    media = read_environment(MediaVariables, os.environ)
    s3 = _client()
    yield from _tried("required", "the work bucket", ("match-scores",), lambda: _write(s3, settings.work_bucket))
    yield from _tried(
        "required",
        "the uploads' bucket",
        _MEDIA_JOBS,
        lambda: s3.list_objects_v2(Bucket=media.bucket, Prefix=media.prefix, MaxKeys=1),
    )
    # Without it a message that failed comes again after half an hour instead of seconds.
    yield from _tried("recommended", "the uploads' queue", _MEDIA_JOBS, lambda: _ask_queue(settings.queue_url))


def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client("s3", config=Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2}))


def _write(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=_TRIED, Body=b"written by sitejobs check")
    s3.get_object(Bucket=bucket, Key=_TRIED)["Body"].read()


def _ask_queue(url: str) -> None:
    queue_client().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])


def _tried(level: Level, name: str, jobs: tuple[str, ...], act: Callable[[], object]) -> Iterator[Finding]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        act()
    except ClientError as error:
        yield Finding(level, "service", name, f"refuses: {code_of(error)}", jobs, _NETWORK)
    except BotoCoreError as error:
        yield Finding(level, "service", name, f"is not reached: {type(error).__name__}", jobs, _NETWORK)
