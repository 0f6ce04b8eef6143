"""The ready events of the keyed jobs' functions: such as Plan makes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sitejobs.feed import affinity, content_features, feed_presort, feed_presort_cleanup, trending
from sitejobs.jobs.job import PagedJob
from sitejobs.matching.compatibility import job as compatibility
from sitejobs.postgres.connection import connect
from sitejobs.search import profile_search_index, searchable_user
from sitejobs.traits import build_user_traits as user_traits
from sitejobs.traits import user_interest_sets as interest_sets
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.keyed_runs import Runner, through_json

EVENTS = Path(__file__).resolve().parent.parent / "events"
MODULES = (
    *(affinity, content_features, feed_presort, feed_presort_cleanup, trending, compatibility),
    *(profile_search_index, searchable_user, interest_sets, user_traits),
)


@pytest.fixture(scope="module")
def populated(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load(connection, generate(60, 5, datetime(2026, 1, 15, 3, tzinfo=UTC)))
        yield url


@pytest.mark.parametrize("job", [module.JOB for module in MODULES], ids=lambda job: job.entry.name)
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
