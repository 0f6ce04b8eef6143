"""The check: one report of everything that a database lacks of the contract, with the mend of each."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from psycopg import Connection

from sitejobs.jobs.row_security import Hiding, hiding
from sitejobs.jobs.tables import tables_of as layer_tables_of
from sitejobs.postgres.search_path import BUNDLE_SCHEMA, path_of
from sitejobs.schema import mend
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.findings import Finding as Finding
from sitejobs.schema.findings import Kind, ordered
from sitejobs.schema.findings import Level as Level
from sitejobs.schema.findings import Report as Report
from sitejobs.schema.home import RECORD, Home, home_of, namesakes, told, ways_out
from sitejobs.schema.inspect import Found, FoundColumn, FoundIndex, FoundTable, inspect, reached
from sitejobs.schema.kinds import converted, fits, is_odd_id, odd_ids, wanted
from sitejobs.schema.migrations import MIGRATIONS, read
from sitejobs.schema.model import Column, Index, Jobs, Table, identifier, needed, needing
from sitejobs.schema.rows import Rows
from sitejobs.schema.site import EXTENSIONS, SITE_TABLES
from sitejobs.schema.values import VALUES, Words

OLDEST_SERVER = 130_000


def check(connection: Connection, jobs: Collection[str], pending: Sequence[str] = ()) -> Report:
    """Compare the database with what `jobs` need of it, as the connection's role sees it.

    `pending` names the bundle's migrations that the database has no record of.
    """
    home = home_of(connection)
    taken = list(_taken_names(connection, home, jobs))
    tables = [table for table in tables_of(jobs) if not (taken and table.owned)]
    found = inspect(connection, _places(tables, home) | {RECORD: home.schema})
    unknown = taken or not home.readable or RECORD in found.elsewhere
    comparison = _Comparison(found, jobs, () if unknown else pending, Rows(connection))
    findings = [
        *taken,
        *_unread_record(home, found, jobs),
        *comparison.findings(tables),
        *_hidden_rows(connection, jobs),
    ]
    return Report(
        server=_version(found.server_version),
        database=found.database,
        role=found.role,
        search_path=found.search_path,
        jobs=tuple(sorted(jobs)),
        findings=ordered(findings),
    )


def missing_tables(connection: Connection, jobs: Collection[str]) -> tuple[list[str], list[str]]:
    """Names of the site's and of the bundle's tables that `jobs` need and the search path does not lead to."""
    tables = tables_of(jobs)
    found = reached(connection, _places(tables, home_of(connection)))
    absent = [table for table in tables if table.name not in found]
    return [table.name for table in absent if not table.owned], [table.name for table in absent if table.owned]


def _places(tables: Iterable[Table], home: Home) -> dict[str, str | None]:
    return {table.name: home.schema if table.owned else None for table in tables}


def _taken_names(connection: Connection, home: Home, jobs: Collection[str]) -> Iterator[Finding]:
    """One finding for all names of the bundle's that others have: until they are free nothing of it can be there."""
    if found := namesakes(connection, home, {migration.name: migration.made for migration in read(MIGRATIONS)}):
        names = ", ".join(identifier(it.name) for it in found)
        repair = "  ".join(f"-- {way}" for way in ways_out(found, home))
        yield Finding("required", "table", names, told(found), tuple(sorted(jobs)), repair)


def _unread_record(home: Home, found: Found, jobs: Collection[str]) -> Iterator[Finding]:
    """Of a record that the role may not read nothing is known to be missing."""
    if not home.readable:
        problem, repair = f"{found.role} may not SELECT", mend.grant("SELECT", home.place, found.role)
        yield Finding("recommended", "privilege", identifier(RECORD), problem, tuple(sorted(jobs)), repair)


def tables_of(jobs: Collection[str]) -> list[Table]:
    """The tables and views that any of these jobs needs."""
    return [table for table in (*SITE_TABLES, *BUNDLE_TABLES) if needed(table.jobs, jobs)]


class _Comparison:
    """The contract's tables held against what was found."""

    def __init__(self, found: Found, jobs: Collection[str], pending: Sequence[str], rows: Rows | None = None) -> None:
        self._found = found
        self._jobs = jobs
        self._pending = pending
        self._rows = rows or Rows(None)

    def findings(self, tables: Sequence[Table]) -> Iterator[Finding]:
        yield from self._server()
        yield from self._schemas()
        yield from self._odd_ids(tables)
        for table in tables:
            it = self._found.tables.get(table.name)
            if it is None:
                yield self._missing_table(table)
            else:
                yield from self._hidden(table, it)
                yield from self._columns(table, it)
                yield from self._privileges(table, it)
                yield from self._indexes(table, it)
                yield from self._writes(table, it)
                yield from self._values(table, it)
        yield from self._migrations()
        yield from self._extensions()

    def _server(self) -> Iterator[Finding]:
        if self._found.server_version < OLDEST_SERVER:
            name = f"PostgreSQL {_version(self._found.server_version)}"
            problem = "the jobs are made for PostgreSQL 13 and later"
            yield self._finding("recommended", "server", name, problem, None, "-- upgrade the server")

    def _schemas(self) -> Iterator[Finding]:
        for schema in self._found.not_there:
            if schema not in ("public", BUNDLE_SCHEMA):  # both stand on paths that nobody chose
                problem = "is on the search path, and there is no such schema"
                repair = mend.no_schema(schema, self._found.search_path)
                yield self._finding("required", "schema", identifier(schema), problem, None, repair)

    def _missing_table(self, table: Table) -> Finding:
        role, path = self._found.role, self._found.search_path
        problem = f"there is no such {'view' if table.view else 'table or view'}"
        own = mend.MIGRATE if self._pending else mend.MIGRATE_AGAIN
        repair = own if table.owned else mend.empty_view(table, table.columns_for(self._jobs))
        schemas = self._found.elsewhere.get(table.name, ())
        if table.owned:  # what has its name where the bundle is not is another's
            schemas = [name for name in schemas if name in self._found.elsewhere.get(RECORD, ())]
        for schema in schemas[:1]:
            problem = f"stands in schema {schema}, which is not on the search path, or which {role} may not use"
            repair = mend.reach_schema(schema, path, role)
        return self._finding("required", "table", identifier(table.name), problem, table.jobs, repair)

    def _hidden(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        if it.hidden_by is not None:
            problem = f"of schema {it.schema} is hidden by one of schema {it.hidden_by}, earlier on the search path"
            path = path_of([name for name in self._found.search_path if name != it.schema], it.schema)
            repair = f"-- set DATABASE_SEARCH_PATH={path}"
            yield self._finding("required", "table", identifier(table.name), problem, table.jobs, repair)

    def _odd_ids(self, tables: Sequence[Table]) -> Iterator[Finding]:
        """One finding for all ids that are no whole numbers: they can only be mended together."""
        found = odd_ids(self._found, tables, self._jobs)
        if found:
            needed_by = {job for entry in found for job in needing(entry.jobs, self._jobs)}
            names = ", ".join(entry.name for entry in found)
            yield Finding("required", "type", names, mend.odd_ids(found), tuple(sorted(needed_by)), mend.NUMBER_IDS)

    def _columns(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        for column in table.columns_for(self._jobs):
            found = it.columns.get(column.name)
            if found is not None and (fits(table, column, found) or is_odd_id(table, it, column, found)):
                continue
            name = f"{identifier(table.name)}.{identifier(column.name)}"
            by = table.jobs if column.jobs is None else column.jobs
            if found is not None:
                problem = f"is {found.type}, where {wanted(table, column)} is needed"
                yield self._finding("required", "type", name, problem, by, self._change(table, it, column, found))
            else:
                repair = mend.add_column(_place(table, it), column, to_view=it.is_view)
                repair = mend.MIGRATE if table.owned and self._pending else repair
                yield self._finding("required", "column", name, "there is no such column", by, repair)

    def _change(self, table: Table, it: FoundTable, column: Column, found: FoundColumn) -> str:
        if it.is_view:
            return mend.remake_view(_place(table, it)) if table.owned else mend.change_view(column)
        convert = converted(column, found)
        if convert is None or column.name in it.partitioned_by or (it.views and not table.owned):
            return mend.offer_view(column)
        change = mend.change_type(_place(table, it), column, convert, found.default)
        if not table.owned:
            able = self._rows.convert(_place(table, it), column.name, convert, found.default)
            if not able:
                return mend.unseen(change) if able is None else mend.offer_view_without(_place(table, it), column)
        return mend.without_views(it.views, change) if it.views else change

    def _privileges(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        columns = [it.columns[column.name] for column in table.columns_for(self._jobs) if column.name in it.columns]
        for privilege in table.privileges():
            granted = privilege in it.privileges
            if privilege != "DELETE":  # the only privilege that cannot be granted by column
                granted = granted or all(privilege in column.privileges for column in columns)
            if not granted:
                yield self._forbidden(table, it, privilege, table.jobs)
        lacking = [
            name
            for name in table.updates_for(self._jobs)
            if name in it.columns and "UPDATE" not in it.columns[name].privileges
        ]
        if lacking:
            yield self._forbidden(table, it, f"UPDATE ({mend.listed(lacking)})", table.updated_by)

    def _forbidden(self, table: Table, it: FoundTable, privilege: str, by: Jobs) -> Finding:
        role = self._found.role
        repair = mend.grant(privilege, _place(table, it), role)
        problem = f"{role} may not {privilege}"
        return self._finding("required", "privilege", identifier(table.name), problem, by, repair)

    def _writes(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        """Views through which the jobs could not write, and enums that lack a word that they write."""
        names = [name for name in table.updates_for(self._jobs) if name in it.columns]
        fixed = [name for name in names if not it.columns[name].updatable]
        if fixed and it.shows_tables:
            problem = f"is a view of which {mend.listed(fixed)} cannot be updated, and media jobs write them"
            repair = mend.instead_of_update(_place(table, it), names)
            yield self._finding("required", "view", identifier(table.name), problem, table.updated_by, repair)
        if names and it.shows_tables and not it.insertable:
            problem = "is a view that nothing can be inserted into, as `sitejobs upload` does"
            repair = mend.instead_of_insert(_place(table, it))
            yield self._finding("recommended", "view", identifier(table.name), problem, table.updated_by, repair)
        for column in table.columns_for(self._jobs):
            words, found = VALUES.get((table.name, column.name)), it.columns.get(column.name)
            if isinstance(words, Words) and found is not None and found.category == "E":
                for word in words.needs:
                    if word not in found.labels:
                        name = f"{identifier(table.name)}.{identifier(column.name)}"
                        repair = mend.add_label(found.base, word)
                        by = table.jobs if column.jobs is None else column.jobs
                        yield self._finding("required", "type", name, f"is an enum without {word}", by, repair)

    def _values(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        for column in table.columns_for(self._jobs):
            found, values = it.columns.get(column.name), VALUES.get((table.name, column.name))
            if found is None or values is None or not fits(table, column, found) or "SELECT" not in found.privileges:
                continue
            by = table.jobs if column.jobs is None else column.jobs
            name = f"{identifier(table.name)}.{identifier(column.name)}"
            for problem, repair in self._rows.strange(_place(table, it), it, column.name, values):
                yield self._finding("recommended", "values", name, problem, by, repair)

    def _indexes(self, table: Table, it: FoundTable) -> Iterator[Finding]:
        for index in table.indexes:
            if any(_serves(_possible(index, it), found) for found in it.indexes):
                continue
            if not all(name in it.columns for name in index.columns):
                continue  # reported as missing columns
            problem, repair = self._missing_index(_possible(index, it), table, it)
            if not repair:
                continue
            # Only the bundle's own unique indexes are needed for correctness (overlapping runs); all others for speed.
            level: Level = "required" if table.owned and index.unique else "recommended"
            yield self._finding(level, "index", identifier(table.name), problem, table.jobs, repair)

    def _missing_index(self, index: Index, table: Table, it: FoundTable) -> tuple[str, str]:
        """The problem and its mend; two empty texts where other indexes together serve."""
        columns, place = mend.listed(index.columns), _place(table, it)
        sort = "unique index" if index.unique else "index"
        if it.kind in "vf":
            kind, where = ("a view", "below it") if it.kind == "v" else ("a foreign table", "on its server")
            problem = f"is {kind}: see that the table {where} has a {sort} on {columns}"
            return problem, mend.create_index("<the table below>", index)
        problem, at_once = f"there is no {sort} on {columns}", it.kind == "p"
        plain = Index(index.columns)
        served = any(_serves(plain, found) for found in it.indexes)
        if index.live and any(_serves(index, replace(found, live=False)) for found in it.indexes if found.live):
            if served:
                return "", ""
            return f"there is no index on {columns} of all rows", mend.create_index(place, plain, at_once=at_once)
        if not index.unique or table.owned or not self._rows.repeat(place, index.columns, False):
            return problem, mend.create_index(place, index, at_once=at_once)
        if index.live and "deletedAt" in it.columns and not self._rows.repeat(place, index.columns, True):
            return problem, mend.create_index(place, index, at_once=at_once, live=True)
        problem += ", and rows repeat: each counts once"
        if not served:
            return problem, mend.create_index(place, plain, at_once=at_once)
        return problem, f"-- once no rows repeat: {mend.create_index(place, index, at_once=at_once)}"

    def _migrations(self) -> Iterator[Finding]:
        for name in self._pending:
            problem = "is not recorded as applied"
            yield self._finding("recommended", "migration", name, problem, None, mend.MIGRATE)

    def _extensions(self) -> Iterator[Finding]:
        home = self._found.tables.get(RECORD)
        for extension in EXTENSIONS if home is not None or not self._pending else ():  # the migrations try first
            if needed(extension.jobs, self._jobs) and extension.name not in self._found.extensions:
                problem = f"is not installed, so that there is no {extension.use}"
                repair = mend.create_extension(extension, None if home is None else home.schema)
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


def _possible(index: Index, it: FoundTable) -> Index:
    """The index that a partitioned table can have: not unique, unless its columns include the partition key."""
    return index if set(it.partitioned_by) <= set(index.columns) else replace(index, unique=False)


def _serves(index: Index, found: FoundIndex) -> bool:
    if found.method != index.method or found.live:
        return False
    if index.unique:  # in any order: what matters is that no two rows have the same values
        return found.unique and sorted(found.columns) == sorted(index.columns)
    return found.columns[: len(index.columns)] == index.columns


def _version(number: int) -> str:
    """A server version as people write it: 18.6 for 180006."""
    return f"{number // 10_000}.{number % 10_000}"
