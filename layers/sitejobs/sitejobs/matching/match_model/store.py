"""Writes a model: one row, and one for each person who is not as everybody is by default."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from sitejobs.aliases import JsonObject
from sitejobs.jobs.runs import check_alive
from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.parameters import EFFECT_DECIMALS
from sitejobs.postgres.copy import COPY_HEADER, COPY_TRAILER

KEPT: Final = 3
"""Newest models of which everybody's effects stay, beside the active one."""

_FORGET_OWN: Final[LiteralString] = 'DELETE FROM "MatchModel" WHERE "runId" = %(run_id)s'
_INSERT: Final[LiteralString] = """
INSERT INTO "MatchModel" ("runId", "status", "trainedAt", "trainedThrough", "decisions", "parameters", "figures",
                          "reasons")
VALUES (%(run_id)s, %(status)s, %(trained_at)s, %(trained_through)s, %(decisions)s, %(parameters)s, %(figures)s,
        %(reasons)s)
RETURNING "id"
"""
_RETIRE: Final[LiteralString] = """
UPDATE "MatchModel" SET "status" = 'candidate' WHERE "status" = 'active' AND "id" <> %(id)s
"""
"""One model is active at a time."""

_FORGET_OLD: Final[LiteralString] = """
DELETE FROM "UserMatchEffect" WHERE "modelId" NOT IN (
    SELECT "id" FROM "MatchModel" WHERE "status" = 'active'
    UNION ALL
    (SELECT "id" FROM "MatchModel" ORDER BY "id" DESC LIMIT %(kept)s))
"""

_COLUMNS: Final = {
    "modelId": ">i8",
    "userId": ">i8",
    **dict.fromkeys(("selectivity", "appeal", "price", "trainedSelectivity", "trainedAppeal"), ">f4"),
    "fingerprint": ">i8",
}
_ROW: Final = np.dtype(
    [
        ("fields", ">i2"),
        *(field for name, kind in _COLUMNS.items() for field in ((f"{name} length", ">i4"), (name, kind))),
    ]
)
_COPY_EFFECTS: Final = sql.SQL('COPY "UserMatchEffect" ({}) FROM STDIN (FORMAT BINARY)').format(
    sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
)
ROWS_AT_ONCE: Final = 100_000


@dataclass(frozen=True)
class NewModel:
    """What is stored of a model.

    ids : (n,) users. selectivity, appeal, prices : (n,), the appeal with what ratings tell. own_appeal : without.
    fingerprint : (n,) of what was told of each, no newer than what the model was trained on.
    """

    decisions: int
    trained_through: datetime | None
    parameters: JsonObject
    figures: JsonObject
    active: bool
    reasons: Sequence[str]
    ids: Indices
    selectivity: Floats
    appeal: Floats
    own_appeal: Floats
    prices: Floats
    fingerprint: Indices


def store_model(connection: Connection, run_id: str, trained_at: datetime, model: NewModel) -> tuple[int, int]:
    """Write the model in one transaction; returns its id and the rows of effects. Written twice it is there once.

    Raises
    ------
    RunClosed : the run was closed or taken over; nothing is written.
    """
    kept = _not_by_default(model)
    with connection.transaction():
        check_alive(connection, run_id)
        connection.execute(_FORGET_OWN, {"run_id": run_id})
        row = connection.execute(_INSERT, _values(run_id, trained_at, model)).fetchone()
        assert row is not None
        model_id = int(row[0])
        if model.active:
            connection.execute(_RETIRE, {"id": model_id})
        with connection.cursor() as cursor, cursor.copy(_COPY_EFFECTS) as copy:
            copy.write(COPY_HEADER)
            for start in range(0, len(kept), ROWS_AT_ONCE):
                copy.write(_encoded(model_id, model, kept[start : start + ROWS_AT_ONCE]))
            copy.write(COPY_TRAILER)
        connection.execute(_FORGET_OLD, {"kept": KEPT})
    return model_id, len(kept)


def _values(run_id: str, trained_at: datetime, model: NewModel) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "status": "active" if model.active else "candidate",
        "trained_at": trained_at,
        "trained_through": model.trained_through,
        "decisions": model.decisions,
        "parameters": Jsonb(model.parameters),
        "figures": Jsonb(model.figures),
        "reasons": list(model.reasons),
    }


def _not_by_default(model: NewModel) -> Indices:
    """The people of whom something is told, or whose effects are not 0 when rounded, in the order of their ids."""
    effects = np.stack([model.selectivity.round(EFFECT_DECIMALS), model.appeal.round(EFFECT_DECIMALS), model.prices])
    kept = np.flatnonzero(effects.any(axis=0) | (model.fingerprint != 0))
    return kept[np.argsort(model.ids[kept])]


def _encoded(model_id: int, model: NewModel, people: Indices) -> bytes:
    """Rows of these people for a binary COPY."""
    rows = np.zeros(len(people), _ROW)
    rows["fields"] = len(_COLUMNS)
    values = {
        "modelId": model_id,
        "userId": model.ids[people],
        "selectivity": model.selectivity[people].round(EFFECT_DECIMALS),
        "appeal": model.appeal[people].round(EFFECT_DECIMALS),
        "price": model.prices[people],
        "trainedSelectivity": model.selectivity[people],
        "trainedAppeal": model.own_appeal[people],
        "fingerprint": model.fingerprint[people],
    }
    for name, column in values.items():
        rows[f"{name} length"], rows[name] = _ROW[name].itemsize, column
    return rows.tobytes()
