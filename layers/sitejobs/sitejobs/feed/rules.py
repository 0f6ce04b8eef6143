"""The numbers and the pattern that a feed is made of: data, so that another feed is another value of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import Field

from sitejobs.variables import Variables, read_environment

RULES = 2
"""Raised whenever the same data would give another feed: an incremental run then computes all of them anew."""

KIND_OF = {
    "highlight": "post",
    "post": "post",
    "suggestion": "suggestion",
    "grid": "suggestion",
    "question": "question",
}
"""How a card is presented -> what it shows."""


@dataclass(frozen=True)
class Weights:
    """Share of each part in a post's score; each part lies in 0..1. `suggestion` is a match's score."""

    recency: float = 0.6
    affinity: float = 0.3
    quality: float = 0.1
    trending: float = 0.1  # on top of the others
    suggestion: float = 0.3


@dataclass(frozen=True)
class AffinityWeights:
    """Share of each part in a post's affinity."""

    creator: float = 0.5
    topics: float = 0.3
    content_type: float = 0.2


@dataclass(frozen=True)
class Rules:
    """Everything beside the data that a feed depends on.

    Attributes
    ----------
    pattern : (presentation, how many) over and over, see `KIND_OF`; a slot that cannot be filled is passed over.
    per_author : items of one author in a segment at most.
    trending_half : popularity at which a trending post has half of what trending can add.
    author_posts : of one author so many posts are candidates, public ones, and private ones for whoever may see them.
    days : age in days from which on a post is no candidate.
    """

    version: str = "v1"
    ttl_minutes: int = 30
    segment_size: int = 20
    max_segments: int = 3
    weights: Weights = field(default_factory=Weights)
    affinity: AffinityWeights = field(default_factory=AffinityWeights)
    pattern: tuple[tuple[str, int], ...] = (
        ("highlight", 1),
        ("suggestion", 3),
        ("grid", 3),
        ("post", 2),
        ("question", 1),
        ("post", 1),
    )
    per_author: int = 3
    trending_half: float = 10.0
    days: int = 7
    public_posts: int = 500
    author_posts: int = 10
    own_posts: int = 10
    followed_posts: int = 200
    matches: int = 3
    suggestions: int = 200
    questions: int = 5

    def to_parameters(self) -> dict[str, Any]:
        """As JSON values by the names that SQL uses, and the whole as `settings`, a text that can be hashed."""
        return {
            "settings": json.dumps([RULES, asdict(self)], sort_keys=True),
            "version": self.version,
            "ttlMinutes": self.ttl_minutes,
            "days": self.days,
            "publicPosts": self.public_posts,
            "authorPosts": self.author_posts,
            "ownPosts": self.own_posts,
            "followedPosts": self.followed_posts,
            "suggestions": self.suggestions,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "Rules":
        _, given = json.loads(parameters["settings"])
        weights, affinity = Weights(**given.pop("weights")), AffinityWeights(**given.pop("affinity"))
        pattern = tuple((presentation, count) for presentation, count in given.pop("pattern"))
        return cls(weights=weights, affinity=affinity, pattern=pattern, **given)


class VersionVariable(Variables):
    """The variable of a job that needs no other."""

    version: str = Field(default="v1", alias="FEED_ALGO_VERSION")


class FeedVariables(VersionVariable):
    """The FEED_* variables."""

    ttl_minutes: int = Field(
        default=30,
        alias="FEED_TTL_MINUTES",
        ge=1,
        le=525_600,
        json_schema_extra={"takes": "a whole number of minutes from 1 to 525600"},
    )


def read_rules(environment: Mapping[str, str], segment_size: int, max_segments: int) -> Rules:
    """Take the version and the time to live from FEED_* variables.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    given = read_environment(FeedVariables, environment)
    return Rules(
        version=given.version, ttl_minutes=given.ttl_minutes, segment_size=segment_size, max_segments=max_segments
    )


def read_version(environment: Mapping[str, str]) -> str:
    """FEED_ALGO_VERSION."""
    return read_environment(VersionVariable, environment).version
