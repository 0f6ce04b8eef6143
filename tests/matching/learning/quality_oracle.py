"""The figures of rankings as one would write them first: viewer by viewer, order by order."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations, product

Shown = Sequence[tuple[float, bool]]
"""A viewer's decisions: score, and whether it turned out well."""


def auc(shown: Shown) -> float:
    """Share of (good, bad) pairs in which the good one has the higher score; ties are half."""
    pairs = [(good[0], bad[0]) for good, bad in product(shown, shown) if good[1] and not bad[1]]
    if not pairs:
        return math.nan
    return sum(1.0 if good > bad else 0.5 if good == bad else 0.0 for good, bad in pairs) / len(pairs)


def ndcg(order: Sequence[bool], places: int) -> float:
    """Normalised discounted cumulative gain of an order without ties."""

    def gain(of: Sequence[bool]) -> float:
        return sum(1 / math.log2(place + 2) for place, good in enumerate(of[:places]) if good)

    return gain(order) / gain(sorted(order, reverse=True))


def hit(order: Sequence[bool], places: int) -> float:
    """Whether a good one is among the first."""
    return float(any(order[:places]))


def precision(order: Sequence[bool], places: int) -> float:
    """Share of good ones among the first."""
    return sum(order[:places]) / places


def orders(shown: Shown) -> Iterator[list[bool]]:
    """Every order in which the scores never rise: all ways to break the ties."""
    for order in permutations(shown):
        if all(above[0] >= below[0] for above, below in pairwise(order)):
            yield [good for _, good in order]


def place_rates(shown: Shown) -> list[float]:
    """The chance of a good one at each place, with ties broken by luck."""
    rates: list[float] = []
    for score in sorted({score for score, _ in shown}, reverse=True):
        equals = [good for other, good in shown if other == score]
        rates += [sum(equals) / len(equals)] * len(equals)
    return rates


def hit_of_many(shown: Shown, places: int) -> float:
    """Chance of a good one among the first, by counting the ways to fill the last of these places."""
    taken: list[tuple[float, bool]] = []
    for score in sorted({score for score, _ in shown}, reverse=True):
        equals = [(other, good) for other, good in shown if other == score]
        if len(taken) + len(equals) <= places:
            taken += equals
            continue
        if any(good for _, good in taken):
            return 1.0
        free, bad = places - len(taken), sum(not good for _, good in equals)
        return 1 - math.comb(bad, free) / math.comb(len(equals), free)
    return float(any(good for _, good in taken))
