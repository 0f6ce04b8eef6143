"""No bound is ever too low, and no key further from the exact score than the search allows for."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.bounds import SLACK, reach_of
from sitejobs.matching.exact import radius_km
from sitejobs.matching.kernel import MARGIN, Kernel
from sitejobs.matching.screen import Screen
from tests.matching.random_sites import FLAVOURS, draw, load
from tests.matching.worlds import LATER, Opened, all_pairs, open_site

BLOCK_SIZES = (1, 7, 50)
LOWEST = np.float32(-np.inf)


@pytest.fixture(params=list(FLAVOURS))
def worlds(request: pytest.FixtureRequest, site: Connection, tmp_path: Path) -> list[Opened]:
    """A site of each kind, cut into blocks of different sizes, now and some days later."""
    load(site, draw(1, 80, request.param))
    today = [open_site(site, tmp_path, size) for size in BLOCK_SIZES]
    return [*today, open_site(site, tmp_path, 7, later=LATER)]


def test_no_member_of_a_block_exceeds_what_the_block_is_said_to_reach(worlds: list[Opened]) -> None:
    for opened in worlds:
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        radius = radius_km(opened.viewers, opened.parameters)
        for index in range(len(opened.world.bounds)):
            pairs = opened.exact(index)
            shape = (len(opened.viewers), -1)
            assert (reach.score[:, index] >= pairs.score.reshape(shape).max(axis=1)).all()
            assert (reach.proximity[:, index] >= pairs.proximity.reshape(shape).max(axis=1) - SLACK).all()
            assert (reach.tier_a[:, index] >= pairs.tier_a.reshape(shape).any(axis=1)).all()
            within = pairs.distance_km <= radius[pairs.viewer]
            assert (reach.near[:, index] >= within.reshape(shape).any(axis=1)).all()


def test_no_pair_exceeds_what_the_screen_lets_through(worlds: list[Opened]) -> None:
    for opened in worlds:
        screen = Screen(opened.viewers, opened.world.popularity, opened.parameters)
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        rows = np.arange(len(opened.viewers))
        for index, block in enumerate(opened.blocks):
            product, terms = screen.bounds(rows, block.screened)
            beyond = terms + opened.parameters.weights.proximity * reach.proximity[:, index] + SLACK
            bound = product + beyond[:, None]
            assert (bound.ravel() >= opened.exact(index).score).all()


def test_the_screen_of_some_viewers_bounds_them_too(worlds: list[Opened]) -> None:
    opened = worlds[1]
    screen = Screen(opened.viewers, opened.world.popularity, opened.parameters)
    reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
    rows = np.arange(0, len(opened.viewers), 3)
    for index, block in enumerate(opened.blocks):
        product, terms = screen.bounds(rows, block.screened)
        bound = product + (terms + opened.parameters.weights.proximity * reach.proximity[rows, index] + SLACK)[:, None]
        exact = opened.exact(index).score.reshape(len(opened.viewers), -1)[rows]
        assert (bound >= exact).all()


@pytest.mark.parametrize("together", [1, 1000], ids=["viewers one by one", "all viewers together"])
def test_keys_are_within_the_margin_of_the_exact_ones(worlds: list[Opened], together: int) -> None:
    for opened in worlds[1:3]:
        kernel = Kernel(opened.viewers, opened.parameters, opened.world.bits)
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        everyone = np.arange(len(opened.viewers))
        for start in range(0, len(everyone), max(together, 4)):
            rows = everyone[start : start + together]
            for index, block in enumerate(opened.blocks):
                columns = np.arange(len(block.users))
                near = bool(reach.near[rows, index].any())
                keys = kernel.keys(rows, block, columns, near, np.full(len(rows), LOWEST))
                exact = opened.exact_keys(opened.exact(index)).reshape(len(everyone), -1)[rows]
                assert_within_margin(keys, exact)


def test_keys_of_single_pairs_are_within_the_margin_too(worlds: list[Opened]) -> None:
    for opened in worlds:
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        kernel = Kernel(opened.viewers, opened.parameters, opened.world.bits)
        for index, block in enumerate(opened.blocks):
            viewer, candidate = all_pairs(len(opened.viewers), len(block.users))
            keys = kernel.pair_keys(viewer, block, candidate, bool(reach.near[:, index].any()))
            assert_within_margin(keys, opened.exact_keys(opened.exact(index)))


def assert_within_margin(keys: np.ndarray, exact: np.ndarray) -> None:
    difference = np.abs(keys - exact)
    worst = np.unravel_index(int(difference.argmax()), difference.shape)
    assert difference[worst] <= MARGIN, f"at {worst}: key {keys[worst]} for {exact[worst]}"


def test_a_floor_only_leaves_out_pairs_below_it(site: Connection, tmp_path: Path) -> None:
    load(site, draw(3, 60, "one city"))
    opened = open_site(site, tmp_path, 20, later=timedelta(hours=1))
    kernel = Kernel(opened.viewers, opened.parameters, opened.world.bits)
    rows = np.arange(len(opened.viewers))
    left_out = 0
    for index, block in enumerate(opened.blocks):
        exact = opened.exact_keys(opened.exact(index)).reshape(len(rows), -1)
        floor = np.quantile(exact, 0.95, axis=1).astype(np.float32)
        keys = kernel.keys(rows, block, np.arange(len(block.users)), True, floor)
        missing = np.isneginf(keys)
        assert (exact[missing] < np.broadcast_to(floor[:, None], exact.shape)[missing] + MARGIN).all()
        left_out += int(missing.sum())
    assert left_out > 0
