"""The site as the description of the jobs reads it: people, and what counts where the tables hold odd data.

Nothing of the package is imported here, so that a mistake of the jobs is not repeated.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
"""Stands for a missing or unusable time: older than every usable one."""

Ratings = tuple[float, float, float, float]
Interest = tuple[int, int]  # subjectId, interestId


@dataclass(frozen=True)
class QuizResult:
    quiz_id: int
    answers: Any
    score_vec: Any
    updated_at: datetime


@dataclass
class Person:
    """An undeleted user, with all that a score depends on."""

    user_id: int
    has_profile: bool = False
    is_visible: bool = False
    birthdate: date | None = None
    location_text: str | None = None
    lat: float | None = None
    lng: float | None = None
    gender: str | None = None
    updated_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    preferred_age_min: float | None = None
    preferred_age_max: float | None = None
    preferred_distance_km: float | None = None
    preferred_genders: Any = None
    traits: dict[str, float] = field(default_factory=dict)  # effective values
    quizzes: dict[int, QuizResult] = field(default_factory=dict)
    interests: set[Interest] = field(default_factory=set)
    received: list[Ratings] = field(default_factory=list)
    given: list[Ratings] = field(default_factory=list)


@dataclass(frozen=True)
class Like:
    """Somebody's word on somebody else."""

    by: int
    of: int
    action: str
    at: datetime


@dataclass
class Site:
    """People by user id, who blocked whom, what they said of each other, and who is matched or talking."""

    people: dict[int, Person]
    blocks: set[tuple[int, int]]
    likes: list[Like] = field(default_factory=list)
    together: set[tuple[int, int]] = field(default_factory=set)


# Odd values are read as text and judged here. Of several profiles of one user the last one read counts.
_PEOPLE = """
SELECT u."id", p."userId" IS NOT NULL, p."isVisible", p."birthdate"::text, p."locationText", p."lat"::text,
       p."lng"::text, p."gender"::text, p."updatedAt"::text, f."preferredAgeMin"::text, f."preferredAgeMax"::text,
       f."preferredDistanceKm"::text, f."preferredGenders", f."updatedAt"::text
FROM "User" u
LEFT JOIN "Profile" p ON p."userId" = u."id" AND p."deletedAt" IS NULL
LEFT JOIN "UserPreference" f ON f."userId" = u."id"
WHERE u."deletedAt" IS NULL
ORDER BY p."id"
"""
_TRAITS = """SELECT "userId", "traitKey", "value"::float8, "n" FROM "UserTrait" """
_QUIZZES = """SELECT "userId", "quizId", "answers"::text, "scoreVec"::text, "updatedAt"::text FROM "QuizResult" """
_INTERESTS = """SELECT "userId", "subjectId", "interestId" FROM "UserInterest" """
_RATINGS = """
SELECT "raterProfileId", "targetProfileId", "attractive"::text, "smart"::text, "funny"::text, "interesting"::text,
       "createdAt"::text
FROM "ProfileRating"
"""
_PROFILES = """SELECT "id", "userId", "deletedAt" IS NULL FROM "Profile" ORDER BY 3, 1"""
_BLOCKS = """SELECT "blockerId", "blockedId" FROM "UserBlock" """
_LIKES = """SELECT "fromUserId", "toUserId", "action"::text, "createdAt"::text FROM "Like" """
_TOGETHER = """
SELECT "userAId", "userBId" FROM "Match" WHERE "state" = 'ACTIVE' UNION SELECT "userAId", "userBId" FROM "Conversation"
"""


def read_site(connection: Connection) -> Site:
    """Read the whole site as it is now."""
    people: dict[int, Person] = {}
    preferred: dict[int, datetime] = {}
    for row in connection.execute(_PEOPLE):
        known = people.get(row[0])
        person = people[row[0]] = Person(row[0])
        if row[1]:
            birthdate, updated_at = moment(row[3]), moment(row[8])
            person.has_profile, person.is_visible = True, row[2]
            person.birthdate = birthdate.date() if birthdate else None
            person.location_text, person.lat, person.lng, person.gender = row[4], number(row[5]), number(row[6]), row[7]
            person.updated_at = updated_at or LONG_AGO
        since = moment(row[13]) or LONG_AGO
        if known and preferred[row[0]] > since:
            _copy_preferences(person, known)
        else:
            _read_preferences(person, row[9:13])
            preferred[row[0]] = since
    _read_answers(connection, people)
    _read_ratings(connection, people)
    blocks = {(row[0], row[1]) for row in connection.execute(_BLOCKS)}
    likes = [
        Like(by, of, action, moment(at) or LONG_AGO)
        for by, of, action, at in connection.execute(_LIKES)
        if None not in (by, of, action)
    ]
    together = {pair for a, b in connection.execute(_TOGETHER) for pair in ((a, b), (b, a))}
    return Site(people, blocks, likes, together)


def moment(text: str | None) -> datetime | None:
    """The time in UTC, None where it is missing or outside the years 1 to 9999."""
    if text is None or "infinity" in text or text.endswith("BC") or len(text.split("-")[0]) > 4:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def number(text: str | None) -> float | None:
    """The number, None where it is missing, not finite or beyond 1e300."""
    value = None if text is None else float(text)
    return value if value is not None and abs(value) <= 1e300 else None


def _read_answers(connection: Connection, people: dict[int, Person]) -> None:
    for user_id, key, value, n in connection.execute(_TRAITS):
        if user_id in people and not math.isnan(value):
            people[user_id].traits[key] = value * min(max(n, 0) / 5, 1)
    for user_id, quiz_id, answers, vector, updated_at in connection.execute(_QUIZZES):
        if user_id in people and quiz_id is not None:
            result = QuizResult(quiz_id, _parse(answers), _parse(vector), moment(updated_at) or LONG_AGO)
            known = people[user_id].quizzes.get(quiz_id)
            if known is None or known.updated_at < result.updated_at:
                people[user_id].quizzes[quiz_id] = result
    for user_id, subject_id, interest_id in connection.execute(_INTERESTS):
        if user_id in people and subject_id is not None and interest_id is not None:
            people[user_id].interests.add((subject_id, interest_id))


def _read_ratings(connection: Connection, people: dict[int, Person]) -> None:
    """Ratings of one profile a user: the last undeleted one, or the last deleted one where all are deleted."""
    profiles = connection.execute(_PROFILES).fetchall()
    counting = {user_id: profile_id for profile_id, user_id, _ in profiles}
    owner = {profile_id: user_id for user_id, profile_id in counting.items()}
    latest: dict[tuple[int, int], tuple[datetime, Ratings]] = {}
    for rater, target, *texts, created_at in connection.execute(_RATINGS):
        stars = [number(text) for text in texts]
        if rater is None or target is None or not all(star is not None and 1 <= star <= 5 for star in stars):
            continue
        a, b, c, d = (star for star in stars if star is not None)
        entry = (moment(created_at) or LONG_AGO, (a, b, c, d))
        latest[rater, target] = max(latest.get((rater, target), entry), entry)
    for (rater, target), (_, rating) in latest.items():
        if owner.get(rater) in people:
            people[owner[rater]].given.append(rating)
        if owner.get(target) in people:
            people[owner[target]].received.append(rating)


def _read_preferences(person: Person, row: Iterable[Any]) -> None:
    age_min, age_max, distance, genders = row
    low, high, far = number(age_min), number(age_max), number(distance)
    person.preferred_age_min = None if low is None else max(low, 0)
    person.preferred_age_max = None if high is None else max(high, 0)
    person.preferred_distance_km = None if far is None else max(far, 0)
    person.preferred_genders = genders


def _copy_preferences(person: Person, other: Person) -> None:
    person.preferred_age_min, person.preferred_age_max = other.preferred_age_min, other.preferred_age_max
    person.preferred_distance_km, person.preferred_genders = other.preferred_distance_km, other.preferred_genders


def _parse(text: str | None) -> Any:
    return None if text is None else json.loads(text, parse_float=Decimal)
