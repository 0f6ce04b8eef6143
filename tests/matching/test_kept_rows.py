"""A snapshot of rows that were kept from an earlier read is the file that reading everything gives, bit by bit."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
from psycopg import Connection, sql

from sitejobs.errors import DataUnavailable
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.file import StoredSnapshot, write_snapshot
from sitejobs.matching.snapshot.kept_rows import KeptRows, read_since
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.snapshot.snapshot import take_snapshot
from sitejobs.postgres.connection import connect
from sitejobs.schema.roles import role_script
from tests.fakes import FolderWorkStore
from tests.matching.changes import CHANGES, Change, rate, say, take_a_rating_back, take_a_word_back
from tests.matching.random_sites import NOW, draw
from tests.matching.site_loading import load

NOBODY = np.empty(0, np.int64)
PARAMETERS = Parameters()
LIKE = """INSERT INTO "Like" ("fromUserId", "toUserId", "action", "createdAt") VALUES (%s, %s, 'LIKE', now())"""
UNLIKE = """DELETE FROM "Like" WHERE "fromUserId" = %s AND "toUserId" = %s"""
PAIR = """
SELECT a."userId", b."userId" FROM "Profile" a, "Profile" b
WHERE a."userId" <> b."userId" AND a."deletedAt" IS NULL AND b."deletedAt" IS NULL
  AND NOT EXISTS (SELECT FROM "Like" l WHERE l."fromUserId" = a."userId" AND l."toUserId" = b."userId")
ORDER BY 1, 2 LIMIT 1
"""
ONE_TRAIT = """UPDATE "UserTrait" SET "value" = "value" + 1 WHERE "userId" = (SELECT min("userId") FROM "UserTrait")"""
SECOND_RESULTS = """
ALTER TABLE "QuizResult" DROP CONSTRAINT "QuizResult_pkey";
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_pkey";
INSERT INTO "QuizResult" SELECT * FROM "QuizResult" ORDER BY "userId" LIMIT 5;
INSERT INTO "UserInterest" SELECT * FROM "UserInterest" ORDER BY "userId" LIMIT 5
"""
MOVED_AWAY = """
ALTER TABLE "UserTrait" RENAME TO "OldTrait";
CREATE TABLE "UserTrait" (LIKE "OldTrait" INCLUDING ALL);
INSERT INTO "UserTrait" SELECT * FROM "OldTrait"
"""
TABLES_SWAPPED = """
ALTER TABLE "UserTrait" RENAME TO "Between"; ALTER TABLE "OldTrait" RENAME TO "UserTrait";
ALTER TABLE "Between" RENAME TO "OldTrait"
"""


class Steps:
    """Snapshots of one site, each from what the last one kept."""

    def __init__(self, site: Connection, folder: Path, parameters: Parameters = PARAMETERS) -> None:
        self._site, self._folder, self._parameters = site, folder, parameters
        self._kept: KeptRows | None = None
        self._last: str | None = None

    def take(self) -> None:
        """A snapshot, which must be the same as of all rows read anew."""
        store = FolderWorkStore(self._folder)
        quizzes = StoredSnapshot(store, self._last).quizzes() if self._last else None
        population, kept = read_since(self._site, NOW, self._parameters, quizzes, self._kept)
        assert kept is not None
        kept.write(self._folder / "rows")
        self._kept = KeptRows.of_bytes((self._folder / "rows").read_bytes())
        self._last = "kept"
        snapshot = take_snapshot(population, NOBODY, NOW.timestamp(), self._parameters, 7, quizzes)
        write_snapshot(snapshot, self._folder / "kept")
        anew = take_snapshot(
            read_population(self._site, NOW, parameters=self._parameters),
            NOBODY,
            NOW.timestamp(),
            self._parameters,
            7,
        )
        write_snapshot(anew, self._folder / "anew")
        assert (self._folder / "kept").read_bytes() == (self._folder / "anew").read_bytes()


@pytest.fixture
def steps(site: Connection, tmp_path: Path) -> Steps:
    load(site, draw(90, 80, "one city"))
    return Steps(site, tmp_path)


@pytest.mark.parametrize("flavour", ["mixed", "one city", "twins", "no traits"])
@pytest.mark.parametrize("repeat_days", [None, 30.0])
def test_run_after_run(site: Connection, tmp_path: Path, flavour: str, repeat_days: float | None) -> None:
    load(site, draw(91, 80, flavour))
    random, steps = Random(flavour), Steps(site, tmp_path, Parameters(repeat_days=repeat_days))
    steps.take()
    for _ in range(8):
        for change in random.choices(CHANGES, k=random.choice([0, 1, 4, 12])):
            change(site, random)
        steps.take()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_change_alone(site: Connection, steps: Steps, change: Change) -> None:
    steps.take()
    for seed in range(3):
        change(site, Random(seed))
        steps.take()


KEPT = {
    "traits": "value",
    "interests": "interestId",
    "results": "hash",
    "received": "smart",
    "given": "funny",
    "liked": "hash",
}


def of_others(site: Connection, name: str, changed: int) -> int:
    """How many rows are as the last read kept them, marked, after a change of one user."""
    _, kept = read_since(site, NOW, PARAMETERS)
    assert kept is not None
    kept.fields[name][KEPT[name]][:] = 7
    site.execute(ONE_TRAIT)
    site.execute(LIKE, site.execute(PAIR).fetchone())
    population, _ = read_since(site, NOW, PARAMETERS, None, kept)
    rows = getattr(population, name)
    assert changed not in rows["userId"][rows[KEPT[name]] == 7]
    return int((rows[KEPT[name]] == 7).sum())


def test_only_the_rows_of_those_who_changed_are_read(site: Connection, steps: Steps) -> None:
    """The others' are taken over, here with a mark that is no site's."""
    steps.take()
    row = site.execute("""SELECT min("userId") FROM "UserTrait" """).fetchone()
    assert row is not None
    for name in KEPT:
        assert of_others(site, name, row[0] if name == "traits" else 0) > 20, name


@pytest.fixture
def reader(site: Connection) -> Iterator[str]:
    """The session's role, which may read tables only as the test grants it."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    role = sql.Identifier(name)
    site.execute(sql.SQL("CREATE ROLE {}").format(role))
    yield name
    site.execute(sql.SQL("RESET ROLE; DROP OWNED BY {0}; DROP ROLE {0}").format(role))


@pytest.mark.parametrize("granted", [False, True])
def test_versions_are_asked_for_where_they_may_be_read(site: Connection, reader: str, granted: bool) -> None:
    load(site, draw(90, 80, "one city"))
    everybody = read_population(site, NOW, parameters=PARAMETERS)
    site.execute(role_script(reader, ["match-scores"], by_column=True).encode())
    if granted:
        grant = sql.SQL('GRANT SELECT ("xmin") ON "Like", "QuizResult" TO {}')
        site.execute(grant.format(sql.Identifier(reader)))
    site.execute("SELECT set_config('role', %s, false)", [reader])
    _, first = read_since(site, NOW, PARAMETERS)
    assert first is not None
    own = {"UserTrait"}
    assert set(first.moment.tables) == (own | {"Like", "QuizResult"} if granted else own)
    population, _ = read_since(site, NOW, PARAMETERS, None, first)
    for field in ("traits", "liked", "given", "results"):
        ours, theirs = getattr(population, field), getattr(everybody, field)
        assert all(np.array_equal(np.sort(ours[name]), np.sort(theirs[name])) for name in theirs), field


def test_where_nobody_may_ask_the_server_all_is_read(site: Connection, site_url: str, steps: Steps) -> None:
    steps.take()
    site.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        site.execute('CREATE ROLE "reader"; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "reader"')
        site.execute('SET ROLE "reader"')
        population, kept = read_since(site, NOW, PARAMETERS)
        assert kept is None
        assert len(population.users["id"])
    finally:
        site.execute('RESET ROLE; DROP OWNED BY "reader"; DROP ROLE "reader"')


@pytest.mark.parametrize("undo", [say, take_a_word_back, rate, take_a_rating_back], ids=lambda it: it.__name__)
def test_rows_written_beside_a_transaction_that_stays_open(site_url: str, steps: Steps, undo: Change) -> None:
    """The horizon stays where the open transaction began: what is written later is looked at again until it ends."""
    with connect(site_url) as other, connect(site_url) as writer:
        with other.transaction():
            other.execute("SELECT pg_current_xact_id()")
            for seed in range(4):
                (say if seed % 2 else rate)(writer, Random(seed))
            steps.take()
            for seed in range(6):
                undo(writer, Random(seed))
            steps.take()
        steps.take()


def test_a_like_of_around_the_moment_that_is_taken_back(site: Connection, site_url: str, steps: Steps) -> None:
    pair = site.execute(PAIR).fetchone()
    with connect(site_url) as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")
        site.execute(LIKE, pair)
        steps.take()
        site.execute(UNLIKE, pair)
        steps.take()


def test_what_was_not_committed_is_seen_afterwards(site: Connection, site_url: str, steps: Steps) -> None:
    pair = site.execute(PAIR).fetchone()
    with connect(site_url) as other:
        with other.transaction():
            other.execute(LIKE, pair)
            other.execute(ONE_TRAIT)
            steps.take()
        steps.take()


def test_tables_that_hold_rows_twice(site: Connection, steps: Steps) -> None:
    site.execute(SECOND_RESULTS)
    steps.take()
    for seed in range(8):
        CHANGES[seed % len(CHANGES)](site, Random(seed))
        steps.take()


def test_another_table_of_that_name(site: Connection, steps: Steps) -> None:
    """Its rows are older than the last read, and as many."""
    site.execute(MOVED_AWAY)
    site.execute(ONE_TRAIT)
    steps.take()
    site.execute(TABLES_SWAPPED)
    steps.take()


OF_SITES = ["Like", "ProfileRating", "UserTrait", "UserInterest", "QuizResult"]


@pytest.mark.parametrize("tables", [*([table] for table in OF_SITES), OF_SITES], ids="-".join)
@pytest.mark.parametrize("from_the_start", [True, False])
def test_views_in_tables_places(site: Connection, steps: Steps, tables: list[str], from_the_start: bool) -> None:
    if not from_the_start:
        steps.take()
    for table in tables:
        site.execute(f'ALTER TABLE "{table}" RENAME TO "Its{table}"')
        site.execute(f'CREATE VIEW "{table}" AS SELECT * FROM "Its{table}"')
    for seed in range(2):
        steps.take()
        say(site, Random(seed))


def test_frozen_and_rewritten_rows_stay(site: Connection, steps: Steps) -> None:
    steps.take()
    site.execute('VACUUM (FULL, FREEZE) "UserTrait"')
    site.execute('VACUUM (FREEZE) "Like"')
    steps.take()


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", meta=np.frombuffer(b'{"format": 0}', np.uint8))
    with pytest.raises(DataUnavailable, match="another version"):
        KeptRows.of_bytes((tmp_path / "rows.npz").read_bytes())
