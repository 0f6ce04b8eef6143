"""Pairs that reached their viewer's threshold, on their way to the buffer."""

from dataclasses import dataclass, fields

import numpy as np

from sitejobs.matching.scoring.arrays import Flags, Indices, Singles


@dataclass(frozen=True)
class KeyedPairs:
    """p pairs of a viewer and a candidate, viewers ascending, and their keys. All arrays (p,).

    sums : what the keys were made of, but for the step of tier A.
    by_quiz : which fall back on a quiz: their keys are upper bounds until they are resolved.
    """

    viewer: Indices
    candidate: Indices
    key: Singles
    sums: Singles
    by_quiz: Flags

    def take(self, rows: Indices | Flags) -> "KeyedPairs":
        return KeyedPairs(**{name: value[rows] for name, value in vars(self).items()})


def joined(parts: list[KeyedPairs]) -> KeyedPairs:
    """All pairs of all parts, again by viewer."""
    names = [item.name for item in fields(KeyedPairs)]
    pairs = KeyedPairs(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    return pairs.take(np.argsort(pairs.viewer, kind="stable"))
