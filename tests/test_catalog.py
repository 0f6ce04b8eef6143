"""Every job lies where its name says."""

from importlib import import_module
from importlib.util import find_spec

import pytest

from sitejobs.catalog import JOBS


@pytest.mark.parametrize("name", JOBS)
def test_a_job_lies_where_its_name_says(name: str) -> None:
    entry, module = JOBS[name], name.replace("-", "_")
    package = entry.options.__module__.removesuffix(".options")
    file = f"{package}.{module}"
    spec = find_spec(file)
    assert spec is not None, f"{name}: neither {file}.py nor {file}/job.py"
    job = import_module(file if spec.submodule_search_locations is None else f"{file}.job").JOB
    assert job.entry is entry
