"""Whole runs of compatibility in this process, as the state machine makes them; relations for random sites."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs import runs
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.compatibility.job import JOB
from sitejobs.options import MAX_ID, MIN_ID, parse_options
from sitejobs.postgres.connection import Database
from tests.databases import warm_database
from tests.fakes import FolderWorkStore
from tests.job_runs import open_run, through_json
from tests.match_lists import store_lists
from tests.matching.compatibility_oracle import Pair

TOLERANCE = 1e-5

_STORED = """
SELECT "viewerUserId", "targetUserId", "status", "score", "scoreQuiz", "scoreInterests", "scoreRatingsQuality",
       "scoreRatingsFit", "sharedInterestCount", "sharedInterestIds", "ratingCount",
       "avgAttractive", "avgSmart", "avgFunny", "avgInteresting"
FROM "UserCompatibility"
"""
_VERSIONS = """SELECT "viewerUserId", "targetUserId", xmin::text::bigint FROM "UserCompatibility" """


@dataclass
class Finished:
    """What a run did: its pages, its summed counters, reasons for skipping users, and Finish's summary."""

    pages: list[JsonObject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    summary: JsonObject = field(default_factory=dict)


def run(
    url: str,
    at: datetime,
    options: JsonObject | None = None,
    *,
    version: str = "",
    twice: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> Finished:
    """Run to the end: the pages of a chapter (`twice`: each again, backwards), then Plan again until it has no cursor.

    `meanwhile` happens before the pages of the first chapter that compares.
    """
    given = options or {}
    parsed = parse_options(JOB.options, given)
    with warm_database(url) as database:
        resources = Resources(database, FolderWorkStore(Path("/nonexistent")), {"COMPATIBILITY_ALGO_VERSION": version})
        return _run(resources, at, given, parsed, twice, meanwhile)


def _run(
    resources: Resources, at: datetime, given: JsonObject, options: Any, twice: bool, meanwhile: Callable[[], object]
) -> Finished:
    connection = resources.database.connection()
    now = open_run(connection, JOB, given, options, at)
    finished, cursor = Finished(), None
    for chapter_number in count(1):
        chapter = JOB.plan(resources, now, options, cursor)
        if cursor is None:
            kept = chapter.context | ({"message": chapter.message} if chapter.message else {})
            runs.set_context(connection, now.id, kept)
            now = Run.from_json(through_json(Run(now.id, now.job, at, given, chapter.context).to_json()))
        if any("inputs" not in page for page in chapter.pages):
            meanwhile()
            meanwhile = lambda: None  # noqa: E731
        pages = through_json(chapter.pages)
        finished.pages += pages
        results = [_page(resources, now, options, page) for page in pages]
        if twice:
            for page in reversed(pages):
                assert _page(resources, now, options, page)["written"] == 0
        for result in results:
            finished.counts.update({name: result[name] for name in runs.COUNTERS})
            finished.reasons.update(result["reasons"])
        runs.record_chapter(connection, now.id, chapter_number, results)
        cursor = through_json(chapter.cursor)
        if cursor is None:
            finished.summary = runs.close_run(connection, now.id, None)
            return finished
    raise AssertionError


def _page(resources: Resources, now: Run, options: Any, page: JsonObject) -> JsonObject:
    summary = JOB.batch(resources, now, options, page)
    counts = {name: getattr(summary, name) for name in runs.COUNTERS}
    return {"page": page["page"], **counts, "reasons": dict(summary.reasons)}


def planned(url: str, at: datetime, options: JsonObject) -> list[list[JsonObject]]:
    """The pages of every chapter, without computing any."""
    parsed = parse_options(JOB.options, options)
    resources = Resources(Database(url), FolderWorkStore(Path("/nonexistent")), {})
    now: Run = Run("1", JOB.entry.name, at, options)
    cursor: Any = None
    chapters: list[list[JsonObject]] = []
    try:
        while not chapters or cursor is not None:
            chapter = JOB.plan(resources, now, parsed, cursor)
            now = Run("1", JOB.entry.name, at, options, chapter.context)
            chapters.append(chapter.pages)
            cursor = through_json(chapter.cursor)
        return chapters
    finally:
        resources.database.close()


def whole_page(url: str, at: datetime) -> None:
    """One page of all users, outside any run, computed by an environment of its own."""
    options = parse_options(JOB.options, {})
    context = {"parameters": {"version": "v1", "suggestions": 100, "targetsAtATime": 500}}
    resources = Resources(Database(url), FolderWorkStore(Path("/nonexistent")), {})
    try:
        page = {"page": 1, "first": str(MIN_ID), "last": str(MAX_ID)}
        JOB.batch(resources, Run("1", JOB.entry.name, at, {}, context), options, page)
    finally:
        resources.database.close()


# Sites ------------------------------------------------------------------------------------------------------


def relate(connection: Connection, random: Random, *, suggested: int = 6, others: int = 2) -> None:
    """Matches, accesses and conversations in every state, with oneself too, and rows of MatchScore, for all users.

    Some suggestions are of users who were deleted or blocked since.
    """
    ids = [row[0] for row in connection.execute("""SELECT "id" FROM "User" ORDER BY 1""")]
    pairs = {tuple(random.choices(ids, k=2)) for _ in range(others * len(ids))}
    for a, b in sorted(pairs):
        kind = random.randrange(3)
        if kind == 0:
            state = random.choice(("ACTIVE", "ACTIVE", "BLOCKED", "CLOSED"))
            connection.execute(
                """INSERT INTO "Match" ("userAId", "userBId", "state") VALUES (%s, %s, %s) ON CONFLICT DO NOTHING""",
                [a, b, state],
            )
        elif kind == 1:
            status = random.choice(("PENDING", "GRANTED", "DENIED", "REVOKED", "CANCELED"))
            connection.execute(
                """INSERT INTO "ProfileAccess" ("ownerUserId", "viewerUserId", "status") VALUES (%s, %s, %s)""",
                [a, b, status],
            )
        else:
            connection.execute(
                """INSERT INTO "Conversation" ("userAId", "userBId") VALUES (%s, %s) ON CONFLICT DO NOTHING""", [a, b]
            )
    for viewer in ids:
        if random.random() < 0.8:
            chosen = random.sample(ids, min(len(ids), random.randint(1, suggested)))
            suggest(connection, viewer, [target for target in chosen if target != viewer])


def suggest(connection: Connection, viewer: int, targets: Sequence[int]) -> None:
    """Make these the viewer's matches, best first."""
    store_lists(connection.cursor(), {viewer: [(target, 0.5) for target in targets]}, datetime.now(UTC))


# Comparing --------------------------------------------------------------------------------------------------


def stored(connection: Connection) -> dict[int, dict[int, Pair]]:
    """All stored rows: viewer -> target -> row."""
    found: dict[int, dict[int, Pair]] = {}
    for row in connection.execute(_STORED):
        means = row[11:15]
        assert (None in means) == all(mean is None for mean in means)
        found.setdefault(row[0], {})[row[1]] = Pair(
            status=row[2],
            score=row[3],
            quiz=row[4],
            interests=row[5],
            quality=row[6],
            fit=row[7],
            shared_interest_count=row[8],
            shared_interest_ids=tuple(row[9] or ()),
            rating_count=row[10],
            averages=None if None in means else tuple(means),
        )
    return found


def writers(connection: Connection) -> dict[tuple[int, int], int]:
    """(viewer, target) -> the transaction that wrote the row."""
    return {(row[0], row[1]): row[2] for row in connection.execute(_VERSIONS)}


def assert_stored(connection: Connection, wanted: dict[int, dict[int, Pair]]) -> None:
    """The stored rows are exactly the wanted ones, scores to 1e-5."""
    found = stored(connection)
    assert set(found) == {viewer for viewer, pairs in wanted.items() if pairs}
    for viewer, pairs in wanted.items():
        assert sorted(found.get(viewer, {})) == sorted(pairs), f"targets of viewer {viewer}"
        for target, pair in pairs.items():
            _assert_pair(f"viewer {viewer}, target {target}", found[viewer][target], pair)


def _assert_pair(where: str, got: Pair, want: Pair) -> None:
    for name in ("status", "shared_interest_count", "shared_interest_ids", "rating_count"):
        assert getattr(got, name) == getattr(want, name), f"{where}: {name} {got} {want}"
    for name in ("quiz", "interests", "quality", "fit", "score"):
        _close(f"{where}: {name}", getattr(got, name), getattr(want, name))
    assert (got.averages is None) == (want.averages is None), where
    for one, other in zip(got.averages or (), want.averages or (), strict=True):
        _close(f"{where}: averages", one, other)


def _close(where: str, got: float | None, want: float | None) -> None:
    if got is None or want is None:
        assert got is want, f"{where}: {got}, should be {want}"
    else:
        # NaN fails this comparison.
        assert abs(got - want) <= TOLERANCE, f"{where}: {got}, should be {want}"
