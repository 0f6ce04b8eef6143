"""The check: everything that a database lacks of the contract, in one report, each with how to mend it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import Connection

from sitejobs.row_security import Hiding, hiding
from sitejobs.tables import tables_of as layer_tables_of
from sitejobs_local.contract import mend
from sitejobs_local.contract.bundle import BUNDLE_TABLES
from sitejobs_local.contract.inspect import Found, FoundColumn, FoundIndex, FoundTable, inspect
from sitejobs_local.contract.mend import identifier
from sitejobs_local.contract.model import FAMILIES, Column, Index, Jobs, Table, needed, needing
from sitejobs_local.contract.site import EXTENSIONS, SITE_TABLES

OLDEST_SERVER = 130_000

Level = Literal["required", "recommended"]
Kind = Literal["server", "table", "column", "type", "privilege", "rows", "index", "extension", "migration"]


@dataclass(frozen=True)
class Finding:
    """One thing that the database lacks. `mend` is SQL or a command to paste."""

    level: Level
    kind: Kind
    object: str
    problem: str
    jobs: tuple[str, ...]
    mend: str


@dataclass(frozen=True)
class Report:
    """What was looked at, and what is missing: first what jobs cannot do without."""

    server: str
    database: str
    role: str
    search_path: tuple[str, ...]
    jobs: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every job can run; recommendations do not count."""
        return not any(finding.level == "required" for finding in self.findings)


def check(connection: Connection, jobs: Collection[str], pending: Sequence[str] = ()) -> Report:
    """Compare the database with what `jobs` need of it, as the connection's role sees it.

    `pending` names the bundle's migrations that the database has no record of.
    """
    tables = tables_of(jobs)
    found = inspect(connection, [table.name for table in tables])
    findings = [*_Comparison(found, jobs, pending).findings(tables), *_hidden_rows(connection, jobs)]
    return Report(
        server=_version(found.server_version),
        database=found.database,
        role=found.role,
        search_path=found.search_path,
        jobs=tuple(sorted(jobs)),
        findings=tuple(sorted(findings, key=lambda finding: finding.level != "required")),
    )


def missing_tables(connection: Connection, jobs: Collection[str]) -> tuple[list[str], list[str]]:
    """Names of the site's and of the bundle's tables that `jobs` need and the search path does not lead to."""
    tables = tables_of(jobs)
    found = inspect(connection, [table.name for table in tables])
    absent = [table for table in tables if table.name not in found.tables]
    return [table.name for table in absent if not table.owned], [table.name for table in absent if table.owned]


def tables_of(jobs: Collection[str]) -> list[Table]:
    """The tables and views that any of these jobs needs."""
    return [table for table in (*SITE_TABLES, *BUNDLE_TABLES) if needed(table.jobs, jobs)]


class _Comparison:
    """The contract's tables held against what was found."""

    def __init__(self, found: Found, jobs: Collection[str], pending: Sequence[str]) -> None:
        self._found = found
        self._jobs = jobs
        self._pending = pending

    def findings(self, tables: Sequence[Table]) -> Iterator[Finding]:
        yield from self._server()
        for table in tables:
            it = self._found.tables.get(table.name)
            if it is None:
                yield self._missing_table(table)
            else:
                yield from self._columns(table, it)
                yield from self._privileges(table, it)
                yield from self._indexes(table, it)
        yield from self._migrations()
        yield from self._extensions()

    def _server(self) -> Iterator[Finding]:
        if self._found.server_version < OLDEST_SERVER:
            name = f"PostgreSQL {_version(self._found.server_version)}"
            problem = "the jobs are made for PostgreSQL 13 and later"
            yield self._finding("recommended", "server", name, problem, None, "-- upgrade the server")

    def _missing_table(self, table: Table) -> Finding:
        role, path = self._found.role, self._found.search_path
        problem = f"there is no such {'view' if table.view else 'table or view'}"
        own = mend.MIGRATE if self._pending else mend.MIGRATE_AGAIN
        repair = own if table.owned else mend.empty_view(table, table.columns_for(self._jobs))
        for schema in self._found.elsewhere.get(table.name, ())[:1]:
            problem = f"stands in schema {schema}, which is not on the search path, or which {role} may not use"
            repair = mend.reach_schema(schema, path, role)
        return self._finding("required", "table", identifier(table.name), problem, table.jobs, repair)

    def _columns(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        for column in table.columns_for(self._jobs):
            found = it.columns.get(column.name)
            if found is not None and _fits(table, column, found):
                continue
            name = f"{identifier(table.name)}.{identifier(column.name)}"
            by = table.jobs if column.jobs is None else column.jobs
            if found is not None:
                problem = f"is {found.type}, where {_wanted(table, column)} is needed"
                repair = mend.change_type(_place(table, it), column, of_view=it.is_view)
                yield self._finding("required", "type", name, problem, by, repair)
            else:
                repair = mend.add_column(_place(table, it), column, to_view=it.is_view)
                repair = mend.MIGRATE if table.owned and self._pending else repair
                yield self._finding("required", "column", name, "there is no such column", by, repair)

    def _privileges(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        for privilege in table.privileges():
            granted = privilege in it.privileges
            if privilege == "SELECT":  # which may be granted column by column
                wanted = (it.columns.get(column.name) for column in table.columns_for(self._jobs))
                granted = granted or all(column.can_select for column in wanted if column is not None)
            if not granted:
                yield self._forbidden(table, it, privilege, table.jobs)
        lacking = [
            name for name in table.updates_for(self._jobs) if name in it.columns and not it.columns[name].can_update
        ]
        if lacking:
            yield self._forbidden(table, it, f"UPDATE ({mend.listed(lacking)})", table.updated_by)

    def _forbidden(self, table: Table, it: FoundTable, privilege: str, by: Jobs) -> Finding:
        role = self._found.role
        repair = mend.grant(privilege, _place(table, it), role)
        problem = f"{role} may not {privilege}"
        return self._finding("required", "privilege", identifier(table.name), problem, by, repair)

    def _indexes(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        for index in table.indexes:
            if any(_serves(index, found) for found in it.indexes):
                continue
            if not all(name in it.columns for name in index.columns):
                continue  # reported as missing columns
            sort = "unique index" if index.unique else "index"
            problem = f"there is no {sort} on {mend.listed(index.columns)}"
            place = _place(table, it)
            if it.is_view:
                problem = f"is a view: see that the table below it has a {sort} on {mend.listed(index.columns)}"
                place = "<the table below>"
            # The bundle's own unique indexes keep overlapping runs apart; all others only make pages quick to read.
            level: Level = "required" if table.owned and index.unique else "recommended"
            repair = mend.create_index(place, index)
            yield self._finding(level, "index", identifier(table.name), problem, table.jobs, repair)

    def _migrations(self) -> Iterator[Finding]:
        for name in self._pending:
            problem = "is not recorded as applied"
            yield self._finding("recommended", "migration", name, problem, None, mend.MIGRATE)

    def _extensions(self) -> Iterator[Finding]:
        for extension in EXTENSIONS:
            if needed(extension.jobs, self._jobs) and extension.name not in self._found.extensions:
                problem = f"is not installed, so that there is no {extension.use}"
                repair = mend.create_extension(extension)
                yield self._finding("recommended", "extension", extension.name, problem, extension.jobs, repair)

    def _finding(self, level: Level, kind: Kind, name: str, problem: str, by: Jobs, repair: str) -> Finding:
        return Finding(level, kind, name, problem, needing(by, self._jobs), repair)


def _hidden_rows(connection: Connection, jobs: Collection[str]) -> Iterator[Finding]:
    """Tables whose rows row level security hides from the role."""
    found: dict[str, tuple[Hiding, list[str]]] = {}
    for job in sorted(jobs):
        for entry in hiding(connection, layer_tables_of(job)):
            known, needed_by = found.setdefault(f"{entry.role}/{entry.schema}/{entry.table}", (entry, []))
            needed_by.append(job)
            if len(entry.commands) > len(known.commands):
                found[f"{entry.role}/{entry.schema}/{entry.table}"] = entry, needed_by
    for entry, needed_by in found.values():
        name = f"{identifier(entry.schema)}.{identifier(entry.table)}"
        below = "" if entry.asked == entry.table else f", which {identifier(entry.asked)} shows,"
        problem = f"hides rows{below} from {entry.role} by row level security"
        yield Finding("required", "rows", name, problem, tuple(needed_by), entry.mend)


def _place(table: Table, it: FoundTable) -> str:
    return f"{identifier(it.schema)}.{identifier(table.name)}"


def _fits(table: Table, column: Column, found: FoundColumn) -> bool:
    if table.owned:
        return found.type == column.type
    return found.base in FAMILIES[column.type] or (column.type == "text" and found.is_enum)


def _wanted(table: Table, column: Column) -> str:
    kinds = {"bigint": "a whole number", "double precision": "a number", "text": "text or an enum", "date": "a date"}
    return column.type if table.owned else kinds.get(column.type, column.type)


def _serves(index: Index, found: FoundIndex) -> bool:
    if found.method != index.method:
        return False
    if index.unique:  # in any order: what matters is that no two rows have the same values
        return found.unique and sorted(found.columns) == sorted(index.columns)
    return found.columns[: len(index.columns)] == index.columns


def _version(number: int) -> str:
    """180006 as people write it: 18.6."""
    return f"{number // 10_000}.{number % 10_000}"
