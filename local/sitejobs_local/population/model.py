"""A synthetic site in columns: what `generate` returns and `load` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Kind(Enum):
    """What a column holds, and the dtype of its values."""

    BIGINT = "int64"
    INTEGER = "int64, within 32 bits"
    DOUBLE = "float64"
    BOOLEAN = "bool"
    TIMESTAMP = "datetime64[ms], UTC"
    DATE = "datetime64[D]"
    HUNDREDTHS = "int64, a numeric with two decimals times 100, within +-9999.99"
    TEXT = "object: str, or None for null"
    JSON = "object: str of JSON, or None for null"


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table; `present` marks the rows that are not null (None: all are)."""

    kind: Kind
    values: NDArray[Any]
    present: NDArray[np.bool_] | None = None

    def is_null(self) -> NDArray[np.bool_]:
        """True for each row without a value."""
        if self.values.dtype == object:
            return np.array([value is None for value in self.values.tolist()], dtype=np.bool_)
        if self.present is None:
            return np.zeros(len(self.values), dtype=np.bool_)
        return ~self.present


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of one table, by column name; all columns are of one length."""

    name: str
    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        lengths = {len(column.values) for column in self.columns.values()}
        if len(lengths) != 1:
            raise ValueError(f"{self.name}: columns of different lengths {sorted(lengths)}")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())).values)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """The values of a column; where it is null they mean nothing, unless they are objects (None)."""
        return self.columns[column].values


@dataclass(frozen=True, eq=False)
class Population:
    """A whole site at one moment. `tables` stand in an order in which their references can be checked."""

    users: int
    seed: int
    now: datetime
    tables: tuple[Table, ...]

    def __getitem__(self, name: str) -> Table:
        """The table of that name.

        Raises
        ------
        KeyError : the population has no such table.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def rows(self) -> dict[str, int]:
        """Number of rows by table."""
        return {table.name: table.rows for table in self.tables}


def bigints(values: NDArray[Any]) -> Column:
    """A bigint column without nulls."""
    return Column(Kind.BIGINT, values)


def integers(values: NDArray[Any], present: NDArray[np.bool_] | None = None) -> Column:
    """An integer column."""
    return Column(Kind.INTEGER, values, present)


def timestamps(values: NDArray[Any], present: NDArray[np.bool_] | None = None) -> Column:
    """A timestamp column, with or without time zone."""
    return Column(Kind.TIMESTAMP, values, present)


def booleans(values: NDArray[np.bool_]) -> Column:
    """A boolean column without nulls."""
    return Column(Kind.BOOLEAN, values)


def texts(values: NDArray[Any] | Sequence[str | None]) -> Column:
    """A text or enum column; None is null."""
    return Column(Kind.TEXT, objects(values))


def jsons(values: NDArray[Any] | Sequence[str | None]) -> Column:
    """A jsonb column of JSON texts; None is SQL's null, "null" is JSON's."""
    return Column(Kind.JSON, objects(values))


def objects(values: NDArray[Any] | Sequence[str | None]) -> NDArray[Any]:
    """An object array of the given strings."""
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result
