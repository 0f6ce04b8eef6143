"""Users laid out for matrix products, viewers and candidates alike."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Indices, Singles
from sitejobs.matching.scoring.interests import Bits, InterestBits
from sitejobs.matching.scoring.pair_scores import MIN_COMMON_TRAITS, newness
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.ragged import Ragged
from sitejobs.matching.scoring.users import MISSING, UNSPECIFIED, Users
from sitejobs.matching.topk.wishes import GENDERS, WishCodes, Wishes

BUCKETS = 96
"""Buckets of interests: one for each of the most popular, the last `SHARED_BUCKETS` for the rest."""

SHARED_BUCKETS = 24

MOST_QUIZZES = 32

MOST_SCALES = 128
"""Rows of `Segment.scales` that a segment keeps: 8 MB of a segment of 16,384."""

SCALES_AT_ONCE = 16
"""Rows of it that are made together: products of many are quicker, as long as they stay in the processor's cache."""

AGES = 128
"""Numbers of an age in `Segment.ages`."""

BARRED = -1e31
"""Taken off an upper bound where the candidate wants other genders than the viewer's; a product with 0 stays finite."""

FAR = np.float32(1000)
"""Coordinate of candidates without a place, and less than 0 of such viewers: nobody is as near as 6 million km."""

STRIP = 32
"""Candidates by whom `sieve.c` multiplies: it reads so many beyond the last."""

KNOWN_GENDERS = slice(UNSPECIFIED + 1, GENDERS - 1)


@dataclass(frozen=True)
class Taste:
    """Traits and interests of n users.

    directions : (n, K) traits over their length, zero where missing and for users with fewer than two.
    masks, mask : (m, K) the different sets of trait keys, as 0 and 1, and (n,) which of them is the user's.
    quizzes : (m, q) whether users of the mask may have a result of the quiz: those with too few traits have a mask of
        their own for each set of quizzes. Beyond `MOST_QUIZZES` the last column stands for all others.
    interests, popularity : what each likes, and the rank of each interest code, 0 for the most popular.
    """

    directions: Singles
    masks: Singles
    mask: Indices
    quizzes: Flags
    interests: Ragged
    popularity: NDArray[np.int32]

    @cached_property
    def shares(self) -> Singles:
        """(n, BUCKETS) how many interests fall into each bucket, over the root of how many there are; zero for none.

        In a bucket, shared <= a_i * b_i; the union >= sqrt(|A||B|); so the product of two users is an upper bound of
        their Jaccard index.
        """
        return _shares(self.interests, len(self.mask), self.popularity)

    @classmethod
    def of(cls, users: Users, popularity: NDArray[np.int32]) -> "Taste":
        """`popularity`: rank of each interest code, 0 for the most popular."""
        present = ~np.isnan(users.traits)
        values = np.where(present, users.traits, np.float32(0))
        comparable = users.trait_count >= MIN_COMMON_TRAITS
        length = np.sqrt((values.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        directions = np.divide(values, length, out=np.zeros_like(values), where=(length > 0) & comparable[:, None])
        taken = np.zeros((len(users), MOST_QUIZZES), bool)
        taken[users.quiz.owners(), quiz_column(users.quiz.values)] = True
        taken |= comparable[:, None]
        first, mask = _kinds(np.concatenate([present, taken], axis=1))
        masks = present[first].astype(np.float32)
        return cls(directions, masks, mask, taken[first], users.interests, popularity)


@dataclass(frozen=True)
class Columns:
    """What `sieve.c` reads of n candidates: a row a property, so that neighbours stand side by side.

    directions, ratings : (K, n + STRIP) and (5, n), as `Taste` and `Segment` have them.
    xyz : (3, n), `FAR` where there is no place.
    most_km : (n,) infinite where any distance will do.
    interest_inverse : (n,) 1 / the count, 0 for none.
    """

    directions: Singles
    ratings: Singles
    xyz: Singles
    most_km: Singles
    interest_count: Singles
    interest_inverse: Singles
    mask: NDArray[np.int32]
    ages: NDArray[np.int32]


@dataclass(frozen=True)
class Segment:
    """Candidates of neighbouring blocks, ready for the screening. Rows as in `users`.

    ratings : (n, 5) direction of received ratings, and the constant part of the score.
    xyz : (n, 3) in single precision.
    wishes, codes : what each wants. ages: (n,) numbers below `AGES`, its last for unknown ones, the one before for all
        from there.
    interests : sets over the vocabulary of the whole snapshot, where that is small enough to keep.
    mutual : whether tier A asks both sides.
    """

    users: Users
    ratings: Singles
    xyz: Singles
    taste: Taste
    wishes: Wishes
    codes: WishCodes
    ages: Indices
    interests: Bits | None
    mutual: bool
    _scales: "_Scales" = field(default_factory=lambda: _Scales())

    def scales(self, masks: Singles) -> tuple[Singles | None, Indices]:
        """1 / |c on the mask's keys| for masks of `Taste.masks`' kind and every candidate c.

        A table with a row a mask and a column a candidate, None if all asked for are 1; and the row of each mask.
        """
        return self._scales.of(masks, self.taste.directions)

    @cached_property
    def columns(self) -> Columns:
        """Laid out anew."""
        count = self.users.interest_count.astype(np.float32)
        return Columns(
            directions=np.pad(np.ascontiguousarray(self.taste.directions.T), ((0, 0), (0, STRIP))),
            ratings=np.ascontiguousarray(self.ratings.T),
            xyz=np.ascontiguousarray(np.where(np.isnan(self.xyz), FAR, self.xyz).T),
            most_km=np.where(self.wishes.anywhere, np.float32(np.inf), self.wishes.most_km),
            interest_count=count,
            interest_inverse=np.divide(1, count, out=np.zeros_like(count), where=count > 0),
            mask=self.taste.mask.astype(np.int32),
            ages=self.ages.astype(np.int32),
        )

    @cached_property
    def interests_bound(self) -> Singles:
        """(n, BUCKETS + 2) whose product with a viewer's is at least the interests part.

        The last two columns are for those who have none. With mutual tiers a column follows for each known gender,
        `BARRED` where it is not wanted.
        """
        none = self.users.interest_count[:, None] == 0
        columns = [self.taste.shares, np.ones_like(none), none]
        if self.mutual:
            columns.append(BARRED * ~self.wishes.genders[KNOWN_GENDERS].T)
        return np.concatenate(columns, axis=1, dtype=np.float32)

    @classmethod
    def of(
        cls,
        users: Users,
        now: float,
        parameters: Parameters,
        bits: InterestBits | None,
        popularity: NDArray[np.int32],
    ) -> "Segment":
        """`now`: seconds since 1970. `popularity`: rank of each interest code, 0 for the most popular."""
        constant = static_scores(users, now, parameters)
        if parameters.model is None:
            constant += parameters.weights.rating_fit / 2
        wishes = Wishes.of(users)
        return cls(
            users=users,
            ratings=np.concatenate([users.gets, constant[:, None]], axis=1).astype(np.float32),
            xyz=users.xyz.astype(np.float32),
            taste=Taste.of(users, popularity),
            wishes=wishes,
            codes=WishCodes.of(users, wishes),
            ages=np.where(users.age == MISSING, AGES - 1, np.minimum(users.age, AGES - 2)).astype(np.int64),
            interests=bits.of(users) if bits else None,
            mutual=parameters.mutual,
        )


@dataclass(frozen=True)
class PreparedSegment:
    """A segment prepared for the screening's viewers: the factors of the traits part.

    factors : (v, m, 2) for each of the segment's masks c / r, and c, traits weight / 2 * sqrt(common / fewer).
    scales : (k, n) 1 / s for k masks, None where all are 1. scale: (v,) the viewer's row of `scales`.
    by_quiz : (v, m) whether the pair falls back on a quiz: too few common keys, and a quiz to compare.
    by_place : candidates who may be near by the name of their place, ascending.
    bits : the vocabulary of `sets`.
    """

    segment: Segment
    factors: Singles
    scales: Singles | None
    scale: Indices
    by_quiz: Flags
    by_place: Indices
    bits: InterestBits

    @property
    def factor(self) -> Singles:
        """(v, m) c / r."""
        return self.factors[:, :, 0]

    @property
    def coverage(self) -> Singles:
        """(v, m) c."""
        return self.factors[:, :, 1]

    @cached_property
    def sets(self) -> Bits:
        """(n, words) interests of the candidates."""
        return self.bits.of(self.segment.users) if self.segment.interests is None else self.segment.interests


class _Scales:
    """The table behind `Segment.scales`, kept from page to page.

    Viewers of one page have few masks, and those of all pages have many in common.
    """

    def __init__(self) -> None:
        self._row: dict[bytes, int] = {}
        self._table = np.empty((0, 0), np.float32)
        self._plain = np.empty(0, bool)

    def of(self, masks: Singles, directions: Singles) -> tuple[Singles | None, Indices]:
        asked = {mask.tobytes(): mask for mask in masks}
        new = asked.keys() - self._row.keys()
        if len(self._row) + len(new) > len(self._table):
            # A new table: earlier searches may still hold the old one.
            self._row, new = {}, set(asked)
            self._table = np.empty((max(MOST_SCALES, len(new)), len(directions)), np.float32)
            self._plain = np.empty(len(self._table), bool)
        some = list(new)
        first = len(self._row)
        self._row |= {key: first + index for index, key in enumerate(some)}
        squares = np.square(directions.T) if new else directions
        for at in range(0, len(some), SCALES_AT_ONCE):
            part = some[at : at + SCALES_AT_ONCE]
            rows = slice(first + at, first + at + len(part))
            self._table[rows] = inverse_roots(np.stack([asked[key] for key in part]) @ squares)
            self._plain[rows] = (self._table[rows] == 1).all(axis=1)
        found = np.array([self._row[mask.tobytes()] for mask in masks], np.int64)
        return None if self._plain[found].all() else self._table, found


def quiz_column(codes: Indices) -> Indices:
    """The column of `Taste.quizzes` that stands for a quiz."""
    return np.minimum(codes, MOST_QUIZZES - 1)


def static_scores(candidates: Users, now: float, parameters: Parameters) -> NDArray[np.float64]:
    """(n,) what depends on the candidate alone: weighted rating quality and newness, or what a model says of it."""
    if parameters.model is not None:
        return candidates.appeal.astype(np.float64) + candidates.selectivity
    weights = parameters.weights
    return weights.rating_quality * candidates.quality.astype(np.float64) + weights.newness * newness(
        candidates.updated_at, now, parameters
    )


def inverse_roots(squares: Singles) -> Singles:
    """1 / sqrt of shares of a squared length: 0 for 0, and exactly 1 but for rounding."""
    roots = np.sqrt(np.where(np.abs(squares - 1) < 2e-6, np.float32(1), squares))
    return np.divide(1, roots, out=np.zeros_like(roots), where=roots > 0)


def _kinds(flags: Flags) -> tuple[Indices, Indices]:
    """Index of the first of each kind of row, ascending, and for each row which kind it is.

    Neighbours thus have neighbouring kinds, and what is looked up of these stands together.
    """
    _, first, kind = np.unique(np.packbits(flags, axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[kind.reshape(-1)]


def _shares(interests: Ragged, users: int, popularity: NDArray[np.int32]) -> Singles:
    own = BUCKETS - SHARED_BUCKETS
    rank = popularity[interests.values]
    bucket = np.where(rank < own, rank, own + rank % SHARED_BUCKETS)
    cells = np.bincount(interests.owners() * BUCKETS + bucket, minlength=users * BUCKETS).reshape(users, BUCKETS)
    counts = cells.sum(axis=1, keepdims=True)
    return np.asarray(cells / np.sqrt(np.maximum(counts, 1)), np.float32)
