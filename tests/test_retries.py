"""Runs of an earlier run's failed pages: which pages, with what options and context, and what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.jobs import runs
from sitejobs.jobs.job import PAGES_A_CHAPTER, Resources, Run
from sitejobs.jobs.retries import plan_again, read_earlier
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database
from tests.fakes import FolderWorkStore
from tests.job_runs import opened
from tests.test_keyed import ToyOptions, Toys, toy_job

JOB = toy_job()
NOW = datetime(2100, 7, 1, tzinfo=UTC)


@pytest.fixture
def toys(site_url: str) -> Iterator[Toys]:
    """Words and their lengths in a database that records runs."""
    made = Toys(site_url)
    yield made
    made.connection.close()
    made.runner.close()


def failed_run(database: Connection, pages: list[dict[str, Any]], error: str | None = None, **changed: Any) -> int:
    """A run of which these pages failed; `error` is why it broke off."""
    context = changed.pop("context", None)
    run = opened(database, f"run {len(pages)} {changed} {context}", **changed)
    if context:
        runs.set_context(database, run.id, context)
    runs.record_chapter(database, run.id, 1, [{"page": page, "error": "DatabaseFailure"} for page in pages])
    runs.close_run(database, run.id, {"Error": error, "Cause": ""} if error else None)
    return int(run.id)


def again(toys: Toys, earlier_id: int) -> list[list[dict[str, Any]]]:
    """The chapters of pages that a run of the failed ones has."""
    resources = Resources(Database(toys.connection.info.dsn), FolderWorkStore(Path("unused")), {})
    earlier = read_earlier(toys.connection, "toy", earlier_id)
    run = Run("2", "toy", NOW, {}, {})
    chapters = [plan_again(JOB, resources, run, ToyOptions(), earlier, None)]
    while chapters[-1].cursor is not None:
        chapters.append(plan_again(JOB, resources, run, ToyOptions(), earlier, chapters[-1].cursor))
    resources.database.close()
    return [chapter.pages for chapter in chapters]


def test_only_the_failed_pages_are_computed_and_with_the_settings_of_now(toys: Toys) -> None:
    toys.fill(20)
    planned = toys.runner.run().pages
    toys.execute('UPDATE "Length" SET "length" = -1')
    run_id = failed_run(toys.connection, [planned[1], planned[3]], options={"wordBatchSize": 4, "trigger": "schedule"})
    earlier = read_earlier(toys.connection, "toy", run_id)
    assert earlier.options == {"wordBatchSize": 4}
    run = Run("2", "toy", NOW, {}, {})
    chapter = plan_again(JOB, toys.runner.resources, run, ToyOptions(), earlier, None)
    assert (chapter.pages, chapter.planned_pages, chapter.planned_users) == ([planned[1], planned[3]], 2, 8)
    assert chapter.context == {"parameters": {"factor": 1}}
    assert earlier.begun(run) == run
    assert earlier.kept(chapter.context) == chapter.context
    options = parse_options(ToyOptions, earlier.options)
    for page in chapter.pages:
        JOB.batch(toys.runner.resources, Run("2", "toy", NOW, {}, chapter.context), options, page)
    written = toys.execute('SELECT "id" FROM "Length" WHERE "length" >= 0 ORDER BY 1')
    assert [key for (key,) in written] == [9, 11, 13, 15, 25, 27, 29, 31]


def test_chapters_are_full_and_have_pages_of_one_kind_in_their_order(toys: Toys) -> None:
    first = [{"page": number, "inputs": ["1", "2"]} for number in (1, 2)]
    then = [{"page": number, "first": "1", "last": "2", "keys": 2} for number in range(3, PAGES_A_CHAPTER + 5)]
    found = again(toys, failed_run(toys.connection, first + then))
    assert [len(pages) for pages in found] == [2, PAGES_A_CHAPTER, 2]
    assert [page for pages in found for page in pages] == first + then


def test_pages_of_a_snapshot_keep_it_with_its_time_and_no_later_run_builds_on_it(toys: Toys) -> None:
    shared = {"snapshot": "snapshots/1", "users": 40}
    run_id = failed_run(toys.connection, [{"page": 1, "start": 0, "stop": 10}], context=shared | {"message": "so"})
    earlier = read_earlier(toys.connection, "toy", run_id)
    assert earlier.shared == shared
    run = Run("2", "toy", NOW)
    assert earlier.begun(run).started_at == earlier.started_at < NOW
    kept = earlier.kept(shared)
    assert "snapshot" not in kept
    options = {"retryOf": run_id}
    second = failed_run(toys.connection, [{"page": 1, "start": 0, "stop": 10}], context=kept, options=options)
    once_more = read_earlier(toys.connection, "toy", second)
    assert (once_more.shared, once_more.started_at) == (shared, earlier.started_at)


def test_what_cannot_be_done_again_is_refused_with_the_reason(toys: Toys) -> None:
    page = {"page": 1, "first": "1", "last": "2", "keys": 2}
    parts = failed_run(toys.connection, [{"page": 1, "part": 0}], scope="user:1")
    with pytest.raises(InvalidInput, match=f"run {parts} broke off while it took its snapshot: start toy anew"):
        again(toys, parts)
    of_another = failed_run(toys.connection, [page], job="other")
    for run_id in (of_another, 999):
        with pytest.raises(InvalidInput, match=f"there is no run {run_id} of it"):
            read_earlier(toys.connection, "toy", run_id)
    at_work = opened(toys.connection, "at work", scope="user:2")
    with pytest.raises(InvalidInput, match=f"run {at_work.id} is still at work"):
        read_earlier(toys.connection, "toy", int(at_work.id))
    done_since = failed_run(toys.connection, [page])
    retried = opened(toys.connection, "retried", options={"retryOf": done_since})
    runs.close_run(toys.connection, retried.id, None)
    read_earlier(toys.connection, "toy", done_since)
    later = opened(toys.connection, "later")
    runs.close_run(toys.connection, later.id, None)
    with pytest.raises(InvalidInput, match=f"run {later.id} has computed the pages of run {done_since} since"):
        read_earlier(toys.connection, "toy", done_since)


def test_what_a_broken_run_never_began_is_told(toys: Toys) -> None:
    page = {"page": 1, "first": "1", "last": "2", "keys": 2}
    earlier = read_earlier(toys.connection, "toy", failed_run(toys.connection, [page], error="States.Timeout"))
    chapter = plan_again(JOB, toys.runner.resources, Run("2", "toy", NOW), ToyOptions(), earlier, None)
    assert "broke off: pages that it did not begin are left to the next run of toy" in str(chapter.message)
