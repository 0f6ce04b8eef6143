"""What the tests of the media jobs share: one parser, and the files."""

from collections.abc import Iterator

import pytest

from sitejobs.media.parser_host import ParserHost


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserHost]:
    """A parser's process, kept as the functions keep it."""
    with ParserHost() as host:
        yield host
