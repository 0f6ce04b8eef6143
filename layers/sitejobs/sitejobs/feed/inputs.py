"""Reads the inputs of a page's feeds, in about ten queries for any number of users."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.feed import sources
from sitejobs.feed.scoring import Profile
from sitejobs.jobs.keyed import Parameters
from sitejobs.postgres.columns import fetch_columns

_EACH: Final[LiteralString] = """FROM unnest(%(keys)s::bigint[]) AS k ("userId") CROSS JOIN LATERAL"""
_OWN_AND_FOLLOWED: Final[LiteralString] = (
    f'SELECT k."userId", post.* {_EACH} ({sources.OWN_AND_FOLLOWED_POSTS}) AS post'
)
"""Reads the posts that are candidates of one viewer alone."""

_BLOCKED: Final[LiteralString] = f'SELECT k."userId", o."other" {_EACH} ({sources.BLOCKED}) AS o'
"""Reads whom blocks separate from each viewer."""

_DISLIKED: Final[LiteralString] = f'SELECT k."userId", o."other" {_EACH} ({sources.DISLIKED}) AS o'
"""Reads whom each viewer has disliked."""

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


@dataclass(frozen=True)
class Post:
    """A post as a card shows it; `media`: types of its visible media."""

    id: int
    author: int
    text: str | None
    created: datetime
    name: str | None
    avatar: str | None
    media: Sequence[str]
    topics: Sequence[str]
    quality: float
    popularity: float


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
class Inputs:
    """What the feeds of some users are made of, as stored.

    Attributes
    ----------
    posts : all candidate posts, newest first; of two of the same time, the higher id first.
    public : ids of the posts that are candidates for everybody.
    own : user -> ids of the user's own posts, and of private posts that the user may see.
    blocked, disliked : user -> others who must not appear at all, or not as a suggestion.
    matches : user -> others, latest first.
    scored : user -> (others, scores), best first; users without scores are absent.
    unreadable : number of scores that are not finite; they are left out.
    newest : the newest people, for users without scores.
    answered : user -> ids of questions, as text.
    """

    posts: Sequence[Post]
    public: frozenset[int]
    own: Mapping[int, Sequence[int]]
    blocked: Mapping[int, set[int]]
    disliked: Mapping[int, set[int]]
    matches: Mapping[int, Sequence[int]]
    scored: Mapping[int, tuple[list[int], list[float]]]
    unreadable: int
    newest: Sequence[int]
    questions: Sequence[Question]
    answered: Mapping[int, set[str]]
    profiles: Mapping[int, Profile]


def read_inputs(connection: Connection, users: Sequence[int], parameters: Parameters) -> Inputs:
    """Read everything but people: `read_people` reads only those who are to be suggested."""
    given = {**parameters, "keys": users}
    public = [_post(row) for row in connection.execute(sources.PUBLIC_POSTS, given)]
    posts = {post.id: post for post in public}
    own: dict[int, dict[int, None]] = defaultdict(dict)
    for user, *row in connection.execute(_OWN_AND_FOLLOWED, given):
        post = posts.setdefault(row[0], _post(row))
        own[user][post.id] = None
    scored, unreadable = _scored(connection, given)
    return Inputs(
        posts=sorted(posts.values(), key=lambda post: (post.created, post.id), reverse=True),
        public=frozenset(post.id for post in public),
        own={user: list(ids) for user, ids in own.items()},
        blocked=_sets(connection.execute(_BLOCKED, given)),
        disliked=_sets(connection.execute(_DISLIKED, given)),
        matches=_lists(connection.execute(_MATCHES, given)),
        scored=scored,
        unreadable=unreadable,
        newest=[user for (user,) in connection.execute(sources.NEWEST_PEOPLE, given)]
        if len(scored) < len(users)
        else [],
        questions=[
            Question(id_, prompt, quiz, updated and in_utc(updated), options)
            for id_, prompt, quiz, updated, options in connection.execute(sources.QUESTIONS, given)
        ],
        answered=_sets(connection.execute(_ANSWERED, given)),
        profiles={
            user: Profile(_shares(creators, creator_shares), _shares(topics, topic_shares), types)
            for user, creators, creator_shares, topics, topic_shares, types in connection.execute(_PROFILES, given)
        },
    )


def read_people(connection: Connection, ids: Iterable[int], parameters: Parameters) -> dict[int, Person]:
    """Those of these users who may appear in others' feeds."""
    found = connection.execute(_PEOPLE, {**parameters, "ids": sorted(ids)})
    return {row[0]: Person(*row) for row in found}


def in_utc(time: datetime) -> datetime:
    """A time of the site in UTC; `timestamp` columns hold UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _post(row: Sequence[Any]) -> Post:
    id_, author, text, created, name, avatar, media, topics, quality, popularity = row
    return Post(
        id_,
        author,
        text,
        in_utc(created),
        name,
        avatar,
        media or (),
        topics or (),
        _figure(quality),
        _figure(popularity),
    )


def _figure(value: float | None) -> float:
    """The figure, or 0 if it is missing, not finite or negative."""
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def _shares(names: Sequence[Any], shares: Sequence[float]) -> dict[Any, float]:
    return {name: share for name, share in zip(names, shares, strict=True) if math.isfinite(share)}


def _scored(connection: Connection, given: Parameters) -> tuple[dict[int, tuple[list[int], list[float]]], int]:
    """`Inputs.scored` and `Inputs.unreadable`."""
    types = {"userId": "int8", "other": "int8", "score": "float8", "rank": "int8"}
    columns = fetch_columns(connection, sources.SCORED, given, types)
    order = np.lexsort((columns["rank"], columns["userId"]))
    order = order[np.isfinite(columns["score"][order])]
    users, others, scores = (columns[name][order] for name in ("userId", "other", "score"))
    edges = [0, *((users[1:] != users[:-1]).nonzero()[0] + 1).tolist(), len(users)] if len(users) else []
    found = {
        int(users[start]): (others[start:end].tolist(), scores[start:end].tolist())
        for start, end in itertools.pairwise(edges)
    }
    return found, len(columns["score"]) - len(order)


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
