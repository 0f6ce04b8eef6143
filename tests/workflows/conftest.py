"""The workflows' own definitions and function, with toys instead of the jobs."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row

from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs.workflows.graph import STEPS
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import Execution, LocalMachine
from sitejobs_local.database import migrations
from sitejobs_local.database.postgres import Server
from tests.limits import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
TOYS = Path(__file__).parent / "toys"
TABLES = """
CREATE TABLE "Seen" ("id" serial PRIMARY KEY, "job" text, "given" jsonb,
                     "started" timestamptz NOT NULL DEFAULT clock_timestamp(), "ended" timestamptz);
CREATE TABLE "Toy" ("job" text PRIMARY KEY, "act" text NOT NULL, "others" text[] NOT NULL DEFAULT '{}')
"""


@dataclass
class Toys:
    """A machine whose jobs are toys, and the database in which they record what happened."""

    machine: LocalMachine
    connection: psycopg.Connection
    events: list[Event] = field(default_factory=list)

    def tell(self, job: str, act: str = "succeed", others: tuple[str, ...] = ()) -> None:
        """Let the job do `act` from now on, once all of `others` have started."""
        values = [job, act, list(others)]
        self.connection.execute('INSERT INTO "Toy" ("job", "act", "others") VALUES (%s, %s, %s)', values)

    def forget(self) -> None:
        self.connection.execute('TRUNCATE "Seen", "Toy"')
        self.connection.execute('TRUNCATE "JobRun" CASCADE')
        self.events.clear()

    def run(self, workflow: str, **given: Any) -> Execution:
        return self.machine.run(workflow, given, timeout=PATIENCE_S)

    def seen(self) -> dict[str, dict[str, Any]]:
        """Each job's input, when it started, and when it succeeded."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute('SELECT "job", "given", "started", "ended" FROM "Seen"').fetchall()
        seen = {row["job"]: row for row in rows}
        assert len(seen) == len(rows), "a job was started twice"
        return seen

    def eventually(self, statement: LiteralString) -> None:
        """Wait until a statement returns true."""
        deadline = time.monotonic() + PATIENCE_S
        while self.connection.execute(statement).fetchone() != (True,):
            assert time.monotonic() < deadline, statement
            time.sleep(0.02)

    def last_run(self) -> dict[str, Any]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute('SELECT * FROM "JobRun" ORDER BY "id" DESC LIMIT 1').fetchone()
        assert row is not None
        return row


def toy_template(folder: Path, jobs: tuple[str, ...]) -> Path:
    """A template with the workflows as they ship, and a toy for each of `jobs`."""
    ship, toy = ROOT / "statemachines", {"ToyFunctionArn": {"Fn::GetAtt": ["ToyFunction", "Arn"]}}
    workflows = {"Fn::GetAtt": ["WorkflowsFunction", "Arn"]}
    machines = "arn:aws:states:${AWS::Region}:${AWS::AccountId}:stateMachine:"
    resources: dict[str, Any] = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": str(ROOT / "layers/sitejobs")}},
        "WorkBucket": {"Type": "AWS::S3::Bucket"},
        "ToyFunction": function(str(TOYS), {}),
        "WorkflowsFunction": function(
            str(ROOT / "functions/workflows"),
            {
                "JOB_MACHINES": {"Fn::Sub": machines},
                "POWERTOOLS_METRICS_NAMESPACE": "toys",
                "RUN_STALE_SECONDS": "3600",
            },
        ),
        "WorkflowJob": state_machine(
            "workflow-job", ship / "workflow-job.asl.json", {"WorkflowsFunctionArn": workflows}
        ),
    }
    for at, name in enumerate(WORKFLOWS):
        given = {
            "Workflow": name,
            "WorkflowsFunctionArn": workflows,
            "WorkflowJobArn": {"Fn::GetAtt": ["WorkflowJob", "Arn"]},
        }
        resources[f"Workflow{at}"] = state_machine(name, ship / "workflow.asl.json", given)
    for at, job in enumerate(jobs):
        resources[f"Job{at}"] = state_machine(job, TOYS / "job.asl.json", {"Job": job, **toy})
    path = folder / "template.json"
    path.write_text(json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}))
    return path


def function(code: str, variables: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "CodeUri": code,
        "Handler": "app.handler",
        "Timeout": 900,
        "Layers": [{"Ref": "Layer"}],
        "Environment": {"Variables": variables},
    }
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def state_machine(name: str, definition: Path, given: dict[str, Any]) -> dict[str, Any]:
    properties = {"Name": name, "DefinitionUri": str(definition), "DefinitionSubstitutions": given}
    return {"Type": "AWS::Serverless::StateMachine", "Properties": properties}


@pytest.fixture(scope="module")
def toy_machine(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toys]:
    folder = tmp_path_factory.mktemp("toys")
    with psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE toys TEMPLATE template0")
        url = postgres_server.database_url("toys")
        with psycopg.connect(url, autocommit=True) as connection:
            migrations.apply_site_schema(connection)
            migrations.apply(connection)
            for statement in TABLES.split(";"):
                connection.execute(statement.encode())
            events: list[Event] = []
            template = toy_template(folder, tuple(STEPS))
            machine = LocalMachine(template, database_url=url, log_file=folder / "log", on_event=events.append)
            with machine:
                yield Toys(machine, connection, events)
        administrator.execute("DROP DATABASE toys WITH (FORCE)")


@pytest.fixture
def toys(toy_machine: Toys) -> Toys:
    toy_machine.forget()
    return toy_machine
