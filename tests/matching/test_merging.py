"""Changed candidates among stored matches, against sorting all of them."""

from dataclasses import dataclass, fields
from random import Random
from typing import Any

import numpy as np
import pytest

from sitejobs.matching.match_scores.merging import Order, close, differing, merge
from sitejobs.matching.match_scores.stored_lists import Members, StoredLists
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.pair_scores import Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.topk.keys import tier_step

VIEWERS, TOP_K, EPSILON = 30, 8, 0.01
PARAMETERS = Parameters(top_k=TOP_K)


@dataclass(frozen=True)
class Match:
    """A candidate of a viewer. place: among all that are stored, -1 for one that no longer holds."""

    id: int
    tier_a: bool
    score: float
    place: int = 0

    @property
    def key(self) -> float:
        return self.score + tier_step(PARAMETERS) * self.tier_a


@dataclass(frozen=True)
class Viewer:
    """listed: of the list, best first. beside: stored beside it. gone: ids of those that changed. new: who comes."""

    listed: list[Match]
    beside: list[Match]
    gone: set[int]
    new: list[Match]

    def before(self) -> list[Match]:
        return sorted((it for it in self.listed + self.beside if it.place > 0), key=lambda it: it.place)

    def wanted(self) -> list[Match]:
        return best_first([it for it in self.listed if it.place >= 0 and it.id not in self.gone] + self.new)


def best_first(matches: list[Match]) -> list[Match]:
    return sorted(matches, key=lambda it: (not it.tier_a, -it.score, it.id))


def draw(random: Random) -> Viewer:
    ids = iter(random.sample(range(1000), 40))
    # Scores are far enough apart for single precision, and two may be equal.
    scores = iter(random.sample(range(100, 900), 40))

    def some(most: int) -> list[Match]:
        return [Match(next(ids), random.random() < 0.5, next(scores) / 1000) for _ in range(random.randint(0, most))]

    listed, beside = best_first(some(TOP_K + 3)), some(3)
    left = {it.id for it in listed if random.random() < 0.1}
    places = {it.id: at for at, it in enumerate(best_first([it for it in listed if it.id not in left] + beside), 1)}
    listed, beside = (
        [Match(it.id, it.tier_a, it.score, places.get(it.id, -1)) for it in them] for them in (listed, beside)
    )
    gone = {it.id for it in listed + beside if random.random() < random.choice((0, 0, 0.2))}
    again = [it for it in listed if it.id in gone and it.place >= 0 and random.random() < 0.7]
    moved = [Match(it.id, it.tier_a, it.score + random.choice((0.0, 0.0004, -0.05, 0.07))) for it in again]
    return Viewer(
        listed, beside, gone, [it for it in beside if it.id not in gone] + moved + some(random.choice((0, 3)))
    )


def members(them: list[list[Match]]) -> Members:
    flat = [(row, it) for row, matches in enumerate(them) for it in matches]
    return Members(
        row=np.array([row for row, _ in flat], np.int64),
        id=np.array([it.id for _, it in flat], np.int64),
        key=np.array([np.float32(it.score) + tier_step(PARAMETERS) * it.tier_a for _, it in flat], np.float64),
        tier_a=np.array([it.tier_a for _, it in flat], bool),
        place=np.array([it.place for _, it in flat], np.int64),
    )


def pairs_of(them: list[list[Match]]) -> tuple[Pairs, Indices]:
    flat = [(row, it) for row, matches in enumerate(them) for it in matches]
    values: dict[str, Any] = {item.name: np.zeros(len(flat)) for item in fields(Pairs)}
    values["viewer"] = np.array([row for row, _ in flat], np.int64)
    values["worth"] = np.array([it.score for _, it in flat], np.float64)
    values["tier_a"] = np.array([it.tier_a for _, it in flat], bool)
    return Pairs(**values), np.array([it.id for _, it in flat], np.int64)


def merged(viewers: list[Viewer], active: Flags) -> tuple[StoredLists, Order, Flags]:
    lists = StoredLists(
        microseconds=np.zeros(len(viewers), np.int64),
        last=np.full(len(viewers), -np.inf),
        id=np.full(len(viewers), -1),
        full=np.zeros(len(viewers), bool),
        members=members([it.listed for it in viewers]),
        changes=members([it.beside for it in viewers]),
        spares=np.zeros(len(viewers), np.int64),
    )
    stale = np.array([it.id in viewer.gone and it.place >= 0 for viewer in viewers for it in viewer.listed], bool)
    pairs, ids = pairs_of([viewer.new if active[row] else [] for row, viewer in enumerate(viewers)])
    order = merge(lists, stale, active, pairs, ids, PARAMETERS)
    differs = differing(lists, stale, order, active, pairs, ids, PARAMETERS, EPSILON)
    return lists, order, differs


@pytest.mark.parametrize("seed", range(40))
def test_places_are_those_of_sorting_and_what_differs_is_seen(seed: int) -> None:
    random = Random(seed)
    viewers = [draw(random) for _ in range(VIEWERS)]
    active = np.array([random.random() < 0.8 for _ in viewers])
    lists, order, differs = merged(viewers, active)
    pairs, ids = pairs_of([viewer.new if active[row] else [] for row, viewer in enumerate(viewers)])
    for row, viewer in enumerate(viewers):
        here, there = lists.members.row == row, pairs.viewer == row
        if not active[row]:
            assert not differs[row]
            assert set(order.members[here].tolist()) <= {-1}
            continue
        wanted = viewer.wanted()
        if order.unsure[row]:
            scores = [(it.tier_a, round(it.score, 9)) for it in wanted]
            assert not wanted or len(set(scores)) < len(scores)
            continue
        found = dict(zip(lists.members.id[here].tolist(), order.members[here].tolist(), strict=True))
        found = {id_: place for id_, place in found.items() if place > 0}
        found |= dict(zip(ids[there].tolist(), order.pairs[there].tolist(), strict=True))
        assert found == {it.id: place for place, it in enumerate(wanted, 1)}
        ranks = order.ranks(TOP_K)
        assert max([*ranks.members[here].tolist(), *ranks.pairs[there].tolist()], default=0) <= TOP_K
        assert order.tier_a[row] == sum(it.tier_a for it in wanted[:TOP_K])
        assert order.count[row] == len(wanted[:TOP_K])
        before = viewer.before()
        same = [it.id for it in before] == [it.id for it in wanted] and all(
            abs(old.key - new.key) < EPSILON for old, new in zip(before, wanted, strict=True)
        )
        assert differs[row] == (not same)


def test_most_lists_that_the_seeds_draw_differ_and_some_do_not() -> None:
    viewers = [draw(Random(seed)) for seed in range(200)]
    differs = merged(viewers, np.ones(len(viewers), bool))[2]
    assert 20 < int(differs.sum()) < 180


@pytest.mark.parametrize(("apart", "unsure"), [(0.0, True), (0.4, True), (1.5, False), (-0.4, True), (-1.5, False)])
def test_a_stored_score_tells_no_more_than_its_precision(apart: float, unsure: bool) -> None:
    one = Match(1, tier_a=True, score=0.7, place=1)
    other = Match(2, tier_a=True, score=float(np.float32(0.7)) + apart * close(PARAMETERS))
    order = merged([Viewer([one], [], set(), [other])], np.ones(1, bool))[1]
    assert order.unsure.tolist() == [unsure]


def test_a_stored_score_is_as_close_as_said() -> None:
    scores = np.random.default_rng(1).random(100_000)
    assert np.abs(scores.astype(np.float32) - scores).max() * 2 < close(PARAMETERS)
