"""Unusable rows and values, and a site whose tables accept them."""

from dataclasses import dataclass
from typing import LiteralString

LOOSEN: LiteralString = """
ALTER TABLE "UserTrait" DROP CONSTRAINT "UserTrait_value_finite";
ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key", ALTER "updatedAt" DROP NOT NULL;
CREATE UNIQUE INDEX ON "Profile" ("userId") WHERE "deletedAt" IS NULL;
CREATE INDEX ON "Profile" ("userId");
ALTER TABLE "UserPreference" DROP CONSTRAINT "UserPreference_pkey", ALTER "updatedAt" DROP NOT NULL,
    ALTER "preferredAgeMin" TYPE double precision, ALTER "preferredAgeMax" TYPE double precision,
    ALTER "preferredDistanceKm" TYPE double precision;
ALTER TABLE "ProfileRating" DROP CONSTRAINT "ProfileRating_pkey",
    DROP CONSTRAINT "ProfileRating_attractive_check", DROP CONSTRAINT "ProfileRating_smart_check",
    DROP CONSTRAINT "ProfileRating_funny_check", DROP CONSTRAINT "ProfileRating_interesting_check",
    ALTER "raterProfileId" DROP NOT NULL, ALTER "targetProfileId" DROP NOT NULL, ALTER "createdAt" DROP NOT NULL,
    ALTER "smart" DROP NOT NULL, ALTER "attractive" TYPE double precision, ALTER "smart" TYPE numeric;
ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_pkey",
    ALTER "userId" DROP NOT NULL, ALTER "subjectId" DROP NOT NULL, ALTER "interestId" DROP NOT NULL;
ALTER TABLE "QuizResult" DROP CONSTRAINT "QuizResult_pkey",
    ALTER "userId" DROP NOT NULL, ALTER "quizId" DROP NOT NULL, ALTER "answers" DROP NOT NULL,
    ALTER "updatedAt" DROP NOT NULL;
ALTER TABLE "UserBlock" DROP CONSTRAINT "UserBlock_pkey",
    ALTER "blockerId" DROP NOT NULL, ALTER "blockedId" DROP NOT NULL;
ALTER TABLE "Match" DROP CONSTRAINT "Match_pkey", ALTER "userAId" DROP NOT NULL, ALTER "userBId" DROP NOT NULL;
ALTER TABLE "Conversation" DROP CONSTRAINT "Conversation_pkey",
    ALTER "userAId" DROP NOT NULL, ALTER "userBId" DROP NOT NULL;
ALTER TABLE "ProfileAccess" DROP CONSTRAINT "ProfileAccess_pkey",
    ALTER "ownerUserId" DROP NOT NULL, ALTER "viewerUserId" DROP NOT NULL;
ALTER TABLE "Like" DROP CONSTRAINT "Like_pkey", ALTER "fromUserId" DROP NOT NULL, ALTER "toUserId" DROP NOT NULL,
    ALTER "action" DROP NOT NULL, ALTER "createdAt" DROP NOT NULL;
"""
"""Drops all constraints but one undeleted profile a user, and makes columns doubles where the contract allows it."""


@dataclass(frozen=True)
class Poison:
    """What is done to a site that has the user %(id)s, with the profile %(profile)s, and another with a profile.

    reason : what match-scores and compatibility count it as, empty if it is no record that they pass over.
    """

    name: str
    sql: LiteralString
    reason: str = ""


def _rating(name: str, stars: LiteralString, pair: LiteralString = "%(other)s, %(profile)s") -> Poison:
    values: LiteralString = f"""INSERT INTO "ProfileRating" VALUES ({pair}, {stars}, now())"""
    return Poison(f"rating {name}", values, "unreadable-ratings")


ROWS: tuple[Poison, ...] = (
    _rating("NaN", "'NaN', 5, 5, 5"),
    _rating("numeric NaN", "5, 'NaN', 5, 5"),
    _rating("Infinity", "'Infinity', 5, 5, 5"),
    _rating("-Infinity", "'-Infinity', 5, 5, 5"),
    _rating("1e308", "1e308, 5, 5, 5"),
    _rating("beyond a double", "5, 1e400, 5, 5"),
    _rating("0", "5, 5, 0, 5"),
    _rating("-3", "5, 5, 5, -3"),
    _rating("99", "99, 99, 99, 99"),
    _rating("without smart", "5, NULL, 5, 5"),
    _rating("by nobody", "5, 5, 5, 5", "NULL, %(profile)s"),
    _rating("of nobody", "5, 5, 5, 5", "%(profile)s, NULL"),
    Poison(
        "rating twice",
        """INSERT INTO "ProfileRating" SELECT "raterProfileId", "targetProfileId", 1, 1, 1, 1, '2001-01-01'
           FROM "ProfileRating" """,
    ),
    Poison(
        "rating twice, without a time",
        """INSERT INTO "ProfileRating" SELECT "raterProfileId", "targetProfileId", 1, 1, 1, 1, 'infinity'
           FROM "ProfileRating" """,
    ),
    Poison("interest twice", """INSERT INTO "UserInterest" SELECT * FROM "UserInterest" """),
    Poison("interest gone", """INSERT INTO "UserInterest" VALUES (%(id)s, 1, NULL)""", "unreadable-interests"),
    Poison("subject gone", """INSERT INTO "UserInterest" VALUES (%(id)s, NULL, 1)""", "unreadable-interests"),
    Poison("interest of nobody", """INSERT INTO "UserInterest" VALUES (NULL, 1, 1)""", "unreadable-interests"),
    Poison(
        "result of no quiz",
        """INSERT INTO "QuizResult" VALUES (%(id)s, NULL, '{"1": "a"}', '[1]', now())""",
        "unreadable-quiz-results",
    ),
    Poison("result of nobody", """INSERT INTO "QuizResult" VALUES (NULL, 1, '{}')""", "unreadable-quiz-results"),
    Poison(
        "result twice",
        """INSERT INTO "QuizResult" SELECT "userId", "quizId", '{"1": "x"}', '[3, 1]', '2001-01-01'
           FROM "QuizResult" """,
    ),
    Poison(
        "result twice, without a time",
        """INSERT INTO "QuizResult" SELECT "userId", "quizId", '{"1": "x"}', NULL, NULL FROM "QuizResult" """,
    ),
    Poison("block by nobody", """INSERT INTO "UserBlock" VALUES (NULL, %(id)s)""", "unreadable-blocks"),
    Poison("block of nobody", """INSERT INTO "UserBlock" VALUES (%(id)s, NULL)""", "unreadable-blocks"),
    Poison("block twice", """INSERT INTO "UserBlock" SELECT * FROM "UserBlock" """),
    Poison(
        "deleted profiles",
        """INSERT INTO "Profile" ("id", "userId", "lat", "lng", "locationText", "deletedAt")
           SELECT side * 5000000000 + "id", "userId", 1, 1, 'Gone', now()
           FROM "Profile", (VALUES (-1), (1)) AS sides (side) WHERE "deletedAt" IS NULL""",
    ),
    Poison(
        "preference twice",
        """INSERT INTO "UserPreference" SELECT "userId", 18, 19, 1, '["MALE"]', '2001-01-01' FROM "UserPreference" """,
    ),
    Poison(
        "preference twice, of a time beyond all times",
        """INSERT INTO "UserPreference" SELECT "userId", 18, 19, 1, '["MALE"]', 'infinity' FROM "UserPreference" """,
    ),
)
"""Rows that count as missing: no stored row may change."""

TRAIT = Poison("trait NaN", """INSERT INTO "UserTrait" VALUES (%(id)s, 'odd', 'NaN', 5)""", "unreadable-traits")

LIKES: tuple[Poison, ...] = (
    Poison("like of nobody", """INSERT INTO "Like" VALUES (%(id)s, NULL, 'DISLIKE', now())""", "unreadable-likes"),
    Poison("like by nobody", """INSERT INTO "Like" VALUES (NULL, %(id)s, 'DISLIKE', now())""", "unreadable-likes"),
    Poison("like that says nothing", """INSERT INTO "Like" SELECT %(id)s, "id", NULL, now() FROM "User" """),
    Poison("like twice", """INSERT INTO "Like" SELECT * FROM "Like" """),
    Poison("like of no time", """UPDATE "Like" SET "createdAt" = NULL"""),
    Poison("like of a time beyond all times", """UPDATE "Like" SET "createdAt" = 'infinity'"""),
)

RELATIONS: tuple[Poison, ...] = (
    Poison("match with nobody", """INSERT INTO "Match" VALUES (%(id)s, NULL)""", "unreadable-matches"),
    Poison("match of nobody", """INSERT INTO "Match" VALUES (NULL, %(id)s)""", "unreadable-matches"),
    Poison("match twice", """INSERT INTO "Match" SELECT * FROM "Match" """),
    Poison("talk with nobody", """INSERT INTO "Conversation" VALUES (%(id)s, NULL)""", "unreadable-conversations"),
    Poison("talk of nobody", """INSERT INTO "Conversation" VALUES (NULL, %(id)s)""", "unreadable-conversations"),
    Poison("talk twice", """INSERT INTO "Conversation" SELECT * FROM "Conversation" """),
    Poison(
        "access to nobody", """INSERT INTO "ProfileAccess" VALUES (%(id)s, NULL, 'GRANTED')""", "unreadable-accesses"
    ),
    Poison(
        "access by nobody", """INSERT INTO "ProfileAccess" VALUES (NULL, %(id)s, 'GRANTED')""", "unreadable-accesses"
    ),
    Poison("access twice", """INSERT INTO "ProfileAccess" SELECT * FROM "ProfileAccess" """),
)

_TIMES: tuple[LiteralString, ...] = ("infinity", "-infinity", "4000-01-01 BC", "10000-01-01")
_NUMBERS: tuple[LiteralString, ...] = ("NaN", "Infinity", "-Infinity", "1e308")


def _values() -> tuple[Poison, ...]:
    found = []
    for time in _TIMES:
        found += [
            Poison(f"birthdate {time}", f"""UPDATE "Profile" SET "birthdate" = '{time}' WHERE "id" = %(profile)s"""),
            Poison(f"profile of {time}", f"""UPDATE "Profile" SET "updatedAt" = '{time}' WHERE "id" = %(profile)s"""),
            Poison(f"created {time}", f"""UPDATE "User" SET "createdAt" = '{time}' WHERE "id" = %(id)s"""),
            Poison(f"result of {time}", f"""UPDATE "QuizResult" SET "updatedAt" = '{time}' WHERE "userId" = %(id)s"""),
            Poison(f"preference of {time}", f"""UPDATE "UserPreference" SET "updatedAt" = '{time}'"""),
            Poison(f"ratings of {time}", f"""UPDATE "ProfileRating" SET "createdAt" = '{time}'"""),
        ]
    for value in _NUMBERS:
        found += [
            Poison(f"lat {value}", f"""UPDATE "Profile" SET "lat" = '{value}' WHERE "id" = %(profile)s"""),
            Poison(f"lng {value}", f"""UPDATE "Profile" SET "lng" = '{value}' WHERE "id" = %(profile)s"""),
        ]
        for column in ("preferredAgeMin", "preferredAgeMax", "preferredDistanceKm"):
            found.append(
                Poison(
                    f"{column} {value}",
                    f"""UPDATE "UserPreference" SET "{column}" = '{value}' WHERE "userId" = %(id)s""",
                )
            )
    return tuple(found)


VALUES: tuple[Poison, ...] = (
    *_values(),
    Poison("results without a time", """UPDATE "QuizResult" SET "updatedAt" = NULL"""),
    Poison("a result without a time", """UPDATE "QuizResult" SET "updatedAt" = NULL WHERE "userId" = %(id)s"""),
    Poison("a result without answers", """UPDATE "QuizResult" SET "answers" = NULL WHERE "userId" = %(id)s"""),
    Poison("a huge vector", """UPDATE "QuizResult" SET "scoreVec" = '[1e308, 1, -1e308]' WHERE "userId" = %(id)s"""),
    Poison("profiles without a time", """UPDATE "Profile" SET "updatedAt" = NULL"""),
    Poison("ratings without a time", """UPDATE "ProfileRating" SET "createdAt" = NULL"""),
    Poison("ratings without smart", """UPDATE "ProfileRating" SET "smart" = NULL"""),
    Poison("a half star", """UPDATE "ProfileRating" SET "attractive" = 2.5 WHERE "targetProfileId" = %(profile)s"""),
)
"""Values that count as missing, in one user's rows or in all: the stored rows are the plain implementation's."""
