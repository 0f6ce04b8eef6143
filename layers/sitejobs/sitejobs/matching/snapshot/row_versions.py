"""Which rows of a table are newer than an earlier read, told by PostgreSQL's row versions.

Each version of a row carries the transaction that wrote it (`xmin`). A moment's horizon is the oldest transaction that
was not over then: every row of an older one was seen, and whoever changes such a row leaves a version of a newer one.
A row that was removed leaves nothing; that is told by the number of rows. Source: PostgreSQL's documentation, "System
Columns" and "Transaction ID and Snapshot Information Functions".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection
from psycopg.errors import Error

from sitejobs.matching.scoring.arrays import Indices

_READ_MOMENT: Final[LiteralString] = """
SELECT c."server"::text || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       pg_snapshot_xmin(pg_current_snapshot())::xid::text
FROM pg_control_system() AS c ("control", "catalog", "server")
"""
"""Reads which server this is, with its timeline, and the transaction's horizon."""

_READ_TABLES: Final[LiteralString] = """
SELECT given."name", c."oid"::bigint FROM unnest(%(names)s::text[]) AS given ("name")
JOIN pg_class c ON c."oid" = to_regclass(format('%%I', given."name")) AND c."relkind" = 'r' AND NOT c."relhassubclass"
JOIN pg_attribute a ON a."attrelid" = c."oid" AND a."attname" = 'xmin'
WHERE has_column_privilege(c."oid", a."attnum", 'SELECT')
"""
"""Reads the identity of tables: of plain ones, whose rows come and go by statements alone.

Who is granted single columns of a table may not read `xmin` unless it is one of them.
"""

COUNT_ROWS: Final[LiteralString] = """
WITH recent AS MATERIALIZED (
    SELECT <columns>, age("xmin") > (SELECT age(%(until)s::xid)) AS "over"
    FROM <table> WHERE age("xmin") <= (SELECT age(%(since)s::xid))
)
SELECT (SELECT count(*) FROM <table> WHERE <usable>) AS "rows",
       count(*) AS "newer", count(*) FILTER (WHERE NOT r."over") AS "unsettled", <newer>, <unsettled>
FROM recent r
"""
"""Counts a table's rows that count, and those beyond the horizons `since` and `until`; reads whose these are.

The table is gone through twice, each time with little to do for a row: one pass with all of it takes twice as long.
"""

_NEWER: Final[LiteralString] = """array_agg(DISTINCT r.<column>) FILTER (WHERE r.<column> IS NOT NULL)"""
_UNSETTLED: Final[LiteralString] = """
array_agg(DISTINCT r.<column>) FILTER (WHERE NOT r."over" AND r.<column> IS NOT NULL)"""


@dataclass(frozen=True)
class Table:
    """A table whose rows are told apart by their versions.

    owners : columns that say whose a row is. statement: what `count_rows` sends.
    """

    name: str
    owners: tuple[LiteralString, ...]
    statement: LiteralString

    @classmethod
    def of(cls, name: LiteralString, owners: tuple[LiteralString, ...], usable: LiteralString = "true") -> "Table":
        """`usable`: condition for rows that count."""
        columns: LiteralString = ", ".join([f'"{owner}"' for owner in owners])
        newer, unsettled = (
            ", ".join([text.replace("<column>", f'"{owner}"') for owner in owners]) for text in (_NEWER, _UNSETTLED)
        )
        text = COUNT_ROWS.replace("<newer>", newer).replace("<unsettled>", unsettled).replace("<columns>", columns)
        return cls(name, owners, text.replace("<usable>", usable).replace("<table>", f'"{name}"'))


@dataclass(frozen=True)
class Moment:
    """When some rows were read.

    server : which one, and its timeline: after a restore transactions are numbered anew. horizon: as text.
    tables : identity of each table. past: of some tables how many rows lie before the horizon.
    """

    server: str
    horizon: str
    tables: dict[str, int]
    past: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        return vars(self)

    def knows(self, other: "Moment", table: str) -> bool:
        """Whether a table is the same at the other moment of the server, so that its rows may be compared."""
        return self.tables.get(table, 0) == other.tables.get(table, -1)


@dataclass(frozen=True)
class Rows:
    """What was found in a table.

    rows : how many count. past, over: of tables all of whose rows count, how many lie before the earlier horizon and
        before this moment's.
    newer, unsettled : for each column of owners, ascending, who has rows beyond the one and beyond the other. Of the
        latter a later read must look again: none of their rows that goes is missed in `past`.
    """

    rows: int
    past: int
    over: int
    newer: list[Indices]
    unsettled: list[Indices]


def read_moment(connection: Connection, tables: Sequence[str]) -> Moment | None:
    """The moment that the transaction of `connection` sees; None where the server does not tell."""
    try:
        with connection.transaction():
            row = connection.execute(_READ_MOMENT).fetchone()
            found = connection.execute(_READ_TABLES, {"names": list(tables)}).fetchall()
    except Error:  # no permission, or a service that has no such functions
        if connection.broken:
            raise
        return None
    assert row is not None
    return Moment(str(row[0]), str(row[1]), {str(name): int(oid) for name, oid in found}, {})


def count_rows(connection: Connection, table: Table, since: Moment, until: Moment) -> Rows:
    """Look at a table's rows as the transaction of `connection` sees them."""
    given: Mapping[str, str] = {"since": since.horizon, "until": until.horizon}
    row = connection.execute(table.statement, given).fetchone()
    assert row is not None
    counted, newer, unsettled, *owners = row
    found, middle = [np.array(sorted(them or ()), np.int64) for them in owners], len(table.owners)
    return Rows(counted, counted - newer, counted - unsettled, found[:middle], found[middle:])
