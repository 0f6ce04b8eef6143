"""A dry run of match-scores: it foretells exactly what the run that follows changes, and writes nothing."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.matching.match_scores.job import JOB
from sitejobs.options import parse_options
from tests.dry_runs import contents, differences
from tests.matching.changes import CHANGES
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site, shuffled
from tests.matching.site_loading import load

OTHER_WEIGHTS = {"MATCH_WEIGHTS": "traits=0.05,interests=0.6", "MATCH_ALGO_VERSION": "tried"}
OPTIONS = {"topK": 12, "batchSize": 13, "candidateBatchSize": 7}


def lists_of(connection: Connection) -> dict[int, list[int]]:
    return dict(connection.execute('SELECT "userId", "candidateUserId" FROM "MatchCandidates"').fetchall())


@pytest.mark.parametrize("incremental", [False, True], ids=["full", "incremental"])
@pytest.mark.parametrize("environment", [{}, OTHER_WEIGHTS], ids=["same weights", "other weights"])
def test_a_dry_run_foretells_the_run_and_writes_nothing(
    site: Connection, site_url: str, tmp_path: Path, incremental: bool, environment: dict[str, str]
) -> None:
    load(site, draw(61, 70, "one city"))
    Site(site_url, tmp_path).run(NOW, OPTIONS)
    random = Random(61)
    for change in random.choices(CHANGES, k=8):
        change(site, random)
    tried = Site(site_url, tmp_path, environment)
    before, stored = contents(site), lists_of(site)
    later = NOW + timedelta(days=3 * (not incremental))
    options = OPTIONS | {"incremental": incremental}
    dry = tried.run(later, options | {"dryRun": True}, shuffled(2))
    assert contents(site) == before
    assert dry.counts["written"] == 0
    assert dry.summary["message"].startswith("dry run, nothing was written: ")
    done = tried.run(later, options)
    assert dry.counts["processed"] == done.counts["processed"]
    assert {**dry.reasons, "unchanged": 0} == {**done.reasons, "unchanged": 0}
    new = lists_of(site)
    compared = dry.summary["compared"]
    if not incremental or environment:
        users = [row[0] for row in site.execute('SELECT "userId" FROM "MatchScoreViewer" ORDER BY 1')]
        assert compared == differences(stored, new, users, done.counts["written"])
        assert compared["changed"] > 0
    else:  # lists that stay as they are need not be looked at
        found = differences(stored, new, sorted(stored | new), 0)
        for name in ("changed", "appearing", "vanishing", "otherFirst", "mostlyOther"):
            assert compared[name] == found[name], name
        for name in ("entering", "leaving"):
            assert compared["rows"][name] == found["rows"][name], name


def test_settings_are_tried_by_dry_runs_only() -> None:
    settings = '{"MATCH_WEIGHTS": "traits=0.3"}'
    assert parse_options(JOB.options, {"dryRun": True, "settings": settings}).settings == settings
    with pytest.raises(InvalidInput, match="settings must be a JSON object of settings, and goes with dryRun, not"):
        parse_options(JOB.options, {"settings": settings})


def test_the_next_incremental_run_does_not_take_a_dry_run_for_one_that_wrote(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    load(site, draw(62, 40, "one city"))
    machine = Site(site_url, tmp_path)
    machine.run(NOW, OPTIONS | {"dryRun": True})
    assert lists_of(site) == {}
    first = machine.run(NOW, OPTIONS | {"incremental": True})
    assert "no earlier run to compare with" in str(first.message)
    assert lists_of(site)
    [(scope,)] = site.execute("""SELECT "scope" FROM "JobRun" ORDER BY "id" LIMIT 1""").fetchall()
    assert scope == "dry-run:all"
