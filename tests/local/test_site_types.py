"""Whole sites in other types than those of the synthetic one: what the check lets pass, every job runs on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.catalog import JOBS
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import check
from sitejobs.schema.kinds import SOUGHT
from sitejobs.schema.model import Column, Table
from sitejobs.schema.site import SITE_TABLES
from sitejobs.schema.values import VALUES, Words
from sitejobs_local.database import migrations
from tests.local.every_job import JOBS_IN_ORDER, modes_of, run_job

_CONSTRAINTS = """
SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', relname, conname) FROM pg_constraint
JOIN pg_class c ON c.oid = conrelid WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c')
  AND relname = ANY(%s)
"""


def run_all(url: str, parser: ParserHost, folder: Path) -> None:
    for job in JOBS_IN_ORDER:
        for options in reversed(modes_of(job)):
            run_job(url, job, folder, parser, **options)


def change(connection: Connection, type_of: Callable[[Table, Column], str | None]) -> int:
    """Give columns of the contract other types; how many were given one."""
    found = connection.execute(_CONSTRAINTS, [[table.name for table in SITE_TABLES]]).fetchall()
    for (statement,) in found:
        connection.execute(statement.encode())
    changed = 0
    for table in SITE_TABLES:
        for column in table.columns:
            if type_ := type_of(table, column):
                place, name = f'ALTER TABLE "{table.name}" ALTER COLUMN "{column.name}"', f'"{column.name}"'
                using = f"{name}::text::{type_}" if column.type == "text" else f"{name}::{type_}"
                connection.execute(f"{place} DROP IDENTITY IF EXISTS".encode())
                connection.execute(f"{place} DROP DEFAULT".encode())
                connection.execute(f"{place} TYPE {type_} USING {using}".encode())
                changed += 1
    return changed


def of_kind(kind: str, type_: str) -> Callable[[Table, Column], str | None]:
    return lambda table, column: type_ if column.type == kind else None


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("bigint", "integer"),
        ("bigint", "smallint"),
        ("timestamp", "timestamptz"),
        ("timestamp", "timestamp(0)"),
        ("date", "timestamp"),
        ("date", "timestamptz"),
        ("text", "varchar(10000)"),
        ("text", "citext"),
        ("text", "text"),
        ("double precision", "numeric"),
        ("double precision", "real"),
        ("double precision", "bigint"),
        ("double precision", "double precision"),
    ],
)
def test_every_job_runs_on_a_site_of_this_type(
    copied_site: str, parser: ParserHost, tmp_path: Path, kind: str, type_: str
) -> None:
    with connect(copied_site) as connection:
        if type_ == "citext":
            connection.execute("CREATE EXTENSION citext")
        assert change(connection, of_kind(kind, type_)) > 0
        assert check(connection, list(JOBS)).ok
    run_all(copied_site, parser, tmp_path)


WORDS = {("Profile", "geoPrecision"), ("Profile", "intent")} | {
    key for key, values in VALUES.items() if isinstance(values, Words)
}


@pytest.mark.parametrize("kind", ["domain over an enum", "domain over a domain over a text"])
def test_every_job_runs_where_words_are_texts_enums_or_domains(
    copied_site: str, parser: ParserHost, tmp_path: Path, kind: str
) -> None:
    words = WORDS - SOUGHT if kind == "domain over an enum" else WORDS

    def type_of(table: Table, column: Column) -> str | None:
        if (table.name, column.name) not in words:
            return None
        name = f"{table.name}.{column.name}"
        rows = connection.execute(f'SELECT DISTINCT "{column.name}"::text FROM "{table.name}"'.encode()).fetchall()
        labels = ", ".join(f"'{word}'" for word in sorted(word for (word,) in rows if word))
        connection.execute(
            f"""CREATE TYPE "{name} enum" AS ENUM ({labels});
            CREATE DOMAIN "{name} domain over an enum" AS "{name} enum";
            CREATE DOMAIN "{name} inner" AS text;
            CREATE DOMAIN "{name} domain over a domain over a text" AS "{name} inner" """.encode()
        )
        return f'"{name} {kind}"'

    with connect(copied_site) as connection:
        assert change(connection, type_of) == len(words)
        assert check(connection, list(JOBS)).ok
    run_all(copied_site, parser, tmp_path)


@pytest.mark.parametrize("kind", ["text", "enum"])
def test_an_accuracy_may_be_a_number_a_text_or_an_enum(
    copied_site: str, parser: ParserHost, tmp_path: Path, kind: str
) -> None:
    with connect(copied_site) as connection:
        connection.execute("""CREATE TYPE "Accuracy" AS ENUM ('EXACT', '15', '1.5e2')""")
        connection.execute(
            f"""ALTER TABLE "Profile" ALTER "locationAccuracy"
            TYPE {"text" if kind == "text" else '"Accuracy"'}
            USING (ARRAY['EXACT', '15', '1.5e2'])["id" % 3 + 1]{"" if kind == "text" else '::"Accuracy"'}""".encode()
        )
        assert check(connection, list(JOBS)).ok
    [job] = [job for job in JOBS_IN_ORDER if job.entry.name == "profile-search-index"]
    run_job(copied_site, job, tmp_path, parser)
    with connect(copied_site) as connection:
        held = connection.execute("""SELECT DISTINCT p."locationAccuracy"::text, s."locationAccuracy"
            FROM "Profile" p JOIN "ProfileSearchIndex" s ON s."userId" = p."userId" ORDER BY 1""").fetchall()
    assert held == [("1.5e2", 150.0), ("15", 15.0), ("EXACT", None)]


def test_every_job_runs_on_the_empty_views_that_the_check_advises(
    database_url: str, parser: ParserHost, tmp_path: Path
) -> None:
    with connect(database_url) as connection:
        for finding in check(connection, list(JOBS)).findings:
            if finding.mend.startswith("CREATE VIEW"):
                connection.execute(finding.mend.encode())
        migrations.apply(connection)
        assert check(connection, list(JOBS)).ok
    for job in JOBS_IN_ORDER:
        if job.entry.name != "media-metadata":  # there is no upload to ask for
            assert run_job(database_url, job, tmp_path, parser)["written"] == 0
