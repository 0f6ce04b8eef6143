"""Which tables and columns of a site stand for those of the contract, by their names, types and foreign keys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sitejobs.schema.model import Column, Table
from sitejobs.schema.names import CONSTANTS, INSTEAD, TABLES, TARGETS, names_of, plain, singular
from sitejobs.schema.site import SITE_TABLES
from sitejobs.schema.site_catalog import SiteColumn, SiteTable

_ALIKE = {table: (table,) for table in TABLES} | {"User": ("User", "Profile"), "Profile": ("Profile", "User")}
"""Tables that a foreign key may name where the ids of one are wanted: a profile's is as good as its user's."""

_PREFIXED = 100
"""Rank of a table whose name has a word before it, such as an application's."""

# Letters of PostgreSQL's kinds of types that a column of the contract can be made of.
_KINDS = {
    "bigint": "NSU",
    "text": "SEN",
    "boolean": "BNDST",
    "timestamp": "DNSB",
    "date": "DNS",
    "double precision": "NS",
    "measure": "NSE",
    "jsonb": "US",
    "names": "AUSE",
}
_ALSO_BOOLEAN = {("Like", "action"), ("Post", "visibility")}
_IDS = {"uuid", "text", "character varying", "character", "citext"}


@dataclass
class Guess:
    """A table of the contract and the site's that stands for it; None for a column that the site does not have."""

    table: Table
    site: SiteTable
    columns: dict[str, SiteColumn | None]


def guess(site: Sequence[SiteTable]) -> dict[str, Guess]:
    """The tables that were recognised, by their names in the contract."""
    guesses: dict[str, Guess] = {}
    # Media come before what refers to them.
    for table in sorted(SITE_TABLES, key=lambda table: table.name == "PostMedia"):
        likely = sorted(
            ((rank, one) for one in site if (rank := _rank(table.name, one)) is not None), key=lambda it: it[0]
        )
        for _, one in likely:
            found = Guess(table, one, pick(table, one, guesses))
            if _is_whole(found):
                guesses[table.name] = found
                break
        else:
            guesses.update(_instead(table, guesses))
    return guesses


def _rank(table: str, site: SiteTable) -> int | None:
    """How unlikely a site's table is; None: its name says nothing of the kind."""
    known = TABLES[table].split()
    for name, rank in ((site.name, 0), (site.name.partition("_")[2], _PREFIXED)):
        if (word := singular(name)) in known:
            return rank + known.index(word)
    return None


def _instead(table: Table, guesses: dict[str, Guess]) -> dict[str, Guess]:
    """Another table that holds some of the columns as well."""
    for other in INSTEAD.get(table.name, ()):
        if other in guesses:
            found = Guess(table, guesses[other].site, pick(table, guesses[other].site, guesses))
            own = [name for name, column in found.columns.items() if column is not None and _tells(name)]
            if own and _is_whole(found):
                return {table.name: found}
    return {}


def _tells(name: str) -> bool:
    """Whether a column makes a table one of its kind: any table may have ids and times."""
    return name not in ("id", "userId", "createdAt", "updatedAt", "deletedAt", "order", "mediaId")


def _is_whole(found: Guess) -> bool:
    """Whether all ids were found, without which a row says nothing."""
    ids = [column.name for column in found.table.columns if column.type == "bigint"]
    return all(found.columns[name] is not None or (found.table.name, name) in CONSTANTS for name in ids)


def pick(table: Table, site: SiteTable, guesses: dict[str, Guess]) -> dict[str, SiteColumn | None]:
    """The site's column for each of the contract's. An id is used once."""
    picked: dict[str, SiteColumn | None] = {}
    used: set[str] = set()
    for column in table.columns:
        found = next(_likely(table, column, site, guesses, used), None)
        picked[column.name] = found
        if found is not None and column.type == "bigint":
            used.add(found.name)
    return picked


def _likely(
    table: Table, column: Column, site: SiteTable, guesses: dict[str, Guess], used: set[str]
) -> Iterator[SiteColumn]:
    by_name = {plain(name): one for name, one in site.columns.items()}
    target = guesses.get(TARGETS.get(column.name, ""))
    if column.name == "userId" and target is not None and target.site is site:
        yield from (it for it in (target.columns["id"],) if it is not None)
    if (
        table.name == "PostMedia"
        and column.name == "mediaId"
        and (media := guesses.get("Media"))
        and media.site is site
    ):
        yield from (it for it in (media.columns["id"],) if it is not None)
    for name in names_of(table.name, column.name):
        one = by_name.get(name)
        if one is not None and one.name not in used and can_be(table.name, column, one):
            yield one
    wanted = [guesses[name].site.oid for name in _ALIKE.get(TARGETS.get(column.name, ""), ()) if name in guesses]
    for oid in wanted:
        yield from (it for it in site.columns.values() if it.refers_to == oid and it.name not in used)


def can_be(table: str, column: Column, one: SiteColumn) -> bool:
    """Whether the column's type can be turned into what is needed."""
    if column.type == "bigint":
        return one.found.category == "N" or one.found.base in _IDS
    if (table, column.name) in _ALSO_BOOLEAN and one.found.category == "B":
        return True
    if column.type == "text" and one.found.category == "N":
        return (table, column.name) in (("QuizOption", "value"), ("QuizOption", "label"))
    if one.found.category == "U":
        return column.type in ("jsonb", "names") and one.found.base in ("json", "jsonb")
    return one.found.category in _KINDS[column.type]
