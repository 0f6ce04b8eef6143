"""A stack's database, checked and migrated by the stack's own functions: a machine at home stands for AWS."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.database import migrations
from sitejobs_local.places import TEMPLATE
from sitejobs_local.runs import deployed_database
from sitejobs_local.runs.deployed import AwsRefused
from tests.local.cloud import aws_variables, deploy, deploy_functions, far_environment
from tests.local.command import environment, sitejobs

STACK = "the-site"


@pytest.fixture
def aws(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalMachine]:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
    with LocalMachine(
        TEMPLATE, database_url=database_url, log_file=tmp_path / "log", work_folder=tmp_path / "work"
    ) as machine:
        deploy_functions(machine, STACK, ["CheckFunction", "MigrateFunction"])
        deploy(machine, "older", {"PayrollStateMachine": "payroll"})
        for name, value in aws_variables(machine).items():
            monkeypatch.setenv(name, value)
        yield machine


def test_a_stacks_database_is_checked_migrated_and_checked_again(aws: LocalMachine) -> None:
    env = far_environment(aws)
    before = sitejobs("check", f"--stack={STACK}", "--json", env=env)
    assert before.returncode == 1, before.stderr
    lacking = {finding["object"] for finding in json.loads(before.stdout)["findings"] if finding["kind"] == "table"}
    assert '"MatchList"' in lacking
    migrated = sitejobs("db", "migrate", f"--stack={STACK}", env=env)
    assert migrated.returncode == 0, migrated.stderr
    assert migrated.stdout.splitlines()[0].startswith("applied 0001_")
    assert "nothing to apply" in sitejobs("db", "migrate", f"--stack={STACK}", env=env).stdout
    after = sitejobs("check", f"--stack={STACK}", env=env)
    assert after.returncode == 0, after.stdout
    assert f"of stack {STACK}: PostgreSQL" in " ".join(after.stdout.split())


def test_a_secret_that_cannot_be_read_is_named(aws: LocalMachine) -> None:
    with pytest.raises(InvalidInput, match=r"the database secret the-site/owner cannot be read: ResourceNotFound"):
        deployed_database.migrate(STACK, "the-site/owner")


def test_a_stack_without_these_functions_is_told_so(aws: LocalMachine) -> None:
    with pytest.raises(InvalidInput, match="stack 'older' has no CheckFunction: deploy this version"):
        deployed_database.check("older")
    with pytest.raises(InvalidInput, match="there is no stack 'nowhere'"):
        deployed_database.migrate("nowhere")


@pytest.mark.parametrize(
    ("payload", "kind", "message"),
    [
        ({"errorType": "InvalidInput", "errorMessage": "set DATABASE_HOST"}, InvalidInput, "set DATABASE_HOST"),
        (
            {"errorType": "Transient", "errorMessage": "refused"},
            AwsRefused,
            "failed: Transient: refused",
        ),
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"},
            AwsRefused,
            "time limit: .*--print",
        ),
    ],
)
def test_a_functions_error_says_what_to_do(payload: dict[str, str], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        raise deployed_database.error_of("MigrateFunction", payload)


def test_another_login_needs_a_stack() -> None:
    refused = sitejobs("db", "migrate", "--secret=x", env=environment())
    assert (refused.returncode, "--secret goes with --stack=<name>" in refused.stderr) == (2, True)
