"""Quizzes, their results, and the traits that the answers add up to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import (
    WHOLE_USERS,
    Bools,
    Ints,
    normal,
    picked,
    spread,
    stream,
    times_between,
)
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
from sitejobs_local.population.people import TASTE_AXES, People
from sitejobs_local.population.questions import TRAITS, QuizPlan, quiz_plans

# Chance leaves some of the others without one too: about 15 % in all.
NO_QUIZ_PER_MILLE = 120
_LABELS = {
    2: ("The first", "The second"),
    3: ("No", "It depends", "Yes"),
    4: ("Never", "Rarely", "Often", "Always"),
    5: ("Not at all", "A little", "So-so", "Mostly", "Very much"),
}
# Where a leaning (thousandths of a deviation) passes from one option to the next.
_CUTS = {2: [0], 3: [-430, 430], 4: [-700, 0, 700], 5: [-900, -300, 300, 900]}
_VALUES = "abcde"
_SKIPPED, _RETIRED_OPTION, _RETIRED_QUESTION = -1, -2, -3
_LIMIT = 1000  # build-user-traits holds each answer to -10..10
_REACHES = (400, 600, 750, 800, 1000, 1200)


@dataclass(frozen=True, eq=False)
class _Question:
    id: int
    prompt: str
    leaning: Ints
    """The direction in taste (TASTE_AXES) that the answer measures, of length about 1000."""
    values: dict[int, list[int | None]]
    """By trait index: each option's value in hundredths (None: the option says nothing of it)."""


@dataclass(frozen=True, eq=False)
class _Quiz:
    plan: QuizPlan
    questions: list[_Question]


@dataclass(frozen=True, eq=False)
class _Results:
    """The results of one quiz: who (index into People), when, and every answer."""

    quiz: _Quiz
    takers: Ints
    updated: NDArray[np.datetime64]
    answers: Ints
    """takers x questions: an option's index, or one of the negative marks above."""


def quiz_tables(crowd: People, seed: int) -> list[Table]:
    """Quiz, QuizQuestion, QuizOption, QuizResult, and UserTrait as build-user-traits would fill it."""
    quizzes = _quizzes(seed)
    rng = stream(seed, "QuizResult")
    without = picked(rng, len(crowd), NO_QUIZ_PER_MILLE)
    results = [_take(rng, crowd, quiz, without) for quiz in quizzes]
    return [*_content_tables(quizzes, crowd.now), _result_table(rng, crowd, results), _trait_table(crowd, results)]


def _quizzes(seed: int) -> list[_Quiz]:
    """The quizzes with what each answer is worth; the same trait leans the same way in all."""
    rng = stream(seed, "Quiz")
    directions = _directions(normal(rng, (len(TRAITS), TASTE_AXES)))
    quizzes = []
    next_id = 11
    for plan in quiz_plans():
        questions = []
        for prompt, trait in plan.prompts:
            if trait is None:
                leaning, values = _directions(normal(rng, (1, TASTE_AXES)))[0], {}
            else:
                main = TRAITS.index(trait)
                leaning, values = directions[main], _option_values(rng, main, plan.options)
            questions.append(_Question(next_id, prompt, leaning, values))
            next_id += int(rng.integers(1, 4))
        quizzes.append(_Quiz(plan, questions))
    return quizzes


def _directions(vectors: Ints) -> Ints:
    """Scale each vector to a length of about 1000."""
    lengths = np.floor(np.sqrt(np.sum(vectors * vectors, axis=1).astype(np.float64))).astype(np.int64)
    scaled: Ints = vectors * 1000 // np.maximum(lengths, 1)[:, None]
    return scaled


def _option_values(rng: np.random.Generator, main: int, options: int) -> dict[int, list[int | None]]:
    """Values in hundredths: the main trait rises with the options (past the limit for a few), others are touched."""
    reach = _REACHES[int(rng.integers(0, len(_REACHES)))]
    values: dict[int, list[int | None]] = {
        main: [reach * (2 * option - options + 1) // (options - 1) for option in range(options)]
    }
    for other in rng.integers(0, len(TRAITS), int(rng.integers(0, 3))).tolist():
        values.setdefault(other, [None if draw < -400 else draw for draw in _tens(rng, options)])
    return values


def _tens(rng: np.random.Generator, size: int) -> list[int]:
    """Values from -5 to 5 in tenths, as hundredths."""
    drawn: list[int] = (rng.integers(-50, 51, size) * 10).tolist()
    return drawn


def _take(rng: np.random.Generator, crowd: People, quiz: _Quiz, without: Bools) -> _Results:
    """Who took the quiz, when, and the answers: drawn by taste and chance, with a few gaps."""
    takes = (rng.integers(0, 1000, len(crowd)) < quiz.plan.share_per_mille) & ~without
    takes[:WHOLE_USERS] = True
    takers = np.flatnonzero(takes)
    cuts = np.array(_CUTS[quiz.plan.options])
    answers = np.empty((len(takers), len(quiz.questions)), dtype=np.int64)
    taste = crowd.taste[takers]
    for position, question in enumerate(quiz.questions):
        lean = taste @ question.leaning // 1000
        answers[:, position] = np.searchsorted(cuts, (lean * 8 + normal(rng, len(takers)) * 6) // 10)
    chance = rng.integers(0, 1000, answers.shape)
    answers[chance < 60] = _SKIPPED
    answers[chance < 6] = _RETIRED_OPTION
    answers[chance < 3] = _RETIRED_QUESTION
    answers[picked(rng, len(takers), 4)] = _SKIPPED
    return _Results(quiz, takers, times_between(rng, crowd.joined[takers], crowd.now), answers)


def _content_tables(quizzes: list[_Quiz], now: np.datetime64) -> list[Table]:
    """Quiz, QuizQuestion and QuizOption."""
    plans = [quiz.plan for quiz in quizzes]
    age_days = np.array([400 - 60 * position for position in range(len(plans))])
    quiz_columns = {
        "id": bigints(np.array([plan.id for plan in plans])),
        "title": texts([plan.title for plan in plans]),
        "isActive": booleans(np.array([plan.is_active for plan in plans])),
        "updatedAt": timestamps(now - (age_days * 86_400_000).astype("m8[ms]")),
    }
    asked = [(quiz.plan, order, question) for quiz in quizzes for order, question in enumerate(quiz.questions)]
    question_columns = {
        "id": bigints(np.array([question.id for _, _, question in asked])),
        "quizId": bigints(np.array([plan.id for plan, _, _ in asked])),
        "prompt": texts([question.prompt for _, _, question in asked]),
        "order": integers(np.array([order for _, order, _ in asked])),
    }
    options = [(plan, question, option) for plan, _, question in asked for option in range(plan.options)]
    option_columns = {
        "id": bigints(np.arange(1, len(options) + 1)),
        "questionId": bigints(np.array([question.id for _, question, _ in options])),
        "label": texts([_LABELS[plan.options][option] for plan, _, option in options]),
        "value": texts([_VALUES[option] for _, _, option in options]),
        "order": integers(np.array([option for _, _, option in options])),
        "traitValues": jsons([_trait_values(question, option) for _, question, option in options]),
    }
    return [
        Table("Quiz", quiz_columns),
        Table("QuizQuestion", question_columns),
        Table("QuizOption", option_columns),
    ]


def _trait_values(question: _Question, option: int) -> str | None:
    """An option's JSON object of trait values; null in a quiz without traits."""
    if not question.values:
        return None
    said = [(TRAITS[trait], values[option]) for trait, values in question.values.items()]
    return "{" + ", ".join(f'"{key}": {_decimal(value)}' for key, value in said if value is not None) + "}"


def _decimal(hundredths: int) -> str:
    """A number with at most two decimals."""
    return f"{hundredths / 100:g}"


def _result_table(rng: np.random.Generator, crowd: People, results: list[_Results]) -> Table:
    """QuizResult, ordered by user."""
    users = np.concatenate([crowd.ids[result.takers] for result in results])
    quiz_ids = np.concatenate([np.full(len(result.takers), result.quiz.plan.id) for result in results])
    order = np.lexsort((quiz_ids, users))
    columns = {
        "userId": bigints(users[order]),
        "quizId": bigints(quiz_ids[order]),
        "answers": jsons(np.concatenate([_answers_json(result) for result in results])[order]),
        "scoreVec": jsons(np.concatenate([_score_vectors(rng, result) for result in results])[order]),
        "updatedAt": timestamps(np.concatenate([result.updated for result in results])[order]),
    }
    return Table("QuizResult", columns)


def _answers_json(result: _Results) -> NDArray[Any]:
    """Each result's answers as a JSON object of question id -> option value."""
    pieces = np.empty(result.answers.shape, dtype=object)
    for position, question in enumerate(result.quiz.questions):
        known = [f'"{question.id}": "{value}"' for value in _VALUES[: result.quiz.plan.options]]
        # Counted from the end, as the negative marks are.
        marks = [f'"9{question.id:05d}": "a"', f'"{question.id}": "retired"', ""]
        pieces[:, position] = objects(known + marks)[result.answers[:, position]]
    return objects(["{" + ", ".join(filter(None, row)) + "}" for row in pieces.tolist()])


def _score_vectors(rng: np.random.Generator, result: _Results) -> NDArray[Any]:
    """Each result's vector as JSON: null, of an older and shorter edition, zero or unusable for some."""
    length = result.quiz.plan.vector_length
    size = len(result.takers)
    # Answers centred on 0, in tenths, each added to one of the vector's places.
    scores = np.zeros((size, length), dtype=np.int64)
    middle = result.quiz.plan.options - 1
    for position in range(len(result.quiz.questions)):
        answer = result.answers[:, position]
        scores[:, position % length] += np.where(answer < 0, 0, (2 * answer - middle) * 5)
    kind = spread(rng, size, 100, 60, 5, 2, 2)
    scores[kind == 3] = 0
    span = int(np.abs(scores).max(initial=0))
    numbers = objects([f"{tenths / 10:g}" for tenths in range(-span, span + 1)])[scores + span].tolist()
    vectors = objects(["[" + ", ".join(row) + "]" for row in numbers])
    vectors[kind == 1] = None
    shorter = np.flatnonzero(kind == 2).tolist()
    vectors[kind == 2] = objects(["[" + ", ".join(numbers[row][:-2]) + "]" for row in shorter])
    vectors[kind == 4] = '[null, "n/a", 1]'
    vectors[kind == 5] = "[]"
    return vectors


def _trait_table(crowd: People, results: list[_Results]) -> Table:
    """UserTrait: the mean of each trait's values over all answers of a user, and how many they are."""
    sums = np.zeros((len(crowd), len(TRAITS)), dtype=np.int64)
    counts = np.zeros((len(crowd), len(TRAITS)), dtype=np.int64)
    for result in results:
        for position, question in enumerate(result.quiz.questions):
            answer = result.answers[:, position]
            for trait, values in question.values.items():
                worth = np.array([0 if value is None else max(-_LIMIT, min(_LIMIT, value)) for value in values])
                says = np.array([value is not None for value in values])
                counted = (answer >= 0) & says[answer]
                sums[result.takers, trait] += np.where(counted, worth[answer], 0)
                counts[result.takers, trait] += counted
    users, traits = np.nonzero(counts)
    total, n = sums[users, traits], counts[users, traits]
    # Half away from zero, as PostgreSQL rounds numerics.
    means = np.sign(total) * ((2 * np.abs(total) + n) // (2 * n))
    columns = {
        "userId": bigints(crowd.ids[users]),
        "traitKey": texts(objects(TRAITS)[traits]),
        "value": Column(Kind.HUNDREDTHS, means),
        "n": integers(n),
        "updatedAt": timestamps(np.full(len(users), crowd.now)),
    }
    return Table("UserTrait", columns)
