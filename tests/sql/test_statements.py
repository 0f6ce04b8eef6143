"""The SQL that runs is what the golden files say, keeps the habits, and uses no column that the contract lacks."""

import importlib
import inspect
from collections.abc import Collection
from dataclasses import replace
from functools import cache

import pytest

from sitejobs.catalog import JOBS
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.model import needed
from sitejobs.schema.site import SITE_TABLES
from tests.sql.columns_used import Used, used_by
from tests.sql.golden import rendered, stored
from tests.sql.statements import Statement, modules_of_jobs, statements, unlisted

TABLES = {table.name: table for table in (*SITE_TABLES, *BUNDLE_TABLES)}
COLUMNS = {name: [column.name for column in table.columns] for name, table in TABLES.items()}
OF_THE_SITE = {table.name for table in SITE_TABLES}


@cache
def every() -> list[Statement]:
    return statements()


def faults(text: str, jobs: Collection[str]) -> list[str]:
    """What a statement does that it must not; of several jobs the contract must serve one wholly."""
    used = used_by(text, COLUMNS)
    found = [*used.problems, *(f"SELECT * of {name}" for name in used.stars & OF_THE_SITE)]
    if used.offset:
        found.append("OFFSET")
    # Each job alone must serve; what no job sends, the site does, whose role may be anything.
    groups: list[tuple[str, ...]] = [(job,) for job in sorted(jobs)] or [tuple(JOBS)]
    return found + min((_lacking(used, group) for group in groups), key=len)


def _lacking(used: Used, jobs: Collection[str]) -> list[str]:
    allowed = {
        (table.name, column.name)
        for table in TABLES.values()
        if needed(table.jobs, jobs)
        for column in table.columns_for(jobs)
    }
    who, tables = " or ".join(jobs), {name for name, _ in allowed}
    return [
        *(f"{who} may not read {name}" for name in sorted(used.tables - tables)),
        *(f"{who} may not use {sorted(meant)}" for meant in used.columns if not meant & allowed),
    ]


def test_golden_files_say_what_runs() -> None:
    now, told = rendered(every()), stored()
    assert now.keys() == told.keys(), "python -m tests.sql writes them anew"
    for path, text in now.items():
        assert told[path] == text, f"{path.name}: python -m tests.sql writes it anew"


def test_each_statement_that_is_sent_is_known() -> None:
    for name in modules_of_jobs():
        module = importlib.import_module(name)
        assert not unlisted(name, inspect.getsource(module), vars(module))


@pytest.mark.parametrize("statement", every(), ids=lambda statement: f"{statement.module}:{statement.name}")
def test_statement_keeps_to_the_contract(statement: Statement) -> None:
    assert not faults(statement.text, statement.jobs)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('SELECT u."phone" FROM "User" u', "User has no phone"),
        ('SELECT "phone" FROM "User"', "phone: no relation at hand has it"),
        ('SELECT "id" FROM "Account"', "Account is no table of the contract"),
        ('WITH a AS (SELECT "id" FROM "User") SELECT a."phone" FROM a', "a query has no phone"),
        ('SELECT u.* FROM "User" u', "SELECT * of User"),
        ('SELECT "id" FROM "User" ORDER BY "id" LIMIT 9 OFFSET %(first)s', "OFFSET"),
        ('UPDATE "TrendingScore" SET "rank" = 1', "TrendingScore has no rank"),
        ('COPY "TrendingScore" ("rank") FROM STDIN', "TrendingScore has no rank"),
        ('SELECT "key" FROM "Interest"', "trending may not read Interest"),
        ('SELECT p."gender" FROM "Profile" p', "trending may not use [('Profile', 'gender')]"),
    ],
)
def test_faults_are_found(text: str, fault: str) -> None:
    assert fault in faults(text, ("trending",))


def test_unlisted_statement_is_found() -> None:
    source = "def read(connection, name):\n    connection.execute(f'SELECT {name}')\n"
    assert unlisted("sitejobs.feed.new", source, {})


def test_changed_statement_changes_its_file() -> None:
    first, *rest = every()
    changed = rendered([replace(first, text=first.text + " LIMIT 1"), *rest])
    assert changed != rendered(every())
