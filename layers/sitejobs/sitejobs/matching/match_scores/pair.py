"""One pair explained: all parts of its score, both sides' preferences, and why it is no match if it is none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.match_scores import visibility
from sitejobs.matching.match_scores.place import joined, place_of
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.snapshot.encoding import encode, make_dictionaries
from sitejobs.matching.snapshot.exclusions import Excluded, excluded
from sitejobs.matching.snapshot.population import read_population

_READ_RANK: Final[LiteralString] = """
SELECT COALESCE(array_position("candidateUserId", %(candidate)s::bigint), 0), cardinality("candidateUserId")
FROM "MatchCandidates" WHERE "userId" = %(viewer)s
"""
"""The rank of a candidate in the stored matches of a viewer, 0 if it is none of them, and how many they are."""


@dataclass(frozen=True)
class Preferences:
    """Which preferences of one side the other meets; None where there is no such preference."""

    gender: bool | None
    age: bool | None
    distance: bool | None


@dataclass(frozen=True)
class Explained:
    """What is to say of a pair, as of now.

    obstacles : why there is no match, in words; none if there may be one.
    pair, viewer_wants, candidate_wants : None where one of the two has no profile.
    rank : among the stored matches of the viewer, 0 if it is none of `matches`; None without stored ones.
    place : where the candidate stands as of now, and among how many, if it may be a match but is none that is stored.
    """

    obstacles: list[str]
    pair: Pairs | None
    viewer_wants: Preferences | None
    candidate_wants: Preferences | None
    rank: int | None
    matches: int
    place: tuple[int, int] | None = None


def explain(connection: Connection, viewer: int, candidate: int, now: datetime, parameters: Parameters) -> Explained:
    """Explain the pair of two user ids, from what stands in the tables now."""
    users = _encoded(connection, (viewer, candidate), now, parameters)
    ids = np.array([viewer, candidate], np.int64)
    obstacles = _absent(connection, ids, users)
    row = connection.execute(_READ_RANK, {"viewer": viewer, "candidate": candidate}).fetchone()
    rank, matches = (None, 0) if row is None else (int(row[0]), int(row[1]))
    if len(users) < len(ids):
        return Explained(obstacles, None, None, None, rank, matches)
    mine, theirs = (np.flatnonzero(users.ids == user_id) for user_id in (viewer, candidate))
    barred, seconds = excluded(connection, ids[:1], parameters, now), now.timestamp()
    likes = np.isin(ids[1:], barred.admirer)
    pair = judge_pairs(users, users, mine, theirs, seconds, parameters, admirers=likes)
    back = judge_pairs(users, users, theirs, mine, seconds, parameters)
    obstacles += _between(barred, candidate)
    if pair.barred.any():
        obstacles.append(f"user {candidate} looks for other genders than that of user {viewer}")
    found = Explained(obstacles, pair, _wants(users, mine, pair), _wants(users, theirs, back), rank, matches)
    if obstacles or rank is None or rank > 0:
        return found
    return replace(found, place=place_of(connection, pair, (viewer, candidate), barred, now, parameters))


def _encoded(connection: Connection, ids: Sequence[int], now: datetime, parameters: Parameters) -> Users:
    """Those of the users who are undeleted and have a profile."""
    read = [read_population(connection, now, user_id, parameters) for user_id in sorted(ids)]
    population = joined(read)
    return encode(population, make_dictionaries(population), parameters)


def _absent(connection: Connection, ids: Indices, users: Users) -> list[str]:
    """Who of the two is not there to be matched."""
    deleted = set(visibility.deleted_users(connection, ids).tolist())
    found = [f"user {user_id} does not exist, or is deleted" for user_id in ids.tolist() if user_id in deleted]
    found += [
        f"user {user_id} has no profile" for user_id in np.setdiff1d(ids, users.ids).tolist() if user_id not in deleted
    ]
    if (users.ids[~users.visible] == ids[1]).any():
        found.append(f"the profile of user {ids[1]} is hidden")
    return found


def _between(barred: Excluded, candidate: int) -> list[str]:
    """What stands between a user and the candidate; of a block not by whom."""
    decided = barred.decided[barred.other == candidate]
    blocks = ["blocked"] if (~decided).any() else []
    return blocks + (["decided: one of them said what it thinks of the other, or they talk"] if decided.any() else [])


def _wants(users: Users, rows: Indices, pair: Pairs) -> Preferences:
    row = int(rows[0])
    ages = users.age_min[row] != MISSING or users.age_max[row] != MISSING
    return Preferences(
        gender=bool(pair.gender_ok[0]) if users.wants[row] else None,
        age=bool(pair.age_ok[0]) if ages else None,
        distance=None if np.isnan(users.distance[row]) else bool(pair.distance_ok[0]),
    )
