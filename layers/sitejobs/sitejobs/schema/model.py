"""The terms in which the contract is written."""

from collections.abc import Collection
from dataclasses import dataclass

Jobs = tuple[str, ...] | None
"""Names of jobs; None stands for every job."""

# Types a job can read where the contract of the site's tables names the type on the left. The bundle's own tables must
# have exactly their types, because binary COPY writes them. Enums pass as text by their category; `names` may also be
# an array of texts or of an enum. A `measure` is a number, or a text or enum, of which words count as unknown.
FAMILIES: dict[str, frozenset[str]] = {
    "bigint": frozenset({"smallint", "integer", "bigint"}),
    "double precision": frozenset({"smallint", "integer", "bigint", "real", "double precision", "numeric"}),
    "text": frozenset({"text", "character varying", "character", "citext"}),
    "measure": frozenset(
        {
            *("smallint", "integer", "bigint", "real", "double precision", "numeric"),
            *("text", "character varying", "character", "citext"),
        }
    ),
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
        """The type for a new column of this kind."""
        return {"names": "jsonb", "measure": "double precision"}.get(self.type, self.type)


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
    """An extension that jobs use if it is installed; they run without it.

    `migrated`: a migration makes an index for it, which has to be applied again once the extension is there.
    """

    name: str
    jobs: Jobs
    use: str
    migrated: bool = False


def needed(by: Jobs, jobs: Collection[str]) -> bool:
    """Whether any of `jobs` is among `by`, the jobs that need something."""
    return by is None or any(job in jobs for job in by)


def needing(by: Jobs, jobs: Collection[str]) -> tuple[str, ...]:
    """The jobs among both `jobs` and `by`, in alphabetical order."""
    return tuple(sorted(job for job in jobs if by is None or job in by))


def identifier(name: str) -> str:
    """A name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
