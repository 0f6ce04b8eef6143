"""Sites for the promises, made once."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sitejobs.media.parser_host import ParserHost
from sitejobs_local.database.postgres import Server
from tests.promises import promises
from tests.promises.described import described
from tests.promises.poison import poisoned
from tests.promises.site import PromiseSite, copied, first_site

Copy = Callable[[], PromiseSite]
PoisonedCopy = Callable[[str], PromiseSite]
CleanRows = Callable[[str], promises.Rows]


@pytest.fixture(scope="session")
def whole(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PromiseSite]:
    """The site on which every job has run."""
    with ParserHost() as parser, first_site(postgres_server, tmp_path_factory.mktemp("runs"), parser) as site:
        yield site


@pytest.fixture
def copy(postgres_server: Server, whole: PromiseSite, tmp_path: Path) -> Iterator[Copy]:
    """Makes copies of it, for one test."""
    with ExitStack() as stack:
        made: list[PromiseSite] = []

        def make() -> PromiseSite:
            made.append(stack.enter_context(copied(postgres_server, whole, tmp_path / str(len(made)))))
            return made[-1]

        yield make


@pytest.fixture(scope="session")
def clean(postgres_server: Server, whole: PromiseSite, tmp_path_factory: pytest.TempPathFactory) -> CleanRows:
    """The results of a job's run on a copy of it, taken once."""

    @functools.cache
    def rows(job: str) -> promises.Rows:
        with copied(postgres_server, whole, tmp_path_factory.mktemp("clean")) as site:
            return promises.rows_of_a_run(site, described(job))

    return rows


@pytest.fixture(scope="session")
def kinds(
    postgres_server: Server, whole: PromiseSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], PromiseSite]]:
    """Makes poisoned sites, each once."""
    with ExitStack() as stack:
        made: dict[str, PromiseSite] = {}

        def make(kind: str) -> PromiseSite:
            if kind not in made:
                made[kind] = stack.enter_context(copied(postgres_server, whole, tmp_path_factory.mktemp("poisoned")))
                poisoned(made[kind].connection, kind)
                made[kind].connection.close()
            return made[kind]

        yield make


@pytest.fixture
def copy_of_kind(
    postgres_server: Server, kinds: Callable[[str], PromiseSite], tmp_path: Path
) -> Iterator[PoisonedCopy]:
    """Makes copies of poisoned sites, for one test."""
    with ExitStack() as stack:

        def make(kind: str) -> PromiseSite:
            return stack.enter_context(copied(postgres_server, kinds(kind), tmp_path / "poisoned"))

        yield make
