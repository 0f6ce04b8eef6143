"""build-user-traits against a plain implementation, whole and incremental."""

import json
from collections import Counter
from random import Random

import pytest

from sitejobs.traits.build_user_traits import JOB
from tests.traits import oracle
from tests.traits.sites import Site, add_option, add_result, draw_quizzes, users_of


def assert_right(site: Site) -> None:
    wanted, odd = oracle.user_traits(site)
    assert oracle.stored_traits(site) == wanted
    stored = dict(site.query('SELECT "userId", "skipped" FROM "UserTraitState" WHERE "fingerprint" IS NOT NULL'))
    assert stored == {user: reasons.total() for user, reasons in odd.items()}


@pytest.mark.parametrize("seed", range(8))
def test_every_trait_is_what_a_plain_implementation_finds(site: Site, seed: int) -> None:
    draw_quizzes(site, seed)
    ran = site.run(JOB, {"batchSize": 7})
    assert_right(site)
    wanted, odd = oracle.user_traits(site)
    assert ran.counts["written"] == len(wanted) > 30
    about_users = ("unchanged", "no-quiz-results", "deleted")
    assert Counter({k: v for k, v in ran.reasons.items() if k not in about_users}) == sum(odd.values(), Counter())
    assert ran.counts["skipped"] == sum(ran.reasons[reason] for reason in about_users)
    assert ran.counts["skipped"] + len({user for user, _ in wanted}) == ran.counts["processed"]


def test_every_way_of_being_odd_occurs_on_the_random_sites(site: Site) -> None:
    draw_quizzes(site, 0)
    _, odd = oracle.user_traits(site)
    assert set(sum(odd.values(), Counter())) == {
        "answers-malformed", "answer-unknown-question", "answer-unknown-option", "answer-null", "answer-malformed",
        "trait-values-malformed", "trait-value-malformed",
    }  # fmt: skip


def test_values_are_held_to_ten_either_way_and_halves_go_away_from_zero(site: Site) -> None:
    site.query("""
        INSERT INTO "User" ("id") VALUES (1);
        INSERT INTO "QuizQuestion" ("id", "quizId", "prompt") VALUES (11, 1, ''), (12, 1, '')
    """)
    add_option(site, 11, "a", '{"high": 1e100000, "low": -11, "half": 0.005, "mixed": 50, "zero": 0}')
    add_option(site, 12, "a", '{"mixed": -2.5, "half": -0.015, "zero": "0"}')
    add_result(site, 1, 1, '{"11": "a", "12": "a"}')
    site.run(JOB)
    found = {key: (str(value), n) for (_, key), (value, n) in oracle.stored_traits(site).items()}
    assert found == {
        "high": ("10.00", 1), "low": ("-10.00", 1), "half": ("-0.01", 2), "mixed": ("3.75", 2), "zero": ("0.00", 1)
    }  # fmt: skip
    assert_right(site)


@pytest.mark.parametrize("incremental", [False, True])
def test_a_run_that_finds_nothing_changed_rewrites_no_row(site: Site, incremental: bool) -> None:
    draw_quizzes(site, 3)
    site.run(JOB)
    tables = ("UserTrait", "UserTraitState")
    before = [site.versions(table) for table in tables]
    ran = site.run(JOB, {"incremental": incremental})
    assert [site.versions(table) for table in tables] == before
    assert ran.counts["written"] == 0
    assert ran.counts["skipped"] == ran.counts["processed"] > 0


def test_a_first_incremental_run_computes_everyone(site: Site) -> None:
    draw_quizzes(site, 4)
    site.run(JOB, {"incremental": True, "batchSize": 7})
    assert_right(site)


# One change at a time -----------------------------------------------------------------------------------------

OPTION = """(SELECT "id" FROM "QuizOption" WHERE "questionId" = 101 AND "value" = 'a')"""
WHO_CHOSE_IT = """SELECT "userId" FROM "QuizResult" WHERE "answers" ->> '101' = 'a'"""
TAKERS = 'SELECT "userId" FROM "QuizResult" WHERE "quizId" = 1'
CHANGES: dict[str, tuple[str, str]] = {
    "another answer": (
        """UPDATE "QuizResult" SET "answers" = '{"101": "b"}' WHERE "userId" = 1 AND "quizId" = 1""",
        "SELECT 1",
    ),
    "a result less": ('DELETE FROM "QuizResult" WHERE "userId" = 2 AND "quizId" = 1', "SELECT 2"),
    "all results gone": ('DELETE FROM "QuizResult" WHERE "userId" = 2', "SELECT 2"),
    "a result more": ("""INSERT INTO "QuizResult" VALUES (9, 1, '{"101": "a"}')""", "SELECT 9"),
    "a user deleted": ("""UPDATE "User" SET "deletedAt" = now() WHERE "id" = 3""", "SELECT 3"),
    "a user restored": ("""UPDATE "User" SET "deletedAt" = NULL WHERE "id" = 10""", "SELECT 10"),
    "a user removed": ('DELETE FROM "User" WHERE "id" = 4; DELETE FROM "QuizResult" WHERE "userId" = 4', "SELECT 4"),
    "a user removed without its results": ('DELETE FROM "User" WHERE "id" = 4', "SELECT 4"),
    "an option's values": (f"""UPDATE "QuizOption" SET "traitValues" = '{{"calm": 7}}' WHERE "id" = {OPTION}""",
                           WHO_CHOSE_IT),
    "an option without values": (f"""UPDATE "QuizOption" SET "traitValues" = NULL WHERE "id" = {OPTION}""",
                                 WHO_CHOSE_IT),
    "an option removed": (f'DELETE FROM "QuizOption" WHERE "id" = {OPTION}', WHO_CHOSE_IT),
    "an option that was chosen before it was there": (
        """INSERT INTO "QuizOption" ("questionId", "label", "value", "traitValues")
           VALUES (101, '', 'z', '{"new": 1}')""",
        """SELECT "userId" FROM "QuizResult" WHERE "answers" ->> '101' = 'z'""",
    ),
    "a question removed": (
        'DELETE FROM "QuizQuestion" WHERE "id" = 101',
        """SELECT "userId" FROM "QuizResult" WHERE "quizId" = 1 AND "answers" ->> '101' IN ('a', 'b')""",
    ),
    "a question moved to another quiz": (
        'UPDATE "QuizQuestion" SET "quizId" = 2 WHERE "id" = 101',
        """SELECT "userId" FROM "QuizResult" WHERE "answers" ->> '101' IN ('a', 'b')""",
    ),
}  # fmt: skip
"""The change, and the query of the users whose results it concerns."""


def make_quiz_site(site: Site) -> None:
    """Users 1 to 10, the last one deleted; quiz 1 with questions 101 and 102, quiz 2 with question 201."""
    site.query("""
        INSERT INTO "User" ("id", "deletedAt") SELECT i, CASE i WHEN 10 THEN now() END FROM generate_series(1, 10) i;
        INSERT INTO "QuizQuestion" ("id", "quizId", "prompt") VALUES (101, 1, ''), (102, 1, ''), (201, 2, '')
    """)
    random = Random(1)
    for question in (101, 102, 201):
        for value in "ab":
            add_option(
                site, question, value, f'{{"calm": {random.randrange(1, 6)}, "brave": {random.randrange(-9, 0)}}}'
            )
    for user in (1, 2, 3, 4, 5, 6, 10):
        add_result(site, user, 1, f'{{"101": "{"abz"[user % 3]}", "102": "a"}}')
    for user in (2, 7, 8):
        add_result(site, user, 2, '{"201": "b"}')


@pytest.mark.parametrize("name", CHANGES)
def test_exactly_those_whom_a_change_concerns_are_computed_anew(site: Site, name: str) -> None:
    make_quiz_site(site)
    site.run(JOB)
    assert_right(site)
    change, concerned = CHANGES[name]
    live = oracle.live_users(site)
    whom = {user for (user,) in site.query(concerned) if user in live or "restored" in name}
    assert whom
    before, states = site.versions("UserTrait"), site.versions("UserTraitState")
    traits = oracle.stored_traits(site)
    site.query(change)
    ran = site.run(JOB, {"incremental": True})
    assert ran.looked_into == len(whom)
    assert users_of(states, site.versions("UserTraitState")) == whom
    now = oracle.stored_traits(site)
    differing = {key for key in traits.keys() | now.keys() if traits.get(key) != now.get(key)}
    rewritten = {key for key, version in site.versions("UserTrait").items() if before.get(key) != version}
    assert rewritten | (before.keys() - now.keys()) == differing
    assert {user for user, _ in differing} <= whom
    assert differing
    assert_right(site)
    assert site.run(JOB, {"incremental": True}).looked_into == ("removed" in name and "user" in name)
    assert site.run(JOB, {"incremental": True}).looked_into == 0


def test_a_change_that_leaves_the_means_as_they_are_rewrites_no_trait(site: Site) -> None:
    make_quiz_site(site)
    site.run(JOB)
    before = site.versions("UserTrait")
    site.query("""UPDATE "QuizResult" SET "answers" = "answers" || '{"999": "a"}' WHERE "userId" = 5""")
    ran = site.run(JOB, {"incremental": True})
    assert (ran.looked_into, ran.counts["written"]) == (1, 0)
    assert ran.reasons["answer-unknown-question"] == 1
    assert site.versions("UserTrait") == before
    assert_right(site)


MANY = range(1, 41)


def many(*changed: int) -> str:
    """Answers to many questions, or values of many traits: all equal except those named."""
    return json.dumps({str(1000 + at): 2 if at in changed else 1 for at in MANY})


def test_changes_that_might_cancel_each_other_out_are_seen(site: Site) -> None:
    """Two equal changes 16 keys apart leave PostgreSQL's hash of a jsonb as it was."""
    site.query('INSERT INTO "User" ("id") SELECT generate_series(2, 40)')
    for at in MANY:
        site.query('INSERT INTO "QuizQuestion" ("id", "quizId", "prompt") VALUES (%s, 1, %s)', [1000 + at, ""])
        for value in "12":
            add_option(site, 1000 + at, value, json.dumps({"calm": at, f"other {value}": -at}))
    for user in MANY[1:]:
        add_result(site, user, 1, many())
    site.run(JOB)
    for user in MANY[1:]:
        site.query('UPDATE "QuizResult" SET "answers" = %s WHERE "userId" = %s', [many(1, user), user])
    assert site.run(JOB, {"incremental": True}).looked_into == len(MANY[1:])
    assert_right(site)


def test_changed_values_of_many_traits_of_an_option_are_seen(site: Site) -> None:
    make_quiz_site(site)
    site.run(JOB)
    for changed in ((), (1, 17), (), (1, 33), (), (5, 21), ()):
        site.query(f'UPDATE "QuizOption" SET "traitValues" = %s WHERE "id" = {OPTION}', [many(*changed)])
        assert site.run(JOB, {"incremental": True}).looked_into > 0
        assert_right(site)


def test_a_number_written_otherwise_is_another_answer(site: Site) -> None:
    make_quiz_site(site)
    add_option(site, 102, "1", '{"calm": 3}')
    site.query("""UPDATE "QuizResult" SET "answers" = '{"102": 1}' WHERE "userId" = 5""")
    site.run(JOB)
    site.query("""UPDATE "QuizResult" SET "answers" = '{"102": 1.0}' WHERE "userId" = 5""")
    ran = site.run(JOB, {"incremental": True})
    assert (ran.looked_into, ran.reasons["answer-unknown-option"]) == (1, 1)
    assert_right(site)


def test_an_option_changed_while_a_run_is_under_way_is_seen_by_the_next(site: Site) -> None:
    make_quiz_site(site)
    site.run(JOB)
    change = f"""UPDATE "QuizOption" SET "traitValues" = '{{"calm": 7}}' WHERE "id" = {OPTION}"""
    between = site.run(JOB, {"incremental": True}, meanwhile=lambda: site.query(change))
    assert between.looked_into == 0
    assert site.run(JOB, {"incremental": True}).looked_into > 0
    assert_right(site)


def test_a_changed_option_is_no_news_to_the_deleted(site: Site) -> None:
    make_quiz_site(site)
    site.run(JOB)
    site.query('UPDATE "User" SET "deletedAt" = now() WHERE "id" = 3')
    site.run(JOB, {"incremental": True})
    assert site.query("""SELECT 1 FROM "QuizResult" WHERE "userId" = 3 AND "answers" ->> '101' = 'a'""")
    whom = {user for (user,) in site.query(WHO_CHOSE_IT)} - {3, 10}
    site.query(f"""UPDATE "QuizOption" SET "traitValues" = '{{"calm": 7}}' WHERE "id" = {OPTION}""")
    assert site.run(JOB, {"incremental": True}).looked_into == len(whom)
    assert_right(site)


def test_after_a_whole_run_a_changed_option_is_news_to_nobody(site: Site) -> None:
    make_quiz_site(site)
    site.run(JOB)
    site.query(f"""UPDATE "QuizOption" SET "traitValues" = '{{"calm": 7}}' WHERE "id" = {OPTION}""")
    site.run(JOB)
    assert_right(site)
    states = site.versions("UserTraitState")
    assert site.run(JOB, {"incremental": True}).looked_into == 0
    site.run(JOB)
    assert site.versions("UserTraitState") == states


def test_traits_from_before_the_job_are_put_right(site: Site) -> None:
    make_quiz_site(site)
    site.query(
        """INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (1, 'old', 1, 1), (9, 'old', 1, 1)"""
    )
    site.run(JOB)
    assert_right(site)


def test_a_run_for_one_user_leaves_the_others_alone(site: Site) -> None:
    make_quiz_site(site)
    site.run(JOB, {"userId": 2})
    assert {user for user, _ in oracle.stored_traits(site)} == {2}
    assert site.run(JOB, {"userId": 77}).message == "user 77 does not exist"


def test_a_site_with_columns_of_other_types_is_read_as_well(site: Site) -> None:
    site.query("""
        ALTER TABLE "User" ALTER "id" TYPE integer;
        ALTER TABLE "QuizQuestion" ALTER "id" TYPE integer, ALTER "quizId" TYPE smallint;
        ALTER TABLE "QuizOption" ALTER "questionId" TYPE integer, ALTER "value" TYPE varchar(20);
        ALTER TABLE "QuizResult" ALTER "userId" TYPE integer, ALTER "quizId" TYPE integer;
    """)
    draw_quizzes(site, 2)
    site.run(JOB)
    assert_right(site)
    assert site.run(JOB, {"incremental": True}).looked_into == 0
