"""People's stored effects under a model: read, and written where they moved."""

from dataclasses import dataclass
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.codes import rows_of
from sitejobs.postgres.columns import fetch_columns

_READ: Final[LiteralString] = """
SELECT "userId", "selectivity", "appeal", COALESCE("trainedSelectivity", 0) AS "trainedSelectivity",
       COALESCE("trainedAppeal", 0) AS "trainedAppeal"
FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "userId" = ANY(%(ids)s)
"""
_NAMES: Final = ("selectivity", "appeal", "trainedSelectivity", "trainedAppeal")
_TYPES: Final = {"userId": "int8", **dict.fromkeys(_NAMES, "float4")}

_WRITE: Final[LiteralString] = """
INSERT INTO "UserMatchEffect" AS stored
    ("modelId", "userId", "selectivity", "appeal", "trainedSelectivity", "trainedAppeal", "fingerprint")
SELECT %(model)s, given."id", given."selectivity", given."appeal", 0, 0, given."fingerprint"
FROM unnest(%(ids)s::bigint[], %(selectivity)s::real[], %(appeal)s::real[], %(fingerprint)s::bigint[])
    AS given ("id", "selectivity", "appeal", "fingerprint")
ORDER BY given."id"
ON CONFLICT ("modelId", "userId") DO UPDATE SET "selectivity" = excluded."selectivity", "appeal" = excluded."appeal",
    "fingerprint" = excluded."fingerprint"
WHERE (stored."selectivity", stored."appeal", stored."fingerprint")
      IS DISTINCT FROM (excluded."selectivity", excluded."appeal", excluded."fingerprint")
"""
"""Writes the effects of some users, in the order of their ids. Prices, and what was trained, stay as they are."""


@dataclass(frozen=True)
class Effects:
    """Effects of n people as stored; 0 of those who are not there. known : (n,) who is there. See the table."""

    known: Flags
    selectivity: Floats
    appeal: Floats
    trained_selectivity: Floats
    trained_appeal: Floats

    def known_or(self, appeal: Floats) -> "Effects":
        """With the appeal that counts for those who are not there."""
        whole = np.where(self.known, self.appeal, appeal)
        return Effects(self.known, self.selectivity, whole, self.trained_selectivity, self.trained_appeal)

    def take(self, rows: Indices) -> "Effects":
        """Those of the people at these rows."""
        return Effects(*(column[rows] for column in vars(self).values()))


@dataclass(frozen=True)
class Folded:
    """Effects of n people to be stored. moved : (n,) whose effects are others than before."""

    ids: Indices
    selectivity: Floats
    appeal: Floats
    moved: Flags
    fingerprint: Indices


def read_effects(connection: Connection, model_id: int, ids: Indices) -> Effects:
    """The stored effects of the users with these ids, which ascend."""
    found = fetch_columns(connection, _READ, {"model": model_id, "ids": ids}, _TYPES)
    rows, _ = rows_of(found["userId"], ids)
    known = np.zeros(len(ids), bool)
    known[rows] = True
    columns = np.zeros((len(_NAMES), len(ids)))
    columns[:, rows] = np.stack([found[name] for name in _NAMES])
    return Effects(known, *columns)


def write_effects(connection: Connection, model_id: int, folded: Folded) -> int:
    """Write them; returns how many of them moved."""
    connection.execute(
        _WRITE,
        {
            "model": model_id,
            "ids": folded.ids.tolist(),
            "selectivity": folded.selectivity.tolist(),
            "appeal": folded.appeal.tolist(),
            "fingerprint": folded.fingerprint.tolist(),
        },
    )
    return int(folded.moved.sum())
