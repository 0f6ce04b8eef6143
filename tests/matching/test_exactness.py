"""All stored rows equal a plain per-pair implementation, whatever the site, the blocks, the pages and their order."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.matching.comparing import assert_rows_equal, stored_rows, stored_viewers
from tests.matching.oracle import Row, score_everyone
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import FLAVOURS, NOW, draw
from tests.matching.running import Order, Site, as_planned, backwards, shuffled
from tests.matching.site_loading import load


@dataclass(frozen=True)
class Way:
    """One way to run over a site: options that must not change the stored rows, and `top_k`, which cuts them."""

    candidate_batch_size: int
    batch_size: int
    top_k: int
    order: Order = as_planned

    @property
    def options(self) -> dict[str, Any]:
        return {"candidateBatchSize": self.candidate_batch_size, "batchSize": self.batch_size, "topK": self.top_k}


WAYS = (
    Way(1, 7, 5, backwards),
    Way(7, 1, 200, shuffled(1)),
    Way(7, 10_000, 5),
    Way(500, 7, 1, shuffled(2)),
    Way(500, 10_000, 200),
)
SITES = [
    *[("mixed", users, users) for users in (2, 3, 5, 9, 17)],
    *[(flavour, 40, number) for number, flavour in enumerate(FLAVOURS)],
]


@pytest.mark.parametrize(("flavour", "users", "seed"), SITES)
def test_every_row_of_a_random_site_is_the_plain_implementations(
    site: Connection, site_url: str, tmp_path: Path, flavour: str, users: int, seed: int
) -> None:
    load(site, draw(seed, users, flavour))
    expected = score_everyone(read_site(site), NOW)
    for way in WAYS:
        run_and_compare(site, Site(site_url, tmp_path), expected, way)


@pytest.mark.parametrize(("flavour", "users"), [("mixed", 300), ("one city", 300), ("twins", 150)])
def test_every_row_of_a_larger_site_is_the_plain_implementations(
    site: Connection, site_url: str, tmp_path: Path, flavour: str, users: int
) -> None:
    load(site, draw(300, users, flavour))
    expected = score_everyone(read_site(site), NOW)
    for way in (Way(7, 300, 20), Way(1, 300, 5), Way(500, 1, 200, shuffled(3))):
        run_and_compare(site, Site(site_url, tmp_path), expected, way)


def run_and_compare(connection: Connection, machine: Site, expected: dict[int, list[Row]], way: Way) -> None:
    finished = machine.run(NOW, way.options, way.order)
    assert_rows_equal(stored_rows(connection), expected, way.top_k)
    viewers = stored_viewers(connection)
    for viewer, rows in expected.items():
        count = min(way.top_k, len(rows))
        assert viewers[viewer] == (count, None if rows else "no-candidates", NOW, "v1")
    assert finished.counts["written"] == sum(min(way.top_k, len(rows)) for rows in expected.values())
    assert finished.counts["failed"] == 0
    assert finished.reasons["no-candidates"] == sum(not rows for rows in expected.values())
    assert len(finished.pages) == finished.planned_pages
