"""Scores of posts, for all users of a page at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.feed.rules import AffinityWeights, Rules

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MICRO = 1_000_000
"""Scores are stored and compared to six decimals."""

_RANK_BITS, _SCORE_BITS = 24, 22


@dataclass(frozen=True)
class Profile:
    """What a user likes: shares by author, topic and kind of post, each with the highest one first."""

    creators: Mapping[int, float]
    topics: Mapping[str, float]
    content_types: Mapping[str, float]


@dataclass(frozen=True)
class PostFigures:
    """What the scores of some posts are made of, newest post first (of two of one moment the higher id).

    Attributes
    ----------
    authors : user ids.
    age_hours, quality, popularity : one number a post; popularity is 0 where a post is not trending.
    topics, content_types : of each post.
    """

    authors: Sequence[int]
    age_hours: Floats
    quality: Floats
    popularity: Floats
    topics: Sequence[Sequence[str]]
    content_types: Sequence[str]


@dataclass(frozen=True)
class Scored:
    """Pairs of a user and a post, by user, best post first. Each number is rounded to six decimals, in millionths."""

    users: Ints
    posts: Ints
    scores: Ints
    affinities: Ints


def recency(age_hours: Floats) -> Floats:
    """1 for a post of less than three quarters of an hour, falling ever more slowly."""
    return np.minimum(1.0, 1.0 / np.log(2.0 + np.maximum(age_hours, 0.0)))


def boost(popularity: Floats, rules: Rules) -> Floats:
    """How much a post trends, 0 to 1."""
    return popularity / (popularity + rules.trending_half)


def millionths(values: Floats) -> Ints:
    return np.rint(values * MICRO).astype(np.int64)


def static_scores(posts: PostFigures, rules: Rules) -> Floats:
    """The part of each post's score that is the same for every user."""
    weights = rules.weights
    return (
        weights.recency * recency(posts.age_hours)
        + weights.quality * np.clip(posts.quality, 0.0, 1.0)
        + weights.trending * boost(posts.popularity, rules)
    )


def score(
    posts: PostFigures, profiles: Sequence[Profile | None], users: Ints, candidates: Ints, rules: Rules
) -> Scored:
    """Score pairs of a user (index into `profiles`) and a post (index into `posts`), and put them into order."""
    affinities = _affinities(posts, profiles, users, candidates, rules.affinity)
    scores = millionths(static_scores(posts, rules)[candidates] + rules.weights.affinity * affinities)
    # One number to sort by: user, then score, then the posts' own order.
    key = (users << (_RANK_BITS + _SCORE_BITS)) + (((1 << _SCORE_BITS) - 1 - scores) << _RANK_BITS) + candidates
    order = np.argsort(key)
    return Scored(users[order], candidates[order], scores[order], millionths(affinities)[order])


def _affinities(
    posts: PostFigures, profiles: Sequence[Profile | None], users: Ints, candidates: Ints, weights: AffinityWeights
) -> Floats:
    """How much each user likes what a post is, 0 to 1: against what that user likes most."""
    authors = {author: column for column, author in enumerate(dict.fromkeys(posts.authors))}
    topics = {topic: column for column, topic in enumerate(dict.fromkeys(t for each in posts.topics for t in each))}
    types = {"photos": 0, "videos": 1, "text": 2}
    by_author = _table(profiles, authors, [p.creators if p else {} for p in profiles])
    by_topic = _table(profiles, topics, [p.topics if p else {} for p in profiles])
    by_type = _table(profiles, types, [p.content_types if p else {} for p in profiles])
    author_of = np.array([authors[author] for author in posts.authors], np.int64)
    type_of = np.array([types[kind] for kind in posts.content_types], np.int64)
    found = weights.creator * by_author[users, author_of[candidates]]
    found += weights.content_type * by_type[users, type_of[candidates]]
    # The last column of a table is of what nobody likes: posts have different numbers of topics.
    of_topics = np.zeros(len(users))
    for place in range(max((len(each) for each in posts.topics), default=0)):
        column = np.array([topics[each[place]] if place < len(each) else -1 for each in posts.topics], np.int64)
        of_topics += by_topic[users, column[candidates]]
    return found + weights.topics * np.minimum(of_topics, 1.0)


def _table(
    profiles: Sequence[Profile | None], columns: Mapping[Any, int], shares: Sequence[Mapping[Any, float]]
) -> Floats:
    """A row a user: each share as a part of the user's highest one, 0 where there is none."""
    table = np.zeros((len(profiles), len(columns) + 1))
    for row, of_user in enumerate(shares):
        highest = max(of_user.values(), default=0.0)
        if highest > 0:
            for name, share in of_user.items():
                if (column := columns.get(name)) is not None:
                    table[row, column] = share / highest
    return table
