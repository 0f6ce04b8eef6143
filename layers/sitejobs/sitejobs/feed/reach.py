"""Finds the feeds that changed public posts reach: those that looked at such a post, or would look at one now.

A feed looks at its candidates from the best one on until its segments are full. Whatever ranks behind the last post
that it looked at changes nothing about it. A stored feed's scores refer to its `computedAt`; so changed posts are
scored as of then, and what reaches no feed costs neither reading nor writing one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.feed.feeds import figures_of
from sitejobs.feed.inputs import read_profiles
from sitejobs.feed.items import post_card
from sitejobs.feed.public_posts import Ints, Post, PostSet, PublicPosts, read_public, read_set
from sitejobs.feed.rules import Rules
from sitejobs.feed.scoring import millionths, score, static_scores
from sitejobs.feed.shared_cards import Card, hash_of, write_cards
from sitejobs.jobs.keyed import Parameters
from sitejobs.postgres.columns import fetch_columns

ANY: Final = -1
"""Stands for the last score of a feed that looked at all its posts: it takes any other one."""

PAIRS: Final = 200_000
"""Most pairs of a viewer and a post that are scored at once: 15 MB."""

_READ_FEEDS: Final[LiteralString] = f"""
SELECT s."userId", s."publicPosts" AS "set", COALESCE(s."lastScore", {ANY}) AS "last",
       EXTRACT(epoch FROM s."computedAt") * 1000000 AS "computedAt"
FROM "FeedPresortedUser" s
WHERE s."userId" BETWEEN %(first)s AND %(last)s AND s."publicPosts" <> %(set)s AND s."posts" IS NOT NULL
  AND s."fingerprint" IS NOT NULL
"""
"""Reads the feeds of a key range that were made of other public posts: of which, and what a post must reach."""

_READ_UNKNOWN: Final[LiteralString] = """
SELECT s."userId" FROM "FeedPresortedUser" s
WHERE s."userId" BETWEEN %(first)s AND %(last)s AND (s."publicPosts" IS NULL OR s."posts" IS NULL)
"""
"""Reads the feeds of a key range of which it is not known what they were made of."""

# Joined, since comparing each array with each of the posts takes longer.
_READ_TOUCHED: Final[LiteralString] = """
SELECT DISTINCT s."userId" FROM "FeedPresortedUser" s
CROSS JOIN LATERAL unnest(s."posts") AS p ("id")
JOIN unnest(%(ids)s::bigint[]) AS changed ("id") ON changed."id" = p."id"
WHERE s."userId" = ANY(%(users)s)
"""
"""Reads which of some feeds looked at one of these posts."""

_READ_EMBEDDING: Final[LiteralString] = """
SELECT s."userId" FROM "FeedSegment" s
WHERE s."userId" = ANY(%(users)s) AND s."segmentIndex" = 0 AND (
    s."id"[1] = ANY(%(ids)s) AND s."presentation"[1] IN ('highlight', 'post')
    OR s."id"[2] = ANY(%(ids)s) AND s."presentation"[2] IN ('highlight', 'post'))
"""
"""Reads which of some feeds have one of these posts among their first two cards, which `phase1Json` repeats."""


@dataclass(frozen=True)
class Feeds:
    """Stored feeds that were made of one set of public posts at one time: an entry each."""

    users: Ints
    last: Ints

    def without(self, reached: NDArray[np.bool_]) -> "Feeds":
        """Those that are not reached."""
        return Feeds(self.users[~reached], self.last[~reached])


@dataclass(frozen=True)
class Changes:
    """What differs between two sets of public posts.

    left : ids of posts that are gone, or rank otherwise now.
    came : posts that are new, or rank otherwise now.
    edited : posts that rank as before, but show something else.
    """

    left: list[int]
    came: list[Post]
    edited: list[Post]


def changes_between(old: PostSet, new: PublicPosts) -> Changes:
    """What has changed about public posts."""
    before, after = old.by_id(), new.set.by_id()
    left = [id_ for id_, (rank, _) in before.items() if id_ not in after or after[id_][0] != rank]
    came = [post for post in new.posts if post.id not in before or before[post.id][0] != after[post.id][0]]
    same = {id_ for id_ in before.keys() & after.keys() if before[id_][0] == after[id_][0]}
    edited = [post for post in new.posts if post.id in same and before[post.id][1] != after[post.id][1]]
    return Changes(left, came, edited)


def reached_users(connection: Connection, parameters: Parameters, *, write: bool = True) -> list[int]:
    """Users from %(first)s to %(last)s whose feeds changed public posts reach, ascending.

    An edit that changes no order is written to the post's card, if `write`.
    """
    public = read_public(connection, parameters)
    given = {**parameters, "set": public.set.hash}
    types = {"userId": "int8", "set": "int8", "last": "int4", "computedAt": "int8"}
    stored = fetch_columns(connection, _READ_FEEDS, given, types)
    reached = [int(user) for (user,) in connection.execute(_READ_UNKNOWN, given)]
    rules = Rules.from_parameters(parameters)
    edited: dict[int, Post] = {}
    for hash_ in np.unique(stored["set"]).tolist():
        of_set = stored["set"] == hash_
        old = read_set(connection, hash_)
        if old is None:
            reached += stored["userId"][of_set].tolist()
            continue
        changes = changes_between(old, public)
        edited |= {post.id: post for post in changes.edited}
        left: list[Feeds] = []
        for moment in np.unique(stored["computedAt"][of_set]).tolist():
            chosen = of_set & (stored["computedAt"] == moment)
            feeds = Feeds(stored["userId"][chosen], stored["last"][chosen].astype(np.int64))
            found = _entered(connection, feeds, changes.came, _time(moment), rules)
            reached += feeds.users[found].tolist()
            left.append(feeds.without(found))
        reached += _touched(connection, np.concatenate([it.users for it in left]), changes)
    if edited and write:
        texts = {post.id: post_card(post) for post in edited.values()}
        write_cards(connection, [Card("post", id_, hash_of(text), text + "}") for id_, text in texts.items()])
    return sorted(set(reached))


def _entered(
    connection: Connection, feeds: Feeds, came: Sequence[Post], at: datetime, rules: Rules
) -> NDArray[np.bool_]:
    """Which feeds, made at this time, would look at one of the posts that came; some may not, but are made anew.

    An author's or a viewer's own posts, and blocked people's, are taken for candidates of everybody.
    """
    if not came:
        return np.zeros(len(feeds.users), bool)
    figures = figures_of(came, at)
    lowest = static_scores(figures, rules)
    weights = rules.affinity
    most = rules.weights.affinity * (weights.creator + weights.topics + weights.content_type)
    highest = millionths(lowest + most) + 1
    found: NDArray[np.bool_] = feeds.last <= millionths(lowest).max()
    open_ = np.flatnonzero(~found & (feeds.last <= highest.max()))
    if not len(open_):
        return found
    posts = np.flatnonzero(highest >= feeds.last[open_].min())
    for part in np.array_split(open_, -(-len(open_) * len(posts) // PAIRS)):
        profiles = read_profiles(connection, feeds.users[part].tolist())
        users, candidates = np.repeat(np.arange(len(part)), len(posts)), np.tile(posts, len(part))
        scored = score(figures, [profiles.get(user) for user in feeds.users[part].tolist()], users, candidates, rules)
        found[part[np.unique(scored.users[scored.scores >= feeds.last[part][scored.users]])]] = True
    return found


def _touched(connection: Connection, users: Ints, changes: Changes) -> list[int]:
    """Which of these feeds looked at a post that has left, or embed the text of one that was edited."""
    found: list[int] = []
    if changes.left and len(users):
        given = {"users": users.tolist(), "ids": changes.left}
        found += [int(user) for (user,) in connection.execute(_READ_TOUCHED, given)]
    if changes.edited and len(users):
        given = {"users": users.tolist(), "ids": [post.id for post in changes.edited]}
        found += [int(user) for (user,) in connection.execute(_READ_EMBEDDING, given)]
    return found


def _time(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
