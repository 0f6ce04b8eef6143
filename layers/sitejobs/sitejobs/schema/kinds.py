"""Types of columns: which ones a job can read in place of the contract's, and how others are converted."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sitejobs.schema.inspect import Found, FoundColumn, FoundTable
from sitejobs.schema.model import FAMILIES, Column, Jobs, Table, identifier

Convert = Callable[[str], str]
"""From an SQL expression of the found type to one of the wanted type."""


SOUGHT = frozenset({("Media", "status")})
"""Columns of words that jobs look for by an index, without a cast."""


@dataclass(frozen=True)
class OddId:
    """A column of ids that are no whole numbers: its quoted name, its type, the jobs that need it."""

    name: str
    type: str
    jobs: Jobs


def fits(table: Table, column: Column, found: FoundColumn) -> bool:
    """Whether jobs can read the column as it is. A column of the bundle's own tables must have exactly its type."""
    if table.owned:
        return found.type == column.type
    if column.type == "names" and found.element in ("S", "E"):
        return True
    if (table.name, column.name) in SOUGHT and found.category == "E" and found.type != found.base:
        return False  # a domain over an enum is compared with no word, unless it is cast
    return found.base in FAMILIES[column.type] or (column.type in ("text", "measure") and found.category == "E")


def wanted(table: Table, column: Column) -> str:
    """The kind of a column in words."""
    kinds = {
        "bigint": "a whole number",
        "double precision": "a number",
        "text": "text or an enum",
        "date": "a date",
        "names": "jsonb or an array of texts",
        "measure": "a number, text or an enum",
    }
    return column.type if table.owned else kinds.get(column.type, column.type)


def is_odd_id(table: Table, it: FoundTable, column: Column, found: FoundColumn) -> bool:
    """Whether the column holds ids that are no whole numbers. A view can cast texts and numbers, but no others."""
    if table.owned or column.type != "bigint" or fits(table, column, found):
        return False
    return not (it.is_view and found.category in ("S", "N"))


def odd_ids(found: Found, tables: Iterable[Table], jobs: Collection[str] | None = None) -> list[OddId]:
    """All such columns of the tables; `jobs` None: whoever needs them."""
    return [
        OddId(
            f"{identifier(table.name)}.{identifier(column.name)}",
            it.columns[column.name].type,
            column.jobs or table.jobs,
        )
        for table in tables
        if (it := found.tables.get(table.name)) is not None
        for column in (table.columns if jobs is None else table.columns_for(jobs))
        if column.name in it.columns and is_odd_id(table, it, column, it.columns[column.name])
    ]


def converted(column: Column, found: FoundColumn) -> Convert | None:
    """The conversion of the column's values to the wanted type; None if there is none."""
    base, category, type_ = found.base, found.category, column.sql_type
    if type_ == "jsonb" and category != "S" and base != "json":
        return lambda value: f"to_jsonb({value})"
    if type_ in ("timestamp", "date") and category == "N":
        cast = "::date" if type_ == "date" else ""
        return lambda value: f"(to_timestamp({value} / 1000.0) AT TIME ZONE 'UTC'){cast}"
    if type_ in ("timestamp", "date") and category == "D":
        return None if base.startswith("time ") else _cast(type_)
    if type_ in ("timestamp", "date") and category == "S":
        cast = "" if type_ == "timestamp" else "::date"
        return lambda value: f"({_UTC.format(value)}){cast}"
    if type_ == "boolean" and category == "N":
        return lambda value: f"({value} <> 0)"
    if type_ == "double precision":
        return _number(base, category)
    return _cast(type_) if type_ in ("text", "jsonb") or category in ("S", "N") else None


def _number(base: str, category: str) -> Convert | None:
    if base in ("json", "jsonb"):
        return lambda value: f"({value} #>> '{{}}')::double precision"
    if base == "money":
        return lambda value: f"{value}::numeric::double precision"
    if category == "T":
        return lambda value: f"extract(epoch FROM {value})::double precision"
    if category == "B":
        return lambda value: f"{value}::integer::double precision"
    return _cast("double precision") if category in ("S", "N") else None


# A text with a zone is converted to UTC, one without is UTC: whatever the session's TimeZone is.
_UTC = (
    "CASE WHEN {0} ~* '\\d:\\d\\d.*([+-]\\d\\d(:?\\d\\d)?|z|utc|gmt)\\s*$'"
    " THEN {0}::timestamptz AT TIME ZONE 'UTC' ELSE {0}::timestamp END"
)


def _cast(type_: str) -> Convert:
    return lambda value: f"{value}::{type_}"
