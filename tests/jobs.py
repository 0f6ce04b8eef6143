"""The jobs themselves, by the names of the catalog: tests of every job find a new one without being told."""

from importlib import import_module
from importlib.util import find_spec
from typing import Final

from sitejobs.catalog import JOBS
from sitejobs.jobs.job import PagedJob
from sitejobs.jobs.keyed import KeyedJob
from sitejobs.workflows.graph import STEPS


def job_of(name: str) -> PagedJob:
    """The job of a name: in `<package>/<name>.py` or `<package>/<name>/job.py`, beside its options."""
    package = JOBS[name].options.__module__.removesuffix(".options")
    file = f"{package}.{name.replace('-', '_')}"
    spec = find_spec(file)
    assert spec is not None, f"{name}: neither {file}.py nor {file}/job.py"
    job: PagedJob = import_module(file if spec.submodule_search_locations is None else f"{file}.job").JOB
    return job


JOBS_IN_ORDER: Final = tuple(job_of(name) for name in (*(name for name in JOBS if name not in STEPS), *STEPS))
"""Each after those whose results it reads."""

KEYED: Final = tuple(job for job in JOBS_IN_ORDER if isinstance(job, KeyedJob))
