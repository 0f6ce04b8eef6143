"""The numbers that match-scores is made of, with the defaults of the site's algorithm."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from sitejobs.jobs.repeats import RepeatVariables
from sitejobs.variables import read_environment

Tiers = Literal["mutual", "viewer"]
MUTUAL: Final = "mutual"
"""Whose preferences tier A asks: both sides', or (`viewer`) the viewer's alone."""


@dataclass(frozen=True)
class Weights:
    """Share of each part in the score; each part lies in 0..1."""

    traits: float = 0.25
    interests: float = 0.20
    rating_quality: float = 0.15
    rating_fit: float = 0.10
    newness: float = 0.10
    proximity: float = 0.20

    @property
    def total(self) -> float:
        """The highest score that can be reached."""
        return self.traits + self.interests + self.rating_quality + self.rating_fit + self.newness + self.proximity


SLACK = 2
"""Ratings that count as the site's mean, added to those that somebody received."""

EFFECT_DECIMALS = 3
"""Decimals of what a model says of a person: smaller changes change no list, and would have it computed again."""


@dataclass(frozen=True)
class Learned:
    """What a model has learned of everybody: log odds that one says yes to another, and what weighs on them.

    model_id : of the model's row, which people's effects belong to.
    taste, means : (4,) what a point of each rating above the site's mean adds to the appeal of whom the model does not
        know yet, and these means.
    """

    model_id: int
    intercept: float
    traits: float
    interests: float
    proximity: float
    age_gap: float
    taste: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    means: tuple[float, ...] = (3.0, 3.0, 3.0, 3.0)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Learned":
        return cls(**(value | {"taste": tuple(value["taste"]), "means": tuple(value["means"])}))


@dataclass(frozen=True)
class Parameters:
    """Everything beside the data that a score depends on."""

    weights: Weights = field(default_factory=Weights)
    default_radius_km: float = 100.0
    half_life_days: float = 30.0
    min_ratings: int = 3
    """The view "MatchScore" has this number, too: it tells the quality of ratings from a list's averages."""
    top_k: int = 200
    algorithm_version: str = "v1"
    tiers: Tiers = MUTUAL
    repeat_days: float | None = None
    model: Learned | None = None
    """None: scores are the weighted sum of parts (v1)."""
    spares: int = 8
    """Matches next after the `top_k` that are kept out of sight, for lists that lose some."""

    @property
    def mutual(self) -> bool:
        """Whether a candidate's own preferences count."""
        return self.tiers == MUTUAL

    def of_snapshot(self) -> tuple[Weights, float, int, Learned | None]:
        """Those that a snapshot's order and bounds were made with."""
        return self.weights, self.half_life_days, self.min_ratings, self.model

    def to_json(self) -> dict[str, Any]:
        """What a run's context gives back, lists instead of tuples: the two are compared."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Parameters":
        model = value.get("model")
        return cls(
            **(value | {"weights": Weights(**value["weights"]), "model": Learned.from_json(model) if model else None})
        )


STANDARD: Final = Parameters()


def _parse_weights(text: str) -> Weights:
    """`traits=0.3,interests=0.15`: what is not named keeps its default."""
    parts = (part.partition("=") for part in text.split(",") if part.strip())
    given = {name.strip(): float(value) for name, _, value in parts}
    if not given.keys() <= _WEIGHTS or not all(0 <= number <= 1 for number in given.values()):
        raise ValueError(text)
    return Weights(**given)


_WEIGHTS = {item.name for item in fields(Weights)}
_TAKES = f"name=number pairs, comma separated, numbers from 0 to 1, names {', '.join(sorted(_WEIGHTS))}"
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MatchVariables(RepeatVariables):
    """The MATCH_* variables."""

    weights: Annotated[Weights, BeforeValidator(_parse_weights)] = Field(
        default=Weights(),
        alias="MATCH_WEIGHTS",
        description="weights that differ from the standard ones, such as traits=0.3,interests=0.15",
        json_schema_extra={"takes": _TAKES},
    )
    default_radius_km: _Positive = Field(
        default=100.0,
        alias="MATCH_DEFAULT_RADIUS_KM",
        description="distance in km at which proximity is 0, for viewers without a preferred distance",
    )
    half_life_days: _Positive = Field(
        default=30.0,
        alias="MATCH_NEWNESS_HALF_LIFE_DAYS",
        description="days after which the newness of a profile is half",
    )
    algorithm_version: str = Field(
        default="v1",
        alias="MATCH_ALGO_VERSION",
        description="stored with every match; with a new version all matches are computed again",
    )
    algorithm: Literal["v1", "v2", "auto"] = Field(
        default="auto",
        alias="MATCH_ALGORITHM",
        description="v1: weighted parts; v2: chances by the newest model; auto: v2 once a model is active",
    )
    tiers: Tiers = Field(
        default=MUTUAL,
        alias="MATCH_TIERS",
        description="whose preferences tier A meets: those of both, or the viewer's alone",
    )


def read_parameters(environment: Mapping[str, str], top_k: int) -> Parameters:
    """Take the parameters from MATCH_* variables.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    given = read_environment(MatchVariables, environment)
    return Parameters(
        weights=given.weights,
        default_radius_km=given.default_radius_km,
        half_life_days=given.half_life_days,
        top_k=top_k,
        algorithm_version=given.algorithm_version,
        tiers=given.tiers,
        repeat_days=given.repeat_days,
    )
