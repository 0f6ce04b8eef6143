"""Stored models: the one that a run uses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.matching.learning.decisions import KIND_NAMES
from sitejobs.matching.scoring.features import FeatureWeights


class Algorithm(StrEnum):
    """Which scores match-scores stores."""

    V1 = "v1"
    V2 = "v2"
    AUTO = "auto"


@dataclass(frozen=True)
class Model:
    """A model's numbers for everybody. `intercept` and the weights are log odds; taste, means: as in `Learned`.

    selectivity_variance, appeal_variance : of the distributions that people's effects are drawn from.
    """

    id: int
    intercept: float
    weights: FeatureWeights
    taste: tuple[float, ...]
    means: tuple[float, ...]
    selectivity_variance: float = 1.0
    appeal_variance: float = 1.0


_READ_MODEL: Final[LiteralString] = """
SELECT "id", "parameters" FROM "MatchModel" WHERE "status" = ANY (%(statuses)s) ORDER BY "status", "id" DESC LIMIT 1
"""
"""Reads the newest model of these statuses: an active one before a candidate."""


_READ_BY_ID: Final[LiteralString] = """SELECT "id", "parameters" FROM "MatchModel" WHERE "id" = %(id)s"""


def model_of(connection: Connection, model_id: int) -> Model:
    """The model of this id, which is there."""
    row = connection.execute(_READ_BY_ID, {"id": model_id}).fetchone()
    assert row is not None
    return _model(int(row[0]), row[1])


def chosen_model(connection: Connection, algorithm: Algorithm) -> Model | None:
    """The model to score with; None is v1.

    `auto` is the newest active one, if there is one; `v2` may be a candidate too.

    Raises
    ------
    InvalidInput : v2 is asked for, and there is no model.
    """
    if algorithm == Algorithm.V1:
        return None
    statuses = ["active"] if algorithm == Algorithm.AUTO else ["active", "candidate"]
    row = connection.execute(_READ_MODEL, {"statuses": statuses}).fetchone()
    if row is None:
        if algorithm == Algorithm.AUTO:
            return None
        raise InvalidInput("MATCH_ALGORITHM is v2, but there is no model: run match-model first")
    return _model(int(row[0]), row[1])


def _model(model_id: int, parameters: dict[str, Any]) -> Model:
    taste, means = parameters.get("taste", {}), parameters.get("means", {})
    return Model(
        model_id,
        parameters["intercept"],
        FeatureWeights(parameters["traits"], parameters["interests"], parameters["proximity"], parameters["ageGap"]),
        tuple(taste.get(kind, 0.0) for kind in KIND_NAMES),
        tuple(means.get(kind, 3.0) for kind in KIND_NAMES),
        parameters.get("selectivityVariance", 1.0),
        parameters.get("appealVariance", 1.0),
    )
