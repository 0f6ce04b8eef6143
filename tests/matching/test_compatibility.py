"""compatibility: all stored rows are those of a plain implementation, and what a run leaves behind beside them."""

from random import Random

import pytest
from psycopg import Connection

from tests.matching.compatibility_oracle import expected
from tests.matching.compatibility_runs import assert_stored, relate, run, stored, suggest, writers
from tests.matching.random_sites import FLAVOURS, NOW, SiteRows, draw, load, someone

WAYS: tuple[dict[str, int], ...] = (
    {"batchSize": 7, "targetBatchSize": 3},
    {"batchSize": 1, "targetBatchSize": 500, "maxSuggestionTargets": 2},
    {"batchSize": 10_000, "targetBatchSize": 1, "maxSuggestionTargets": 0},
    {},
)


@pytest.mark.parametrize(
    ("flavour", "users", "seed"),
    [*[("mixed", users, users) for users in (1, 2, 5, 17, 200)], *[(name, 40, at) for at, name in enumerate(FLAVOURS)]],
)
def test_every_row_of_a_random_site_is_the_plain_implementations(
    site: Connection, site_url: str, flavour: str, users: int, seed: int
) -> None:
    load(site, draw(seed, users, flavour))
    relate(site, Random(seed))
    for options in WAYS:
        wanted = expected(site, options.get("maxSuggestionTargets", 100))
        finished = run(site_url, NOW, options)
        assert_stored(site, wanted)
        assert finished.counts["processed"] == len(wanted)
        assert finished.reasons["no-targets"] == sum(not pairs for pairs in wanted.values())
