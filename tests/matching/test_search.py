"""`search` finds what sorting all pairs finds."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.exact import score_pairs
from sitejobs.matching.search import Exclusions, Matches, Work, ranked, search
from sitejobs.matching.users import concatenate
from tests.matching.random_sites import FLAVOURS, draw, load
from tests.matching.worlds import LATER, Opened, all_pairs, open_site


def sorted_whole(opened: Opened, exclusions: Exclusions) -> Matches:
    """Every pair that is not excluded, scored, sorted and cut."""
    candidates = concatenate([block.users for block in opened.blocks])
    viewer, candidate = all_pairs(len(opened.viewers), len(candidates))
    excluded = set(zip(exclusions.row.tolist(), exclusions.user_id.tolist(), strict=True))
    pairs = zip(viewer.tolist(), candidates.ids[candidate].tolist(), strict=True)
    kept = np.flatnonzero([pair not in excluded for pair in pairs])
    scored = score_pairs(opened.viewers, candidates, viewer[kept], candidate[kept], opened.now, opened.parameters)
    return ranked(candidates, scored, opened.parameters.top_k)


def own_and_some(opened: Opened, seed: int) -> Exclusions:
    """Everyone's own pair, as always, and some others, twice some of them."""
    random = np.random.default_rng(seed)
    count = len(opened.viewers)
    own = Exclusions(np.arange(count), opened.viewers.ids)
    rows = random.integers(0, count, count * 3)
    return own.plus(rows, random.choice(opened.viewers.ids, len(rows))).plus(rows[:5], opened.viewers.ids[rows[:5]])


def assert_same(found: Matches, whole: Matches) -> None:
    assert np.array_equal(found.pairs.viewer, whole.pairs.viewer)
    assert np.array_equal(found.rank, whole.rank)
    assert np.array_equal(found.candidates.ids[found.pairs.candidate], whole.candidates.ids[whole.pairs.candidate])
    assert np.array_equal(found.pairs.tier_a, whole.pairs.tier_a)
    assert np.array_equal(found.pairs.score, whole.pairs.score)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_search_finds_what_sorting_all_pairs_finds(site: Connection, tmp_path: Path, flavour: str) -> None:
    load(site, draw(2, 120, flavour))
    for block_size, top_k, later in ((1, 3, timedelta()), (7, 1, LATER), (20, 10, timedelta()), (500, 200, LATER)):
        opened = open_site(site, tmp_path, block_size, top_k, later)
        exclusions = own_and_some(opened, block_size)
        found = search(opened.viewers, opened.world, exclusions, opened.now, opened.parameters)
        assert_same(found, sorted_whole(opened, exclusions))


def test_a_search_for_some_viewers_finds_the_same_as_for_all(site: Connection, tmp_path: Path) -> None:
    load(site, draw(4, 90, "mixed"))
    opened = open_site(site, tmp_path, 7, 5)
    everyone = sorted_whole(opened, Exclusions(np.arange(len(opened.viewers)), opened.viewers.ids))
    for row in range(len(opened.viewers)):
        viewer = opened.viewers.take(np.array([row]))
        found = search(viewer, opened.world, Exclusions(np.array([0]), viewer.ids), opened.now, opened.parameters)
        wanted = np.flatnonzero(everyone.pairs.viewer == row)
        ids = everyone.candidates.ids[everyone.pairs.candidate[wanted]]
        assert np.array_equal(found.candidates.ids[found.pairs.candidate], ids)


def test_with_everybody_excluded_a_search_finds_nobody(site: Connection, tmp_path: Path) -> None:
    load(site, draw(5, 12, "mixed"))
    opened = open_site(site, tmp_path, 5)
    rows, columns = all_pairs(len(opened.viewers), len(opened.viewers))
    nobody = Exclusions(rows, opened.viewers.ids[columns])
    assert len(search(opened.viewers, opened.world, nobody, opened.now, opened.parameters).rank) == 0


def test_far_away_blocks_are_not_scored(site: Connection, tmp_path: Path) -> None:
    load(site, draw(6, 300, "one city"))
    opened = open_site(site, tmp_path, 10, 5)
    work = Work()
    search(opened.viewers, opened.world, Exclusions(), opened.now, opened.parameters, work)
    assert work.pairs == len(opened.viewers) * int(opened.world.starts[-1])
    assert 0 < work.scored < work.pairs
