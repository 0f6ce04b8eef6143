"""Folding in as its description says, one user at a time. Of the package, only the site's reader is imported."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection

from tests.matching.oracle import (
    STANDARD,
    age_on,
    distance_km,
    interests_part,
    proximity_part,
    traits_part,
)
from tests.matching.oracle_site import Person, Site, read_site

KINDS = ("attractive", "smart", "funny", "interesting")
Rating = tuple[float, ...]

_RATINGS = """
SELECT a."userId", b."userId", r."attractive", r."smart", r."funny", r."interesting" FROM "ProfileRating" r
JOIN "Profile" a ON a."id" = r."raterProfileId" AND a."deletedAt" IS NULL
JOIN "Profile" b ON b."id" = r."targetProfileId" AND b."deletedAt" IS NULL
"""
_MATCHES = """SELECT "userAId", "userBId" FROM "Match" """
_EFFECTS = """
SELECT "userId", "trainedSelectivity"::float8, "trainedAppeal"::float8 FROM "UserMatchEffect" WHERE "modelId" = %s
"""


@dataclass(frozen=True)
class Told:
    """Whether a user said yes to another, and how a user rated another, by pairs."""

    site: Site
    decisions: dict[tuple[int, int], bool]
    matches: frozenset[tuple[int, int]]
    ratings: dict[tuple[int, int], Rating]

    def of(self, user: int) -> frozenset[Any]:
        """What is told of a user."""
        likes = {("like", pair, liked) for pair, liked in self.decisions.items() if user in pair}
        likes |= {("match", pair, True) for pair in self.matches if user in pair}
        return frozenset(likes | {("rating", pair, rating) for pair, rating in self.ratings.items() if user in pair})


def read_told(connection: Connection) -> Told:
    """What the site tells now."""
    site = read_site(connection)
    matches = frozenset((a, b) for a, b in connection.execute(_MATCHES))
    decisions = dict.fromkeys(matches | {(b, a) for a, b in matches}, True)
    decisions |= {(like.by, like.of): like.action == "LIKE" for like in site.likes if like.action != "BLOCKED"}
    ratings = {
        (row[0], row[1]): tuple(float(star) for star in row[2:])
        for row in connection.execute(_RATINGS)
        if all(star is not None and 1 <= star <= 5 for star in row[2:])
    }
    return Told(site, {pair: liked for pair, liked in decisions.items() if pair[0] != pair[1]}, matches, ratings)


@dataclass(frozen=True)
class Folding:
    """A model's numbers and trained effects, and what is told as of now."""

    numbers: dict[str, Any]
    trained: dict[int, tuple[float, float]]
    told: Told
    now: datetime

    def of(self, user: int) -> tuple[float, float]:
        """The selectivity and the whole appeal of a user, not rounded."""
        by: list[tuple[float, int, bool]] = []
        of: list[tuple[float, int, bool]] = []
        for (viewer, candidate), liked in self.told.decisions.items():
            if user in (viewer, candidate) and self._has_profile(viewer) and self._has_profile(candidate):
                odds = self._odds(viewer, candidate)
                if viewer == user:
                    by.append((odds, candidate, liked))
                else:
                    of.append((odds, viewer, liked))
        own_selectivity, own_appeal = self.trained.get(user, (0.0, 0.0))
        selectivity = _newton(
            own_selectivity,
            self.numbers["selectivityVariance"],
            [(odds + self.trained.get(candidate, (0, 0))[1], liked) for odds, candidate, liked in by],
        )
        appeal = _newton(
            own_appeal,
            self.numbers["appealVariance"],
            [(odds + self.trained.get(viewer, (0, 0))[0], liked) for odds, viewer, liked in of],
        )
        return selectivity, appeal + self._standing(user, None)

    def _has_profile(self, user: int) -> bool:
        person = self.told.site.people.get(user)
        return person is not None and person.has_profile

    def _odds(self, viewer: int, candidate: int) -> float:
        """Log odds but for the effects of the two."""
        one, other = self.told.site.people[viewer], self.told.site.people[candidate]
        ages = [age_on(person.birthdate, self.now.astimezone(UTC).date()) for person in (one, other)]
        years = 5 if ages[0] is None or ages[1] is None else min(abs(ages[0] - ages[1]), 30)
        near = proximity_part(replace(one, preferred_distance_km=None), other, distance_km(one, other), STANDARD)
        return float(
            self.numbers["intercept"]
            + self._standing(candidate, self.told.ratings.get((viewer, candidate)))
            + self.numbers["traits"] * ((traits_part(one, other) + traits_part(other, one)) / 2 - 0.5)
            + self.numbers["interests"] * (interests_part(one.interests, other.interests) - 0.3)
            + self.numbers["proximity"] * near
            - self.numbers["ageGap"] * years / 10
        )

    def _standing(self, user: int, without: Rating | None) -> float:
        """What ratings tell of the appeal, one of them left out."""
        received = [*self._person(user).received]
        if without is not None:
            received.remove((without[0], without[1], without[2], without[3]))
        total = 0.0
        for at, kind in enumerate(KINDS):
            mean = self.numbers["means"][kind]
            stars = sum(rating[at] for rating in received)
            total += self.numbers["taste"][kind] * ((stars + 2 * mean) / (len(received) + 2) - mean)
        return total

    def _person(self, user: int) -> Person:
        return self.told.site.people[user]


def read_folding(connection: Connection, model: int, numbers: dict[str, Any], now: datetime) -> Folding:
    """Everything as it stands in the tables."""
    trained = {user: (selectivity, appeal) for user, selectivity, appeal in connection.execute(_EFFECTS, [model])}
    return Folding(numbers, trained, read_told(connection), now)


def _newton(value: float, variance: float, decisions: list[tuple[float, bool]]) -> float:
    for _ in range(3):
        slope, curvature = -value / variance, 1 / variance
        for odds, liked in decisions:
            chance = 1 / (1 + math.exp(-odds - value))
            slope += liked - chance
            curvature += chance * (1 - chance)
        value += max(-2.0, min(2.0, slope / curvature))
    return value
