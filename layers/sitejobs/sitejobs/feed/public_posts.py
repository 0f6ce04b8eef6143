"""The posts that are candidates for everybody, and stored sets of them that feeds were made of (FeedPublicPosts)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.feed import sources
from sitejobs.jobs.keyed import Parameters
from sitejobs.postgres.columns import fetch_lists

Ints = NDArray[np.int64]

_READ: Final[LiteralString] = f"""
SELECT post.*, {sources.POST_HASH}, {sources.RANK_HASH} FROM ({sources.PUBLIC_POSTS}) AS post
"""
"""Reads the posts that are candidates for everybody."""

_READ_SET: Final[LiteralString] = """
SELECT "id", "content", "rank" FROM "FeedPublicPosts" WHERE "hash" = %(set)s ORDER BY "madeAt" DESC LIMIT 1
"""
"""Reads a stored set."""

_HAS_SET: Final[LiteralString] = """SELECT EXISTS (SELECT FROM "FeedPublicPosts" WHERE "hash" = %(set)s)"""
"""Tells whether a set is stored."""

# Pages that run at the same time may each add the set: were "hash" unique, one of them would fail.
_ADD_SET: Final[LiteralString] = """
INSERT INTO "FeedPublicPosts" ("hash", "madeAt", "id", "content", "rank")
VALUES (%(set)s, now(), %(ids)s::bigint[], %(contents)s::bigint[], %(ranks)s::bigint[])
"""
"""Adds a set."""


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
class PostSet:
    """Public posts by hashes: of each whole post, and of what its score is made of. Ids ascend."""

    ids: Ints
    contents: Ints
    ranks: Ints

    def by_id(self) -> dict[int, tuple[int, int]]:
        """Id -> (rank, content) of each post."""
        pairs = zip(self.ranks.tolist(), self.contents.tolist(), strict=True)
        return dict(zip(self.ids.tolist(), pairs, strict=True))

    @property
    def hash(self) -> int:
        """Of ids and contents, which contain the ranks."""
        digest = blake2b(self.ids.tobytes() + self.contents.tobytes(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)


@dataclass(frozen=True)
class PublicPosts:
    """The public posts of one moment, newest first."""

    posts: Sequence[Post]
    set: PostSet


def read_public(connection: Connection, parameters: Parameters) -> PublicPosts:
    """The posts that are candidates for everybody now. Those without an id, as a view may have them, have no card."""
    rows = [row for row in connection.execute(_READ, parameters) if row[0] is not None]
    hashes = np.array(sorted((row[0], *row[-2:]) for row in rows), np.int64).reshape(-1, 3)
    posts = sorted((post_of(row[:-2]) for row in rows), key=lambda post: (post.created, post.id), reverse=True)
    return PublicPosts(posts, PostSet(*hashes.T.copy()))


def read_set(connection: Connection, hash_: int) -> PostSet | None:
    """The stored set with this hash; None if it is not stored any more."""
    types = {"id": "int8", "content": "int8", "rank": "int8"}
    found = fetch_lists(connection, _READ_SET, {"set": hash_}, types)
    return PostSet(*(column[0] for column in found.values())) if found["id"] else None


def write_set(connection: Connection, posts: PostSet) -> None:
    """Store the set, unless it is stored."""
    given: Parameters = {"set": posts.hash}
    if connection.execute(_HAS_SET, given).fetchone() == (False,):
        arrays = {"ids": posts.ids.tolist(), "contents": posts.contents.tolist(), "ranks": posts.ranks.tolist()}
        connection.execute(_ADD_SET, given | arrays)


def post_of(row: Sequence[Any]) -> Post:
    """A post as SQL reads it."""
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


def in_utc(time: datetime) -> datetime:
    """A time of the site in UTC; `timestamp` columns hold UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _figure(value: float | None) -> float:
    """The figure, or 0 if it is missing, not finite or negative."""
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0
