"""feed-presort: the first segments of each user's feed, stored so that a request reads one row."""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.comparing import READ_ONLY, compare_feeds
from sitejobs.feed.feeds import make_feeds
from sitejobs.feed.freshness import STALE
from sitejobs.feed.inputs import read_inputs, read_visible
from sitejobs.feed.options import FEED_PRESORT, FeedPresortOptions
from sitejobs.feed.reach import reached_users
from sitejobs.feed.rules import Rules, read_rules
from sitejobs.feed.segments import remove_segments, write_feeds
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys, Parameters, users_and
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.postgres.values import of_later_run

DRY_RUN: Final = "dryRun"
"""The parameter of a run that compares feeds with the stored ones instead of writing them."""

TOGETHER: Final = 500
"""Feeds up to which a transaction grows beyond a batch: they share what is read of posts and people. It holds 30 MB."""

_READ_STORED: Final[LiteralString] = f"""
SELECT k."userId", u."id" IS NOT NULL, {of_later_run('s."computedAt"')}, s."computedAt" = %(now)s
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
LEFT JOIN "FeedPresortedUser" s ON s."userId" = k."userId"
ORDER BY k."userId"
"""
"""Tells of each user whether the user is there, and whether a later run or this one wrote the feed."""

# Every writer of a feed locks its FeedPresortedUser row first, so that two writers collide there.
_REMOVE_USERS: Final[LiteralString] = """DELETE FROM "FeedPresortedUser" WHERE "userId" = ANY(%(gone)s)"""
"""Removes the fingerprints of users who are deleted or gone."""


def refresh(connection: Connection, keys: list[int], parameters: Parameters) -> PageSummary:
    """Make and write the feeds of these users; remove those of deleted users."""
    summary = PageSummary(processed=len(keys))
    now = parameters["now"]
    stored = connection.execute(_READ_STORED, {"keys": keys, "now": now}).fetchall()
    gone = [user for user, here, *_ in stored if not here]
    newer = [user for user, here, later, _ in stored if here and later]
    # Written by this run: the page runs a second time. Feeds that are no longer fresh are made again.
    done = [user for user, here, _, same in stored if here and same]
    if done:
        given = {**parameters, "first": done[0], "last": done[-1]}
        given |= _look(connection, given)
        done = sorted(set(done).difference(user for (user,) in connection.execute(STALE, given)))
    left = set(gone) | set(newer) | set(done)
    users = [user for user in keys if user not in left]
    dry_run = bool(parameters.get(DRY_RUN))
    if dry_run:
        connection.execute(READ_ONLY)
    elif gone:
        connection.execute(_REMOVE_USERS, {"gone": gone})
        remove_segments(connection, gone)
    page = None
    if users:
        rules = Rules.from_parameters(parameters)
        inputs = read_inputs(connection, users, parameters)
        page = make_feeds(inputs, users, lambda ids: read_visible(connection, ids), rules, now)
        summary.written = 0 if dry_run else write_feeds(connection, page, parameters)
        summary.skip(SkipReason.NOTHING_TO_SHOW, sum(not feed.segments for feed in page.feeds))
        if inputs.unreadable:
            summary.reasons["unreadable-score"] += inputs.unreadable
    if dry_run:
        summary.compared = compare_feeds(connection, sorted({*users, *gone}), page)
    summary.skip(SkipReason.DELETED, len(gone))
    summary.skip(SkipReason.NEWER_RESULT, len(newer))
    summary.skip(SkipReason.UNCHANGED, len(done))
    return summary


def _look(connection: Connection, parameters: Parameters) -> Parameters:
    """What `STALE` needs besides: whose feeds changed public posts reach."""
    return {"reached": reached_users(connection, parameters, write=not parameters.get(DRY_RUN))}


def _parameters(options: FeedPresortOptions, environment: Mapping[str, str]) -> Parameters:
    rules = read_rules(environment, options.segment_size, options.max_segments)
    return rules.to_parameters() | ({DRY_RUN: True} if options.dry_run else {})


JOB = KeyedJob(
    FEED_PRESORT,
    Keys(users_and('"FeedPresortedUser"'), STALE, COUNT_USERS, losses.FEEDS),
    refresh,
    parameters=_parameters,
    look=_look,
    together=TOGETHER,
)
