"""The oldest PostgreSQL that is supported and the newest: of one site with odd times every job makes the same rows."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg import Connection

from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.site import SITE_TABLES
from sitejobs.workflows.graph import STEPS
from sitejobs_local.commands.studio.answers import ANSWERS
from sitejobs_local.commands.studio.reader import Reader
from sitejobs_local.database.migrations import apply, apply_site_schema
from sitejobs_local.database.postgres import Server
from sitejobs_local.database.target import Target
from sitejobs_local.population import generate, load
from tests.databases import temporary_database
from tests.local.command import environment, sitejobs
from tests.local.every_job import JOBS_IN_ORDER, modes_of, run_job

NOW = datetime(2026, 6, 1, tzinfo=UTC)
USERS = 60

ODD_TIMES = ("-infinity", "infinity", "0044-03-15 BC", "10000-01-01")
"""Times that no Python knows; servers before 17 cannot take an interval off the first two either."""

TIMES = """
SELECT "table_name", "column_name" FROM information_schema.columns
WHERE "table_name" = ANY(%s) AND "data_type" ~ '^(date|timestamp)' ORDER BY 1, 2
"""
SPOIL = """
UPDATE "{table}" SET "{column}" = %s
WHERE ctid = (SELECT ctid FROM "{table}" AS t ORDER BY md5(t::text), t::text OFFSET %s LIMIT 1)
"""

Rows = list[dict[str, Any]]


def filled(url: str) -> None:
    """A synthetic site, on which every run starts at `NOW`, so that rows can be compared."""
    with connect(url) as connection:
        apply_site_schema(connection)
        apply(connection)
        apply(connection)
        load(connection, generate(USERS, 5, NOW))
        spoil(connection)
        connection.execute(f"""ALTER TABLE "JobRun" ALTER "startedAt" SET DEFAULT '{NOW.isoformat()}'""".encode())


def spoil(connection: Connection) -> None:
    """Give every column of a time, in every table of the site, each of the odd ones once."""
    for table, column in connection.execute(TIMES, [[table.name for table in SITE_TABLES]]).fetchall():
        for at, odd in enumerate(ODD_TIMES):
            connection.execute(SPOIL.format(table=table, column=column).encode(), [odd, at])


def run_all(url: str, home: Path) -> None:
    """Check, then run all jobs by the command."""
    env = environment(DATABASE_URL=url, SITEJOBS_HOME=str(home))
    for command in (["check"], ["all", "--json"]):
        done = sitejobs(*command, env=env)
        assert done.returncode == 0, done.stdout


def run_here(url: str, folder: Path, *, incremental: bool = False) -> None:
    """Run the same jobs in this process."""
    with ParserHost() as parser:
        for job in JOBS_IN_ORDER:
            if (step := STEPS.get(job.entry.name)) and step.part == "always":
                options = {"incremental": True} if incremental and {"incremental": True} in modes_of(job) else {}
                run_job(url, job, folder, parser, **options)


def stored(url: str) -> dict[str, Rows]:
    """All rows of the bundle's tables, without what tells when they were written."""
    found = {}
    with connect(url) as connection:
        for table in BUNDLE_TABLES:
            if not table.name.startswith("JobRun"):
                rows = connection.execute(f'SELECT to_jsonb(t) FROM "{table.name}" t'.encode()).fetchall()
                plain = [{key: value for key, value in row.items() if not key.endswith("At")} for (row,) in rows]
                found[table.name] = sorted(plain, key=lambda row: json.dumps(row, sort_keys=True))
    return found


def ask_everything(url: str) -> None:
    """What the studio and `sitejobs explain` ask."""
    with connect(url) as connection:
        row = connection.execute("""SELECT min("userId") FROM "MatchScoreViewer" WHERE "rows" > 0""").fetchone()
    assert row is not None
    with Reader(Target(url, embedded=False, search_path=None)) as reader:
        [newest, *_] = ANSWERS["/api/runs"](reader, {})["runs"]
        asked = {"/api/user": {"id": str(row[0])}, "/api/run": {"id": str(newest["id"])}, "/api/search": {"text": "a"}}
        found = {path: answer(reader, asked.get(path, {})) for path, answer in ANSWERS.items()}
    assert all(section["told"] for section in found["/api/user"]["known"].values())
    assert found["/api/user"]["matches"]
    assert found["/api/user"]["cards"]


def test_every_job_stores_the_same_on_the_oldest_server_and_on_the_newest(
    old_server: Server, postgres_server: Server, tmp_path: Path
) -> None:
    with temporary_database(old_server) as url:
        filled(url)
        run_all(url, tmp_path)
        old = stored(url)
        ask_everything(url)
        run_here(url, tmp_path / "old", incremental=True)
        assert stored(url) == old
    with temporary_database(postgres_server) as url:
        filled(url)
        run_here(url, tmp_path / "new")
        new = stored(url)
    assert {name for name, rows in old.items() if rows} == {name for name, rows in new.items() if rows}
    for name, rows in old.items():
        assert rows == new[name], name
