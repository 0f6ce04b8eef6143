"""A learned model as its description says, for one pair at a time. Nothing of the package is imported here."""

import math
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

_CHOSEN = """
SELECT "id", "parameters" FROM "MatchModel" WHERE "status" = 'active' ORDER BY "id" DESC LIMIT 1
"""
_EFFECTS = """SELECT "userId", "selectivity", "appeal", "price" FROM "UserMatchEffect" WHERE "modelId" = %s"""


@dataclass(frozen=True)
class OracleModel:
    """The numbers for everybody, and each user's selectivity, appeal and price."""

    numbers: dict[str, float]
    effects: dict[int, tuple[float, float, float]]

    def alike(
        self, traits: float, interests: float, proximity: float, one_age: int | None, other_age: int | None
    ) -> float:
        """w . f of two people."""
        years = 5 if one_age is None or other_age is None else min(abs(one_age - other_age), 30)
        numbers = self.numbers
        return (
            numbers["traits"] * (traits - 0.5)
            + numbers["interests"] * (interests - 0.3)
            + numbers["proximity"] * proximity
            - numbers["ageGap"] * years / 10
        )

    def chances(self, viewer: int, candidate: int, alike: float, *, admirer: bool) -> tuple[float, float, float]:
        """The chance of each side's yes, and what the candidate is worth."""
        nothing = (0.0, 0.0, 0.0)
        one, other = self.effects.get(viewer, nothing), self.effects.get(candidate, nothing)
        like = _log_sigmoid(self.numbers["intercept"] + one[0] + other[1] + alike)
        back = 0.0 if admirer else _log_sigmoid(self.numbers["intercept"] + other[0] + one[1] + alike)
        return math.exp(like), math.exp(back), like + back - other[2]


def read_model(connection: Connection) -> OracleModel:
    """The newest active one."""
    row = connection.execute(_CHOSEN).fetchone()
    assert row is not None
    effects = {user_id: _counted(*rest) for user_id, *rest in connection.execute(_EFFECTS, [row[0]])}
    return OracleModel(row[1], effects)


def _counted(selectivity: float, appeal: float, price: float) -> tuple[float, float, float]:
    return max(-20.0, min(20.0, selectivity)), max(-20.0, min(20.0, appeal)), price


def _log_sigmoid(x: Any) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else float(x) - math.log1p(math.exp(x))
