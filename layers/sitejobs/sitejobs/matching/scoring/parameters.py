"""The numbers that match-scores is made of, with the defaults of the site's algorithm."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sitejobs.errors import InvalidInput


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


@dataclass(frozen=True)
class Parameters:
    """Everything beside the data that a score depends on."""

    weights: Weights = field(default_factory=Weights)
    default_radius_km: float = 100.0
    half_life_days: float = 30.0
    min_ratings: int = 3
    top_k: int = 200
    algorithm_version: str = "v1"

    def of_snapshot(self) -> tuple[Weights, float, int]:
        """Those that a snapshot's order and bounds were made with."""
        return self.weights, self.half_life_days, self.min_ratings

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Parameters":
        return cls(**(value | {"weights": Weights(**value["weights"])}))


def read_parameters(environment: Mapping[str, str], top_k: int) -> Parameters:
    """Take the parameters from MATCH_* variables.

    Raises
    ------
    InvalidInput : names the variable, what it holds and what it takes.
    """
    return Parameters(
        weights=_weights(environment.get("MATCH_WEIGHTS", "")),
        default_radius_km=_number(environment, "MATCH_DEFAULT_RADIUS_KM", 100.0),
        half_life_days=_number(environment, "MATCH_NEWNESS_HALF_LIFE_DAYS", 30.0),
        top_k=top_k,
        algorithm_version=environment.get("MATCH_ALGO_VERSION", "").strip() or "v1",
    )


def _weights(text: str) -> Weights:
    """`traits=0.3,interests=0.15`: what is not named keeps its default."""
    known = {item.name for item in fields(Weights)}
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        try:
            given[name.strip()] = number = float(value)
        except ValueError:
            number = math.nan
        if name.strip() not in known or not 0 <= number <= 1:
            raise InvalidInput(
                f"MATCH_WEIGHTS takes name=number pairs, numbers from 0 to 1, names {', '.join(sorted(known))};"
                f" not {part[:60]!r}"
            )
    return Weights(**given)


def _number(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InvalidInput(f"{name} must be a number above 0, not {text[:60]!r}")
    return value
