"""Every job of the catalog keeps every promise."""

import pytest

from sitejobs.catalog import JOBS
from tests.promises import promises
from tests.promises.conftest import CleanRows, Copy, PoisonedCopy
from tests.promises.described import described
from tests.promises.poison import ALL_KINDS

of_every_job = pytest.mark.parametrize("job", JOBS)
of_jobs_with_keys = pytest.mark.parametrize("job", [job for job in JOBS if described(job).tables])


@of_jobs_with_keys
def test_an_incremental_run_after_a_full_one_finds_nothing(copy: Copy, job: str) -> None:
    promises.again_finds_nothing(copy(), described(job))


@of_jobs_with_keys
def test_twice_equals_once(copy: Copy, job: str) -> None:
    promises.twice_equals_once(copy(), described(job))


@pytest.mark.parametrize("incremental", [False, True], ids=["full", "incremental"])
@pytest.mark.parametrize("job", [job for job in JOBS if not described(job).no_vanish])
def test_the_rows_of_a_vanished_key_go(copy: Copy, job: str, incremental: bool) -> None:
    promises.vanished_keys_go(copy(), described(job), incremental=incremental)


@pytest.mark.parametrize("job", [job for job in JOBS if not described(job).no_vanish])
def test_a_vanished_site_stops_the_run(copy: Copy, job: str) -> None:
    promises.a_vanished_site_stops_the_run(copy(), described(job))


@of_jobs_with_keys
def test_a_changed_input_is_seen(copy: Copy, job: str) -> None:
    promises.changes_are_seen(copy(), copy(), described(job))


@of_every_job
def test_it_runs_under_grants_of_columns(copy: Copy, job: str) -> None:
    promises.runs_under_grants(copy(), described(job))


@of_jobs_with_keys
def test_any_bigint_is_an_id(copy: Copy, job: str) -> None:
    promises.any_bigint_is_an_id(copy(), described(job))


@pytest.mark.parametrize("kind", ALL_KINDS)
@of_every_job
def test_poison_spoils_nobody_else(clean: CleanRows, copy_of_kind: PoisonedCopy, job: str, kind: str) -> None:
    promises.poison_spoils_nobody_else(clean(job), copy_of_kind(kind), described(job))


@of_jobs_with_keys
def test_numbers_are_finite(copy: Copy, job: str) -> None:
    promises.finite_numbers_only(copy(), described(job))


@pytest.mark.parametrize("incremental", [False, True], ids=["full", "incremental"])
@of_jobs_with_keys
def test_results_from_the_future_freeze_nobody(copy: Copy, job: str, incremental: bool) -> None:
    promises.results_from_the_future_freeze_nobody(copy(), copy(), described(job), incremental=incremental)


@of_jobs_with_keys
def test_the_ready_event_is_plans(copy: Copy, job: str) -> None:
    promises.ready_event_is_plans(copy(), described(job))
