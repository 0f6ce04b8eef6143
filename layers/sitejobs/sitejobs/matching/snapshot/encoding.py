"""From the database's columns to `Users`: codes, unit vectors, and a hash of what each side of a score reads."""

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.codes import codes_of, directions, pair_codes, rows_of, unit_rows
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.ragged import Ragged, grouped
from sitejobs.matching.scoring.users import MISSING, Dictionaries, Users
from sitejobs.matching.snapshot.hashing import Hash, mixed, summed
from sitejobs.matching.snapshot.population import Population
from sitejobs.postgres.columns import Column


def make_dictionaries(population: Population) -> Dictionaries:
    """Codes for all that occurs in the population."""
    pairs = np.stack([population.interests["subjectId"], population.interests["interestId"]], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    first = np.ones(len(pairs), bool)
    first[1:] = (np.diff(pairs, axis=0) != 0).any(axis=1)
    counts = np.diff(np.append(np.flatnonzero(first), len(pairs)))
    popularity = np.empty(len(counts), np.int32)
    popularity[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return Dictionaries(
        traits=np.unique(population.traits["key"]),
        interests=pairs[first],
        quizzes=np.unique(population.results["quizId"]),
        questions=np.unique(population.answers["question"]),
        answers=np.unique(population.answers["answer"]),
        popularity=popularity,
    )


def encode(population: Population, dictionaries: Dictionaries, parameters: Parameters) -> Users:
    """Users that have a profile, by ascending id.

    The dictionaries may come from another population: what they lack counts, but matches nobody.
    """
    kept = population.users["hasProfile"] == 1
    users = {name: column[kept] for name, column in population.users.items()}
    ids = users["id"]
    xyz = unit_vectors(users["lat"], users["lng"])
    traits, trait_count, trait_hash = _traits(population.traits, ids, dictionaries)
    interests, interest_count, interest_hash = _interests(population.interests, ids, dictionaries)
    quiz, latest, vectors, answers, questions, quiz_hash = _quizzes(population, ids, dictionaries)
    averages, rating_count, gets = _ratings(population.received, ids)
    given_averages, _, gives = _ratings(population.given, ids)
    quality = np.where(rating_count >= parameters.min_ratings, averages.mean(axis=1) / 5, 0.5)
    where = mixed(xyz[:, 0], xyz[:, 1], xyz[:, 2], users["place"])
    both = mixed(where, trait_hash, interest_hash, quiz_hash, mixed(users["hasProfile"]))
    wishes = mixed(users["wants"], users["ageMin"], users["ageMax"], users["distance"])
    blocks = block_hashes(population.blocks["userId"], population.blocks["otherId"], ids)
    looks = mixed(users["gender"], users["age"], users["visible"], users["updatedAt"], rating_count, *averages.T)
    return Users(
        ids=ids,
        visible=users["visible"] == 1,
        xyz=xyz,
        place=users["place"],
        gender=users["gender"].astype(np.int8),
        age=np.maximum(users["age"], MISSING),
        updated_at=users["updatedAt"],
        wants=users["wants"],
        age_min=users["ageMin"],
        age_max=users["ageMax"],
        distance=np.where(np.isinf(users["distance"]), np.nan, users["distance"]),
        quality=quality.astype(np.float32),
        averages=averages.astype(np.float32),
        rating_count=rating_count,
        gives=gives.astype(np.float32),
        gets=gets.astype(np.float32),
        traits=traits,
        trait_count=trait_count,
        interests=interests,
        interest_count=interest_count,
        quiz=quiz,
        latest=latest,
        vectors=vectors,
        answers=answers,
        questions=questions,
        block_hash=blocks,
        viewer_hash=mixed(both, wishes, blocks, mixed(*given_averages.T)),
        candidate_hash=mixed(both, looks),
    )


def unit_vectors(lat: Floats, lng: Floats) -> Floats:
    """(n,) degrees -> (n, 3) unit vectors, NaN where a coordinate is missing or out of range.

    A pole is one point and 180 W is 180 E, so that equal places have equal vectors.
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
    """Averages (n, 4), how many ratings, and the averages' direction about their own mean."""
    owners, known = rows_of(table["userId"], ids)
    averages = np.full((len(ids), 4), np.nan)
    found = np.stack([table[name] for name in ("attractive", "smart", "funny", "interesting")], axis=1)
    averages[owners[known]] = found[known]
    count = np.zeros(len(ids), np.int32)
    count[owners[known]] = table["count"][known]
    return averages, count, directions(averages)


def _quizzes(
    population: Population, ids: Indices, dictionaries: Dictionaries
) -> tuple[Ragged, NDArray[np.int32], Ragged, Ragged, Ragged, Hash]:
    results = population.results
    owners, known = rows_of(results["userId"], ids)
    codes = codes_of(results["quizId"], dictionaries.quizzes)
    width = len(dictionaries.quizzes)

    # The most recent comes last in this order; of equally recent ones the higher quiz id. Its quiz may be one
    # that the dictionaries lack: then nobody else has a result of it.
    by_time = np.flatnonzero(known)
    by_time = by_time[np.lexsort((results["quizId"][by_time], results["updatedAt"][by_time], owners[by_time]))]
    latest_code = np.full(len(ids), MISSING)
    latest_code[owners[by_time]] = codes[by_time]

    order = np.flatnonzero(known & (codes != MISSING))
    order = order[np.lexsort((codes[order], owners[order]))]
    owners, quizzes, updated = owners[order], results["quizId"][order], results["updatedAt"][order]
    quiz = grouped(owners, codes[order].astype(np.int32), len(ids))
    keys = owners * width + quiz.values
    at, found = rows_of(np.arange(len(ids)) * width + latest_code, keys)
    latest = np.where((latest_code != MISSING) & found, at - quiz.offsets[:-1], MISSING).astype(np.int32)

    def result_rows(table: dict[str, Column]) -> tuple[Indices, NDArray[np.bool_]]:
        users, there = rows_of(table["userId"], ids)
        codes = codes_of(table["quizId"], dictionaries.quizzes)
        rows, found = rows_of(users * width + codes, keys)
        return rows, there & (codes != MISSING) & found

    rows, found = result_rows(population.vectors)
    place = np.flatnonzero(found)
    place = place[np.lexsort((population.vectors["position"][place], rows[place]))]
    values = population.vectors["value"][place]
    vectors = grouped(rows[place], unit_rows(rows[place], values, len(keys)).astype(np.float32), len(keys))
    vector_hash = mixed(quizzes[rows[place]], population.vectors["position"][place], values)

    answer_rows, found = result_rows(population.answers)
    order = np.flatnonzero(found)
    question_codes = codes_of(population.answers["question"], dictionaries.questions)
    order = order[np.lexsort((question_codes[order], answer_rows[order]))]
    answer_codes = codes_of(population.answers["answer"][order], dictionaries.answers).astype(np.int32)
    answers = grouped(answer_rows[order], answer_codes, len(keys))
    questions = grouped(answer_rows[order], question_codes[order].astype(np.int32), len(keys))

    # Hashes of raw values, not of codes: codes differ from one snapshot to the next.
    by_user = [
        summed(owners, mixed(quizzes, updated), len(ids)),
        summed(owners[rows[place]], vector_hash, len(ids)),
        summed(
            owners[answer_rows[order]],
            mixed(
                quizzes[answer_rows[order]], population.answers["question"][order], population.answers["answer"][order]
            ),
            len(ids),
        ),
    ]
    return quiz, latest, vectors, answers, questions, mixed(*by_user)


def block_hashes(user_ids: Indices, other_ids: Indices, ids: Indices) -> Hash:
    """For each of the ascending `ids` a hash of the others that it blocked, or that blocked it."""
    pairs = np.unique(np.stack([user_ids, other_ids], axis=1), axis=0)
    owners, known = rows_of(pairs[:, 0], ids)
    return summed(owners[known], mixed(pairs[known, 1]), len(ids))
