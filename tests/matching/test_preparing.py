"""Runs over a snapshot made of parts: their rows, the parts' pages, and what comes in between."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from psycopg import Connection

from sitejobs.errors import DataUnavailable
from sitejobs.jobs.job import Run
from sitejobs.matching.match_scores.job import JOB
from sitejobs.matching.options import MatchScoresOptions
from tests.matching.changes import gain_a_trait, gain_an_interest, hide, move, register, remove_user
from tests.matching.comparing import assert_rows_equal, assert_viewer_equal, stored_rows
from tests.matching.oracle import score_everyone, score_viewer
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, Draft, SiteRows, draw, someone
from tests.matching.running import Site
from tests.matching.site_loading import load, load_more

SmallParts = Callable[..., Site]


@pytest.fixture
def in_parts(site_url: str, tmp_path: Path) -> SmallParts:
    """A machine that takes a snapshot in parts of so many users."""

    def make(users: int, folder: str = "work") -> Site:
        return Site(site_url, tmp_path / folder, {"SNAPSHOT_PART_USERS": str(users)})

    return make


def snapshots(machine: Site) -> list[bytes]:
    """The stored snapshots, oldest first."""
    found = (machine.work.folder / "snapshots").glob("*.snap")
    return [path.read_bytes() for path in sorted(found, key=lambda path: int(path.stem.rsplit("-")[-1]))]


@pytest.mark.parametrize(("users", "parts"), [(1, 50), (7, 8), (49, 2), (50, 0), (1000, 0)])
def test_rows_and_snapshot_do_not_depend_on_the_parts(
    site: Connection, in_parts: SmallParts, users: int, parts: int
) -> None:
    load(site, draw(21, 50, "mixed"))
    whole = in_parts(1000, "whole")
    whole.run(NOW, {"batchSize": 9})
    machine = in_parts(users, "parts")
    finished = machine.run(NOW, {"batchSize": 9})
    assert finished.parts == parts
    assert finished.planned_pages == len(finished.pages) + parts
    assert [page["page"] for page in finished.pages] == [parts + 1 + at for at in range(len(finished.pages))]
    assert snapshots(machine) == snapshots(whole)
    assert_rows_equal(stored_rows(site), score_everyone(read_site(site), NOW), 200)


@pytest.mark.parametrize("users", [0, 1])
def test_a_site_of_nobody_or_one_is_taken_by_plan(site: Connection, in_parts: SmallParts, users: int) -> None:
    load(site, SiteRows([someone(number) for number in range(1, users + 1)], set()))
    assert in_parts(1).run(NOW).parts == 0


def test_incremental_runs_compare_snapshots_made_of_parts(site: Connection, in_parts: SmallParts) -> None:
    """The parts differ from run to run, and so do their codes."""
    load(site, draw(22, 45, "one city"))
    random = Random(22)
    in_parts(10).run(NOW)
    unchanged = in_parts(7).run(NOW, {"incremental": True})
    assert (unchanged.pages, unchanged.message) == ([], "nothing has changed since the last run")
    for users in (4, 13, 1000, 6):
        for change in (move, gain_a_trait, gain_an_interest, hide, register, remove_user):
            change(site, random)
        finished = in_parts(users).run(NOW, {"incremental": True, "batchSize": 8})
        assert finished.message is None
        assert_rows_equal(stored_rows(site), score_everyone(read_site(site), NOW), 200)


def test_a_run_for_one_user_takes_parts_and_the_next_one_uses_their_snapshot(
    site: Connection, in_parts: SmallParts
) -> None:
    load(site, draw(23, 30, "one city"))
    [viewer] = site.execute("""SELECT max("userId") FROM "Profile" WHERE "deletedAt" IS NULL""").fetchone() or [0]
    first = in_parts(7).run(NOW, {"userId": viewer})
    assert (first.parts, first.pages) == (5, [{"page": 6, "userId": str(viewer)}])
    again = in_parts(7).run(NOW + timedelta(minutes=1), {"userId": viewer})
    assert (again.parts, again.pages) == (0, [{"page": 1, "userId": str(viewer)}])
    expected = score_viewer(read_site(site), viewer, NOW)  # a minute of newness is no reason to write
    assert_viewer_equal(viewer, stored_rows(site)[viewer], expected, 200)


@pytest.mark.no_cover  # fewer parts reach the same lines, and coverage makes this one half as long again
def test_more_parts_than_a_chapter_holds_are_all_taken(site: Connection, in_parts: SmallParts) -> None:
    load(site, SiteRows([Draft(user_id=number) for number in range(3, 540)] + [someone(1), someone(2)], set()))
    finished = in_parts(1).run(NOW, {"batchSize": 100})
    assert (finished.parts, finished.chapters, len(finished.pages)) == (539, 3, 6)
    assert finished.reasons["no-profile"] == 537


def _planned(machine: Site, number: int) -> Run:
    """A run whose first Plan lists parts."""
    with machine.resources().database.connection() as connection:
        [run_id] = connection.execute(
            """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options", "startedAt", "status")
               VALUES ('match-scores', 'all', %s, 'api', '{}', %s, 'DIED') RETURNING "id" """,
            [f"parts-{number}", NOW],
        ).fetchone() or [0]
    return Run(str(run_id), "match-scores", NOW)


def test_who_registers_while_parts_are_taken_is_in_the_last_one(site: Connection, in_parts: SmallParts) -> None:
    load(site, draw(24, 20, "one city"))
    machine, options = in_parts(6), MatchScoresOptions()
    resources, run = machine.resources(), _planned(machine, 1)
    first = JOB.plan(resources, run, options, None)
    run = Run(run.id, run.job, run.started_at, {}, first.context)
    newest = [draft for draft in draw(25, 4, "one city").drafts if draft.profile]
    [last] = site.execute("""SELECT max("id") FROM "User" """).fetchone() or [0]
    for number, draft in enumerate(newest, last + 1):
        draft.user_id, draft.deleted_at = number, None
    load_more(site, SiteRows(newest, set()))
    for page in first.pages:
        JOB.batch(resources, run, options, page)
    JOB.plan(resources, run, options, first.cursor)
    whole = in_parts(1000, "whole")
    JOB.plan(whole.resources(), run, options, None)
    assert snapshots(machine) == snapshots(whole)


def test_a_part_that_failed_is_named_and_parts_of_another_run_do_not_stand_in(
    site: Connection, in_parts: SmallParts
) -> None:
    load(site, draw(26, 20, "one city"))
    machine, options = in_parts(6), MatchScoresOptions()
    resources = machine.resources()
    for number in (1, 2):
        run = _planned(machine, number)
        planned = JOB.plan(resources, run, options, None)
        run = Run(run.id, run.job, run.started_at, {}, planned.context)
        for page in planned.pages[: None if number == 1 else 2]:
            JOB.batch(resources, run, options, page)
    with pytest.raises(DataUnavailable, match=r"part-3"):
        JOB.plan(resources, run, options, planned.cursor)
    assert snapshots(machine) == []
    full = in_parts(6).run(NOW, {"incremental": True})
    assert full.message == "no earlier run to compare with: everyone was computed"


def test_parts_and_their_merge_may_be_done_twice(site: Connection, in_parts: SmallParts) -> None:
    load(site, draw(27, 20, "one city"))
    machine, options = in_parts(6), MatchScoresOptions()
    resources, run = machine.resources(), _planned(machine, 1)
    planned = JOB.plan(resources, run, options, None)
    run = Run(run.id, run.job, run.started_at, {}, planned.context)
    for page in (*planned.pages, *planned.pages[::-1]):
        JOB.batch(resources, run, options, page)
    once = JOB.plan(resources, run, options, planned.cursor), snapshots(machine)
    assert (JOB.plan(resources, run, options, planned.cursor), snapshots(machine)) == once
