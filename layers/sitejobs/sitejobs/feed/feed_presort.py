"""feed-presort: the first segments of each user's feed, stored so that a request reads one row."""

from collections.abc import Mapping
from typing import LiteralString

from psycopg import Connection

from sitejobs.feed import losses
from sitejobs.feed.feeds import make_feeds
from sitejobs.feed.freshness import STALE
from sitejobs.feed.inputs import read_inputs, read_people
from sitejobs.feed.options import FEED_PRESORT, FeedPresortOptions
from sitejobs.feed.rules import Rules, read_rules
from sitejobs.feed.segments import NOTHING, write_feeds
from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters, users_and
from sitejobs.postgres.values import of_later_run

SCAN = 1000
"""Users that a page of an incremental run looks at. A new public post makes all of them stale: pages share the work."""

_STORED: LiteralString = f"""
SELECT k."userId", u."id" IS NOT NULL, {of_later_run('s."computedAt"')}, s."computedAt" = %(now)s
FROM unnest(%(keys)s::bigint[]) AS k ("userId")
LEFT JOIN "User" u ON u."id" = k."userId" AND u."deletedAt" IS NULL
LEFT JOIN "FeedPresortedUser" s ON s."userId" = k."userId"
ORDER BY k."userId"
"""
# The user's row first, as everywhere: whoever else writes this feed is then met there.
_REMOVE_USERS: LiteralString = """DELETE FROM "FeedPresortedUser" WHERE "userId" = ANY(%(gone)s)"""
_REMOVE_SEGMENTS: LiteralString = """DELETE FROM "FeedPresorted" WHERE "userId" = ANY(%(gone)s)"""


def refresh(connection: Connection, keys: list[int], values: Parameters) -> PageSummary:
    """Make and write the feeds of some users; remove those of users who left."""
    summary = PageSummary(processed=len(keys))
    now = values["now"]
    stored = connection.execute(_STORED, {"keys": keys, "now": now}).fetchall()
    gone = [user for user, here, *_ in stored if not here]
    newer = [user for user, here, later, _ in stored if here and later]
    # Of the same run: the page runs a second time.
    done = [user for user, here, _, same in stored if here and same]
    if done:
        given = {**values, "first": done[0], "last": done[-1]}
        done = sorted(set(done).difference(user for (user,) in connection.execute(STALE, given)))
    left = set(gone) | set(newer) | set(done)
    users = [user for user in keys if user not in left]
    if gone:
        connection.execute(_REMOVE_USERS, {"gone": gone})
        connection.execute(_REMOVE_SEGMENTS, {"gone": gone})
    if users:
        rules = Rules.from_parameters(values)
        inputs = read_inputs(connection, users, values)
        feeds = make_feeds(inputs, users, lambda ids: read_people(connection, ids, values), rules, now)
        summary.written = write_feeds(connection, feeds, values)
        summary.skip(NOTHING, sum(not feed.segments for feed in feeds))
        if inputs.unreadable:
            summary.reasons["unreadable-score"] += inputs.unreadable
    summary.skip("deleted", len(gone))
    summary.skip("newer-result", len(newer))
    summary.skip("unchanged", len(done))
    return summary


def _parameters(options: FeedPresortOptions, environment: Mapping[str, str]) -> Parameters:
    return read_rules(environment, options.segment_size, options.max_segments).to_parameters()


JOB = KeyedJob(
    FEED_PRESORT,
    Keys(users_and('"FeedPresortedUser"'), STALE, 'SELECT count(*) FROM "User"', losses.FEEDS),
    refresh,
    parameters=_parameters,
    scan=SCAN,
)
