"""compatibility from the command line: the state machine's own file, worker processes, a real PostgreSQL."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from sitejobs_local.population import generate
from sitejobs_local.population import load as load_population
from tests.local.command import environment, sitejobs
from tests.matching.compatibility_oracle import expected
from tests.matching.compatibility_runs import assert_stored


@pytest.fixture
def env(site: Connection, site_url: str, tmp_path: Path) -> dict[str, str]:
    """A site of 150 users with its best matches."""
    load_population(site, generate(150, 3, datetime(2026, 6, 1, tzinfo=UTC)))
    variables = environment(DATABASE_URL=site_url, SITEJOBS_HOME=str(tmp_path))
    assert sitejobs("match-scores", "--json", "--pauseMs=0", env=variables).returncode == 0
    return variables


def summary_of(*arguments: str, env: dict[str, str]) -> dict[str, Any]:
    done = sitejobs("compatibility", "--json", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def test_runs_after_match_scores_store_what_a_plain_implementation_does(site: Connection, env: dict[str, str]) -> None:
    wanted = expected(site, 20)
    first = summary_of("--batchSize=20", "--targetBatchSize=33", "--maxSuggestionTargets=20", env=env)
    assert_stored(site, wanted)
    assert first["written"] == sum(map(len, wanted.values())) > 1000
    assert (first["status"], first["processed"]) == ("SUCCEEDED", len(wanted))
    site.execute("""DELETE FROM "UserInterest" WHERE "userId" %% 10 = 0""", [])
    wanted = expected(site, 20)
    again = summary_of("--incremental", "--maxSuggestionTargets=20", env=env)
    assert_stored(site, wanted)
    assert 0 < again["written"] < first["written"] / 2
    nothing = summary_of("--incremental", "--maxSuggestionTargets=20", env=env)
    assert (nothing["written"], nothing["status"]) == (0, "SUCCEEDED")
    assert "nothing written" in nothing["message"]


def test_a_wrong_option_is_named_before_anything_is_read() -> None:
    done = sitejobs("compatibility", "--targetBatchSize=0", env=environment(DATABASE_URL="postgresql://127.0.0.1:1/x"))
    assert done.returncode == 2
    assert "targetBatchSize must be a whole number from 1 to 20000, not '0'" in done.stderr
