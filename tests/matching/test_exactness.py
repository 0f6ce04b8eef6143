"""All stored rows equal a plain per-pair implementation, whatever the site, the blocks, the pages and their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.matching.comparing import assert_rows_equal, stored_rows, stored_viewers
from tests.matching.oracle import STANDARD, Row, Rules, score_everyone, why_none
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
    compare_ways(site, Site(site_url, tmp_path), WAYS)


@pytest.mark.parametrize(("flavour", "seed"), [("mixed", 0), ("one city", 1), ("edges of the map", 2)])
def test_tiers_may_be_by_the_viewers_preferences_alone(
    site: Connection, site_url: str, tmp_path: Path, flavour: str, seed: int
) -> None:
    load(site, draw(seed, 40, flavour))
    compare_ways(site, Site(site_url, tmp_path, {"MATCH_TIERS": "viewer"}), WAYS, Rules(tiers="viewer"))


@pytest.mark.parametrize("days", [0, 5, 1000])
def test_people_passed_over_may_return(site: Connection, site_url: str, tmp_path: Path, days: int) -> None:
    load(site, draw(7, 30, "everybody asked"))
    compare_ways(site, Site(site_url, tmp_path, {"MATCH_REPEAT_DAYS": str(days)}), WAYS[2:4], Rules(repeat_days=days))


@pytest.mark.no_cover  # smaller sites reach the same lines, and coverage makes this one half as long again
@pytest.mark.parametrize(("flavour", "users"), [("mixed", 220), ("one city", 220), ("twins", 150)])
def test_every_row_of_a_larger_site_is_the_plain_implementations(
    site: Connection, site_url: str, tmp_path: Path, flavour: str, users: int
) -> None:
    load(site, draw(300, users, flavour))
    compare_ways(site, Site(site_url, tmp_path), (Way(7, 300, 20), Way(1, 300, 5), Way(500, 17, 200, shuffled(3))))


def compare_ways(connection: Connection, machine: Site, ways: Sequence[Way], rules: Rules = STANDARD) -> None:
    people = read_site(connection)
    expected = score_everyone(people, NOW, rules)
    why = {viewer: why_none(people, viewer, NOW, rules) for viewer in expected}
    for way in ways:
        run_and_compare(connection, machine, expected, why, way)


def run_and_compare(
    connection: Connection, machine: Site, expected: dict[int, list[Row]], why: dict[int, str | None], way: Way
) -> None:
    finished = machine.run(NOW, way.options, way.order)
    assert_rows_equal(stored_rows(connection), expected, way.top_k)
    viewers = stored_viewers(connection)
    for viewer, rows in expected.items():
        count = min(way.top_k, len(rows))
        assert viewers[viewer] == (count, why[viewer], NOW, "v1")
    assert finished.counts["written"] == sum(min(way.top_k, len(rows)) for rows in expected.values())
    assert finished.counts["failed"] == 0
    for reason in ("no-candidates", "all-decided"):
        assert finished.reasons[reason] == list(why.values()).count(reason)
    assert len(finished.pages) == finished.planned_pages
