"""Random columns as the database gives them of a key range, for sites that would take too long to make."""

from typing import Any

import numpy as np

from sitejobs.matching.snapshot.population import Population
from sitejobs.postgres.columns import Column

_CITIES, _TRAITS, _INTERESTS, _INTERESTS_EACH = 200, 30, 400, 10
_QUIZZES, _VECTOR, _ANSWERS = (1, 2), 8, 8
_NOW = 1.7e9


def random_columns(first: int, count: int) -> Population:
    """Users with the ids from `first` on, with 18 traits, 10 interests and 2 quizzes each, the same at every call.

    Hardly two have the same set of trait keys, which is the dearest case for a merge of parts.
    """
    rng = np.random.default_rng(first)
    ids = np.arange(first, first + count)
    return Population(
        users=_users(rng, ids),
        traits=_traits(rng, ids),
        interests=_interests(rng, ids),
        received=_ratings(rng, ids),
        given=_ratings(rng, ids),
        results={
            "userId": np.repeat(ids, len(_QUIZZES)),
            "quizId": np.tile(_QUIZZES, count),
            "updatedAt": _NOW + rng.random(len(_QUIZZES) * count) * 1e7,
            "hash": rng.integers(2**62, size=len(_QUIZZES) * count),
        },
        vectors={
            "userId": np.repeat(ids, _VECTOR),
            "quizId": np.full(_VECTOR * count, _QUIZZES[0]),
            "position": np.tile(np.arange(_VECTOR, dtype=np.int32), count),
            "value": rng.normal(0, 1, _VECTOR * count),
        },
        answers=_answers(rng, ids),
        excluded={"userId": ids[: count // 20], "hash": rng.integers(-(2**62), 2**62, count // 20)},
        liked={name: np.empty(0, np.int64) for name in ("userId", "hash")},
        effects={name: np.empty(0, kind) for name, kind in _EFFECTS.items()},
    )


_EFFECTS = {"userId": "i8", "selectivity": "f4", "appeal": "f4", "price": "f4"}


def _users(rng: np.random.Generator, ids: Any) -> dict[str, Column]:
    count, places = len(ids), np.random.default_rng(1)
    lat, lng = places.uniform(-60, 65, _CITIES), places.uniform(-179, 179, _CITIES)
    city = rng.integers(0, _CITIES, count)
    return {
        "id": ids,
        "hasProfile": (rng.random(count) < 0.96).astype(np.int16),
        "profileId": ids * 3,
        "visible": (rng.random(count) < 0.97).astype(np.int16),
        "lat": np.where(rng.random(count) < 0.9, lat[city] + rng.normal(0, 0.3, count), np.nan),
        "lng": lng[city] + rng.normal(0, 0.3, count),
        "place": city.astype(np.int64),
        "gender": rng.integers(-1, 5, count).astype(np.int16),
        "age": rng.integers(18, 80, count).astype(np.int16),
        "updatedAt": _NOW + rng.random(count) * 1e7,
        "ageMin": rng.integers(-1, 40, count).astype(np.int16),
        "ageMax": rng.integers(40, 90, count).astype(np.int16),
        "distance": np.where(rng.random(count) < 0.7, rng.integers(5, 200, count), np.nan),
        "wants": rng.integers(0, 16, count).astype(np.int16),
    }


def _traits(rng: np.random.Generator, ids: Any) -> dict[str, Column]:
    owner, trait = np.nonzero(rng.random((len(ids), _TRAITS)) < 0.6)
    keys = np.random.default_rng(2).integers(-(2**62), 2**62, _TRAITS)
    return {"userId": ids[owner], "key": keys[trait], "value": rng.normal(0, 1, len(owner))}


def _interests(rng: np.random.Generator, ids: Any) -> dict[str, Column]:
    chosen = rng.integers(0, _INTERESTS, _INTERESTS_EACH * len(ids))
    pairs = np.unique(np.stack([np.repeat(ids, _INTERESTS_EACH), chosen], axis=1), axis=0)
    return {"userId": pairs[:, 0], "subjectId": pairs[:, 1] % 9, "interestId": pairs[:, 1]}


def _ratings(rng: np.random.Generator, ids: Any) -> dict[str, Column]:
    rated = ids[rng.random(len(ids)) < 0.6]
    averages = {name: rng.uniform(1, 5, len(rated)) for name in ("attractive", "smart", "funny", "interesting")}
    counts = rng.integers(1, 20, len(rated)).astype(np.int32)
    return {"userId": rated, "profileId": rated * 3, "count": counts, **averages}


def _answers(rng: np.random.Generator, ids: Any) -> dict[str, Column]:
    each = len(_QUIZZES) * _ANSWERS
    question = np.tile(np.arange(each), len(ids))
    return {
        "userId": np.repeat(ids, each),
        "quizId": np.tile(np.repeat(_QUIZZES, _ANSWERS), len(ids)),
        "question": question * 7919,
        "answer": question * 5 + rng.integers(0, 5, len(question)),
    }
