"""Pairs that a bound has not ruled out, waiting to be scored."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Singles = NDArray[np.float32]


class Pending:
    """Pairs of a viewer and a candidate's position, each with a bound of its key."""

    def __init__(self) -> None:
        self._parts: list[tuple[Indices, Indices, Singles]] = []
        self.pairs = 0

    def add(self, viewer: Indices, position: Indices, bound: Singles) -> None:
        """Take p pairs, (p,) each."""
        if len(viewer):
            self._parts.append((viewer, position, bound))
            self.pairs += len(viewer)

    def best(self, count: int) -> tuple[Indices, Indices, "Pending"]:
        """Each viewer's `count` pairs of the highest bounds, by ascending viewer, and all the others."""
        viewer, position, bound = self._joined()
        order = np.argsort(viewer.astype(np.int16), kind="stable")  # small integers are sorted by radix
        edges = np.searchsorted(viewer[order], np.arange(viewer.max() + 2))
        chosen = np.zeros(len(order), bool)
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            own = order[start:stop]
            chosen[own if len(own) <= count else own[np.argpartition(bound[own], -count)[-count:]]] = True
        first = order[chosen[order]]
        others = np.flatnonzero(~chosen)
        rest = Pending()
        rest.add(viewer[others], position[others], bound[others])
        return viewer[first], position[first], rest

    def above(self, floor: Singles) -> "Pending":
        """The pairs whose bound reaches their viewer's floor, (v,)."""
        left = Pending()
        if self.pairs:
            viewer, position, bound = self._joined()
            kept = np.flatnonzero(bound >= floor[viewer])
            left.add(viewer[kept], position[kept], bound[kept])
        return left

    def _joined(self) -> tuple[Indices, Indices, Singles]:
        viewer, position, bound = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        return viewer, position, bound
