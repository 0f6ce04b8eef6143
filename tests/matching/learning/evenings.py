"""A site made of speed dates: on each evening every woman meets every man, both decide and rate the other.

What people like is planted, so that tests know who should be found.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql

from sitejobs.matching.learning.training import sigmoid

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KINDS = 4


@dataclass(frozen=True)
class Evenings:
    """n people, ids 1..n, and d decisions. viewer, candidate : (d,) indices; liked : (d,); at : (d,) days before NOW.

    ratings : (d, 4) the viewer's of the candidate. log_odds : (d,) of a yes, as planted.
    """

    female: NDArray[np.bool_]
    age: NDArray[np.int64]
    interests: NDArray[np.bool_]
    viewer: NDArray[np.int64]
    candidate: NDArray[np.int64]
    liked: NDArray[np.bool_]
    days: NDArray[np.float64]
    ratings: NDArray[np.int64]
    log_odds: NDArray[np.float64]

    @property
    def people(self) -> int:
        return len(self.female)


def evenings(seed: int, number: int = 21, most: int = 20) -> Evenings:
    """Draw so many evenings of 6 to `most` people of each gender."""
    random = np.random.default_rng(seed)
    sizes = random.integers(6, most + 1, (number, 2))
    people = int(sizes.sum())
    female = np.concatenate([np.repeat([True, False], size) for size in sizes])
    evening = np.repeat(np.arange(number), sizes.sum(axis=1))
    selectivity, appeal = random.normal(0, 1.1, people), random.normal(0, 0.9, people)
    age = np.clip(random.normal(26, 3.5, people), 18, 45).astype(np.int64)
    interests = random.random((people, 20)) < random.uniform(0.2, 0.6, 20)
    viewer, candidate = np.nonzero((evening[:, None] == evening) & (female[:, None] != female))
    both = (interests[viewer] & interests[candidate]).sum(axis=1)
    either = (interests[viewer] | interests[candidate]).sum(axis=1)
    gap = np.abs(age[viewer] - age[candidate])
    odds = -0.3 + selectivity[viewer] + appeal[candidate] + 1.2 * (both / np.maximum(either, 1) - 0.3) - 0.05 * gap
    liked = random.random(len(viewer)) < sigmoid(odds)
    impression = appeal[candidate] + 0.6 * (liked - 0.4) + random.normal(0, 0.6, len(viewer))
    ratings = np.clip(
        np.rint(
            3 + np.array([0.7, 0.3, 0.5, 0.4]) * impression[:, None] + random.normal(0, 0.6, (len(viewer), KINDS))
        ).astype(np.int64),
        1,
        5,
    )
    days = (number - evening[viewer]) * 7 + random.random(len(viewer))
    return Evenings(female, age, interests, viewer, candidate, liked, days, ratings, odds)


def load(connection: Connection, dates: Evenings, known: NDArray[np.bool_], *, people: bool = True) -> None:
    """Write the people, unless they are there, and the `known` decisions and ratings."""
    ids = range(1, dates.people + 1)
    rows: dict[str, tuple[str, list[Any]]] = {
        "User": ('"id"', [(i,) for i in ids]),
        "Profile": (
            '"id", "userId", "gender", "birthdate", "locationText", "isVisible"',
            [
                (
                    i + 5000,
                    i,
                    "FEMALE" if dates.female[i - 1] else "MALE",
                    NOW.date().replace(year=NOW.year - int(dates.age[i - 1])),
                    "New York",
                    True,
                )
                for i in ids
            ],
        ),
        "UserPreference": (
            '"userId", "preferredGenders"',
            [(i, '["MALE"]' if dates.female[i - 1] else '["FEMALE"]') for i in ids],
        ),
        "InterestSubject": ('"id", "key", "label"', [(1, "s", "subject")]),
        "Interest": ('"id", "subjectId", "key", "label"', [(k, 1, f"i{k}", "interest") for k in range(20)]),
        "UserInterest": (
            '"userId", "subjectId", "interestId"',
            [(int(i) + 1, 1, int(k)) for i, k in zip(*np.nonzero(dates.interests), strict=True)],
        ),
        "Like": ('"fromUserId", "toUserId", "action", "createdAt"', _likes(dates, known)),
        "ProfileRating": (
            '"raterProfileId", "targetProfileId", "attractive", "smart", "funny", "interesting", "createdAt"',
            [
                (int(dates.viewer[d]) + 5001, int(dates.candidate[d]) + 5001, *dates.ratings[d].tolist(), _at(dates, d))
                for d in np.flatnonzero(known).tolist()
            ],
        ),
    }
    with connection.transaction():
        for table in rows if people else ("Like", "ProfileRating"):
            columns, values = rows[table]
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(columns))
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for row in values:
                    copy.write_row(row)
    connection.execute("ANALYZE")  # as the server does by itself after some time: without, a run takes a third longer


def _likes(dates: Evenings, known: NDArray[np.bool_]) -> list[Any]:
    return [
        (int(dates.viewer[d]) + 1, int(dates.candidate[d]) + 1, "LIKE" if dates.liked[d] else "DISLIKE", _at(dates, d))
        for d in np.flatnonzero(known).tolist()
    ]


def _at(dates: Evenings, decision: int) -> datetime:
    return NOW - timedelta(days=float(dates.days[decision]))
