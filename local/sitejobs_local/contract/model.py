"""The terms in which the contract is written."""

from collections.abc import Collection
from dataclasses import dataclass

Jobs = tuple[str, ...] | None
"""Names of jobs; None stands for every job."""

# What a job can read where the contract of the site's tables names the type on the left. The bundle's own tables must
# be of the very types: binary COPY writes them. Enums, which have no one name, pass as text by their category; `names`
# may be an array of texts or of an enum, too.
FAMILIES: dict[str, frozenset[str]] = {
    "bigint": frozenset({"smallint", "integer", "bigint"}),
    "double precision": frozenset({"smallint", "integer", "bigint", "real", "double precision", "numeric"}),
    "text": frozenset({"text", "character varying", "character", "citext"}),
    "boolean": frozenset({"boolean"}),
    "timestamp": frozenset({"timestamp without time zone", "timestamp with time zone"}),
    "date": frozenset({"date", "timestamp without time zone", "timestamp with time zone"}),
    "jsonb": frozenset({"jsonb"}),
    "names": frozenset({"jsonb", "json"}),
}


@dataclass(frozen=True)
class Column:
    """A column that jobs read or write; `jobs` is None where every job of its table needs it."""

    name: str
    type: str
    jobs: Jobs = None

    @property
    def sql_type(self) -> str:
        """The type that a column of this kind is given where there is none."""
        return "jsonb" if self.type == "names" else self.type


@dataclass(frozen=True)
class Index:
    """An index that some index of the table should begin with, so that a page is read without a scan of the table.

    `live`: a unique one may leave deleted rows out, as long as another one serves.
    """

    columns: tuple[str, ...]
    unique: bool = False
    method: str = "btree"
    live: bool = False


@dataclass(frozen=True)
class Table:
    """A table or view by the name that jobs use. `updates`: columns of the site's that `updated_by` write."""

    name: str
    jobs: Jobs
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    updates: tuple[str, ...] = ()
    updated_by: tuple[str, ...] = ()
    owned: bool = False
    view: bool = False

    def columns_for(self, jobs: Collection[str]) -> list[Column]:
        """The columns that any of these jobs needs."""
        return [column for column in self.columns if needed(column.jobs, jobs)]

    def updates_for(self, jobs: Collection[str]) -> tuple[str, ...]:
        """The site's columns that any of these jobs writes."""
        return self.updates if needed(self.updated_by, jobs) else ()

    def privileges(self) -> tuple[str, ...]:
        """What a role must be allowed on the whole table."""
        return ("SELECT", "INSERT", "UPDATE", "DELETE") if self.owned and not self.view else ("SELECT",)


@dataclass(frozen=True)
class Extension:
    """An extension that jobs use where it is to be had, and do without otherwise.

    `migrated`: a migration makes an index for it, which has to be applied again once the extension is there.
    """

    name: str
    jobs: Jobs
    use: str
    migrated: bool = False


def needed(by: Jobs, jobs: Collection[str]) -> bool:
    """Whether any of `jobs` needs what is marked with `by`."""
    return by is None or any(job in jobs for job in by)


def needing(by: Jobs, jobs: Collection[str]) -> tuple[str, ...]:
    """Those of `jobs` that need what is marked with `by`, in alphabetical order."""
    return tuple(sorted(job for job in jobs if by is None or job in by))


def identifier(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
