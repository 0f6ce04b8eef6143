"""The tables User, Profile and UserPreference: everything that can be missing is missing for some."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population import words
from sitejobs_local.population.draws import Bools, Ints, log_normal, picked, spread, stream, times_between, weighted
from sitejobs_local.population.locations import located
from sitejobs_local.population.model import (
    Column,
    Kind,
    Table,
    bigints,
    booleans,
    integers,
    jsons,
    objects,
    texts,
    timestamps,
)
from sitejobs_local.population.people import GENDERS, PREFERRED_GENDERS, People

INTENTS = ("UNSPECIFIED", "FRIENDS", "CASUAL", "LONG_TERM", "MARRIAGE")
_DAY_MS = 86_400_000
_MEDIAN_IDLE_DAYS = 25
_DISTANCES_KM = np.array([5, 10, 25, 50, 80, 100, 150, 200, 300, 500])
_DISTANCE_WEIGHTS = (3, 7, 18, 30, 12, 15, 4, 5, 3, 3)


def user_tables(crowd: People, seed: int) -> list[Table]:
    """User, Profile and UserPreference."""
    deleted = picked(stream(seed, "deleted"), len(crowd), 20)
    return [_users(crowd, seed, deleted), _profiles(crowd, seed, deleted), _preferences(crowd, seed)]


def _users(crowd: People, seed: int, deleted: Bools) -> Table:
    rng = stream(seed, "User")
    columns = {
        "id": bigints(crowd.ids),
        "createdAt": timestamps(crowd.joined),
        "deletedAt": timestamps(times_between(rng, crowd.joined, crowd.now), deleted),
    }
    return Table("User", columns)


def _profiles(crowd: People, seed: int, deleted: Bools) -> Table:
    rng = stream(seed, "Profile")
    size = len(crowd)
    created = np.minimum(crowd.joined + rng.integers(1_000, 3_600_000, size).astype("m8[ms]"), crowd.now)
    # Half of the deleted users' profiles went with them, and some profiles on their own.
    profile_deleted = (deleted & (rng.integers(0, 2, size) == 0)) | picked(rng, size, 10)
    columns = {
        "id": bigints(crowd.profile_ids),
        "userId": bigints(crowd.ids),
        "displayName": texts(_names(rng, crowd)),
        "bio": texts(_bios(rng, size)),
        "avatarUrl": texts(_avatars(rng, crowd.ids)),
        "birthdate": Column(Kind.DATE, _birthdates(rng, crowd), ~picked(rng, size, 40)),
        **located(rng, crowd.place),
        "gender": texts(objects(GENDERS)[crowd.gender]),
        "intent": texts(objects(INTENTS)[weighted(rng, (10, 15, 22, 40, 13), size)]),
        "isVisible": booleans(~picked(rng, size, 40)),
        "createdAt": timestamps(created),
        "updatedAt": timestamps(_updated(rng, created, crowd.now)),
        "deletedAt": timestamps(times_between(rng, created, crowd.now), profile_deleted),
    }
    return _only("Profile", columns, crowd.profile_ids > 0)


def _preferences(crowd: People, seed: int) -> Table:
    rng = stream(seed, "UserPreference")
    size = len(crowd)
    youngest = np.maximum(18, crowd.age - 2 - rng.integers(0, 12, size))
    oldest = np.minimum(99, crowd.age + 1 + rng.integers(0, 15, size))
    # A site that did not check: the bounds the wrong way round, which nobody's age lies within.
    crossed = picked(rng, size, 2)
    # 1: no distance given, 2: a distance of 0.
    distance_kind = spread(rng, size, 200, 5)
    distances = np.where(distance_kind == 2, 0, _DISTANCES_KM[weighted(rng, _DISTANCE_WEIGHTS, size)])
    # 1: SQL's null, 2: JSON's null, 3: an empty list.
    unsaid = spread(rng, size, 80, 30, 50)
    genders = objects([None, None, "null", "[]"])[unsaid]
    genders = np.where(unsaid == 0, objects(PREFERRED_GENDERS)[crowd.preferred], genders)
    columns = {
        "userId": bigints(crowd.ids),
        "preferredAgeMin": integers(np.where(crossed, oldest, youngest), ~picked(rng, size, 120)),
        "preferredAgeMax": integers(np.where(crossed, youngest, oldest), ~picked(rng, size, 130)),
        "preferredDistanceKm": integers(distances, distance_kind != 1),
        "preferredGenders": jsons(genders),
        "updatedAt": timestamps(times_between(rng, crowd.joined, crowd.now)),
    }
    return _only("UserPreference", columns, ~picked(rng, size, 80))


def _only(name: str, columns: dict[str, Column], kept: Bools) -> Table:
    """A table of the rows that are kept."""
    chosen = {
        key: Column(column.kind, column.values[kept], None if column.present is None else column.present[kept])
        for key, column in columns.items()
    }
    return Table(name, chosen)


def _updated(rng: np.random.Generator, created: NDArray[np.datetime64], now: np.datetime64) -> NDArray[np.datetime64]:
    """Mostly in the last weeks, never before the profile was made; for a few, by a fast clock, in the future."""
    idle = log_normal(rng, len(created)) * (_MEDIAN_IDLE_DAYS * _DAY_MS // 1000)
    updated = np.maximum(now - idle.astype("m8[ms]"), created)
    ahead = picked(rng, len(created), 1)
    updated[ahead] = now + rng.integers(1, 6 * 3_600_000, int(ahead.sum())).astype("m8[ms]")
    return updated


def _names(rng: np.random.Generator, crowd: People) -> NDArray[Any]:
    """Display names; null or empty for a few."""
    size = len(crowd)
    every = (*words.NAMES_FEMALE, *words.NAMES_MALE, *words.NAMES_OPEN)
    names = objects(every)[rng.integers(0, len(every), size)]
    for gender, pool in (("MALE", words.NAMES_MALE), ("FEMALE", words.NAMES_FEMALE)):
        mask = crowd.gender == GENDERS.index(gender)
        names[mask] = objects(pool)[rng.integers(0, len(pool), int(mask.sum()))]
    forms = [form.split("{}") for form in words.NAME_FORMS]
    form = rng.integers(0, len(forms), size)
    before, after = (objects([parts[side] for parts in forms])[form] for side in (0, 1))
    return _with_gaps(rng, before + names + after, 10, 2)


def _bios(rng: np.random.Generator, size: int) -> NDArray[Any]:
    """One to three sentences; null or empty for some."""
    opening, middle, ending = (
        objects(pool)[rng.integers(0, len(pool), size)]
        for pool in (words.BIO_OPENINGS, words.BIO_MIDDLES, words.BIO_ENDINGS)
    )
    length = rng.integers(0, 10, size)
    bios = np.where(length > 2, opening + " " + middle, opening)
    bios = np.where(length > 5, bios + " " + ending, bios)
    return _with_gaps(rng, bios, 120, 20)


def _with_gaps(rng: np.random.Generator, values: NDArray[Any], nulls: int, empty: int) -> NDArray[Any]:
    """The texts, with so many of a thousand null and so many empty."""
    missing = spread(rng, len(values), nulls, empty)
    values[missing == 1] = None
    values[missing == 2] = ""
    return values


def _avatars(rng: np.random.Generator, ids: Ints) -> NDArray[Any]:
    """An address for nine users of ten."""
    avatars = objects([f"https://media.example.com/avatars/{user_id}.jpg" for user_id in ids.tolist()])
    avatars[picked(rng, len(ids), 100)] = None
    return avatars


def _birthdates(rng: np.random.Generator, crowd: People) -> NDArray[np.datetime64]:
    """A day on which somebody of that age was born: the last birthday has been, the next has not."""
    # 1461 days are four years; the offsets stay clear of both birthdays wherever the leap days fall.
    days = crowd.age * 1461 // 4 + 1 + rng.integers(0, 364, len(crowd))
    born: NDArray[np.datetime64] = crowd.now.astype("M8[D]") - days.astype("m8[D]")
    return born
