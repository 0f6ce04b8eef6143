"""A connection to a database with the site's tables and the bundle's, empty, and each kind of sieve."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from psycopg import Connection

from sitejobs.matching.topk.array_sieve import ArraySieve
from sitejobs.matching.topk.compiled_sieve import CompiledSieve, library
from sitejobs.matching.topk.sieve import Page, Sieve
from sitejobs.postgres.connection import connect
from tests.skips import Lacking, skip


@pytest.fixture
def site(site_url: str) -> Iterator[Connection]:
    """A connection to `site_url`."""
    with connect(site_url) as connection:
        yield connection


@pytest.fixture(params=[ArraySieve, CompiledSieve])
def sieve(request: pytest.FixtureRequest) -> Callable[[Page], Sieve]:
    """Each kind of sieve."""
    if request.param is CompiledSieve and shutil.which("cc") is None:
        skip(Lacking.C_COMPILER)
    assert library() is not None or shutil.which("cc") is None  # or `make dev` failed to compile it
    kind: Callable[[Page], Sieve] = request.param
    return kind
