"""`search` finds what sorting all pairs finds."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.snapshot.candidates import sample_of
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.group import Work
from sitejobs.matching.topk.pool import Sample
from sitejobs.matching.topk.search import Matches, ranked, search
from sitejobs.matching.topk.sieve import Page, Sieve
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate
from sitejobs_local.population import load as load_population
from tests.databases import site_database
from tests.matching.comparing import assert_viewer_equal, stored_rows
from tests.matching.oracle import score_viewer, viewers
from tests.matching.oracle_site import read_site
from tests.matching.pools import LATER, Opened, all_pairs, open_site
from tests.matching.random_sites import FLAVOURS, NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load


def sorted_whole(opened: Opened, viewers: Users, exclusions: Exclusions) -> Matches:
    """Score all pairs that are not excluded, sort and cut them."""
    viewer, candidate = all_pairs(len(viewers), len(opened.candidates))
    excluded = set(zip(exclusions.row.tolist(), exclusions.user_id.tolist(), strict=True))
    ids = opened.candidates.ids[candidate].tolist()
    kept = np.flatnonzero([pair not in excluded for pair in zip(viewer.tolist(), ids, strict=True)])
    scored = judge_pairs(viewers, opened.candidates, viewer[kept], candidate[kept], opened.now, opened.parameters)
    return ranked(opened.candidates, scored, opened.parameters.top_k)


def own_and_some(opened: Opened, seed: int) -> Exclusions:
    """Each viewer's pair with itself, and some others, a few of them twice."""
    random = np.random.default_rng(seed)
    count = len(opened.viewers)
    own = Exclusions(np.arange(count), opened.viewers.ids)
    rows = random.integers(0, count, count * 3)
    return own.plus(rows, random.choice(opened.viewers.ids, len(rows))).plus(rows[:5], opened.viewers.ids[rows[:5]])


def ids_of(matches: Matches) -> NDArray[np.int64]:
    return matches.candidates.ids[matches.pairs.candidate]


def assert_same(found: Matches, whole: Matches) -> None:
    assert np.array_equal(found.pairs.viewer, whole.pairs.viewer)
    assert np.array_equal(found.rank, whole.rank)
    assert np.array_equal(found.pairs.tier_a, whole.pairs.tier_a)
    assert np.allclose(found.pairs.score, whole.pairs.score, rtol=0, atol=1e-12)
    assert np.array_equal(ids_of(found), ids_of(whole))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_search_finds_what_sorting_all_pairs_finds(site: Connection, flavour: str) -> None:
    load(site, draw(2, 120, flavour))
    for block_size, top_k, later in ((1, 3, timedelta()), (7, 1, LATER), (20, 10, timedelta()), (500, 200, LATER)):
        opened = open_site(site, block_size, top_k, later)
        exclusions = own_and_some(opened, block_size)
        found = search(opened.viewers, opened.pool, exclusions, opened.now, opened.parameters)
        assert_same(found, sorted_whole(opened, opened.viewers, exclusions))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_sample_looked_through_first_changes_nothing(site: Connection, flavour: str) -> None:
    load(site, draw(3, 120, flavour))
    for block_size, top_k in ((1, 3), (7, 1), (20, 10), (500, 30)):
        opened = open_site(site, block_size, top_k)
        exclusions = own_and_some(opened, block_size)
        whole = sorted_whole(opened, opened.viewers, exclusions)
        # The last sample is everybody, said to be few: no threshold expected of it holds.
        for every, said in ((2, 2), (5, 5), (1, 1000)):
            sample = sample_of(opened.pool, every, opened.now, opened.parameters)
            pool = replace(opened.pool, sample=partial(Sample, sample.pool, said))
            assert_same(search(opened.viewers, pool, exclusions, opened.now, opened.parameters), whole)


def test_a_search_for_one_viewer_finds_the_same_as_for_all_together(site: Connection) -> None:
    load(site, draw(4, 90, "mixed"))
    opened = open_site(site, 7, 5)
    everyone = sorted_whole(opened, opened.viewers, Exclusions(np.arange(len(opened.viewers)), opened.viewers.ids))
    for row in range(len(opened.viewers)):
        viewer = opened.viewers.take(np.array([row]))
        found = search(viewer, opened.pool, Exclusions(np.array([0]), viewer.ids), opened.now, opened.parameters)
        assert np.array_equal(ids_of(found), ids_of(everyone)[everyone.pairs.viewer == row])


def test_with_everybody_excluded_a_search_finds_nobody(site: Connection) -> None:
    load(site, draw(5, 12, "mixed"))
    opened = open_site(site, 5)
    rows, columns = all_pairs(len(opened.viewers), len(opened.viewers))
    nobody = Exclusions(rows, opened.viewers.ids[columns])
    assert len(search(opened.viewers, opened.pool, nobody, opened.now, opened.parameters).rank) == 0


# A site of thousands ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def city_url(postgres_server: Server) -> Iterator[str]:
    with site_database(postgres_server) as url:
        with connect(url) as connection:
            load_population(connection, generate(3000, 5, NOW))
        yield url


@pytest.fixture
def city(city_url: str) -> Iterator[Connection]:
    with connect(city_url) as connection:
        yield connection


@pytest.mark.no_cover  # smaller sites reach the same lines, and coverage makes this one half as long again
def test_on_a_site_of_thousands_pairs_are_skipped_and_none_is_missed(
    city: Connection, sieve: Callable[[Page], Sieve]
) -> None:
    for block_size, top_k in ((100, 20), (500, 200)):
        opened = open_site(city, block_size, top_k)
        rows = np.arange(0, len(opened.viewers), 61)
        some = opened.viewers.take(rows)
        own = Exclusions(np.arange(len(rows)), some.ids)
        work = Work()
        found = search(some, opened.pool, own, opened.now, opened.parameters, work, sieve=sieve)
        assert_same(found, sorted_whole(opened, some, own))
        assert work.pairs == len(some) * len(opened.candidates)
        assert 0 < work.scored < work.looked_at <= work.pairs


@pytest.mark.no_cover  # smaller sites reach the same lines, and coverage makes this one half as long again
def test_a_sample_leaves_fewer_to_score(city: Connection) -> None:
    opened = open_site(city, 100, 100)
    own = Exclusions(np.arange(len(opened.viewers)), opened.viewers.ids)
    sample = sample_of(opened.pool, 16, opened.now, opened.parameters)
    with_it, without = Work(), Work()
    found = search(
        opened.viewers, replace(opened.pool, sample=lambda: sample), own, opened.now, opened.parameters, with_it
    )
    assert_same(found, search(opened.viewers, opened.pool, own, opened.now, opened.parameters, without))
    assert with_it.scored < without.scored * 0.8


@pytest.mark.no_cover  # smaller sites reach the same lines, and coverage makes this one half as long again
def test_rows_of_a_site_of_thousands_are_the_plain_implementations(
    city: Connection, city_url: str, tmp_path: Path
) -> None:
    machine = Site(city_url, tmp_path)
    machine.run(NOW, {"batchSize": 1000, "topK": 20})
    people = read_site(city)
    some = viewers(people)[::400]
    stored = stored_rows(city, some)
    for viewer in some:
        assert_viewer_equal(viewer, stored[viewer], score_viewer(people, viewer, NOW), 20)
