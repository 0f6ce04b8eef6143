"""How alike two people are by what their rows say: the four numbers that planted tastes weigh.

They are those that the learned model reads of a pair, in thousandths and in whole numbers (see draws): the likeness of
traits less 0.5, the Jaccard index of interests less 0.3, nearness within 100 km, and the years of age between them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import Bools, Ints
from sitejobs_local.population.model import Table
from sitejobs_local.population.people import People
from sitejobs_local.population.questions import TRAITS

LIKENESSES = ("traits", "interests", "proximity", "ageGap")
RADIUS_KM = 100
_TRAITS_CENTRE, _INTERESTS_CENTRE, _NO_INTERESTS = 500, 300, 100
_SURE_ANSWERS = 5
_LEAST_COMMON_TRAITS = 2
_MOST_YEARS, _UNKNOWN_YEARS, _PER_YEAR = 30, 5, 100
_SAME_TEXT = 250
_METRES_PER_DEGREE = 111_195
_INTERESTS_PER_WORD = 32
# Cosines in ten thousandths for whole degrees of latitude.
_COSINES = np.array([max(round(10_000 * math.cos(math.radians(degree))), 1) for degree in range(91)], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Likenesses:
    """What is known of each person, one row each."""

    traits: NDArray[np.int16]
    """(n, traits) value times the answers it rests on, up to five; 0 where unknown."""
    has_trait: Bools
    trait_count: Ints
    interests: NDArray[np.uint64]
    """(n, words) a bit for each interest."""
    interest_count: Ints
    place: NDArray[np.float64]
    """(n, 2) metres north and degrees east; NaN where unknown."""
    narrowing: Ints
    """Length of a degree of longitude there, in ten thousandths of one at the equator."""
    place_text: Ints
    """A number for each text, 0 for none."""
    age: Ints
    """-1 where unknown."""

    def of(self, first: Ints, second: Ints) -> Ints:
        """(p, 4) of the pairs, in thousandths; the same for both directions."""
        columns = (
            self._traits(first, second),
            self._interests(first, second),
            self._proximity(first, second),
            self._age_gap(first, second),
        )
        return np.stack(columns, axis=1)

    def _traits(self, first: Ints, second: Ints) -> Ints:
        """0 with fewer than two traits in common."""
        left, right = self.traits[first].astype(np.int32), self.traits[second].astype(np.int32)
        both = self.has_trait[first] & self.has_trait[second]
        dot = np.einsum("pt,pt->p", left, right, dtype=np.int64)
        lengths = [np.einsum("pt,pt,pt->p", side, side, both, dtype=np.int64) for side in (left, right)]
        common = both.sum(axis=1)
        fewer = np.maximum(np.minimum(self.trait_count[first], self.trait_count[second]), 1)
        norm = np.sqrt(lengths[0].astype(np.float64)) * np.sqrt(lengths[1].astype(np.float64))
        cosine = np.divide(dot, norm, out=np.zeros(len(dot)), where=norm > 0)
        alike = np.rint(500 * (cosine + 1) * np.sqrt(common / fewer)).astype(np.int64)
        return np.where(common < _LEAST_COMMON_TRAITS, 0, alike - _TRAITS_CENTRE)

    def _interests(self, first: Ints, second: Ints) -> Ints:
        shared = np.bitwise_count(self.interests[first] & self.interests[second]).sum(axis=1).astype(np.int64)
        left, right = self.interest_count[first], self.interest_count[second]
        none = (left == 0) | (right == 0)
        return np.where(none, _NO_INTERESTS, 1000 * shared // np.maximum(left + right - shared, 1)) - _INTERESTS_CENTRE

    def _proximity(self, first: Ints, second: Ints) -> Ints:
        """Flat between two people: within 100 km the error is below a hundredth, but for the poles."""
        north = self.place[first, 0] - self.place[second, 0]
        east = np.abs(self.place[first, 1] - self.place[second, 1])
        east = np.minimum(east, 360 - east) * _METRES_PER_DEGREE
        east *= (self.narrowing[first] + self.narrowing[second]) / 20_000
        metres = np.sqrt(north * north + east * east)
        near = np.maximum(np.floor(1000 - metres / RADIUS_KM), 0)
        text = self.place_text[first]
        same_text = np.where((text != 0) & (text == self.place_text[second]), _SAME_TEXT, 0)
        return np.where(np.isnan(metres), same_text, np.nan_to_num(near)).astype(np.int64)

    def _age_gap(self, first: Ints, second: Ints) -> Ints:
        years = np.minimum(np.abs(self.age[first] - self.age[second]), _MOST_YEARS)
        unknown = (self.age[first] < 0) | (self.age[second] < 0)
        return np.where(unknown, _UNKNOWN_YEARS, years) * -_PER_YEAR


def likenesses(crowd: People, profiles: Table, traits: Table, interests: Table) -> Likenesses:
    """From the rows of Profile, UserTrait and UserInterest."""
    values, has_trait = _trait_values(crowd, traits)
    rows = np.searchsorted(crowd.ids, profiles["userId"])
    lat, lng = profiles["lat"], profiles["lng"]
    unknown = profiles.columns["lat"].is_null() | profiles.columns["lng"].is_null() | (np.abs(lat) > 90)
    place = np.full((len(crowd), 2), np.nan)
    place[rows] = np.where(unknown[:, None], np.nan, np.stack([lat * _METRES_PER_DEGREE, lng], axis=1))
    narrowing = np.full(len(crowd), 10_000)
    narrowing[rows] = _COSINES[np.where(unknown, 0, np.rint(np.abs(lat))).astype(np.int64)]
    age = np.full(len(crowd), -1)
    age[rows] = np.where(profiles.columns["birthdate"].is_null(), -1, crowd.age[rows])
    place_text = np.zeros(len(crowd), dtype=np.int64)
    place_text[rows] = _numbers(profiles["locationText"].tolist())
    bits = _interest_bits(crowd, interests)
    return Likenesses(
        traits=values,
        has_trait=has_trait,
        trait_count=has_trait.sum(axis=1),
        interests=bits,
        interest_count=np.bitwise_count(bits).sum(axis=1).astype(np.int64),
        place=place,
        narrowing=narrowing,
        place_text=place_text,
        age=age,
    )


def _trait_values(crowd: People, table: Table) -> tuple[NDArray[np.int16], Bools]:
    number = {name: at for at, name in enumerate(TRAITS)}
    users = np.searchsorted(crowd.ids, table["userId"])
    traits = np.array([number[name] for name in table["traitKey"].tolist()], dtype=np.int64)
    values, has_trait = np.zeros((len(crowd), len(TRAITS)), np.int16), np.zeros((len(crowd), len(TRAITS)), np.bool_)
    values[users, traits] = table["value"] * np.minimum(table["n"], _SURE_ANSWERS)
    has_trait[users, traits] = True
    return values, has_trait


def _interest_bits(crowd: People, table: Table) -> NDArray[np.uint64]:
    users = np.searchsorted(crowd.ids, table["userId"])
    _, number = np.unique(table["interestId"], return_inverse=True)
    words = number // _INTERESTS_PER_WORD
    bits = np.zeros((len(crowd), int(words.max(initial=0)) + 1), dtype=np.uint64)
    for word in range(bits.shape[1]):
        here = words == word
        # Sums of different powers of two below 2^32: exact, and each power is one interest.
        powers = np.left_shift(1, number[here] % _INTERESTS_PER_WORD).astype(np.float64)
        bits[:, word] = np.bincount(users[here], weights=powers, minlength=len(crowd)).astype(np.uint64)
    return bits


def _numbers(texts: list[str | None]) -> Ints:
    """A number for each different text, 0 for none and for an empty one."""
    found: dict[str, int] = {}
    return np.array([found.setdefault(text, len(found) + 1) if text else 0 for text in texts], dtype=np.int64)
