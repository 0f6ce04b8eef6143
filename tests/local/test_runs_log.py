"""`sitejobs runs ID --log`: what a run's functions logged, here and on AWS."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sitejobs.jobs import runs
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.database.target import open_target
from sitejobs_local.runs.runner import folder_of
from tests.databases import site_database
from tests.job_runs import opened
from tests.local.command import environment, sitejobs

STACK = "dates"


@pytest.fixture(scope="module")
def site(postgres_server: Server) -> Iterator[tuple[str, str]]:
    """A database and the id of a run in it that has ended."""
    with site_database(postgres_server) as url, connect(url) as connection:
        run = opened(connection, "ended", job="trending")
        runs.close_run(connection, run.id, None)
        yield url, run.id


def line(message: str, at: datetime, **facts: Any) -> str:
    stamp = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}+0000"
    known = {"level": "INFO", "location": "plan:45", "message": message, "timestamp": stamp, "service": "trending"}
    logged = {**known, "cold_start": True, "function_name": "TrendingFunction", **facts}
    return json.dumps(logged, separators=(",", ":"))


def lines_of(run_id: str) -> list[str]:
    """Three lines of the run, newest first, among some that are another's or another time's."""
    now = datetime.now(UTC).replace(microsecond=400_000)  # all within one second
    return [
        line("run closed", now + timedelta(milliseconds=3), runId=run_id, service="runs", job="trending", pages=4),
        line("page failed", now + timedelta(milliseconds=2), run_id=run_id, page=3, level="WARNING"),
        line("planned", now, run_id=run_id, chapter=1, pages=4),
        line("planned", now, run_id=f"{run_id}1"),
        line("planned", now, run_id=run_id, service="affinity"),
        line("planned", now - timedelta(days=1), run_id=run_id),
        f'not JSON, "{run_id}"',
    ]


def told(text: str) -> list[str]:
    """The lines without their times."""
    return [line.split(" ", 2)[2] for line in text.splitlines()]


EXPECTED = [
    "INFO planned chapter=1 pages=4",
    "WARNING page failed page=3",
    "INFO run closed job=trending pages=4",
]


def test_lines_of_a_run_are_found_in_the_logs_of_this_machine(site: tuple[str, str], tmp_path: Path) -> None:
    url, run_id = site
    env = environment(DATABASE_URL=url, SITEJOBS_HOME=str(tmp_path))
    with open_target(env) as target:
        logs = folder_of(target, env, "logs")
    # A run of the embedded database, and one of another, have this one's id.
    for other in (tmp_path / "logs", tmp_path / "logs-0123456789ab"):
        other.mkdir()
        (other / "trending.log").write_text("\n".join(lines_of(run_id)) + "\n")
    logs.mkdir()
    first, *rest = lines_of(run_id)
    (logs / "trending.log").write_text("\n".join(rest) + "\n")
    (logs / "all.log").write_text(first + "\n")  # a job of a workflow logs there
    shown = sitejobs("runs", run_id, "--log", env=env)
    assert shown.returncode == 0, shown.stderr
    assert told(shown.stdout) == EXPECTED
    (logs / "trending.log").unlink()
    (logs / "all.log").unlink()
    none = sitejobs("runs", run_id, "--log", env=env)
    assert (none.stdout, f"nothing of run {run_id} is in" in none.stderr) == ("", True)


def test_lines_of_a_run_are_found_in_the_log_group_of_its_job_on_aws(site: tuple[str, str]) -> None:
    url, run_id = site
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        variables = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        group = {"logGroupName": f"/aws/lambda/{STACK}-trending"}
        logs = boto3.client(
            "logs", endpoint_url=variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id="x", aws_secret_access_key="x",
        )  # fmt: skip
        logs.create_log_group(**group)
        logs.create_log_stream(**group, logStreamName="one")
        now = round(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": now, "message": text} for text in lines_of(run_id)]
        logs.put_log_events(**group, logStreamName="one", logEvents=events)
        shown = sitejobs("runs", run_id, "--log", f"--stack={STACK}", env=environment(DATABASE_URL=url, **variables))
        assert shown.returncode == 0, shown.stderr
        assert told(shown.stdout) == EXPECTED
        elsewhere = sitejobs("runs", run_id, "--log", "--stack=x", env=environment(DATABASE_URL=url, **variables))
        assert elsewhere.returncode == 2
        assert "there is no log group /aws/lambda/x-trending in this account and region" in elsewhere.stderr
    finally:
        server.stop()
