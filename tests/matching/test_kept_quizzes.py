"""A snapshot that takes over an earlier one's quiz results is the file that reading everything gives, bit by bit."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.file import StoredSnapshot, write_snapshot
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.snapshot.snapshot import take_snapshot
from tests.fakes import FolderWorkStore
from tests.matching.changes import (
    CHANGES,
    answer_differently,
    forget_a_quiz,
    look_at_an_old_quiz_again,
    score_a_quiz_anew,
    take_a_quiz,
)
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.site_loading import load

NOBODY = np.empty(0, np.int64)
PARAMETERS = Parameters()
OF_QUIZZES = (take_a_quiz, forget_a_quiz, look_at_an_old_quiz_again, score_a_quiz_anew, answer_differently)
SOMEBODY = """
SELECT min("userId") FROM "QuizResult" WHERE "userId" IN (SELECT "userId" FROM "Profile" WHERE "deletedAt" IS NULL)
"""
ANSWER = """UPDATE "QuizResult" SET "answers" = %s WHERE "userId" = %s"""


def taken(site: Connection, folder: Path, name: str, kept: KeptQuizzes | None = None) -> bytes:
    population = read_population(site, NOW, kept=kept)
    write_snapshot(take_snapshot(population, NOBODY, NOW.timestamp(), PARAMETERS, 7, kept), folder / name)
    return (folder / name).read_bytes()


def quizzes(folder: Path, name: str) -> KeptQuizzes:
    return StoredSnapshot(FolderWorkStore(folder), name).quizzes()


def read(site: Connection, kept: KeptQuizzes) -> set[int]:
    """Whose answers are read."""
    return set(read_population(site, NOW, kept=kept).answers["userId"].tolist())


@pytest.mark.parametrize("flavour", ["mixed", "one city", "twins", "no traits"])
def test_run_after_run_the_file_is_the_same_as_without(site: Connection, tmp_path: Path, flavour: str) -> None:
    load(site, draw(70, 80, flavour))
    random, base = Random(flavour), "0"
    taken(site, tmp_path, base)
    for step in range(1, 6):
        for change in random.choices(OF_QUIZZES, k=6) + random.choices(CHANGES, k=6):
            change(site, random)
        kept, base = quizzes(tmp_path, base), str(step)
        assert taken(site, tmp_path, base, kept) == taken(site, tmp_path, "anew")


def test_only_the_answers_of_changed_results_are_read(site: Connection, tmp_path: Path) -> None:
    load(site, draw(71, 60, "one city"))
    taken(site, tmp_path, "base")
    kept = quizzes(tmp_path, "base")
    assert not read(site, kept) & set(kept.ids.tolist())
    row = site.execute(SOMEBODY).fetchone()
    assert row is not None
    site.execute(ANSWER, ['{"1": "changed"}', row[0]])
    assert read(site, kept) & set(kept.ids.tolist()) == {row[0]}


def test_answers_that_change_places_are_seen(site: Connection, tmp_path: Path) -> None:
    """PostgreSQL's own hash of jsonb is the same when two values sixteen keys apart change places."""
    load(site, SiteRows([someone(1), someone(2)], set()))
    answers = {f"{number:02}": "a" for number in range(40)} | {"03": "b"}
    site.execute("""INSERT INTO "QuizResult" VALUES (1, 1, %s, NULL, %s)""", [json.dumps(answers), NOW])
    taken(site, tmp_path, "base")
    hashed = """SELECT jsonb_hash_extended("answers", 0) FROM "QuizResult" """
    before = site.execute(hashed).fetchone()
    site.execute(ANSWER, [json.dumps(answers | {"03": "a", "19": "b"}), 1])
    assert site.execute(hashed).fetchone() == before
    assert read(site, quizzes(tmp_path, "base")) == {1}


def test_a_site_of_nobody(site: Connection, tmp_path: Path) -> None:
    taken(site, tmp_path, "base")
    kept = quizzes(tmp_path, "base")
    load(site, draw(72, 20, "mixed"))
    assert taken(site, tmp_path, "later", kept) == taken(site, tmp_path, "anew")
    site.execute("""UPDATE "Profile" SET "deletedAt" = now()""")
    assert taken(site, tmp_path, "last", quizzes(tmp_path, "later")) == taken(site, tmp_path, "anew")
