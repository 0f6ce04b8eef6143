"""The ready events of the keyed jobs' functions: such as Plan makes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sitejobs.jobs.job import PagedJob
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.job_runs import through_json
from tests.jobs import KEYED, job_of
from tests.keyed_runs import Runner

EVENTS = Path(__file__).resolve().parent.parent / "events"


@pytest.fixture(scope="module")
def populated(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(60, 5, datetime(2026, 1, 15, 3, tzinfo=UTC)))
        yield url


@pytest.mark.parametrize("job", [*KEYED, job_of("compatibility")], ids=lambda job: job.entry.name)
def test_the_ready_event_is_one_that_plan_makes(populated: str, job: PagedJob) -> None:
    ready = json.loads((EVENTS / f"{job.entry.name}.json").read_text())
    runner = Runner(job, populated)
    ran = runner.run(ready["run"]["options"], at=datetime.fromisoformat(ready["run"]["startedAt"]))
    runner.close()
    assert ready["run"]["job"] == job.entry.name
    assert through_json(ran.chapters[0].context) == ready["run"]["context"]
    if "userId" in ready["run"]["options"]:
        assert ran.pages == [ready["page"]]
    else:
        assert ran.pages[0].keys() == ready["page"].keys()
