"""Loading a synthetic site: the rows arrive as they were made, all or none, and only into an empty database."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sitejobs.errors import InvalidInput
from sitejobs.postgres.connection import connect
from sitejobs_local.database import migrations
from sitejobs_local.population import Kind, Table, generate, load
from tests.limits import PATIENCE_S

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, 12, 34, 56, 789_000, tzinfo=UTC)
SCHEMA = (ROOT / "local/site-schema.sql", ROOT / "layers/sitejobs/sitejobs/migrations/0003_user_trait.sql")


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    """A database with the site's empty tables."""
    with connect(database_url) as connection:
        for script in SCHEMA:
            connection.execute(script.read_bytes())
        yield connection


def count(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_the_schema_can_be_applied_twice(database: psycopg.Connection) -> None:
    for script in SCHEMA:
        database.execute(script.read_bytes())
    assert count(database, 'SELECT count(*) FROM "User"') == 0


def test_what_is_loaded_is_what_was_generated(database: psycopg.Connection) -> None:
    site = generate(300, 7, NOW)
    assert load(database, site) == site.rows()
    for table in site.tables:
        assert stored(database, table) == sorted(expected(table)), table.name


def stored(connection: psycopg.Connection, table: Table) -> list[tuple[str, ...]]:
    """The rows as the server prints them, sorted."""
    columns = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(name))
        if column.kind is not Kind.TIMESTAMP
        else sql.SQL("to_char({}, 'YYYY-MM-DD HH24:MI:SS.MS')").format(sql.Identifier(name))
        for name, column in table.columns.items()
    )
    rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(table.name)))
    kinds = [column.kind for column in table.columns.values()]
    return sorted(tuple(comparable(kind, value) for kind, value in zip(kinds, row, strict=True)) for row in rows)


def comparable(kind: Kind, value: str | None) -> str:
    """The canonical form of a value that can be written in several ways."""
    if value is None:
        return "∅"
    if kind is Kind.JSON:
        return json.dumps(json.loads(value), sort_keys=True)
    return repr(float(value)) if kind in (Kind.DOUBLE, Kind.HUNDREDTHS) else value


def expected(table: Table) -> list[tuple[str, ...]]:
    columns = [
        [
            "∅" if null else comparable(column.kind, printed(column.kind, value))
            for value, null in zip(column.values.tolist(), column.is_null().tolist(), strict=True)
        ]
        for column in table.columns.values()
    ]
    return list(zip(*columns, strict=True))


def printed(kind: Kind, value: Any) -> str:
    """A value as the server prints it."""
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    if kind is Kind.HUNDREDTHS:
        return str(value / 100)
    if kind is Kind.TIMESTAMP:
        assert isinstance(value, datetime)
        return value.isoformat(" ", "milliseconds")
    if kind is Kind.DATE:
        assert isinstance(value, date)
        return value.isoformat()
    return str(value)


def test_every_reference_leads_somewhere(database: psycopg.Connection) -> None:
    load(database, generate(1000, 1, NOW))
    constraints = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
    assert count(database, constraints) == 0
    orphans = 'SELECT count(*) FROM "UserTrait" t WHERE NOT EXISTS (SELECT FROM "User" u WHERE u."id" = t."userId")'
    assert count(database, orphans) == 0
    wrong_subject = (
        'SELECT count(*) FROM "UserInterest" u JOIN "Interest" i ON i."id" = u."interestId" '
        'WHERE i."subjectId" <> u."subjectId"'
    )
    assert count(database, wrong_subject) == 0


TRAITS_FROM_ANSWERS = """
WITH said AS (
    SELECT r."userId", v.key, greatest(-10, least(10, v.value::numeric)) AS value
    FROM "QuizResult" r
    CROSS JOIN jsonb_each_text(r."answers") AS a (question, answer)
    JOIN "QuizOption" o ON o."questionId" = a.question::bigint AND o."value" = a.answer
    CROSS JOIN jsonb_each_text(o."traitValues") AS v (key, value)
    WHERE o."traitValues" IS NOT NULL
), means AS (SELECT "userId", key, round(avg(value), 2) AS value, count(*) AS n FROM said GROUP BY 1, 2)
SELECT count(*) FILTER (WHERE (m.value, m.n) IS DISTINCT FROM (t."value", t."n"::bigint)), count(*)
FROM means m FULL JOIN "UserTrait" t ON t."userId" = m."userId" AND t."traitKey" = m.key
"""


def test_traits_are_what_the_stored_answers_add_up_to(database: psycopg.Connection) -> None:
    load(database, generate(500, 2, NOW))
    row = database.execute(TRAITS_FROM_ANSWERS).fetchone()
    assert row is not None
    assert row[0] == 0
    assert row[1] > 5000


@pytest.mark.parametrize("users", [1, 2, 3, 8, 9, 20])
def test_the_smallest_sites_load_too(database: psycopg.Connection, users: int) -> None:
    assert load(database, generate(users, 1, NOW))["User"] == users


def test_a_database_that_holds_a_site_is_refused_and_left_alone(database: psycopg.Connection) -> None:
    database.execute("""INSERT INTO "User" ("id") VALUES (77)""")
    with pytest.raises(InvalidInput, match=r"already holds a site \(User have rows\)"):
        load(database, generate(10, 1, NOW))
    assert count(database, 'SELECT sum("id") FROM "User"') == 77
    assert count(database, 'SELECT count(*) FROM "Quiz"') == 0


def test_a_second_load_is_refused(database: psycopg.Connection) -> None:
    load(database, generate(10, 1, NOW))
    with pytest.raises(InvalidInput, match="User, Profile"):
        load(database, generate(10, 2, NOW))
    assert count(database, 'SELECT count(*) FROM "User"') == 10


def test_of_two_loads_at_once_one_is_refused(database: psycopg.Connection) -> None:
    first_has_begun = Event()

    def load_second() -> dict[str, int]:
        with connect(database.info.dsn) as another:
            assert first_has_begun.wait(PATIENCE_S)
            return load(another, generate(10, 2, NOW))

    def begun(table: str, written: int, total: int) -> None:
        if not first_has_begun.is_set():
            first_has_begun.set()
            wait_until_blocked(database)

    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(load_second)
        assert load(database, generate(30, 1, NOW), begun)["User"] == 30
        with pytest.raises(InvalidInput, match="already holds a site"):
            second.result(PATIENCE_S)
    assert count(database, 'SELECT count(*) FROM "User"') == 30


def wait_until_blocked(database: psycopg.Connection) -> None:
    """Return once another session waits for a lock that this one holds."""
    pid = database.info.backend_pid
    blocked = f"SELECT count(*) FROM pg_stat_activity WHERE {pid} = ANY (pg_blocking_pids(pid))"
    deadline = monotonic() + PATIENCE_S
    with connect(database.info.dsn) as watcher:
        while not count(watcher, blocked):
            assert monotonic() < deadline, "the second load does not wait for the first"
            sleep(0.01)


def test_missing_tables_are_all_named(database: psycopg.Connection) -> None:
    database.execute('DROP TABLE "UserTrait", "Top5Item"')
    with pytest.raises(InvalidInput, match="lacks the tables UserTrait, Top5Item"):
        load(database, generate(10, 1, NOW))


def test_an_interrupted_load_leaves_the_database_empty_and_can_be_repeated(database: psycopg.Connection) -> None:
    site = generate(20, 1, NOW)

    def interrupt(table: str, written: int, total: int) -> None:
        if table == "UserTrait":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(database, site, interrupt)
    assert count(database, 'SELECT count(*) FROM "User"') == 0
    assert load(database, site)["User"] == 20


KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
WHERE contype = 'f' ORDER BY 1, 2
"""


def test_foreign_keys_are_after_a_load_what_they_were_before(database: psycopg.Connection) -> None:
    before = database.execute(KEYS).fetchall()
    load(database, generate(12, 1, NOW))
    assert len(before) > 20
    assert database.execute(KEYS).fetchall() == before


def test_a_row_that_refers_to_nobody_is_refused_with_the_whole_site(database: psycopg.Connection) -> None:
    site, before = generate(60, 1, NOW), database.execute(KEYS).fetchall()
    likes = site["Like"].columns
    strangers = replace(likes["toUserId"], values=likes["toUserId"].values + 10**9)
    astray = Table("Like", {**likes, "toUserId": strangers})
    tables = tuple(astray if table.name == "Like" else table for table in site.tables)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        load(database, replace(site, tables=tables))
    assert count(database, 'SELECT count(*) FROM "User"') == 0
    assert database.execute(KEYS).fetchall() == before


def test_tables_of_somebody_else_are_filled_as_well(database: psycopg.Connection) -> None:
    database.execute("CREATE ROLE filler")
    try:
        database.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO filler")
        database.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO filler")
        database.execute("SET ROLE filler")
        site = generate(12, 1, NOW)
        assert load(database, site) == site.rows()
    finally:
        database.execute("RESET ROLE")
        database.execute("DROP OWNED BY filler; DROP ROLE filler")


def test_progress_rises_to_the_total_over_all_tables(database: psycopg.Connection) -> None:
    site = generate(50, 1, NOW)
    seen: list[tuple[str, int, int]] = []
    load(database, site, lambda table, written, total: seen.append((table, written, total)))
    total = sum(site.rows().values())
    assert [written for _, written, _ in seen] == sorted({written for _, written, _ in seen})
    assert seen[-1][1:] == (total, total)
    assert {table for table, _, _ in seen} == {table.name for table in site.tables if table.rows}


def test_the_site_goes_on_with_ids_of_its_own_and_with_statistics(database: psycopg.Connection) -> None:
    site = generate(60, 1, NOW)
    load(database, site)
    query = 'INSERT INTO "User" DEFAULT VALUES RETURNING "id"'
    assert count(database, query) == site["User"]["id"].max() + 1
    tuples = "SELECT reltuples::int FROM pg_class WHERE oid = '\"UserInterest\"'::regclass"
    assert count(database, tuples) == site["UserInterest"].rows


# In the place of another --------------------------------------------------------------------------------------


@pytest.fixture
def computed(database: psycopg.Connection) -> psycopg.Connection:
    """A database with the bundle's tables, too, for what jobs make of a site."""
    database.execute('DROP TABLE "UserTrait"')
    migrations.apply(database)
    return database


def test_a_synthetic_site_is_replaced_with_all_that_jobs_made_of_it(computed: psycopg.Connection) -> None:
    load(computed, generate(30, 1, NOW))
    computed.execute("""INSERT INTO "UserTraitState" ("userId", "fingerprint", "skipped", "checkedAt")
                        VALUES (1, 0, 0, now())""")
    other = generate(12, 2, NOW)
    load(computed, other, replace=True)
    assert count(computed, 'SELECT count(*) FROM "User"') == 12
    assert count(computed, 'SELECT count(*) FROM "UserTraitState"') == 0
    assert stored(computed, other.tables[0]) == sorted(expected(other.tables[0]))


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ('COMMENT ON TABLE "User" IS NULL', "nothing says so of this one"),
        ('INSERT INTO "User" ("id") VALUES (123456)', "population made 12 users, and now there are 13"),
        (
            """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
               VALUES ('x', 'all', 'x', 'cli', '{}')""",
            "run 1 is at work",
        ),
        ('CREATE TABLE "Invoice" ("userId" bigint REFERENCES "User" ("id"))', "others refer to them"),
    ],
)
def test_a_site_that_may_be_somebodys_is_never_replaced(computed: psycopg.Connection, before: str, reason: str) -> None:
    load(computed, generate(12, 1, NOW))
    computed.execute(before.encode())
    users = count(computed, 'SELECT count(*) FROM "User"')
    with pytest.raises(InvalidInput, match=reason):
        load(computed, generate(20, 2, NOW), replace=True)
    assert count(computed, 'SELECT count(*) FROM "User"') == users
