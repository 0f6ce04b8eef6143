"""The Lambda entry of an SQS queue."""

from random import Random

from sitejobs.aliases import JsonObject
from sitejobs.handlers.entry import Handler, entry, logger
from sitejobs.handlers.environment import ResourcesOf, cached_resources, cached_settings, queue_client
from sitejobs.jobs import runs
from sitejobs.jobs.queues import Consume, delay, failures, messages_of


def queue_handler(consume: Consume, resources_of: ResourcesOf = cached_resources) -> Handler:
    """A handler that gives messages to `consume`. Those not done are delivered again after a growing pause."""

    def handle(event: JsonObject) -> JsonObject:
        handled = consume(resources_of(), messages_of(event))
        settings, jitter = cached_settings(), Random()  # noqa: S311 - no secret
        refused = delay(queue_client, settings.queue_url, handled, settings.queue_retry_seconds, jitter)
        logger.info(
            "messages done",
            messages=len(event["Records"]),
            again=len(handled.again),
            delays_refused=refused,
            reasons=dict(handled.summary.reasons),
            **{name: getattr(handled.summary, name) for name in runs.COUNTERS},
        )
        return failures(handled)

    return entry(handle)
