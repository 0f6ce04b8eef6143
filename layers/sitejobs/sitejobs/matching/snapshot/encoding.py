"""Encodes the database's columns as `Users`: codes, unit vectors, and hashes of what each side of a score reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.codes import codes_of, directions, pair_codes, rows_of, unit_rows
from sitejobs.matching.scoring.parameters import EFFECT_DECIMALS, SLACK, Learned, Parameters
from sitejobs.matching.scoring.ragged import Ragged, grouped
from sitejobs.matching.scoring.users import MISSING, Dictionaries, Users
from sitejobs.matching.snapshot.exclusions import hashes_of
from sitejobs.matching.snapshot.hashing import Hash, mixed, summed
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes, Quizzes, result_hashes
from sitejobs.matching.snapshot.population import Population
from sitejobs.postgres.columns import Column


def make_dictionaries(population: Population, kept: KeptQuizzes | None = None) -> Dictionaries:
    """Codes for all traits, interests, quizzes, questions and answers of the population, the `kept` ones included."""
    return counted_dictionaries(population, kept)[0]


def counted_dictionaries(population: Population, kept: KeptQuizzes | None = None) -> tuple[Dictionaries, Indices]:
    """Codes as `make_dictionaries` gives them, and how many users have each interest."""
    pairs = np.stack([population.interests["subjectId"], population.interests["interestId"]], axis=1)
    interests, counts = _counted(pairs, np.ones(len(pairs), np.int64))
    questions, answers = kept.in_use(population.results) if kept else (pairs[:0, 0], pairs[:0, 0])
    dictionaries = Dictionaries(
        traits=np.unique(population.traits["key"]),
        interests=interests,
        quizzes=np.unique(population.results["quizId"]),
        questions=np.unique(np.concatenate([questions, population.answers["question"]])),
        answers=np.unique(np.concatenate([answers, population.answers["answer"]])),
        popularity=_popularity(counts),
    )
    return dictionaries, counts


def merged_dictionaries(parts: Sequence[tuple[Dictionaries, Indices]]) -> Dictionaries:
    """The dictionaries of a population, from those of its parts and the numbers of users who have each interest."""
    interests, counts = _counted(
        np.concatenate([dictionaries.interests for dictionaries, _ in parts]),
        np.concatenate([counts for _, counts in parts]),
    )
    found = {
        name: np.unique(np.concatenate([getattr(dictionaries, name) for dictionaries, _ in parts]))
        for name in ("traits", "quizzes", "questions", "answers")
    }
    return Dictionaries(interests=interests, popularity=_popularity(counts), **found)


def _counted(pairs: Indices, counts: Indices) -> tuple[Indices, Indices]:
    """(n, 2) pairs -> the different ones in ascending order, and the sum of each one's counts."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[order]
    first = np.ones(len(pairs), bool)
    first[1:] = (np.diff(pairs, axis=0) != 0).any(axis=1)
    starts = np.flatnonzero(first)
    return pairs[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts[:0]


def _popularity(counts: Indices) -> NDArray[np.int32]:
    """The rank of each interest, 0 for the one that most users have."""
    popularity = np.empty(len(counts), np.int32)
    popularity[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return popularity


def encode(
    population: Population, dictionaries: Dictionaries, parameters: Parameters, kept: KeptQuizzes | None = None
) -> Users:
    """The users with a profile, by ascending id. `kept`: as the population was read with.

    The dictionaries may come from another population: what they lack counts, but is shared with nobody.
    """
    there = population.users["hasProfile"] == 1
    users = {name: column[there] for name, column in population.users.items()}
    ids = users["id"]
    profile = _profile(users)
    traits, trait_count, trait_hash = _traits(population.traits, ids, dictionaries)
    interests, interest_count, interest_hash = _interests(population.interests, ids, dictionaries)
    results, latest, quizzes = _quizzes(population, ids, dictionaries, kept)
    averages, rating_count, gets = _ratings(population.received, ids)
    given_averages, _, gives = _ratings(population.given, ids)
    quality = np.where(rating_count >= parameters.min_ratings, averages.mean(axis=1) / 5, 0.5)
    effects = _effects(population.effects, ids, averages, rating_count, parameters.model)
    both = mixed(*profile["xyz"].T, users["place"], trait_hash, interest_hash, results.hash, *effects.values())
    received = mixed(rating_count, *averages.T)
    return Users(
        **profile,
        **effects,
        quality=quality.astype(np.float32),
        averages=averages.astype(np.float32),
        rating_count=rating_count,
        gives=gives.astype(np.float32),
        gets=gets.astype(np.float32),
        traits=traits,
        trait_count=trait_count,
        interests=interests,
        interest_count=interest_count,
        quiz=results.quiz,
        latest=latest,
        **vars(quizzes),
        quiz_hash=results.hash,
        **_hashes(population, users, both, received, mixed(*given_averages.T), parameters),
    )


def _effects(
    table: dict[str, Column], ids: Indices, averages: Floats, count: NDArray[np.int32], model: Learned | None
) -> dict[str, Any]:
    """What the model says of each user. Whom it does not know is as everybody, with the appeal that ratings give."""
    owners, known = rows_of(table["userId"], ids)
    found: dict[str, Any] = {name: np.zeros(len(ids), np.float32) for name in ("selectivity", "appeal", "price")}
    if model is not None:
        means = np.array(model.means)
        sums = np.nan_to_num(averages) * count[:, None]
        standing = (sums + SLACK * means) / (count[:, None] + SLACK) - means
        found["appeal"] = (standing @ np.array(model.taste)).round(EFFECT_DECIMALS).astype(np.float32)
    for name, column in found.items():
        column[owners[known]] = table[name][known]
    return found


def _hashes(
    population: Population, users: dict[str, Column], both: Hash, received: Hash, given: Hash, parameters: Parameters
) -> dict[str, Any]:
    """The hashes of `Users`. `both`: of what either side of a score reads."""
    wishes = mixed(users["wants"], users["ageMin"], users["ageMax"], users["distance"])
    excluded = hashes_of(population.excluded, users["id"]) + hashes_of(population.liked, users["id"])
    lasting = mixed(both, users["gender"], users["age"], users["visible"], received)
    viewer = mixed(both, wishes, excluded, given)
    if parameters.mutual or parameters.model:
        # Each side's preferences are asked about the other's gender and age, and a model asks how far ages are apart.
        lasting, viewer = mixed(lasting, wishes), mixed(viewer, users["gender"], users["age"])
    return {
        "excluded_hash": excluded,
        "viewer_hash": viewer,
        "candidate_hash": mixed(lasting, users["updatedAt"]),
        "lasting_hash": lasting,
    }


def _profile(users: dict[str, Column]) -> dict[str, Any]:
    """The fields of `Users` that come from a user's own row, profile and preferences."""
    return {
        "ids": users["id"],
        "visible": users["visible"] == 1,
        "xyz": unit_vectors(users["lat"], users["lng"]),
        "place": users["place"],
        "gender": users["gender"].astype(np.int8),
        "age": np.maximum(users["age"], MISSING),
        "updated_at": users["updatedAt"],
        "wants": users["wants"],
        "age_min": users["ageMin"],
        "age_max": users["ageMax"],
        "distance": np.where(np.isinf(users["distance"]), np.nan, users["distance"]),
    }


def unit_vectors(lat: Floats, lng: Floats) -> Floats:
    """(n,) degrees -> (n, 3) unit vectors, NaN where a coordinate is missing or out of range.

    Equal places have equal vectors: a pole is one point, and 180 W is 180 E.
    """
    valid = (np.abs(lat) <= 90) & (np.abs(lng) <= 180)
    lng = np.where(np.abs(lat) == 90, 0.0, np.where(lng == -180, 180.0, lng))
    phi, theta = np.radians(np.where(valid, lat, np.nan)), np.radians(np.where(valid, lng, np.nan))
    return np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], axis=1)


def _traits(
    table: dict[str, Column], ids: Indices, dictionaries: Dictionaries
) -> tuple[NDArray[np.float32], NDArray[np.int32], Hash]:
    owners, known = rows_of(table["userId"], ids)
    owners, keys, values = owners[known], table["key"][known], table["value"][known]
    largest = np.zeros(len(ids))
    np.maximum.at(largest, owners, np.abs(values))
    scale = np.where(largest > 0, largest, 1.0)
    matrix = np.full((len(ids), len(dictionaries.traits)), np.nan, np.float32)
    codes = codes_of(keys, dictionaries.traits)
    coded = codes != MISSING
    matrix[owners[coded], codes[coded]] = (values / scale[owners])[coded]
    count = np.bincount(owners, minlength=len(ids)).astype(np.int32)
    return matrix, count, summed(owners, mixed(keys, values), len(ids))


def _interests(
    table: dict[str, Column], ids: Indices, dictionaries: Dictionaries
) -> tuple[Ragged, NDArray[np.int32], Hash]:
    owners, known = rows_of(table["userId"], ids)
    owners, subjects, interests = owners[known], table["subjectId"][known], table["interestId"][known]
    count = np.bincount(owners, minlength=len(ids)).astype(np.int32)
    codes = pair_codes(subjects, interests, dictionaries.interests)
    coded = np.flatnonzero(codes != MISSING)
    coded = coded[np.lexsort((codes[coded], owners[coded]))]
    sets = grouped(owners[coded], codes[coded].astype(np.int32), len(ids))
    return sets, count, summed(owners, mixed(subjects, interests), len(ids))


def _ratings(table: dict[str, Column], ids: Indices) -> tuple[Floats, NDArray[np.int32], Floats]:
    """Averages (n, 4), number of ratings (n,), and the averages' direction about their own mean (n, 4)."""
    owners, known = rows_of(table["userId"], ids)
    averages = np.full((len(ids), 4), np.nan)
    found = np.stack([table[name] for name in ("attractive", "smart", "funny", "interesting")], axis=1)
    averages[owners[known]] = found[known]
    count = np.zeros(len(ids), np.int32)
    count[owners[known]] = table["count"][known]
    return averages, count, directions(averages)


@dataclass(frozen=True)
class _Results:
    """The r quiz results of n users whose quiz has a code, by user and code.

    quiz : codes of the quizzes by user.
    keys : (r,) user's row and quiz's code in one ascending number. hash: (n,) of all results of the user.
    """

    quiz: Ragged
    keys: Indices
    hash: Hash

    def rows(self, table: dict[str, Column], ids: Indices, dictionaries: Dictionaries) -> tuple[Indices, Indices]:
        """For each row of `table` the index of its result, and which rows have one."""
        users, known = rows_of(table["userId"], ids)
        codes = codes_of(table["quizId"], dictionaries.quizzes)
        found, there = rows_of(users * len(dictionaries.quizzes) + codes, self.keys)
        return found, np.flatnonzero(known & (codes != MISSING) & there)


def _quizzes(
    population: Population, ids: Indices, dictionaries: Dictionaries, kept: KeptQuizzes | None
) -> tuple[_Results, NDArray[np.int32], Quizzes]:
    """The results, the index of each user's latest, and what is known of each.

    The hash is of raw values, not of codes: codes differ from one snapshot to the next.
    """
    results = _coded_results(population.results, ids, dictionaries)
    latest = _latest(population.results, results, ids, dictionaries)
    vectors = _vectors(population.vectors, results, ids, dictionaries)
    quizzes = Quizzes(vectors, *_answers(population.answers, results, ids, dictionaries))
    if kept:
        quizzes = kept.merged(quizzes, kept.rows(ids, results.quiz, results.hash), dictionaries)
    return results, latest, quizzes


def _coded_results(table: dict[str, Column], ids: Indices, dictionaries: Dictionaries) -> _Results:
    owners, known = rows_of(table["userId"], ids)
    codes = codes_of(table["quizId"], dictionaries.quizzes)
    order = np.flatnonzero(known & (codes != MISSING))
    order = order[np.lexsort((codes[order], owners[order]))]
    owners, hashes = owners[order], result_hashes(table)[order]
    quiz = grouped(owners, codes[order].astype(np.int32), len(ids))
    keys = owners * len(dictionaries.quizzes) + quiz.values
    return _Results(quiz, keys, summed(owners, hashes, len(ids)))


def _latest(table: dict[str, Column], results: _Results, ids: Indices, dictionaries: Dictionaries) -> NDArray[np.int32]:
    """Index of each user's most recent result among the user's, of equally recent ones the one of the higher quiz id.

    MISSING without a result, and where the dictionaries lack its quiz: then nobody else has a result of it.
    """
    owners, known = rows_of(table["userId"], ids)
    by_time = np.flatnonzero(known)
    by_time = by_time[np.lexsort((table["quizId"][by_time], table["updatedAt"][by_time], owners[by_time]))]
    code = np.full(len(ids), MISSING)
    code[owners[by_time]] = codes_of(table["quizId"][by_time], dictionaries.quizzes)
    at, found = rows_of(np.arange(len(ids)) * len(dictionaries.quizzes) + code, results.keys)
    return np.where((code != MISSING) & found, at - results.quiz.offsets[:-1], MISSING).astype(np.int32)


def _vectors(table: dict[str, Column], results: _Results, ids: Indices, dictionaries: Dictionaries) -> Ragged:
    rows, order = results.rows(table, ids, dictionaries)
    order = order[np.lexsort((table["position"][order], rows[order]))]
    result, values, count = rows[order], table["value"][order], len(results.keys)
    return grouped(result, unit_rows(result, values, count).astype(np.float32), count)


def _answers(
    table: dict[str, Column], results: _Results, ids: Indices, dictionaries: Dictionaries
) -> tuple[Ragged, Ragged]:
    rows, order = results.rows(table, ids, dictionaries)
    codes = codes_of(table["question"], dictionaries.questions)
    order = order[np.lexsort((codes[order], rows[order]))]
    result = rows[order]
    answers = grouped(
        result, codes_of(table["answer"][order], dictionaries.answers).astype(np.int32), len(results.keys)
    )
    questions = grouped(result, codes[order].astype(np.int32), len(results.keys))
    return answers, questions
