"""Reads the inputs of a page's feeds, in about ten queries for any number of users."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.feed import sources
from sitejobs.feed.public_posts import Post, PostSet, in_utc, post_of, read_public
from sitejobs.feed.scoring import Profile
from sitejobs.jobs.keyed import Parameters
from sitejobs.postgres.columns import Column, fetch_columns, fetch_lists

_EACH: Final[LiteralString] = """FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL"""
_OWN_AND_FOLLOWED: Final[LiteralString] = (
    f'SELECT k."userId", post.* {_EACH} ({sources.OWN_AND_FOLLOWED_POSTS}) AS post'
)
"""Reads the posts that are candidates of one viewer alone."""

_BLOCKED: Final[LiteralString] = f'SELECT k."userId", o."other" {_EACH} ({sources.BLOCKED}) AS o'
"""Reads whom blocks separate from each viewer."""

_DECIDED: Final[LiteralString] = f'SELECT k."userId", o."other" {_EACH} ({sources.DECIDED}) AS o'
"""Reads about whom each viewer has decided, or who has about it."""

_OTHER_PEOPLE: Final[LiteralString] = f"""
SELECT k."userId", o."other" {_EACH} ({sources.OTHER_PEOPLE}) AS o ORDER BY k."userId", o."other" DESC
"""
"""Reads the newest people whom nothing keeps from each viewer."""

_MATCHES: Final[LiteralString] = f"""
SELECT k."userId", o."other" {_EACH} ({sources.MATCHES}) AS o
ORDER BY k."userId", o."updatedAt" DESC NULLS LAST, o."other"
"""
"""Reads each viewer's matches, latest first."""

_ANSWERED: Final[LiteralString] = f'SELECT k."userId", o."question" {_EACH} ({sources.ANSWERED}) AS o'
"""Reads which questions each viewer has answered."""

_PROFILES: Final[LiteralString] = """
SELECT "userId", "topCreators", "topCreatorShares", "topTopics", "topTopicShares", "contentTypePrefs"
FROM "UserAffinityProfile" WHERE "userId" = ANY(%(keys)s)
"""
"""Reads what each viewer likes."""

# The ids are a condition on both tables: otherwise the planner reads all profiles.
_PEOPLE: Final[LiteralString] = f'{sources.PERSON} AND a."id" = ANY(%(ids)s) AND c."userId" = ANY(%(ids)s)'
"""Reads those of some users who may appear in others' feeds."""

_VISIBLE: Final[LiteralString] = f"""
SELECT p."id", p."hash", (p."hash" IS DISTINCT FROM (
    SELECT f."hash" FROM "FeedCard" f WHERE f."kind" = 'suggestion' AND f."id" = p."id" ORDER BY f."madeAt" DESC LIMIT 1
))::int AS "unwritten"
FROM (SELECT person."id", {sources.PERSON_HASH} AS "hash" FROM ({_PEOPLE}) AS person) AS p
"""
"""Tells which of some users may appear in others' feeds, and which of these have no card or an outdated one."""


@dataclass(frozen=True)
class Question:
    """A question of the newest active quiz. `updated`: when the quiz was last changed, None if unknown."""

    id: int
    prompt: str
    quiz: int
    updated: datetime | None
    options: Sequence[Any]


@dataclass(frozen=True)
class Person:
    """A user who may appear in others' feeds."""

    id: int
    name: str | None
    avatar: str | None
    bio: str | None


@dataclass(frozen=True)
class Visible:
    """Those of some users who may appear in others' feeds.

    Attributes
    ----------
    hashes : user -> hash of what a card shows of the user.
    unwritten : users whose stored card shows something else, or who have none.
    """

    hashes: dict[int, int]
    unwritten: set[int]

    def add(self, other: "Visible") -> None:
        """Add users who have been read later."""
        self.hashes.update(other.hashes)
        self.unwritten.update(other.unwritten)


@dataclass(frozen=True)
class Inputs:
    """What the feeds of some users are made of, as stored.

    Attributes
    ----------
    posts : all candidate posts, newest first; of two of the same time, the higher id first.
    public : the posts that are candidates for everybody.
    own : user -> ids of the user's own posts, and of private posts that the user may see.
    blocked, decided : user -> others who must not appear at all, or not as a suggestion.
    matches : user -> others, latest first.
    scored : user -> (others, scores), best first; users without scores are absent.
    unreadable : number of scores that are not finite; they are left out.
    newest : the newest people, for users without scores.
    others : user -> other people, for users whom everybody among the newest is kept from.
    answered : user -> ids of questions, as text.
    """

    posts: Sequence[Post]
    public: PostSet
    own: Mapping[int, Sequence[int]]
    blocked: Mapping[int, set[int]]
    decided: Mapping[int, set[int]]
    matches: Mapping[int, Sequence[int]]
    scored: Mapping[int, tuple[list[int], list[float]]]
    unreadable: int
    newest: Sequence[int]
    others: Mapping[int, Sequence[int]]
    questions: Sequence[Question]
    answered: Mapping[int, set[str]]
    profiles: Mapping[int, Profile]


def read_inputs(connection: Connection, users: Sequence[int], parameters: Parameters) -> Inputs:
    """Read everything but people: `read_visible` reads only those who are to be suggested.

    Posts and questions without an id, as a view may have them, can have no card.
    """
    given = {**parameters, "keys": users}
    public = read_public(connection, parameters)
    posts = {post.id: post for post in public.posts}
    own: dict[int, dict[int, None]] = defaultdict(dict)
    for user, *row in connection.execute(_OWN_AND_FOLLOWED, given):
        if row[0] is not None:
            own[user][posts.setdefault(row[0], post_of(row)).id] = None
    scored, unreadable = _scored(connection, given)
    blocked = _id_sets(fetch_columns(connection, _BLOCKED, given, {"userId": "int8", "other": "int8"}))
    decided = _id_sets(fetch_columns(connection, _DECIDED, given, {"userId": "int8", "other": "int8"}))
    newest = connection.execute(sources.NEWEST_PEOPLE, given).fetchall() if len(scored) < len(users) else []
    kept = {user: {user} | blocked.get(user, set()) | decided.get(user, set()) for user in users if user not in scored}
    return Inputs(
        posts=sorted(posts.values(), key=lambda post: (post.created, post.id), reverse=True),
        public=public.set,
        own={user: list(ids) for user, ids in own.items()},
        blocked=blocked,
        decided=decided,
        matches=_lists(connection.execute(_MATCHES, given)),
        scored=scored,
        unreadable=unreadable,
        newest=[user for (user,) in newest],
        others=_others(connection, given, newest, kept),
        questions=[
            Question(id_, prompt, quiz, updated and in_utc(updated), options)
            for id_, prompt, quiz, updated, options in connection.execute(sources.QUESTIONS, given)
            if id_ is not None
        ],
        answered=_sets(connection.execute(_ANSWERED, given)),
        profiles=read_profiles(connection, users),
    )


def _others(
    connection: Connection, given: Parameters, newest: Sequence[tuple[int]], kept: Mapping[int, set[int]]
) -> dict[int, list[int]]:
    """`Inputs.others`. `kept`: user without scores -> those who are kept from it."""
    short = [user for user, others in kept.items() if all(other in others for (other,) in newest)]
    return _lists(connection.execute(_OTHER_PEOPLE, {**given, "keys": short})) if short else {}


def read_profiles(connection: Connection, users: Sequence[int]) -> dict[int, Profile]:
    """What each of these users likes, as far as it is known."""
    return {
        user: Profile(_shares(creators, creator_shares), _shares(topics, topic_shares), types)
        for user, creators, creator_shares, topics, topic_shares, types in connection.execute(
            _PROFILES, {"keys": users}
        )
    }


def read_visible(connection: Connection, ids: Iterable[int]) -> Visible:
    """Those of these users who may appear in others' feeds."""
    given = {"ids": np.array(sorted(ids), np.int64)}
    columns = fetch_columns(connection, _VISIBLE, given, {"id": "int8", "hash": "int8", "unwritten": "int4"})
    hashes = dict(zip(columns["id"].tolist(), columns["hash"].tolist(), strict=True))
    return Visible(hashes, set(columns["id"][columns["unwritten"] > 0].tolist()))


def read_people(connection: Connection, ids: Iterable[int]) -> dict[int, Person]:
    """What cards show of these users, as far as they may appear in others' feeds."""
    return {row[0]: Person(*row) for row in connection.execute(_PEOPLE, {"ids": sorted(ids)})}


def _shares(names: Sequence[Any], shares: Sequence[float]) -> dict[Any, float]:
    return {name: share for name, share in zip(names, shares, strict=True) if math.isfinite(share)}


def _scored(connection: Connection, given: Parameters) -> tuple[dict[int, tuple[list[int], list[float]]], int]:
    """`Inputs.scored` and `Inputs.unreadable`."""
    types = {"userId": "int8", "other": "int8", "score": "float8"}
    lists = fetch_lists(connection, sources.SCORED, given, types)
    found: dict[int, tuple[list[int], list[float]]] = {}
    unreadable = 0
    for (user,), others, scores in zip(*lists.values(), strict=True):
        finite = np.isfinite(scores)
        unreadable += len(scores) - int(finite.sum())
        if finite.any():
            found[int(user)] = (others[finite].tolist(), scores[finite].tolist())
    return found, unreadable


def _id_sets(columns: Mapping[str, Column]) -> dict[int, set[int]]:
    """User -> others, of many pairs of them: as columns they take a fraction of the time that rows take."""
    order = np.argsort(columns["userId"], kind="stable")
    users, others = columns["userId"][order], columns["other"][order]
    found, starts, counts = np.unique(users, return_index=True, return_counts=True)
    return {
        user: set(others[start : start + count].tolist())
        for user, start, count in zip(found.tolist(), starts.tolist(), counts.tolist(), strict=True)
    }


def _sets(rows: Iterable[tuple[int, Any]]) -> dict[int, set[Any]]:
    found: dict[int, set[Any]] = defaultdict(set)
    for user, other in rows:
        found[user].add(other)
    return found


def _lists(rows: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for user, other in rows:
        found[user].append(other)
    return found
