"""The entries of the functions that check uploads: they make the checker from the environment."""

from collections.abc import Mapping
from functools import lru_cache

from sitejobs.errors import InvalidInput
from sitejobs.handlers.entry import Handler
from sitejobs.handlers.environment import cached_resources
from sitejobs.handlers.paged import job_handler
from sitejobs.handlers.queue import queue_handler
from sitejobs.handlers.settings import MediaVariables
from sitejobs.jobs.job import PagedJob, Resources
from sitejobs.jobs.queues import Consume
from sitejobs.media.checking import Checker, limits_of
from sitejobs.media.objects import S3Objects
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.rules import read_rules
from sitejobs.variables import read_environment


def media_job_handler(job: PagedJob) -> Handler:
    """Plan and Batch of a job that checks uploads."""
    return job_handler(job, media_resources)


def uploads_handler(consume: Consume) -> Handler:
    """The queue of the media bucket's events."""
    return queue_handler(consume, media_resources)


@lru_cache(maxsize=1)
def media_resources() -> Resources:
    """The function's resources. Their checker is made when the first record is checked: Plan needs none."""
    resources = cached_resources()
    resources.memory.promise(Checker, lambda: make_checker(resources.environment))
    return resources


def make_checker(environment: Mapping[str, str]) -> Checker:
    """A checker with the rules, the bucket and the parser's limits of an environment.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    rules = read_rules(environment)
    place = read_environment(MediaVariables, environment)
    if not place.bucket:
        raise InvalidInput("set MEDIA_BUCKET: the uploads are read from there")
    return Checker(_bucket(place.bucket), ParserHost(limits_of(rules)), rules, place.prefix)


def _bucket(name: str) -> S3Objects:
    import boto3
    from botocore.config import Config

    patience = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
    return S3Objects(boto3.client("s3", config=patience), name)
