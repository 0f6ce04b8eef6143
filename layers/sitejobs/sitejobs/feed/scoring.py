"""Scores posts for all viewers of a page at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.feed.rules import AffinityWeights, Rules

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MICRO = 1_000_000
"""Scores are compared and stored with six decimals: as whole millionths."""

_RANK_BITS, _SCORE_BITS = 24, 22


@dataclass(frozen=True)
class Profile:
    """A user's likes as shares by author, topic and kind of post, the highest share first."""

    creators: Mapping[int, float]
    topics: Mapping[str, float]
    content_types: Mapping[str, float]


@dataclass(frozen=True)
class PostFigures:
    """What posts are scored by, newest post first; of two of the same time, the higher id first.

    Attributes
    ----------
    authors : user ids.
    age_hours, quality, popularity : one number a post; popularity is 0 if the post is not trending.
    topics, content_types : one entry a post.
    """

    authors: Sequence[int]
    age_hours: Floats
    quality: Floats
    popularity: Floats
    topics: Sequence[Sequence[str]]
    content_types: Sequence[str]


@dataclass(frozen=True)
class Scored:
    """Pairs of a viewer and a post, by viewer, best post first. Scores and affinities are whole millionths."""

    users: Ints
    posts: Ints
    scores: Ints
    affinities: Ints


def recency(age_hours: Floats) -> Floats:
    """min(1, 1 / ln(2 + age)): 1 up to an age of 43 minutes, then falling ever more slowly."""
    return np.minimum(1.0, 1.0 / np.log(2.0 + np.maximum(age_hours, 0.0)))


def boost(popularity: Floats, rules: Rules) -> Floats:
    """Trending part of a score, 0 to 1."""
    return popularity / (popularity + rules.trending_half)


def millionths(values: Floats) -> Ints:
    return np.rint(values * MICRO).astype(np.int64)


def static_scores(posts: PostFigures, rules: Rules) -> Floats:
    """The part of each post's score that is equal for all viewers."""
    weights = rules.weights
    return (
        weights.recency * recency(posts.age_hours)
        + weights.quality * np.clip(posts.quality, 0.0, 1.0)
        + weights.trending * boost(posts.popularity, rules)
    )


def score(
    posts: PostFigures, profiles: Sequence[Profile | None], users: Ints, candidates: Ints, rules: Rules
) -> Scored:
    """Score and sort pairs of a viewer (index into `profiles`) and a post (index into `posts`)."""
    affinities = _affinities(posts, profiles, users, candidates, rules.affinity)
    scores = millionths(static_scores(posts, rules)[candidates] + rules.weights.affinity * affinities)
    # The sort key, one number: user, then score downwards, then the posts' own order.
    key = (users << (_RANK_BITS + _SCORE_BITS)) + (((1 << _SCORE_BITS) - 1 - scores) << _RANK_BITS) + candidates
    order = np.argsort(key)
    return Scored(users[order], candidates[order], scores[order], millionths(affinities)[order])


def _affinities(
    posts: PostFigures, profiles: Sequence[Profile | None], users: Ints, candidates: Ints, weights: AffinityWeights
) -> Floats:
    """Affinity of each pair, 0 to 1. Each share is divided by the viewer's highest of its sort."""
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
    # Column -1 of a table is 0 for everybody: it stands in for the topics that a post has not.
    of_topics = np.zeros(len(users))
    for place in range(max((len(each) for each in posts.topics), default=0)):
        column = np.array([topics[each[place]] if place < len(each) else -1 for each in posts.topics], np.int64)
        of_topics += by_topic[users, column[candidates]]
    return found + weights.topics * np.minimum(of_topics, 1.0)


def _table(
    profiles: Sequence[Profile | None], columns: Mapping[Any, int], shares: Sequence[Mapping[Any, float]]
) -> Floats:
    """A row a viewer: each share divided by the viewer's highest one, 0 where there is none; the last column is 0."""
    table = np.zeros((len(profiles), len(columns) + 1))
    for row, of_user in enumerate(shares):
        highest = max(of_user.values(), default=0.0)
        if highest > 0:
            for name, share in of_user.items():
                if (column := columns.get(name)) is not None:
                    table[row, column] = share / highest
    return table
