"""What a function makes from its environment, once: settings, database, work bucket, queue."""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sitejobs.errors import InvalidInput
from sitejobs.handlers.credentials import read_secret, sign_token
from sitejobs.handlers.settings import Settings, database_url, read_settings
from sitejobs.handlers.work_bucket import S3WorkStore
from sitejobs.jobs.job import Resources
from sitejobs.postgres.connection import Database
from sitejobs.postgres.search_path import BUNDLE_SCHEMA
from sitejobs.workstore import WorkStore

ResourcesOf = Callable[[], Resources]
"""Returns a function's resources, the same ones at every call."""


@lru_cache(maxsize=1)
def cached_settings() -> Settings:
    return read_settings(os.environ)


@lru_cache(maxsize=1)
def queue_client() -> Any:
    import boto3
    from botocore.config import Config

    # In a VPC without a route to SQS the call fails, and messages wait for the queue's own time: it must fail quickly.
    return boto3.client("sqs", config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}))


@lru_cache(maxsize=1)
def cached_resources() -> Resources:
    settings = cached_settings()
    database = Database(
        lambda: database_url(settings, read_secret, sign_token),
        renewed=settings.database_authentication == "iam",
        search_path=settings.database_search_path or None,
        first_schema=BUNDLE_SCHEMA,
        statement_timeout_ms=settings.statement_timeout_ms or None,
    )
    return Resources(
        database,
        _LazyWorkStore(settings.work_bucket),
        _variables(),
        max_loss_percent=settings.max_loss_percent,
    )


def _variables() -> dict[str, str]:
    """The environment, with what SETTINGS says; without any its models are not imported, for a quick start."""
    if os.environ.get("SETTINGS", "{}").strip() in ("", "{}"):
        return dict(os.environ)
    from sitejobs.handlers.tuning import tuned

    return tuned(os.environ)


class _LazyWorkStore:
    """The work bucket. Its client takes 0.2 s to make, so it is made when a page first needs it."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._store: WorkStore | None = None

    def __getattr__(self, name: str) -> Any:
        if self._store is None:
            import boto3

            if not self._bucket:
                raise InvalidInput("set WORK_BUCKET: the run's work files need a bucket")
            self._store = S3WorkStore(boto3.client("s3"), self._bucket)
        return getattr(self._store, name)
