"""How long feed-presort takes, beside COPY of the very rows that it writes.

    python -m benchmarks feed --users 10000 --seed 1

One process computes every page, one after the other, on an embedded PostgreSQL of its own with the settings as shipped.
The site has three posts a user; every user has 200 match scores, drawn at random.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection

from sitejobs.database import Database, connect
from sitejobs.feed import affinity, content_features, feed_presort, trending
from sitejobs.jobs import Job, Resources, Run
from sitejobs.options import parse_options
from sitejobs_local.migrations import apply, apply_site_schema
from sitejobs_local.population import generate, load
from sitejobs_local.postgres import reset, running_postgres

_SCORES = """
INSERT INTO "MatchScore" SELECT u."id", p."userId", 0.9 - s."rank" / 300.0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL,
    NULL, 0, s."rank", 0, 0, 0, 0, 'A', NULL, NULL, NULL, now(), 'v1', NULL
FROM (SELECT array_agg("userId" ORDER BY "userId") AS "ids" FROM "Profile") AS everybody
CROSS JOIN "User" u CROSS JOIN generate_series(1, 200) AS s ("rank")
CROSS JOIN LATERAL (SELECT "ids"[1 + (u."id" * 7919 + s."rank" * 104729) %% cardinality("ids")]) AS p ("userId")
ON CONFLICT DO NOTHING
"""
_VIEWERS = """
INSERT INTO "MatchScoreViewer" SELECT "userId", now(), 'v1', count(*) FROM "MatchScore" GROUP BY 1
"""
# Public or private as the others are, of the last minutes.
_NEW_POSTS = """
INSERT INTO "Post" ("userId", "visibility", "text", "createdAt")
SELECT "userId", "visibility", "text", now() - random() * interval '10 minutes' FROM "Post" WHERE "deletedAt" IS NULL
ORDER BY hashint8extended("id", %(seed)s) LIMIT %(limit)s
"""
_NEW_PRIVATE = _NEW_POSTS.replace('WHERE "deletedAt"', """WHERE "visibility"::text = 'PRIVATE' AND "deletedAt\"""")
_COPY_OUT = """COPY "FeedPresorted" TO STDOUT (FORMAT BINARY)"""
_CREATE_COPY = """CREATE TABLE "FeedCopy" (LIKE "FeedPresorted" INCLUDING ALL)"""
_COPY_IN = """COPY "FeedCopy" FROM STDIN (FORMAT BINARY)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.feed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, nargs="+", default=[10_000], help="sizes of the sites")
    parser.add_argument("--seed", type=int, default=1, help="another seed: other sites")
    given = parser.parse_args(arguments)
    for users in given.users:
        for line in measure(users, given.seed):
            print(line, flush=True)
    return 0


def measure(users: int, seed: int) -> list[str]:
    """All figures of one size, as lines of text."""
    home = Path(tempfile.mkdtemp(prefix="sitejobs-feed-", dir="/var/tmp"))
    home.chmod(0o711)
    try:
        with running_postgres(home) as server:
            url = server.database_url("postgres")
            with connect(url) as connection:
                posts = _make_site(connection, users, seed)
                return [f"{users:,} users, {posts:,} posts", *_measure(url, connection, posts, seed)]
    finally:
        reset(home)
        shutil.rmtree(home)


def _make_site(connection: Connection, users: int, seed: int) -> int:
    apply_site_schema(connection)
    apply(connection)
    load(connection, generate(users, seed, datetime.now(UTC) - timedelta(minutes=20)))
    connection.execute(_SCORES, {})
    connection.execute(_VIEWERS)
    connection.execute("ANALYZE")
    row = connection.execute('SELECT count(*) FROM "Post"').fetchone()
    assert row is not None
    return int(row[0])


def _measure(url: str, connection: Connection, posts: int, seed: int) -> list[str]:
    for job in (content_features.JOB, trending.JOB, affinity.JOB):
        _run(url, job)
    connection.execute("ANALYZE")
    lines = []

    def presort(what: str, **options: Any) -> float:
        seconds, processed, written = _run(url, feed_presort.JOB, **options)
        rate = f", {processed / seconds:,.0f} users/s" if processed else ""
        lines.append(f"{what}: {processed:,} users, {written:,} rows in {seconds:.2f} s{rate}")
        return seconds

    first = presort("full, into an empty table")
    copied, size = _copy(connection)
    lines.append(
        f"COPY of the same rows, {size / 1e6:,.0f} MB: {copied:.2f} s; full takes {first / copied:.1f} times that"
    )
    full = presort("full, over the old rows")
    nothing = presort("incremental, nothing new", incremental=True)
    connection.execute(_NEW_PRIVATE.encode(), {"seed": seed, "limit": posts // 100})
    private = presort("incremental, 1 % new posts, all private", incremental=True)
    connection.execute(_NEW_POSTS, {"seed": seed, "limit": posts // 100})
    public = presort("incremental, 1 % new posts", incremental=True)
    for what, seconds in (("nothing new", nothing), ("1 % private", private), ("1 % new", public)):
        lines.append(f"full over incremental, {what}: {full / seconds:.1f}")
    return lines


def _copy(connection: Connection) -> tuple[float, int]:
    """Seconds of copying the stored rows into an empty table of the same kind, and their bytes."""
    with connection.cursor().copy(_COPY_OUT) as copy:
        data = b"".join(copy)
    connection.execute(_CREATE_COPY)
    start = time.perf_counter()
    with connection.cursor().copy(_COPY_IN) as copy:
        copy.write(data)
    seconds = time.perf_counter() - start
    connection.execute('DROP TABLE "FeedCopy"')
    return seconds, len(data)


def _run(url: str, job: Job[Any], **given: Any) -> tuple[float, int, int]:
    """Seconds, users and rows of a whole run in this process."""
    options = parse_options(job.options, given)
    resources = Resources(Database(url), None, {})  # type: ignore[arg-type] # these jobs keep no files
    run = Run("1", job.entry.name, datetime.now(UTC), given)
    processed = written = 0
    cursor: Any = None
    start = time.perf_counter()
    try:
        while True:
            chapter = job.plan(resources, run, options, cursor)
            run = Run(run.id, run.job, run.started_at, given, chapter.context if cursor is None else run.context)
            for page in chapter.pages:
                summary = job.batch(resources, run, options, page)
                processed, written = processed + summary.processed, written + summary.written
            cursor = chapter.cursor
            if cursor is None:
                return time.perf_counter() - start, processed, written
    finally:
        resources.database.close()


if __name__ == "__main__":
    sys.exit(main())
