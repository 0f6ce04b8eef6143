"""What runs of every job take, for `sitejobs cost`: `make bench ARGS=rates`.

    python -m benchmarks rates --users 4000 20000
    python -m benchmarks rates --users 10000 80000 --jobs content-features affinity trending feed-presort

Each size is a synthetic site in an embedded PostgreSQL of its own. Every job runs four times: whole without results,
incrementally with nothing changed and after a hundredth of the users has changed, and whole over results. All but the
first run take the options of the template's schedules. The result is kept in local/sitejobs_local/cost/rates.json.

With --jobs the others keep their rates. Feeds without match-scores have matches drawn at random, as on a large site:
the fewer people two users of a batch share, the more a feed costs.
"""

import platform
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

from psycopg import Connection

from benchmarks.command import add_sites, command_parser, note
from benchmarks.feed import draw_matches
from benchmarks.one_process import OneProcess
from benchmarks.site import LOSE_INTEREST, MOVE, bench_site, some_users
from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput
from sitejobs.postgres.connection import connect
from sitejobs.workflows.graph import STEPS
from sitejobs_local.cost.rates import RATES_FILE, Rates, RunRate, SizeRate, read_rates
from sitejobs_local.cost.schedules import paging_of, schedules_of
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.loops import read_template

SIZES = (4000, 20_000)
SHARE = 0.01
"""Of the users that change between two incremental runs."""

ANSWER: LiteralString = """
UPDATE "QuizResult" r SET "answers" = r."answers" - (SELECT min(k) FROM jsonb_object_keys(r."answers") k)
WHERE r."userId" = ANY(%(ids)s) AND r."answers" <> '{}'
"""
RATE: LiteralString = """
UPDATE "ProfileRating" r SET "attractive" = 1 + r."attractive" %% 5 FROM (
    SELECT o."raterProfileId" AS "id", min(o."targetProfileId") AS "target" FROM "ProfileRating" o
    JOIN "Profile" p ON p."id" = o."raterProfileId" WHERE p."userId" = ANY(%(ids)s) GROUP BY 1
) AS given WHERE r."raterProfileId" = given."id" AND r."targetProfileId" = given."target"
"""
POST: LiteralString = """
INSERT INTO "Post" ("userId", "visibility", "text", "createdAt")
SELECT u."id", p."visibility", p."text", now() AT TIME ZONE 'UTC'
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS u ("id", "n")
JOIN (SELECT "visibility", "text", row_number() OVER (ORDER BY "id") AS "n" FROM "Post") AS p USING ("n")
"""
LIKE_POST: LiteralString = """
INSERT INTO "LikedPost" ("userId", "postId", "createdAt")
SELECT u."id", p."id", now() FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS u ("id", "n")
JOIN (SELECT "id", row_number() OVER (ORDER BY "createdAt" DESC) AS "n" FROM "Post") AS p USING ("n")
ON CONFLICT DO NOTHING
"""
BIO: LiteralString = """UPDATE "Profile" SET "bio" = concat("bio", ' climbs') WHERE "userId" = ANY(%(ids)s)"""
SAY: LiteralString = """
INSERT INTO "Like" ("fromUserId", "toUserId", "action", "createdAt")
SELECT u."id", (SELECT "id" FROM "User" WHERE "id" > u."id" ORDER BY "id" LIMIT 1), 'LIKE', now()
FROM unnest(%(ids)s::bigint[]) AS u ("id") WHERE u."id" < (SELECT max("id") FROM "User") ON CONFLICT DO NOTHING
"""
CHANGES: tuple[LiteralString, ...] = (MOVE, LOSE_INTEREST, ANSWER, RATE, POST, LIKE_POST, BIO, SAY)
"""What happens to the users, each to an equal part of them."""


ACTIVATE: LiteralString = """UPDATE "MatchModel" SET "status" = 'active'"""
"""Whatever the model is worth on such a site, people are folded into it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and keep; returns the exit status."""
    parser = command_parser("rates", __doc__)
    add_sites(parser, SIZES)
    parser.add_argument("--rates", type=Path, default=RATES_FILE, help="file that keeps the rates")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), help="measure these alone, and keep the others' rates")
    given = parser.parse_args(arguments)
    measured = measure(given.users, given.seed, given.folder, given.jobs)
    if given.jobs:
        measured = replace(measured, jobs={**read_rates(given.rates).jobs, **measured.jobs})
    measured.write(given.rates)
    return 0


def measure(sizes: Sequence[int], seed: int, folder: Path, jobs: Sequence[str] | None = None) -> Rates:
    """Run the jobs (all of the catalog, unless named) on sites of these sizes, in growing order."""
    names = [name for name in STEPS if name in (jobs or JOBS)]
    measured: dict[str, list[SizeRate]] = defaultdict(list)
    for users in sorted(sizes):
        note(f"{users:,} users: making the site")
        with bench_site(folder, users, seed) as site, tempfile.TemporaryDirectory() as work:
            if "feed-presort" in names and "match-scores" not in names:
                draw_matches(site.url)
            for name, rate in _rates(site.url, Path(work), users, seed, names).items():
                measured[name].append(rate)
    return Rates(
        f"{datetime.now(UTC):%Y-%m-%d}", f"{platform.machine()}, Python {platform.python_version()}", dict(measured)
    )


def _rates(url: str, work: Path, users: int, seed: int, names: Sequence[str]) -> dict[str, SizeRate]:
    """The rates of every job that has something to do on this site."""
    process = OneProcess(url, work)
    schedules = list(schedules_of(read_template(TEMPLATE)))
    incremental = {
        name: {**paging_of(schedules, name, incremental=True), "incremental": True}
        for name in names
        if "incremental" in JOBS[name].options.model_fields
    }
    full = {name: dict(paging_of(schedules, name, incremental=False)) for name in names}
    runs = [
        _all(process, "first", {name: {} for name in names}),
    ]
    with connect(url) as connection:
        connection.execute(ACTIVATE)
    runs.append(_all(process, "fresh", incremental))
    for title, options in (("changed", incremental), ("full", full)):
        with connect(url) as connection:
            change(connection, seed + len(runs), max(len(CHANGES), round(SHARE * users)))
        runs.append(_all(process, title, options))
    first, fresh, changed, whole = runs
    snapshot = max((file.stat().st_size for file in work.rglob("*") if file.is_file()), default=0)
    return {
        name: SizeRate(
            users,
            first[name],
            whole[name],
            changed.get(name),
            fresh.get(name),
            snapshot if name == "match-scores" else 0,
        )
        for name in names
        if name in first and first[name].keys
    }


def _all(process: OneProcess, title: str, options: Mapping[str, Mapping[str, Any]]) -> dict[str, RunRate]:
    """A run of every job, each after those that it needs."""
    found = {}
    for name, given in options.items():
        without_pause = {"pauseMs": 0} if "pause_ms" in JOBS[name].options.model_fields else {}
        try:
            found[name] = process.run(name, {**given, **without_pause})
        except InvalidInput as error:
            note(f"  {name}: not measured: {error}")
            continue
        batch = found[name].batch
        note(f"  {title}: {name}: {batch.computes:.2f} s and {batch.waits:.2f} s of the database")
    return found


def change(connection: Connection, seed: int, count: int) -> None:
    """Change so many users, each kind of change an equal part of them."""
    ids = some_users(connection, seed, count)
    for at, statement in enumerate(CHANGES):
        connection.execute(statement, {"ids": ids[at :: len(CHANGES)]})


if __name__ == "__main__":
    sys.exit(main())
