"""Step 1 of the screening: which pairs of viewers and candidates may reach their viewer's threshold.

There are two sieves that let the same pairs through, but for rounding: `compiled_sieve.py` goes through the pairs once,
in C; `array_sieve.py` does so in numpy, where the library in C is missing.
"""

from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.interests import Bits
from sitejobs.matching.scoring.pair_scores import SAME_PLACE
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.topk.bounds import proximity_radius
from sitejobs.matching.topk.segment import PreparedSegment, Taste
from sitejobs.matching.topk.wishes import WishCodes, Wishes
from sitejobs.matching.topk.worths import Worth, worth_of

NEARER_KM = np.float32(0.02)
"""Kilometres by which a distance in single precision may be too long: unit vectors there are about a metre apart."""


def _no_pairs() -> tuple[Indices, Indices]:
    return np.empty(0, np.int64), np.empty(0, np.int64)


@dataclass(frozen=True)
class Question:
    """Some viewers, r of them by ascending row, and b neighbouring blocks of a segment's candidates.

    starts : (b + 1,) the segment's row of each block's first candidate, and of the one after the last.
    wanted, near, suiting : (r, b) whether to look at the block for the viewer, whether any of it may be within its
        radius, and whether any may be of tier A.
    excluded : pairs to pass over, as indices into `rows` and from `starts[0]` on.
    """

    rows: Indices
    starts: Indices
    wanted: Flags
    near: Flags
    suiting: Flags
    excluded: tuple[Indices, Indices] = field(default_factory=_no_pairs)

    @classmethod
    def about(
        cls, rows: Indices, columns: slice, excluded: tuple[Indices, Indices] | None = None, *, near: bool = True
    ) -> Self:
        """All pairs with these candidates of a segment."""
        starts, every = np.array([columns.start, columns.stop]), np.ones((len(rows), 1), bool)
        return cls(rows, starts, every, every & near, every, excluded or _no_pairs())

    @property
    def columns(self) -> slice:
        return slice(int(self.starts[0]), int(self.starts[-1]))


@dataclass(frozen=True)
class Page:
    """The viewers of a page, laid out for a sieve.

    sets : (v, words) interests as bits. radius: (v,) km at which proximity has fallen to 0.
    """

    viewers: Users
    parameters: Parameters
    worth: Worth
    taste: Taste
    wishes: Wishes
    codes: WishCodes
    sets: Bits
    xyz: Singles
    radius: Floats

    @classmethod
    def of(cls, viewers: Users, parameters: Parameters, taste: Taste, sets: Bits) -> Self:
        wishes = Wishes.of(viewers)
        return cls(
            viewers=viewers,
            parameters=parameters,
            worth=worth_of(viewers, parameters),
            taste=taste,
            wishes=wishes,
            codes=WishCodes.of(viewers, wishes),
            sets=sets,
            xyz=viewers.xyz.astype(np.float32),
            radius=proximity_radius(viewers, parameters),
        )

    def same_place_part(self, viewer: Indices, users: Users, candidate: Indices) -> Singles:
        """Weighted proximity of pairs without a distance whose places have one name, 0 for others; broadcasts."""
        apart = ~(self.viewers.has_place[viewer] & users.has_place[candidate])
        place = self.viewers.place[viewer]
        same = apart & (place == users.place[candidate]) & (place != 0)
        return np.asarray(same * np.float32(self.worth.proximity * SAME_PLACE))


class Sieve(Protocol):
    """For the viewers of a page. chunk_users: about how many candidates to ask about at a time."""

    chunk_users: int

    def passing(
        self, question: Question, prepared: PreparedSegment, least: Singles, least_suiting: Singles
    ) -> tuple[Indices, Indices, Singles]:
        """The pairs that may reach their threshold, (p,): index into `Question.rows`, and candidate's row; ascending.

        With what is known of their sums: all parts but proximity and what `Worth.of_pairs` adds.

        Parameters
        ----------
        least, least_suiting : (r,) what upper bounds of sums must reach, and what those of tier A must.
        """
