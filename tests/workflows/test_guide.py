"""Runs every example of docs/guide.md on the local machine: the deployed definitions, the real jobs, one small site."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sitejobs.catalog import JOBS
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.cli import sitejobs as command
from sitejobs_local.database import migrations
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.population import generate, load
from tests.documentation import ROOT, Line, lines_of
from tests.limits import PATIENCE_S

EVERYTHING = JOBS | WORKFLOWS
EXAMPLES = [line for line in lines_of(ROOT / "docs" / "guide.md") if line.arguments and line.arguments[0] in EVERYTHING]

MEDIA = """
INSERT INTO "Media" ("id", "ownerUserId", "type", "status", "storageKey") VALUES (123, 8, 'IMAGE', 'UPLOADED', 'x')
"""


@pytest.fixture(scope="module")
def machine(postgres_server: Server) -> Iterator[LocalMachine]:
    """The template's machine over a database with a small site in it."""
    with (
        psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator,
        tempfile.TemporaryDirectory() as folder,
    ):
        administrator.execute("CREATE DATABASE guide TEMPLATE template0")
        url = postgres_server.database_url("guide")
        with psycopg.connect(url, autocommit=True) as connection:
            migrations.apply_site_schema(connection)
            migrations.apply(connection)
            load(connection, generate(40, 1, datetime.now(UTC)))
            connection.execute(MEDIA)
        with LocalMachine(TEMPLATE, database_url=url, log_file=Path(folder) / "log") as machine:
            yield machine
        administrator.execute("DROP DATABASE guide WITH (FORCE)")


def input_of(line: Line) -> tuple[str, dict[str, Any]]:
    """The job of a command line, and the input that the command gives it."""
    name, *rest = line.arguments
    context = command.make_context("sitejobs", list(line.arguments))
    _, found, _ = command.resolve_command(context, list(line.arguments))
    assert found is not None
    values = found.make_context(name, rest, parent=context).params
    names = {(info.alias or key).lower(): info.alias for key, info in EVERYTHING[name].options.model_fields.items()}
    given = {names[key]: value for key, value in values.items() if value is not None and key in names}
    return name, {str(key): value for key, value in given.items()}


def test_every_job_and_workflow_has_an_example() -> None:
    assert {line.arguments[0] for line in EXAMPLES} == set(EVERYTHING)


@pytest.mark.parametrize("line", [pytest.param(line, id=line.text) for line in dict.fromkeys(EXAMPLES)])
def test_an_example_of_the_guide_runs(machine: LocalMachine, line: Line) -> None:
    name, given = input_of(line)
    ended = machine.run(name, {**given, "trigger": "cli"}, timeout=PATIENCE_S)
    assert ended.status == "SUCCEEDED", (ended.error, ended.cause)
    assert ended.output["job"] == name
    assert ended.output["written"] or ended.output["message"], "a run that wrote nothing says why"
    machine.retire(name)
