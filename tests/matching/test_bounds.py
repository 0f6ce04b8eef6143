"""No bound is ever too low, and no key further from the exact score than the search allows for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from psycopg import Connection
from sitejobs.matching.screen import Screen

from sitejobs.matching.bounds import SLACK, reach_of
from sitejobs.matching.exact import radius_km
from sitejobs.matching.kernel import MARGIN, Kernel, Shelf
from tests.matching.random_sites import FLAVOURS, draw, load
from tests.matching.worlds import LATER, Opened, all_pairs, open_site

LOWEST = np.float32(-np.inf)


@pytest.fixture(params=list(FLAVOURS))
def worlds(request: pytest.FixtureRequest, site: Connection) -> list[Opened]:
    """A site of each kind, cut into blocks of different sizes, now and some days later."""
    load(site, draw(1, 80, request.param))
    return [open_site(site, 1), open_site(site, 7), open_site(site, 50), open_site(site, 7, later=LATER)]


def shelved_blocks(opened: Opened) -> Iterator[tuple[int, Shelf, slice]]:
    """Each block with its shelf and the place of its members there."""
    world = opened.world
    for number in range(len(world.shelves) - 1):
        base = world.starts[world.shelves[number]]
        for block in range(world.shelves[number], world.shelves[number + 1]):
            yield block, world.shelf(number), slice(world.starts[block] - base, world.starts[block + 1] - base)


def test_no_member_of_a_block_exceeds_what_the_block_is_said_to_reach(worlds: list[Opened]) -> None:
    for opened in worlds:
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        radius = radius_km(opened.viewers, opened.parameters)
        shape = (len(opened.viewers), -1)
        for block in opened.blocks:
            pairs = opened.exact(block)
            assert (reach.score[:, block] >= pairs.score.reshape(shape).max(axis=1)).all()
            assert (reach.proximity[:, block] >= pairs.proximity.reshape(shape).max(axis=1) - SLACK).all()
            assert (reach.tier_a[:, block] >= pairs.tier_a.reshape(shape).any(axis=1)).all()
            within = pairs.distance_km <= radius[pairs.viewer]
            assert (reach.near[:, block] >= within.reshape(shape).any(axis=1)).all()


@pytest.mark.parametrize("step", [1, 3], ids=["all viewers", "every third viewer"])
def test_no_pair_exceeds_what_the_screen_lets_through(worlds: list[Opened], step: int) -> None:
    for opened in worlds:
        weights = opened.parameters.weights
        screen = Screen(opened.viewers, opened.world.popularity, opened.parameters)
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        rows = np.arange(0, len(opened.viewers), step)
        for block, shelf, columns in shelved_blocks(opened):
            screening = screen.against(shelf.screened)
            pairs = opened.exact(block)
            shape = (len(opened.viewers), -1)
            others = screen.without_interests(rows, screening, columns)
            others += (weights.proximity * reach.proximity[rows, block] + SLACK)[:, None].astype(np.float32)
            # Where one side has no interests, their value is in the other terms already.
            both = opened.viewers.interest_count[rows][:, None] * opened.users_of(block).interest_count[None, :] > 0
            part = weights.interests * pairs.interests.reshape(shape)[rows]
            assert (others + SLACK >= pairs.score.reshape(shape)[rows] - np.where(both, part, 0)).all()
            whole = others + screen.interests(rows, screening, columns)
            assert (whole >= pairs.score.reshape(shape)[rows]).all()


@pytest.mark.parametrize("together", [4, 1000], ids=["a few viewers at a time", "all viewers together"])
def test_keys_are_within_the_margin_of_the_exact_ones(worlds: list[Opened], together: int) -> None:
    for opened in worlds[1:3]:
        kernel = Kernel(opened.viewers, opened.parameters, opened.world.bits)
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        everyone = np.arange(len(opened.viewers))
        for block, shelf, columns in shelved_blocks(opened):
            exact = opened.exact_keys(opened.exact(block))
            for start in range(0, len(everyone), together):
                rows = everyone[start : start + together]
                near = bool(reach.near[rows, block].any())
                keys = kernel.keys(rows, shelf, columns, near, np.full(len(rows), LOWEST))
                assert_within_margin(keys, exact[rows])


def test_keys_of_single_pairs_that_are_not_near_are_within_the_margin_too(worlds: list[Opened]) -> None:
    for opened in worlds:
        reach = reach_of(opened.viewers, opened.world.bounds, opened.parameters)
        kernel = Kernel(opened.viewers, opened.parameters, opened.world.bits)
        for block, shelf, columns in shelved_blocks(opened):
            exact = opened.exact_keys(opened.exact(block))
            viewer, candidate = all_pairs(len(opened.viewers), columns.stop - columns.start)
            far = np.flatnonzero(~reach.near[viewer, block])
            keys = kernel.pair_keys(viewer[far], shelf, columns.start + candidate[far])
            assert_within_margin(keys, exact.ravel()[far])


def test_a_floor_only_leaves_out_pairs_below_it(site: Connection) -> None:
    load(site, draw(3, 60, "one city"))
    opened = open_site(site, 20, later=timedelta(hours=1))
    kernel = Kernel(opened.viewers, opened.parameters, opened.world.bits)
    rows = np.arange(len(opened.viewers))
    left_out = 0
    for block, shelf, columns in shelved_blocks(opened):
        exact = opened.exact_keys(opened.exact(block))
        floor = np.where(rows % 10 == 0, exact.max(axis=1), 9.0).astype(np.float32)
        missing = np.isneginf(kernel.keys(rows, shelf, columns, True, floor))
        assert (exact[missing] < np.broadcast_to(floor[:, None], exact.shape)[missing] + MARGIN).all()
        left_out += int(missing.sum())
    assert left_out > 0


def assert_within_margin(keys: NDArray[Any], exact: NDArray[Any]) -> None:
    difference = np.abs(keys - exact)
    if difference.size:
        worst = np.unravel_index(int(difference.argmax()), difference.shape)
        assert difference[worst] <= MARGIN, f"at {worst}: key {keys[worst]} for {exact[worst]}"
