"""No upper bound is too low, and every key is within the margin of the exact one."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sitejobs.matching.topk.bounds import SLACK, proximity_radius
from sitejobs.matching.topk.keys import key_margin, tier_step
from sitejobs.matching.topk.screening import Screening
from sitejobs.matching.topk.segment import PreparedSegment
from sitejobs.matching.topk.sieve import Page, Question, Sieve
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database
from tests.matching.models import store_model
from tests.matching.pools import LATER, Opened, open_site
from tests.matching.random_sites import FLAVOURS, draw
from tests.matching.site_loading import load


@pytest.fixture(
    scope="module",
    params=[
        *((flavour, "mutual", None) for flavour in FLAVOURS),
        *((flavour, "viewer", None) for flavour in ("mixed", "one city")),
        *((flavour, "mutual", "usual") for flavour in FLAVOURS),
        *((flavour, tiers, "steep") for flavour in ("mixed", "one city") for tiers in ("mutual", "viewer")),
        ("no traits", "mutual", "steep"),
    ],
    ids=str,
)
def pools(request: pytest.FixtureRequest, postgres_server: Server) -> list[Opened]:
    """A site of each kind, cut into blocks of different sizes; at the run's start and some days later."""
    flavour, tiers, kind = request.param
    with site_database(postgres_server) as url, connect(url) as site:
        load(site, draw(1, 80, flavour))
        model = store_model(site, 1, kind) if kind else None
        later = open_site(site, 7, later=LATER, tiers=tiers, model=model)
        return [*(open_site(site, size, tiers=tiers, model=model) for size in (1, 7, 50)), later]


def chunks(opened: Opened, screening: Screening) -> Iterator[tuple[PreparedSegment, slice, range]]:
    """Each segment as a whole and each of its blocks: the segment as prepared, its columns in it, and the blocks."""
    pool = opened.pool
    for number in range(len(pool.segments) - 1):
        blocks = range(pool.segments[number], pool.segments[number + 1])
        prepared, base = screening.prepare(pool.segment(number)), int(pool.starts[blocks.start])
        for first, stop in {(blocks.start, blocks.stop), *((block, block + 1) for block in blocks)}:
            yield prepared, slice(int(pool.starts[first]) - base, int(pool.starts[stop]) - base), range(first, stop)


def screening_of(opened: Opened, sieve: Callable[[Page], Sieve]) -> Screening:
    return Screening(opened.viewers, opened.parameters, opened.pool.bits, opened.pool.popularity, sieve)


def test_no_member_of_a_block_exceeds_the_blocks_upper_bound(pools: list[Opened]) -> None:
    for opened in pools:
        upper = opened.upper
        radius = proximity_radius(opened.viewers, opened.parameters)
        shape = (len(opened.viewers), -1)
        for block in opened.blocks:
            pairs = opened.exact(opened.positions_of(block))
            assert (upper.score[:, block] >= pairs.worth.reshape(shape).max(axis=1)).all()
            if opened.parameters.model is None:
                assert (upper.proximity[:, block] >= pairs.proximity.reshape(shape).max(axis=1) - SLACK).all()
            assert (upper.tier_a[:, block] >= pairs.tier_a.reshape(shape).any(axis=1)).all()
            within = pairs.distance_km <= radius[pairs.viewer]
            assert (upper.near[:, block] >= within.reshape(shape).any(axis=1)).all()
            assert (upper.barred[:, block] <= pairs.barred.reshape(shape).all(axis=1)).all()


@pytest.mark.parametrize("step", [1, 3], ids=["all viewers", "every third viewer"])
def test_keys_are_within_the_margin_of_the_exact_ones(
    pools: list[Opened], step: int, sieve: Callable[[Page], Sieve]
) -> None:
    for opened in pools:
        screening, threshold = screening_of(opened, sieve), np.full(len(opened.viewers), -1e9, np.float32)
        rows = np.arange(0, len(opened.viewers), step)
        for prepared, columns, blocks in chunks(opened, screening):
            viewer, candidate, keys = above_threshold(screening, opened, rows, prepared, columns, blocks, threshold)
            exact = opened.keys_of(blocks)
            assert len(keys) == np.isfinite(exact[rows]).sum()
            assert_within_margin(keys, exact[viewer, candidate - columns.start], key_margin(opened.parameters))


def test_a_threshold_leaves_out_only_pairs_below_it(pools: list[Opened], sieve: Callable[[Page], Sieve]) -> None:
    for opened in pools:
        screening, rows = screening_of(opened, sieve), np.arange(len(opened.viewers))
        for prepared, columns, blocks in chunks(opened, screening):
            exact = opened.keys_of(blocks)
            for threshold in (
                exact.max(axis=1),
                np.median(exact, axis=1),
                np.full(len(rows), tier_step(opened.parameters) + 1),
            ):
                viewer, candidate, keys = above_threshold(
                    screening, opened, rows, prepared, columns, blocks, threshold.astype(np.float32)
                )
                assert (keys >= threshold[viewer].astype(np.float32)).all()
                left_out = np.ones(exact.shape, bool)
                left_out[viewer, candidate - columns.start] = False
                assert not (left_out & (exact > threshold[:, None] + key_margin(opened.parameters))).any()


def above_threshold(
    screening: Screening,
    opened: Opened,
    rows: NDArray[np.int64],
    prepared: PreparedSegment,
    columns: slice,
    blocks: range,
    threshold: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Viewers, rows in the segment and keys of the pairs that reach the threshold."""
    near = bool(opened.upper.near[rows, blocks.start : blocks.stop].any())
    question = Question.about(rows, columns, near=near)
    pairs = screening.resolved(screening.above_threshold(question, prepared, threshold), prepared)
    pairs = pairs.take(pairs.key >= threshold[pairs.viewer])
    return pairs.viewer, pairs.candidate, pairs.key


def test_pairs_in_blocks_that_are_not_near_have_no_proximity_but_by_the_name_of_a_place(pools: list[Opened]) -> None:
    for opened in pools:
        upper = opened.upper
        anywhere = np.isnan(opened.viewers.distance)
        for block in opened.blocks:
            pairs = opened.exact(opened.positions_of(block))
            far = np.flatnonzero(~upper.near[pairs.viewer, block])
            measured = far[~np.isnan(pairs.distance_km[far])]
            assert opened.parameters.model or not pairs.proximity[measured].any()
            assert not (pairs.tier_a[far] & ~anywhere[pairs.viewer[far]]).any()


def assert_within_margin(keys: NDArray[Any], exact: NDArray[Any], margin: float) -> None:
    difference = np.abs(keys - exact)
    if difference.size:
        worst = np.unravel_index(int(difference.argmax()), difference.shape)
        assert difference[worst] <= margin, f"at {worst}: key {keys[worst]} for {exact[worst]}"
