"""Pages that overlap, are read meanwhile or are cut off: each user has the old rows or the new ones."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sitejobs.jobs.job import PagedJob
from sitejobs.jobs.keyed import Refresh
from sitejobs.postgres.connection import connect, is_transient
from sitejobs.traits import build_user_traits as user_traits
from sitejobs.traits import user_interest_sets as interest_sets
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.places import TEMPLATE
from tests.limits import PATIENCE_S
from tests.traits import oracle
from tests.traits.sites import Site, add_option, add_result

ALL = list(range(1, 9))

GATE = """
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
CREATE TRIGGER gate BEFORE INSERT ON "InterestSubjectUserSet" FOR EACH ROW EXECUTE FUNCTION gate();
CREATE TRIGGER gate BEFORE INSERT ON "UserTrait" FOR EACH ROW EXECUTE FUNCTION gate();
"""
WAITING = """
SELECT "pid" FROM pg_stat_activity WHERE "datname" = current_database() AND "wait_event_type" = 'Lock'
"""

JOBS = [
    pytest.param(interest_sets.JOB, interest_sets.refresh, id="interests"),
    pytest.param(user_traits.JOB, user_traits.refresh, id="traits"),
]


def make_site(site: Site) -> None:
    """Users 1 to 8 with an interest each and an answer each."""
    site.query("""
        INSERT INTO "User" ("id") SELECT generate_series(1, 8);
        INSERT INTO "UserInterest" SELECT i, i, i, now() FROM generate_series(1, 8) i;
        INSERT INTO "QuizQuestion" ("id", "quizId", "prompt") VALUES (11, 1, '')
    """)
    add_option(site, 11, "a", '{"calm": 1, "brave": 2}')
    add_option(site, 11, "b", '{"sober": 3}')
    for user in ALL:
        add_result(site, user, 1, '{"11": "a"}')


def change_everything(site: Site) -> None:
    """Other interests, other answers: no row of the old results is one of the new ones."""
    site.query("""
        UPDATE "UserInterest" SET "interestId" = "interestId" + 100, "subjectId" = "subjectId" + 100;
        UPDATE "QuizResult" SET "answers" = '{"11": "b"}'
    """)


def stored(site: Site) -> Any:
    return oracle.stored_sets(site), oracle.stored_traits(site)


def assert_right(site: Site, job: PagedJob) -> None:
    if job is interest_sets.JOB:
        assert oracle.stored_sets(site) == oracle.interest_sets(site)
    else:
        assert oracle.stored_traits(site) == oracle.user_traits(site)[0]


@contextmanager
def at_an_earlier_moment(url: str) -> Iterator[Connection]:
    """A page's transaction that has its snapshot of the database and has written nothing yet."""
    with connect(url) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute('SELECT FROM "User"')
        yield connection


@pytest.mark.parametrize("first", [True, False], ids=["first run", "later run"])
@pytest.mark.parametrize(("job", "refresh"), JOBS)
def test_an_older_page_never_mixes_its_rows_into_newer_ones(
    site: Site, job: PagedJob, refresh: Refresh, first: bool
) -> None:
    make_site(site)
    if not first:
        site.run(job)
        site.query("""UPDATE "UserInterest" SET "interestId" = "interestId" + 50;
                      UPDATE "QuizResult" SET "answers" = '{}'""")
    with pytest.raises(psycopg.errors.SerializationFailure) as caught, at_an_earlier_moment(site.url) as older:
        change_everything(site)
        site.run(job)
        refresh(older, ALL, {"now": datetime.now(UTC)})
    assert is_transient(caught.value)
    assert_right(site, job)


@pytest.mark.parametrize(("job", "refresh"), JOBS)
def test_an_older_page_of_a_user_whose_rows_went_meanwhile_gives_way(
    site: Site, job: PagedJob, refresh: Refresh
) -> None:
    make_site(site)
    site.run(job)
    site.query("""INSERT INTO "UserInterest" SELECT i, i, 200, now() FROM generate_series(1, 8) i""")
    site.query("""UPDATE "QuizOption" SET "traitValues" = '{"calm": 1, "brave": 2, "more": 3}' WHERE "value" = 'a'""")
    with pytest.raises(psycopg.errors.SerializationFailure), at_an_earlier_moment(site.url) as older:
        site.query('DELETE FROM "UserInterest"; DELETE FROM "QuizResult"')
        site.run(job)
        refresh(older, ALL, {"now": datetime.now(UTC)})
    assert_right(site, job)


@contextmanager
def page_under_way(site: Site, job: PagedJob) -> Iterator[tuple[list[BaseException], int, Connection]]:
    """A run blocked in the middle of its page: its error, its session, and the session that blocks it."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            site.run(job)
        except psycopg.Error as error:
            raised.append(error)

    with connect(site.url) as holder:
        holder.execute(GATE.encode())
        holder.execute("SELECT pg_advisory_lock(1)")
        thread = threading.Thread(target=run)
        thread.start()
        yield raised, waiting(site), holder
        holder.execute("SELECT pg_advisory_unlock_all()")
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def waiting(site: Site) -> int:
    """The session that waits for a lock, once one does."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := site.query(WAITING)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return int(found[0][0])


@pytest.mark.parametrize(("job", "refresh"), JOBS)
def test_a_reader_in_the_middle_of_a_page_sees_the_old_rows_and_then_the_new_ones(
    site: Site, job: PagedJob, refresh: Refresh
) -> None:
    make_site(site)
    site.run(job)
    before = stored(site)
    change_everything(site)
    with page_under_way(site, job) as (raised, _, _):
        assert stored(site) == before
    assert not raised
    assert_right(site, job)


@pytest.mark.parametrize(("job", "refresh"), JOBS)
def test_a_page_that_is_cut_off_leaves_the_old_rows_and_the_next_run_makes_it_good(
    site: Site, job: PagedJob, refresh: Refresh
) -> None:
    make_site(site)
    site.run(job)
    before = stored(site)
    change_everything(site)
    with page_under_way(site, job) as (raised, session, _):
        site.query("SELECT pg_terminate_backend(%s, 5000)", [session])
    [error] = raised
    assert isinstance(error, psycopg.Error)
    assert is_transient(error)
    assert stored(site) == before
    site.run(job, {"incremental": True})
    assert_right(site, job)


def test_on_the_machine_a_page_that_lost_its_session_is_tried_again(site: Site, tmp_path: Path) -> None:
    make_site(site)
    with (
        LocalMachine(TEMPLATE, database_url=site.url, log_file=tmp_path / "log") as machine,
        connect(site.url) as holder,
    ):
        holder.execute(GATE.encode())
        holder.execute("SELECT pg_advisory_lock(1)")
        execution = machine.start("user-interest-sets", {"batchSize": 3, "maxConcurrency": 1})
        site.query("SELECT pg_terminate_backend(%s, 5000)", [waiting(site)])
        holder.execute("SELECT pg_advisory_unlock_all()")
        ended = machine.wait(execution, PATIENCE_S)
    assert (ended.status, ended.output["pages"], ended.output["failedPages"]) == ("SUCCEEDED", 3, 0)
    assert_right(site, interest_sets.JOB)
