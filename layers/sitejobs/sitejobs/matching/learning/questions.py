"""The decisions of one outcome, likes or matches, as they are asked of each ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.ranking_figures import figures_of, ranked
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices


@dataclass(frozen=True)
class Question:
    """p decisions; the viewers are numbered 0..viewers-1. All arrays (p,)."""

    viewer: Indices
    viewers: int
    person: Indices
    """The key of the viewer among those of the candidates: one person may be several viewers, one a fold."""
    candidate: Indices
    good: Flags
    scores: Mapping[str, Floats]
    chance: Floats
    groups: Mapping[str, NDArray[np.integer]]
    labels: Mapping[str, Sequence[str]]

    @cached_property
    def people(self) -> Indices:
        """(viewers,) a number for the person that each viewer is."""
        numbers = np.empty(self.viewers, dtype=np.int64)
        numbers[self.viewer] = np.unique(self.person, return_inverse=True)[1]
        return numbers

    def figures(self) -> dict[str, Floats]:
        """Ranking -> (viewers, `FIGURES`)."""
        return {
            name: figures_of(ranked(self.viewer, self.viewers, score), self.good) for name, score in self.scores.items()
        }
