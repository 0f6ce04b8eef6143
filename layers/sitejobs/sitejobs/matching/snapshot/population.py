"""Reads what scoring needs from the site's tables, in key ranges, as columns.

Names and free text never leave the database: a place name, a trait key or an answer travels as a 64-bit hash,
because scoring only asks whether two are equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.chances import MOST_EFFECT, MOST_PRICE
from sitejobs.matching.scoring.parameters import STANDARD, Parameters
from sitejobs.matching.snapshot.exclusions import IN_RANGE
from sitejobs.matching.snapshot.exclusions import given as given_about_pairs
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes, hashes_of_users
from sitejobs.matching.snapshot.population_sql import (
    GENDERS,
    GENDERS_GIVEN,
    IN_LIST,
    READ_USERS,
    TYPES,
    USER_TYPES,
    queries,
)
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.postgres.columns import Column, fetch_columns

RANGE_USERS = 200_000
"""Users read by one round of queries. array_agg holds at most 1 GB; their traits are the largest column."""

_BEGIN: Final[LiteralString] = """SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"""
_ALONE: Final[LiteralString] = """SET LOCAL max_parallel_workers_per_gather = 0"""
"""Parallel workers take much processor time and save little waiting: all rows end in one array anyway."""

OF_RESULTS = ("vectors", "answers")
"""Fields of what the quiz results hold."""


@dataclass(frozen=True)
class Population:
    """Columns as the database gave them; `users` ascending by id, the others in any order.

    `users` holds every undeleted user; `hasProfile` is 0 for one without an undeleted profile. -1 and NaN stand for
    missing values. `updatedAt` is in seconds since 1970, `distance` in km, `age` in whole years at the run's date.
    `excluded` and `liked` have hashes of those who are no candidates of the user, `liked` what likes and dislikes say.
    """

    users: dict[str, Column]
    traits: dict[str, Column]
    interests: dict[str, Column]
    received: dict[str, Column]
    given: dict[str, Column]
    results: dict[str, Column]
    vectors: dict[str, Column]
    answers: dict[str, Column]
    liked: dict[str, Column]
    excluded: dict[str, Column]
    effects: dict[str, Column]


def read_population(
    connection: Connection,
    now: datetime,
    user_id: int | None = None,
    parameters: Parameters = STANDARD,
    kept: KeptQuizzes | None = None,
) -> Population:
    """Read all users, or one, as of one moment.

    `connection` must not be inside a transaction: all queries share one read-only snapshot of the database.
    `kept`: results whose vectors and answers need not be read.
    """
    first, last = (MIN_ID, MAX_ID) if user_id is None else (user_id, user_id)
    return read_range(connection, now, first, last, parameters, kept)


def read_range(
    connection: Connection,
    now: datetime,
    first: int,
    last: int,
    parameters: Parameters = STANDARD,
    kept: KeptQuizzes | None = None,
) -> Population:
    """Read the users of a key range as `read_population` does."""
    with connection.transaction():
        begin(connection)
        return read_as_seen(connection, now, first, last, parameters, kept)


def begin(connection: Connection) -> None:
    """Let the transaction that has just begun see one moment, and take no second processor."""
    connection.execute(_BEGIN)
    connection.execute(_ALONE)


def read_as_seen(
    connection: Connection, now: datetime, first: int, last: int, parameters: Parameters, kept: KeptQuizzes | None
) -> Population:
    """The same as the transaction of `connection` sees them."""
    parts = list(_read_ranges(connection, now, first, last, parameters, kept))
    return Population(**{name: joined([part[name] for part in parts]) for name in ("users", *TYPES)})


def read_users(connection: Connection, now: datetime, ids: Indices) -> Population:
    """Read these users as the transaction of `connection` sees them, but for whom they do not see, and for models."""
    given: dict[str, Any] = of_users(now) | {"ids": ids, "limit": None}
    users = once(fetch_columns(connection, READ_USERS.replace(IN_RANGE, IN_LIST), given, USER_TYPES))
    part = {"users": users}
    for name, query in queries(connection).items():
        types, wanted = TYPES[name], name not in ("liked", "excluded", "effects")
        query = query.replace(IN_RANGE, IN_LIST)
        part[name] = fetch_columns(connection, query, given, types) if wanted else _no_rows(types)
    for name in ("received", "given"):
        part[name] = of_these_profiles(part[name], users)
    return Population(**part)


def read_everybody(connection: Connection, now: datetime) -> dict[str, Column]:
    """The users of a `Population`, all of them, as the transaction of `connection` sees them."""
    given: dict[str, Any] = of_users(now) | {"first": MIN_ID, "last": MAX_ID, "limit": None}
    return once(fetch_columns(connection, READ_USERS, given, USER_TYPES))


def _no_rows(types: dict[str, str]) -> dict[str, Column]:
    return {name: np.empty(0, np.dtype(kind.replace("int", "i").replace("float", "f"))) for name, kind in types.items()}


def of_users(now: datetime) -> dict[str, Any]:
    """What `READ_USERS` takes beside whom to read."""
    return {"genders": list(GENDERS), "given": GENDERS_GIVEN, "today": now.date()}


def of_run(parameters: Parameters, now: datetime) -> dict[str, Any]:
    """What the statements of `queries` take beside whom to read."""
    model = None if parameters.model is None else parameters.model.model_id
    of_model = {"model": model, "most": MOST_EFFECT, "most_price": MOST_PRICE}
    return given_about_pairs(parameters, now) | of_model


def _read_ranges(
    connection: Connection, now: datetime, first: int, last: int, parameters: Parameters, kept: KeptQuizzes | None
) -> Iterator[dict[str, dict[str, Column]]]:
    params: dict[str, Any] = of_users(now) | {"limit": RANGE_USERS}
    given, texts = of_run(parameters, now), queries(connection)
    while True:
        users = fetch_columns(connection, READ_USERS, params | {"first": first, "last": last}, USER_TYPES)
        whole = len(users["id"]) < RANGE_USERS
        keys = given | {"first": first, "last": last if whole else int(users["id"][-1])}
        users = once(users)
        part = {"users": users}
        for name, types in TYPES.items():
            query = texts[name]
            if kept and name in OF_RESULTS:
                keys, query = keys | {"ids": not_kept(part["results"], kept)}, query.replace(IN_RANGE, IN_LIST)
            part[name] = fetch_columns(connection, query, keys, types)
        for name in ("received", "given"):
            part[name] = of_these_profiles(part[name], users)
        yield part
        if keys["last"] == last:
            return
        first = keys["last"] + 1


def not_kept(results: dict[str, Column], kept: KeptQuizzes) -> Indices:
    """Users with results that have to be read."""
    ids, hashes = hashes_of_users(results)
    return ids[~kept.holds(ids, hashes)]


def once(users: dict[str, Column]) -> dict[str, Column]:
    """The first row of each user: the profile and preferences that count."""
    first = np.ones(len(users["id"]), bool)
    first[1:] = users["id"][1:] != users["id"][:-1]
    return users if first.all() else {name: column[first] for name, column in users.items()}


def of_these_profiles(ratings: dict[str, Column], users: dict[str, Column]) -> dict[str, Column]:
    """The ratings of the profiles that count, not of a user's other profiles."""
    kept = np.isin(ratings["profileId"], users["profileId"][users["hasProfile"] == 1])
    return {name: column[kept] for name, column in ratings.items()}


def joined(parts: list[dict[str, Column]]) -> dict[str, Column]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
