"""Decisions to ask: of people with tastes, and of small and odd sites."""

import numpy as np

from sitejobs.matching.learning.quality import Asked
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices


def pairs(rng: np.random.Generator, people: int, each: int) -> tuple[Indices, Indices]:
    """Different pairs of people, asked both ways: about `each` decisions of everybody."""
    first, second = np.triu_indices(people, 1)
    kept = rng.random(len(first)) < each / max(people - 1, 1)
    first, second = first[kept], second[kept]
    return np.concatenate([first, second]), np.concatenate([second, first])


def asked(seed: int, people: int = 120, each: int = 16, knowing: float = 1.0, v1_knowing: float = 0.1) -> Asked:
    """Decisions by a planted taste; v2 sees `knowing` of it, v1 less. Chances are true if v2 sees all."""
    rng = np.random.default_rng(seed)
    viewer, candidate = pairs(rng, people, each)
    taste = rng.normal(size=people)[candidate] + 0.7 * rng.normal(size=people)[viewer] - 0.6
    chance = 1 / (1 + np.exp(-taste))
    half = len(viewer) // 2
    liked = rng.random(len(viewer)) < chance
    other = np.concatenate([liked[half:], liked[:half]])
    back = np.concatenate([chance[half:], chance[:half]])
    noise = [rng.normal(size=len(viewer)) for _ in range(2)]
    v1, v2 = v1_knowing * taste + noise[0], knowing * taste + (1 - knowing) * noise[1]
    match_v2 = knowing * np.log(chance * back) + (1 - knowing) * _both_ways(noise[1], half)
    scores = {"v1": v1, "v2": v2, "popularity": np.round(taste + 2 * noise[0], 1)}
    return Asked(
        viewer=viewer + 1000,
        candidate=candidate + 1000,
        liked=liked,
        matched=(liked & other).astype(np.int8),
        scores=scores,
        match_scores={**scores, "v2": match_v2},
        like_chance=chance,
        match_chance=chance * back,
        groups={"gender": viewer % 3, "newcomer": viewer % 2},
        labels={"newcomer": ("long there", "newcomer")},
    )


def shuffled(seed: int) -> Asked:
    """Decisions that no ranking can know; the chances are the rates, as a model would learn."""
    rng = np.random.default_rng(seed)
    viewer, candidate = pairs(rng, people=80, each=12)
    half = len(viewer) // 2
    liked = rng.random(len(viewer)) < 0.45
    v1, v2 = (_both_ways(rng.normal(size=len(viewer)), half) for _ in range(2))
    scores = {"v1": v1, "v2": v2, "popularity": rng.normal(size=len(viewer))}
    return Asked(
        viewer=viewer,
        candidate=candidate,
        liked=liked,
        matched=(liked & np.concatenate([liked[half:], liked[:half]])).astype(np.int8),
        scores=scores,
        match_scores=scores,
        like_chance=np.full(len(viewer), 0.45),
        match_chance=np.full(len(viewer), 0.45**2),
        groups={"gender": viewer % 3},
    )


def plain(viewer: Indices, liked: Flags, matched: Indices, v1: Floats, v2: Floats) -> Asked:
    """Decisions about strangers, with chances of a half."""
    halves = np.full(len(viewer), 0.5)
    return Asked(
        viewer=viewer,
        candidate=10_000 + np.arange(len(viewer)),
        liked=liked,
        matched=matched.astype(np.int8),
        scores={"v1": v1, "v2": v2},
        match_scores={"v1": v1, "v2": v2},
        like_chance=halves,
        match_chance=halves,
        groups={"gender": np.zeros(len(viewer), dtype=np.int64)},
    )


def _both_ways(values: Floats, half: int) -> Floats:
    """The same value for both decisions of a pair."""
    return np.concatenate([values[:half], values[:half]])
