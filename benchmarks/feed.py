"""How long feed-presort takes, beside COPY of the very rows that it writes: `make bench ARGS=feed`.

    python -m benchmarks feed --users 10000 --seed 1

Executions on a warm machine, from start to end, with the default options, on an embedded PostgreSQL of their own with
the settings as shipped. The site has three posts a user; every user has 200 match scores, drawn at random.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from benchmarks.command import add_sites, command_parser, note, tell
from benchmarks.keyed_jobs import Benched, empty, raw_copy, settle, warm_machine
from benchmarks.site import BenchSite, bench_site
from sitejobs.postgres.connection import connect
from tools.docs import table

SIZES = (10_000, 100_000)
PART = "feeds"
JOB = Benched("feed-presort", ("FeedPresortedUser", "FeedSegment", "FeedCard"), ())
BEFORE = ("content-features", "trending", "affinity")
"""Jobs whose results feeds rest on."""

_LISTS = """
INSERT INTO "MatchList" SELECT "userId", now(), 'v1', 0, 0, count(*), array_agg("other" ORDER BY "score" DESC),
    array_agg("score" ORDER BY "score" DESC), zeros, zeros, zeros, zeros, zeros, zeros, none, none, none, none, none,
    zeros::integer[], zeros::smallint[], zeros::smallint[], zeros::smallint[]
FROM (
    SELECT u."id" AS "userId", p."userId" AS "other", (0.9 - s."rank" / 300.0)::real AS "score"
    FROM "User" u CROSS JOIN generate_series(1, 200) AS s ("rank")
    JOIN (SELECT "userId", row_number() OVER (ORDER BY "userId") - 1 AS "number" FROM "Profile") AS p
      ON p."number" = (u."id" * 7919 + s."rank" * 104729) % (SELECT count(*) FROM "Profile")
) AS pair
CROSS JOIN LATERAL (SELECT array_fill(0::real, '{200}') AS zeros, array_fill(NULL::real, '{200}') AS none) AS filled
GROUP BY "userId", zeros, none
"""
_VIEWERS = """
INSERT INTO "MatchScoreViewer" SELECT "userId", now(), 'v1', cardinality("candidateUserId") FROM "MatchList"
"""
# Public or private as the others are, of the last minutes.
_NEW_POSTS = """
INSERT INTO "Post" ("userId", "visibility", "text", "createdAt")
SELECT "userId", "visibility", "text", now() - random() * interval '10 minutes' FROM "Post" WHERE "deletedAt" IS NULL
ORDER BY hashint8extended("id", %(seed)s) LIMIT %(limit)s
"""
_NEW_PRIVATE = _NEW_POSTS.replace('WHERE "deletedAt"', """WHERE "visibility"::text = 'PRIVATE' AND "deletedAt\"""")


@dataclass(frozen=True)
class Figures:
    """One site's. Times are those of executions, in seconds.

    full : from empty tables. again: a full run over the rows. nothing, private and public: incremental runs with
    nothing new, and with a hundredth more posts, only private ones and such as there are; with rows written.
    """

    users: int
    posts: int
    rows: int
    full: float
    raw: float
    again: float
    nothing: float
    private: float
    private_rows: int
    public: float
    public_rows: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print, and with the standard sizes write the table; returns the exit status."""
    parser = command_parser("feed", __doc__)
    add_sites(parser, SIZES)
    given = parser.parse_args(arguments)
    content = feeds_table([measure(users, given.seed, given.folder) for users in given.users])
    tell(content, PART, standard=tuple(given.users) == SIZES)
    return 0


def measure(users: int, seed: int, folder: Path) -> Figures:
    """All figures of one size."""
    note(f"{users:,} users: making the site")
    with bench_site(folder, users, seed) as site, connect(site.url) as connection:
        posts = _prepare(site, connection)
        note(JOB.name)
        with warm_machine(site, JOB) as machine:
            machine.run(userId=1)  # starts the functions' processes
            empty(connection, JOB)
            full, rows = machine.timed()
            raw = raw_copy(connection, JOB)
            settle(connection, JOB)
            again, _ = machine.timed()
            settle(connection, JOB)
            nothing, _ = machine.timed(incremental=True)
            connection.execute(_NEW_PRIVATE.encode(), {"seed": seed, "limit": posts // 100})
            private, private_rows = machine.timed(incremental=True)
            connection.execute(_NEW_POSTS, {"seed": seed, "limit": posts // 100})
            public, public_rows = machine.timed(incremental=True)
        return Figures(users, posts, rows, full, raw, again, nothing, private, private_rows, public, public_rows)


def feeds_table(figures: Sequence[Figures]) -> str:
    """A row a size."""
    head = (
        "users", "posts", "rows", "everything", "users/s", "raw COPY", "x raw", "again", "nothing new", "1 % private",
        "1 % new",
    )  # fmt: skip
    return table(head, [_row(it) for it in figures])


PARTS = {PART: feeds_table}
"""The marked part of the page, and what makes it."""


def _row(it: Figures) -> tuple[str, ...]:
    return (
        f"{it.users:,}",
        f"{it.posts:,}",
        f"{it.rows:,}",
        f"{it.full:.1f} s",
        f"{it.users / it.full:,.0f}",
        f"{it.raw:.2f} s",
        f"{it.full / it.raw:.2f}",
        f"{it.again:.1f} s",
        f"{it.nothing:.2f} s: {it.again / it.nothing:.1f} x faster",
        f"{it.private:.2f} s: {it.again / it.private:.1f} x faster, {it.private_rows:,} rows",
        f"{it.public:.1f} s: {it.again / it.public:.1f} x faster, {it.public_rows:,} rows",
    )


def draw_matches(url: str) -> None:
    """Give everybody 200 match scores, drawn at random."""
    with connect(url) as connection:
        connection.execute(_LISTS)
        connection.execute(_VIEWERS)


def _prepare(site: BenchSite, connection: Connection) -> int:
    """Give everybody match scores, and run the jobs before; returns how many posts there are."""
    draw_matches(site.url)
    for job in BEFORE:
        site.command(job, "--json")
    connection.execute("VACUUM (ANALYZE)")
    row = connection.execute('SELECT count(*) FROM "Post"').fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    sys.exit(main())
