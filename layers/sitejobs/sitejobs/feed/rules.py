"""The rules of a feed as data: limits, weights and the slot pattern."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import Field

from sitejobs.jobs.repeats import RepeatVariables
from sitejobs.variables import Variables, read_environment

RULES = 2
"""Part of every fingerprint. Raise it when the same data would give another feed: all are then made anew."""

KIND_OF = {
    "highlight": "post",
    "post": "post",
    "suggestion": "suggestion",
    "grid": "suggestion",
    "question": "question",
}
"""Presentation of a slot -> kind of card that fills it."""


@dataclass(frozen=True)
class Weights:
    """Weight of each part in a post's score, each part from 0 to 1; `suggestion`: weight of a match score."""

    recency: float = 0.6
    affinity: float = 0.3
    quality: float = 0.1
    trending: float = 0.1  # added to the others, which sum to 1
    suggestion: float = 0.3


@dataclass(frozen=True)
class AffinityWeights:
    """Weight of each part in a post's affinity."""

    creator: float = 0.5
    topics: float = 0.3
    content_type: float = 0.2


@dataclass(frozen=True)
class Rules:
    """Everything but the data that a feed depends on.

    Attributes
    ----------
    pattern : (presentation, number of slots), repeated; see `KIND_OF`. A slot that cannot be filled is passed over.
    per_author : most cards of one author in a segment.
    trending_half : popularity at which trending adds half of its weight.
    author_posts : most candidates of one author among public posts, and among the private posts that a viewer may see.
    days : posts of this age in days, or older, are no candidates.
    repeat_days : days after which people whom the viewer disliked may be suggested again; None: never.
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
    repeat_days: float | None = None

    def to_parameters(self) -> dict[str, Any]:
        """The JSON values that SQL uses, by their names there; `settings`: all rules as a text, to be hashed."""
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
            "repeat_days": self.repeat_days,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "Rules":
        _, given = json.loads(parameters["settings"])
        weights, affinity = Weights(**given.pop("weights")), AffinityWeights(**given.pop("affinity"))
        pattern = tuple((presentation, count) for presentation, count in given.pop("pattern"))
        return cls(weights=weights, affinity=affinity, pattern=pattern, **given)


class VersionVariable(Variables):
    """The variable of a job that needs no other."""

    version: str = Field(
        default="v1",
        alias="FEED_ALGO_VERSION",
        description="stored with every feed; a new version makes all feeds stale",
    )


class FeedVariables(VersionVariable):
    """The FEED_* variables."""

    ttl_minutes: int = Field(
        default=30,
        alias="FEED_TTL_MINUTES",
        description="minutes after which a stored feed has expired; incremental runs renew it after half of them",
        ge=1,
        le=525_600,
        json_schema_extra={"takes": "a whole number of minutes from 1 to 525600"},
    )


def read_rules(environment: Mapping[str, str], segment_size: int, max_segments: int) -> Rules:
    """Rules with what the FEED_* variables say, and MATCH_REPEAT_DAYS.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    given = read_environment(FeedVariables, environment)
    return Rules(
        version=given.version,
        ttl_minutes=given.ttl_minutes,
        segment_size=segment_size,
        max_segments=max_segments,
        repeat_days=read_environment(RepeatVariables, environment).repeat_days,
    )


def read_version(environment: Mapping[str, str]) -> str:
    """FEED_ALGO_VERSION."""
    return read_environment(VersionVariable, environment).version
