"""Everything that can happen on a site between two runs, one change at a time.

A change takes a connection and a source of randomness. None of them touches a timestamp that is not its subject:
an incremental run has to see what changed, not what says so.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from psycopg import Connection

from tests.matching.random_sites import (
    FLAVOURS,
    NOW,
    QUIZZES,
    SUBJECTS,
    Draft,
    SiteRows,
    draw_birthdate,
    draw_genders,
    draw_place,
    draw_quiz,
    draw_user,
)
from tests.matching.site_loading import load_more, profile_id

Change = Callable[[Connection, Random], None]

_MIXED = FLAVOURS["mixed"]


def _profiles(connection: Connection) -> list[int]:
    return [row[0] for row in connection.execute("""SELECT "userId" FROM "Profile" ORDER BY 1""")]


def _users(connection: Connection) -> list[int]:
    return [row[0] for row in connection.execute("""SELECT "id" FROM "User" ORDER BY 1""")]


def _some(connection: Connection, random: Random) -> int:
    """The user of a random profile."""
    return int(random.choice(_profiles(connection)))


def _one_of(rows: list[Any], random: Random) -> list[Any]:
    return random.sample(rows, 1) if rows else []


def _set_profile(connection: Connection, user_id: int, **columns: Any) -> None:
    for name, value in columns.items():
        connection.execute(f'UPDATE "Profile" SET "{name}" = %s WHERE "userId" = %s', [value, user_id])


def move(connection: Connection, random: Random) -> None:
    lat, lng = draw_place(random, FLAVOURS["one city"])
    _set_profile(connection, _some(connection, random), lat=lat, lng=lng)


def lose_the_place(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), lat=None)


def rename_the_place(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), locationText=random.choice(["Paris, France", "", None, "Rome"]))


def correct_the_birthdate(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), birthdate=draw_birthdate(random))


def change_gender(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), gender=random.choice(["MALE", "FEMALE", "OTHER"]))


def touch(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), updatedAt=NOW - timedelta(minutes=random.randint(0, 90_000)))


def hide(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), isVisible=False)


def show_everyone(connection: Connection, random: Random) -> None:
    connection.execute("""UPDATE "Profile" SET "isVisible" = true""")


def delete_profile(connection: Connection, random: Random) -> None:
    _set_profile(connection, _some(connection, random), deletedAt=NOW)


def restore_profiles(connection: Connection, random: Random) -> None:
    connection.execute("""UPDATE "Profile" SET "deletedAt" = NULL""")


def delete_user(connection: Connection, random: Random) -> None:
    user_id = random.choice(_users(connection))
    connection.execute("""UPDATE "User" SET "deletedAt" = %s WHERE "id" = %s""", [NOW, user_id])


def restore_users(connection: Connection, random: Random) -> None:
    connection.execute("""UPDATE "User" SET "deletedAt" = NULL""")


def remove_user(connection: Connection, random: Random) -> None:
    connection.execute("""DELETE FROM "User" WHERE "id" = %s""", [random.choice(_users(connection))])


def register(connection: Connection, random: Random) -> None:
    """A new user with data of every kind; its id may lie anywhere among the others'."""
    taken = set(_users(connection))
    draft = draw_user(random, _MIXED)
    draft.user_id = next(number for number in iter(lambda: random.randint(1, 5000), 0) if number not in taken)
    load_more(connection, SiteRows([draft], set()))


def register_without_profile(connection: Connection, random: Random) -> None:
    load_more(connection, SiteRows([Draft(user_id=max(_users(connection)) + 1)], set()))


def add_profile(connection: Connection, random: Random) -> None:
    """Give an empty row to each user without one."""
    query = """SELECT "id" FROM "User" u WHERE NOT EXISTS (SELECT FROM "Profile" WHERE "userId" = u."id") ORDER BY 1"""
    for (user_id,) in connection.execute(query).fetchmany(1):
        connection.execute(
            """INSERT INTO "Profile" ("id", "userId", "updatedAt") VALUES (%s, %s, %s)""",
            [profile_id(user_id), user_id, NOW],
        )


def _prefer(connection: Connection, random: Random, column: str, value: Any) -> None:
    user_id = _some(connection, random)
    connection.execute(
        f"""INSERT INTO "UserPreference" ("userId", "{column}") VALUES (%s, %s)
            ON CONFLICT ("userId") DO UPDATE SET "{column}" = excluded."{column}" """,
        [user_id, value],
    )


def prefer_ages(connection: Connection, random: Random) -> None:
    _prefer(connection, random, "preferredAgeMin", random.choice([None, 0, 20, 30]))
    _prefer(connection, random, "preferredAgeMax", random.choice([None, 40, 60]))


def prefer_a_distance(connection: Connection, random: Random) -> None:
    _prefer(connection, random, "preferredDistanceKm", random.choice([None, 0, 5, 30, 300]))


def prefer_genders(connection: Connection, random: Random) -> None:
    _prefer(connection, random, "preferredGenders", draw_genders(random))


def prefer_nothing(connection: Connection, random: Random) -> None:
    connection.execute("""DELETE FROM "UserPreference" WHERE "userId" = %s""", [_some(connection, random)])


def gain_a_trait(connection: Connection, random: Random) -> None:
    key = random.choice(["trait-1", "trait-2", "trait-3", "brand new"])
    connection.execute(
        """INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (%s, %s, %s, 3)
           ON CONFLICT DO NOTHING""",
        [_some(connection, random), key, random.randint(-9, 9)],
    )


def _of_some_trait(connection: Connection, random: Random, statement: str) -> None:
    rows = connection.execute("""SELECT "userId", "traitKey" FROM "UserTrait" ORDER BY 1, 2""").fetchall()
    for row in _one_of(rows, random):
        connection.execute(statement + """ WHERE "userId" = %s AND "traitKey" = %s""", row)


def lose_a_trait(connection: Connection, random: Random) -> None:
    _of_some_trait(connection, random, """DELETE FROM "UserTrait" """)


def change_a_trait(connection: Connection, random: Random) -> None:
    _of_some_trait(connection, random, """UPDATE "UserTrait" SET "value" = 1 - "value" / 2 """)


def answer_more_for_a_trait(connection: Connection, random: Random) -> None:
    _of_some_trait(connection, random, """UPDATE "UserTrait" SET "n" = "n" + 1""")


def take_a_quiz(connection: Connection, random: Random) -> None:
    answers, vector, updated_at = draw_quiz(random)
    connection.execute(
        """INSERT INTO "QuizResult" VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT ("userId", "quizId") DO UPDATE SET "answers" = excluded."answers",
               "scoreVec" = excluded."scoreVec", "updatedAt" = excluded."updatedAt" """,
        [_some(connection, random), random.randint(1, QUIZZES), answers, vector, updated_at],
    )


def _of_some_result(connection: Connection, random: Random, statement: str) -> None:
    rows = connection.execute("""SELECT "userId", "quizId" FROM "QuizResult" ORDER BY 1, 2""").fetchall()
    for row in _one_of(rows, random):
        connection.execute(statement + """ WHERE "userId" = %s AND "quizId" = %s""", row)


def forget_a_quiz(connection: Connection, random: Random) -> None:
    _of_some_result(connection, random, """DELETE FROM "QuizResult" """)


def look_at_an_old_quiz_again(connection: Connection, random: Random) -> None:
    """Make a result the latest, with the same answers."""
    _of_some_result(connection, random, """UPDATE "QuizResult" SET "updatedAt" = "updatedAt" + interval '3 days'""")


def score_a_quiz_anew(connection: Connection, random: Random) -> None:
    vector = json.dumps([random.randint(-3, 3) for _ in range(6)])
    _of_some_result(connection, random, f"""UPDATE "QuizResult" SET "scoreVec" = '{vector}'""")


def answer_differently(connection: Connection, random: Random) -> None:
    answers = json.dumps({str(i): random.choice(["a", "b", 1]) for i in range(8)})
    _of_some_result(connection, random, f"""UPDATE "QuizResult" SET "answers" = '{answers}', "scoreVec" = NULL""")


def gain_an_interest(connection: Connection, random: Random) -> None:
    interest = random.randint(1, 40)
    connection.execute(
        """INSERT INTO "UserInterest" VALUES (%s, %s, %s) ON CONFLICT DO NOTHING""",
        [_some(connection, random), interest % SUBJECTS + 1, interest],
    )


def lose_an_interest(connection: Connection, random: Random) -> None:
    rows = connection.execute("""SELECT "userId", "subjectId", "interestId" FROM "UserInterest" ORDER BY 1, 2, 3""")
    for row in _one_of(rows.fetchall(), random):
        connection.execute(
            """DELETE FROM "UserInterest" WHERE "userId" = %s AND "subjectId" = %s AND "interestId" = %s""", row
        )


def rate(connection: Connection, random: Random) -> None:
    rater, target = profile_id(_some(connection, random)), profile_id(_some(connection, random))
    connection.execute(
        """INSERT INTO "ProfileRating" VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT ("raterProfileId", "targetProfileId") DO UPDATE SET "attractive" = excluded."attractive",
               "funny" = excluded."funny" """,
        [rater, target, *(random.randint(1, 5) for _ in range(4))],
    )


def take_a_rating_back(connection: Connection, random: Random) -> None:
    rows = connection.execute("""SELECT "raterProfileId", "targetProfileId" FROM "ProfileRating" ORDER BY 1, 2""")
    for row in _one_of(rows.fetchall(), random):
        connection.execute(
            """DELETE FROM "ProfileRating" WHERE "raterProfileId" = %s AND "targetProfileId" = %s""", row
        )


def block(connection: Connection, random: Random) -> None:
    connection.execute(
        """INSERT INTO "UserBlock" VALUES (%s, %s) ON CONFLICT DO NOTHING""",
        [_some(connection, random), _some(connection, random)],
    )


def unblock(connection: Connection, random: Random) -> None:
    rows = connection.execute("""SELECT "blockerId", "blockedId" FROM "UserBlock" ORDER BY 1, 2""").fetchall()
    for row in _one_of(rows, random):
        connection.execute("""DELETE FROM "UserBlock" WHERE "blockerId" = %s AND "blockedId" = %s""", row)


def say(connection: Connection, random: Random) -> None:
    connection.execute(
        """INSERT INTO "Like" VALUES (%s, %s, %s::"LikeAction", %s)
           ON CONFLICT ("fromUserId", "toUserId") DO UPDATE SET "action" = excluded."action" """,
        [_some(connection, random), _some(connection, random), random.choice(["LIKE", "DISLIKE"]), NOW],
    )


def take_a_word_back(connection: Connection, random: Random) -> None:
    rows = connection.execute("""SELECT "fromUserId", "toUserId" FROM "Like" ORDER BY 1, 2""").fetchall()
    for row in _one_of(rows, random):
        connection.execute("""DELETE FROM "Like" WHERE "fromUserId" = %s AND "toUserId" = %s""", row)


def match(connection: Connection, random: Random) -> None:
    connection.execute(
        """INSERT INTO "Match" VALUES (%s, %s, %s::"MatchState") ON CONFLICT DO NOTHING""",
        [_some(connection, random), _some(connection, random), random.choice(["ACTIVE", "CLOSED"])],
    )


def part(connection: Connection, random: Random) -> None:
    connection.execute("""UPDATE "Match" SET "state" = 'CLOSED'""")


def talk(connection: Connection, random: Random) -> None:
    connection.execute(
        """INSERT INTO "Conversation" VALUES (%s, %s) ON CONFLICT DO NOTHING""",
        [_some(connection, random), _some(connection, random)],
    )


CHANGES: tuple[Change, ...] = (
    move,
    lose_the_place,
    rename_the_place,
    correct_the_birthdate,
    change_gender,
    touch,
    hide,
    show_everyone,
    delete_profile,
    restore_profiles,
    delete_user,
    restore_users,
    remove_user,
    register,
    register_without_profile,
    add_profile,
    prefer_ages,
    prefer_a_distance,
    prefer_genders,
    prefer_nothing,
    gain_a_trait,
    lose_a_trait,
    change_a_trait,
    answer_more_for_a_trait,
    take_a_quiz,
    forget_a_quiz,
    look_at_an_old_quiz_again,
    score_a_quiz_anew,
    answer_differently,
    gain_an_interest,
    lose_an_interest,
    rate,
    take_a_rating_back,
    block,
    unblock,
    say,
    take_a_word_back,
    match,
    part,
    talk,
)
