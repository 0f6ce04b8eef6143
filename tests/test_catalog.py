"""Every job lies where its name says."""

import pytest

from sitejobs.catalog import JOBS
from tests.jobs import job_of


@pytest.mark.parametrize("name", JOBS)
def test_a_job_lies_where_its_name_says(name: str) -> None:
    assert job_of(name).entry is JOBS[name]
