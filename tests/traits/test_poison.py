"""Unusable rows that a site's tables can hold: they count as missing, and change no other user's rows."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from sitejobs.jobs.job import PagedJob
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.traits import build_user_traits as user_traits
from sitejobs.traits import user_interest_sets as interest_sets
from sitejobs_local.database.postgres import Server
from tests.databases import site_database
from tests.traits import oracle
from tests.traits.sites import LET_ANYTHING_IN, Site, draw_interests, draw_quizzes

LET_MORE_IN = """
ALTER TABLE "QuizQuestion" ALTER "quizId" DROP NOT NULL;
ALTER TABLE "QuizOption" ALTER "questionId" DROP NOT NULL, ALTER "value" DROP NOT NULL;
ALTER TABLE "QuizResult" DROP CONSTRAINT "QuizResult_pkey";
ALTER TABLE "QuizResult" ALTER "userId" DROP NOT NULL, ALTER "quizId" DROP NOT NULL, ALTER "updatedAt" DROP NOT NULL;
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_pkey";
ALTER TABLE "UserInterest" ALTER "userId" DROP NOT NULL, ALTER "subjectId" DROP NOT NULL,
    ALTER "interestId" DROP NOT NULL;
"""
ENDS = f'INSERT INTO "User" ("id") VALUES ({MIN_ID}), (-1), (0), ({MAX_ID})'
ODD_TIMES = ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "2100-01-01")
TRAITS = {
    "a result without quiz": """INSERT INTO "QuizResult" VALUES (%(user)s, NULL, '{"101": "a"}')""",
    "a result of nobody": """INSERT INTO "QuizResult" VALUES (NULL, 1, '{"101": "a"}')""",
    "a result twice": """
        INSERT INTO "QuizResult" ("userId", "quizId", "answers", "updatedAt")
        VALUES (%(user)s, 1, '{"101": "a"}', '2026-01-01'), (%(user)s, 1, '{"101": "b"}', '2099-01-02'),
               (%(user)s, 1, '{"101": "c"}', 'infinity'), (%(user)s, 1, '{"101": "d"}', NULL)
    """,
    "no times": 'UPDATE "QuizResult" SET "updatedAt" = NULL WHERE "userId" = %(user)s',
    **{
        f"updated {time}": f'UPDATE "QuizResult" SET "updatedAt" = \'{time}\' WHERE "userId" = %(user)s'
        for time in ODD_TIMES
    },
    "a question without quiz": """
        INSERT INTO "QuizQuestion" ("id", "quizId", "prompt") VALUES (901, NULL, '?');
        INSERT INTO "QuizOption" ("questionId", "label", "value", "traitValues") VALUES (901, 'x', 'a', '{"calm": 1}')
    """,
    "an option without question or value": """
        INSERT INTO "QuizOption" ("questionId", "label", "value", "traitValues")
        VALUES (NULL, 'x', 'a', '{"calm": 1}'), (101, 'x', NULL, '{"calm": 1}')
    """,
    "ids at the ends of bigint": f"""
        {ENDS};
        INSERT INTO "QuizResult" SELECT unnest(ARRAY[{MIN_ID}, -1, 0, {MAX_ID}]), 1, '{{"101": "a"}}'
    """,
}
INTERESTS = {
    "an interest twice": 'INSERT INTO "UserInterest" SELECT %(user)s, 1, 3 FROM generate_series(1, 3)',
    "interests without key": """
        INSERT INTO "UserInterest" VALUES (%(user)s, NULL, 3), (%(user)s, 1, NULL), (%(user)s, NULL, NULL), (NULL, 1, 3)
    """,
    "all without key": 'UPDATE "UserInterest" SET "subjectId" = NULL, "interestId" = NULL WHERE "userId" = %(user)s',
    **{
        f"created {time}": f'UPDATE "UserInterest" SET "createdAt" = \'{time}\' WHERE "userId" = %(user)s'
        for time in ODD_TIMES
    },
    "ids at the ends of bigint": f"""
        {ENDS};
        INSERT INTO "UserInterest" VALUES ({MIN_ID}, {MIN_ID}, {MAX_ID}), (-1, -1, 0), ({MAX_ID}, {MAX_ID}, {MIN_ID})
    """,
}


def traits_of(site: Site) -> dict[Any, Any]:
    return dict(oracle.stored_traits(site))


def sets_of(site: Site) -> dict[Any, Any]:
    interests, subjects = oracle.stored_sets(site)
    return {(user, "interest", one): at for (user, one), at in interests.items()} | {
        (user, "subject", one): at for (user, one), at in subjects.items()
    }


CASES: dict[str, tuple[PagedJob, Callable[[Site, int], None], dict[str, str], Callable[[Site], dict[Any, Any]]]] = {
    "build-user-traits": (user_traits.JOB, draw_quizzes, TRAITS, traits_of),
    "user-interest-sets": (interest_sets.JOB, draw_interests, INTERESTS, sets_of),
}


@pytest.mark.parametrize("name", CASES)
def test_a_row_that_nobody_can_use_changes_its_users_rows_only(site: Site, name: str) -> None:
    check(site, name)


@pytest.mark.parametrize("name", CASES)
def test_the_same_holds_on_the_oldest_server(old_server: Server, name: str) -> None:
    with site_database(old_server) as url:
        site = Site(url)
        site.connection.execute(LET_ANYTHING_IN)
        check(site, name)
        site.close()


def check(site: Site, name: str) -> None:
    job, draw, poison, stored = CASES[name]
    site.query(LET_MORE_IN)
    draw(site, 7)
    live = sorted(oracle.live_users(site))
    site.run(job)
    for (kind, statements), user in zip(poison.items(), live[::3], strict=False):
        before = stored(site)
        for statement in statements.split(";"):
            if statement.strip():
                site.query(statement, {"user": user} if "%(user)s" in statement else None)
        site.run(job, {"incremental": True})
        after = stored(site)
        right(site, name)
        new = {MIN_ID, -1, 0, MAX_ID} if "bigint" in kind else {user}
        changed = {key[0] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        assert changed <= new, kind
        assert site.run(job).counts["written"] == 0, kind


def right(site: Site, name: str) -> None:
    if name == "build-user-traits":
        assert oracle.stored_traits(site) == oracle.user_traits(site)[0]
    else:
        assert oracle.stored_sets(site) == oracle.interest_sets(site)


def test_what_was_passed_over_is_counted(site: Site) -> None:
    site.query(LET_MORE_IN)
    site.query('INSERT INTO "User" ("id") VALUES (1)')
    site.query('INSERT INTO "UserInterest" VALUES (1, NULL, 3), (1, 1, NULL), (1, 1, 3)')
    site.query("""INSERT INTO "QuizResult" VALUES (1, NULL, '{}')""")
    assert site.run(interest_sets.JOB).reasons["interest-incomplete"] == 2
    assert site.run(user_traits.JOB).reasons["result-without-quiz"] == 1


def test_a_time_ahead_of_the_clock_hides_no_changed_option(site: Site) -> None:
    draw_quizzes(site, 3)
    site.run(user_traits.JOB)
    site.query("""UPDATE "UserTraitState" SET "checkedAt" = now() + interval '1 year'""")
    site.query("""UPDATE "QuizOptionSeen" SET "changedAt" = now() + interval '1 year'""")
    site.query("""UPDATE "QuizOption" SET "traitValues" = '{"calm": 7}' WHERE "value" = 'a'""")
    site.run(user_traits.JOB, {"incremental": True})
    right(site, "build-user-traits")
    again = site.run(user_traits.JOB, {"incremental": True})
    assert (again.counts["written"], again.looked_into) == (0, 0)


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_no_trait_that_is_not_finite_can_be_stored(site: Site, number: str) -> None:
    with pytest.raises(psycopg.Error):
        site.query('INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (1, %s, %s, 1)', ["x", number])
