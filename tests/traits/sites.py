"""Random small sites with quizzes and interests, with every kind of unusable row."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PagedJob
from sitejobs.postgres.connection import connect
from tests.keyed_runs import Ran, Runner

USERS = 60
QUIZZES = 4
TRAITS = ("calm", "brave", "", "勇気", "Calm", "calm ", "x" * 200)

LET_ANYTHING_IN = """
ALTER TABLE "QuizOption" DROP CONSTRAINT "QuizOption_questionId_value_key";
ALTER TABLE "QuizOption" DROP CONSTRAINT "QuizOption_questionId_fkey";
ALTER TABLE "QuizQuestion" DROP CONSTRAINT "QuizQuestion_quizId_fkey";
ALTER TABLE "QuizResult" DROP CONSTRAINT "QuizResult_userId_fkey";
ALTER TABLE "QuizResult" DROP CONSTRAINT "QuizResult_quizId_fkey";
ALTER TABLE "QuizResult" ALTER "answers" DROP NOT NULL;
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_userId_fkey";
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_subjectId_fkey";
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_interestId_fkey";
ALTER TABLE "UserInterest" ALTER "createdAt" DROP NOT NULL;
"""
"""Drops the constraints that views in a site's own schema lack."""

ODD_TRAIT_VALUES = (
    None, "null", "[]", "[1, 2]", '"calm"', "7", "true", "{}", '{"calm": null}', '{"calm": "5"}', '{"calm": "NaN"}',
    '{"brave": "Infinity"}', '{"brave": [3]}', '{"brave": {"x": 1}}', '{"calm": true, "brave": 2}', '{"calm": 1e400}',
    '{"calm": -1e400}', '{"brave": 1e-300}', '{"calm": 10.004, "": -10.5}', '{"calm": 0}', '{"calm": -0.0}',
    json.dumps({"x" * 201: 3, "x" * 200: 3}), json.dumps({"y" * 5000: 3}), '{"calm": 0.125, "calm ": 2.675}',
)  # fmt: skip
ODD_ANSWERS = (
    "null", "[]", '["a"]', '{"a": 1}', "true", "false", "1", "2", "1.0", "1e400", '""', '"A"', '"a "', '"é"', '"b"'
)  # fmt: skip
ODD_RESULTS = (None, "null", "[]", '["a"]', '"a"', "3", "true", "{}")


class Site:
    """One database: its rows, and runs over it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: Connection = connect(url)

    def close(self) -> None:
        self.connection.close()

    def query(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description is not None else []

    def run(
        self, job: PagedJob, options: JsonObject | None = None, meanwhile: Callable[[], object] = lambda: None
    ) -> Ran:
        runner = Runner(job, self.url)
        try:
            return runner.run(options, meanwhile=meanwhile)
        finally:
            runner.close()

    def versions(self, table: str) -> dict[tuple[Any, ...], str]:
        """Every row of one of the bundle's tables by its key, with the transaction that wrote it."""
        keys = {
            "UserTrait": '"userId", "traitKey"',
            "UserTraitState": '"userId"',
            "InterestUserSet": '"userId", "interestId"',
            "InterestSubjectUserSet": '"userId", "subjectId"',
            "InterestSetState": '"userId"',
        }[table]
        return {tuple(key): version for *key, version in self.query(f'SELECT {keys}, xmin::text FROM "{table}"')}


def users_of(before: dict[tuple[Any, ...], str], after: dict[tuple[Any, ...], str]) -> set[int]:
    """Users with a row that was written or removed."""
    return {key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def draw_users(site: Site, random: Random) -> list[int]:
    """Add users with gaps between their ids, some deleted. Returns their ids, and one id of no user."""
    ids = sorted(random.sample(range(1, 3 * USERS), USERS))
    for user in ids:
        deleted = "2026-01-01" if random.random() < 0.1 else None
        site.query('INSERT INTO "User" ("id", "deletedAt") VALUES (%s, %s)', [user, deleted])
    return [*ids, 3 * USERS + 1]


def draw_interests(site: Site, seed: int) -> None:
    """A random site with interests."""
    random = Random(seed)
    for user in draw_users(site, random):
        pairs = {(random.randrange(1, 5), random.randrange(1, 30)) for _ in range(random.choice((0, 0, 1, 3, 8, 20)))}
        for subject, interest in pairs:
            at = random.choice(
                (
                    "2026-01-01",
                    "2026-01-02 03:04:05.678",
                    "2025-02-28",
                    "infinity",
                    "-infinity",
                    "0044-03-15 BC",
                    "10000-01-01",
                    None,
                )
            )
            site.query('INSERT INTO "UserInterest" VALUES (%s, %s, %s, %s)', [user, subject, interest, at])


def draw_quizzes(site: Site, seed: int) -> None:
    """A random site with quizzes and results. Question 100 q + n is the n-th of quiz q."""
    random = Random(seed)
    for quiz in range(1, QUIZZES + 1):
        site.query('INSERT INTO "Quiz" ("id", "title") VALUES (%s, %s)', [quiz, f"quiz {quiz}"])
        for question in range(100 * quiz, 100 * quiz + random.randrange(1, 7)):
            site.query(
                'INSERT INTO "QuizQuestion" ("id", "quizId", "prompt") VALUES (%s, %s, %s)', [question, quiz, "?"]
            )
            for value in random.sample(("a", "b", "c", "1", "2", "true", "", "é"), random.randrange(1, 6)):
                add_option(site, question, value, draw_trait_values(random))
                if random.random() < 0.1:
                    add_option(site, question, value, draw_trait_values(random))
    add_option(site, 9_999, "a", '{"calm": 1}')  # of no question
    for user in draw_users(site, random):
        for quiz in random.sample(range(1, QUIZZES + 2), random.randrange(0, QUIZZES + 1)):
            answers = random.choice(ODD_RESULTS) if random.random() < 0.08 else draw_answers(random, quiz)
            add_result(site, user, quiz, answers)


def add_option(site: Site, question: int, value: str, trait_values: str | None) -> None:
    site.query(
        'INSERT INTO "QuizOption" ("questionId", "label", "value", "traitValues") VALUES (%s, %s, %s, %s)',
        [question, "label", value, trait_values],
    )


def add_result(site: Site, user: int, quiz: int, answers: str | None) -> None:
    site.query('INSERT INTO "QuizResult" ("userId", "quizId", "answers") VALUES (%s, %s, %s)', [user, quiz, answers])


def draw_trait_values(random: Random) -> str | None:
    if random.random() < 0.3:
        return random.choice(ODD_TRAIT_VALUES)
    chosen = random.sample(TRAITS, random.randrange(0, 4))
    numbers = (random.randrange(-1200, 1200) / random.choice((1, 10, 100)) for _ in chosen)
    return json.dumps(dict(zip(chosen, numbers, strict=True)))


def draw_answers(random: Random, quiz: int) -> str:
    """The JSON of one result's answers."""
    pieces = {}
    for question in range(100 * quiz, 100 * quiz + 6):
        if random.random() < 0.8:
            value = random.choice(ODD_ANSWERS) if random.random() < 0.2 else json.dumps(random.choice("abc12"))
            pieces[str(question)] = value
    for other in ("", "0100", "100 ", "x", "9999", str(100 * (quiz % QUIZZES + 1)), "1e2"):
        if random.random() < 0.05:
            pieces[other] = '"a"'
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in pieces.items()) + "}"
