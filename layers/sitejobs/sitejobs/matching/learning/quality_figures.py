"""What `match-quality` finds, as data that JSON can hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from sitejobs.matching.learning.calibration import Calibration
from sitejobs.matching.learning.exposure import Spread

NEW, OLD, POPULARITY, CHANCE = "v2", "v1", "popularity", "chance"
GROUP_FIGURES = ("auc", "ndcg10", "hit10")
DECIMALS = 4


@dataclass(frozen=True)
class Interval:
    """A mean with its interval of 95 %; NaN where there is none. JSON: [mean, low, high]."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """The viewers of one kind, such as those of one gender."""

    kind: str
    group: str
    decisions: int
    viewers: int
    """Those with both outcomes."""
    rate: float
    rankings: Mapping[str, tuple[float, ...]]
    """Ranking -> `GROUP_FIGURES`, means over these viewers; empty where they are too few."""
    log_loss: float
    brier: float
    calibration_error: float
    difference: Interval | None
    """v2 - v1 of the AUC; with those of all other groups together 95 %. None where viewers are too few to say."""


@dataclass(frozen=True)
class Outcome:
    """Figures of likes, or of matches."""

    decisions: int
    viewers: int
    """Those with both outcomes: AUC, NDCG and hit are of them."""
    rate: float
    rankings: Mapping[str, Mapping[str, Interval]]
    """Ranking, or `chance` -> figure -> mean over viewers; `pooledAuc` has no interval."""
    differences: Mapping[str, Mapping[str, Interval]]
    """v1, popularity -> figure -> v2 less that ranking, paired per viewer."""
    design_effect: float
    """By how much the variance of the AUC's difference grows because decisions share people."""
    calibration: Calibration
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Figures:
    """All that `sitejobs quality` shows."""

    decisions: int
    viewers: int
    like: Outcome
    match: Outcome
    answered_likes: float
    """Share of the likes that the other has answered, before or after."""
    answered_dislikes: float
    exposure: Mapping[str, Spread]
    """Ranking -> how evenly it spreads the places; empty where no sample was given."""

    def to_json(self) -> dict[str, Any]:
        """Dictionaries, lists, numbers of four decimals, null for NaN; the names in camelCase."""
        found: dict[str, Any] = _plain(self)
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return [_plain(value.mean), _plain(value.low), _plain(value.high)]
    if is_dataclass(value):
        return {_camel(field.name): _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(float(value), DECIMALS) if math.isfinite(value) else None
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)
