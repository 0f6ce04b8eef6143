"""Writes a site of `random_sites.py` into the tables of a database."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql

from tests.matching.random_sites import INTERESTS, QUIZZES, SUBJECTS, Decisions, SiteRows

_TRAIT_OF_NOBODY = """INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (1000000000, 'x', 1, 1)"""


def load(connection: Connection, site: SiteRows) -> None:
    """Write the site into the (empty) tables, in one transaction."""
    with connection.transaction():
        for table, columns, rows in _tables(site):
            _copy(connection, table, columns, rows)
        connection.execute(_TRAIT_OF_NOBODY)


def load_more(connection: Connection, site: SiteRows) -> None:
    """Add users with their rows to a site that already has quizzes and interests."""
    shared = ("Quiz", "InterestSubject", "Interest")
    with connection.transaction():
        for table, columns, rows in _tables(site):
            if table not in shared:
                _copy(connection, table, columns, rows)


def profile_id(user_id: int) -> int:
    """Profile ids differ from user ids, so that confusing the two fails a test."""
    return user_id // 2 + 900_000 if user_id % 2 == 0 else user_id // 2 + 400_000


def _tables(site: SiteRows) -> list[tuple[str, list[str], list[list[Any]]]]:
    drafts = site.drafts
    profiles = [draft for draft in drafts if draft.profile is not None]
    a_profile = next((draft.profile for draft in profiles if draft.profile), {})
    a_preference = next((draft.preference for draft in drafts if draft.preference), {})
    return [
        ("User", ["id", "createdAt", "deletedAt"], [[d.user_id, d.created_at, d.deleted_at] for d in drafts]),
        (
            "Profile",
            ["id", "userId", *a_profile],
            [[profile_id(d.user_id), d.user_id, *(d.profile or {}).values()] for d in profiles],
        ),
        (
            "UserPreference",
            ["userId", *a_preference],
            [[d.user_id, *d.preference.values()] for d in drafts if d.preference],
        ),
        ("UserBlock", ["blockerId", "blockedId"], [list(pair) for pair in sorted(site.blocks)]),
        *_decisions(site.decisions),
        ("Quiz", ["id", "title"], [[i, f"quiz {i}"] for i in range(1, QUIZZES + 1)]),
        (
            "QuizResult",
            ["userId", "quizId", "answers", "scoreVec", "updatedAt"],
            [[d.user_id, quiz_id, *result] for d in drafts for quiz_id, result in d.quizzes.items()],
        ),
        ("InterestSubject", ["id", "key", "label"], [[i, f"s{i}", "subject"] for i in range(1, SUBJECTS + 1)]),
        (
            "Interest",
            ["id", "subjectId", "key", "label"],
            [[i, i % SUBJECTS + 1, f"i{i}", "interest"] for i in range(1, INTERESTS + 1)],
        ),
        (
            "UserInterest",
            ["userId", "subjectId", "interestId"],
            [[d.user_id, *pair] for d in drafts for pair in sorted(d.interests)],
        ),
        (
            "UserTrait",
            ["userId", "traitKey", "value", "n"],
            [[d.user_id, key, *trait] for d in drafts for key, trait in d.traits.items()],
        ),
        (
            "ProfileRating",
            ["raterProfileId", "targetProfileId", "attractive", "smart", "funny", "interesting"],
            [
                [profile_id(drafts[rater].user_id), profile_id(d.user_id), *stars]
                for d in profiles
                for rater, stars in d.received.items()
            ],
        ),
    ]


def _decisions(decisions: Decisions) -> list[tuple[str, list[str], list[list[Any]]]]:
    return [
        (
            "Like",
            ["fromUserId", "toUserId", "action", "createdAt"],
            [[*pair, *like] for pair, like in decisions.likes.items()],
        ),
        ("Match", ["userAId", "userBId", "state"], [[*pair, state] for pair, state in decisions.matches.items()]),
        ("Conversation", ["userAId", "userBId"], [list(pair) for pair in sorted(decisions.conversations)]),
    ]


def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
