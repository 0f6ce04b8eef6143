"""Grants that let a role run the jobs, and do nothing else."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.postgres.connection import SESSION_SETTINGS
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.home import RECORD, home_of, namesakes, refuse_namesakes
from sitejobs.schema.inspect import inspect
from sitejobs.schema.mend import grant, listed, literal
from sitejobs.schema.migrations import MIGRATIONS, read
from sitejobs.schema.model import Table, identifier, needed
from sitejobs.schema.site import SITE_TABLES

_OWNER: Final = """
SELECT pg_get_userbyid(c.relowner)::text, has_schema_privilege(c.relowner, n.oid, 'CREATE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s AND n.nspname = %s
"""


@dataclass(frozen=True)
class Ground:
    """Where the tables are in a database.

    Attributes
    ----------
    places : the schema of each table that was found.
    schemas : the search path, the bundle's schema among them.
    hampered : the schema in which the tables' owner may make no others, and the owner; None if all is well.
    """

    places: Mapping[str, str] = field(default_factory=dict)
    schemas: tuple[str, ...] = ("public",)
    hampered: tuple[str, str] | None = None


def ground_of(connection: Connection) -> Ground:
    """Where the session's search path leads for the site's tables; the bundle's are those that its migrations made.

    Raises
    ------
    InvalidInput : the bundle is not there, or something there has its names and is not its own.
    """
    home = home_of(connection)
    if not home.recorded:
        raise InvalidInput(
            "the bundle's tables are not in this database, or not on the search path: `sitejobs db migrate` makes them,"
            " and then there are grants to print"
        )
    refuse_namesakes(namesakes(connection, home, {it.name: it.made for it in read(MIGRATIONS)}), home)
    wanted = dict.fromkeys(table.name for table in SITE_TABLES) | dict.fromkeys(
        (RECORD, *(table.name for table in BUNDLE_TABLES)), home.schema
    )
    found = inspect(connection, wanted)
    owner = connection.execute(_OWNER, [RECORD, home.schema]).fetchone()
    hampered = None if owner is None or owner[1] else (home.schema, owner[0])
    schemas = tuple(dict.fromkeys((home.schema, *home.path))) if home.schema not in home.path else home.path
    return Ground({name: table.schema for name, table in found.tables.items()}, schemas, hampered)


def role_script(
    role: str,
    jobs: Collection[str],
    ground: Ground | None = None,
    *,
    with_iam: bool = False,
    by_column: bool = False,
) -> str:
    """SQL that makes `role` if it is missing and grants it what `jobs` need of the database.

    Without `ground` tables have no schema: they are found on the search path of the session that runs the script.
    `with_iam` lets the role log in with tokens of IAM, on RDS, and no longer with a password. `by_column` lets it read
    those columns of the site's tables only that the jobs read.
    """
    quoted, found = identifier(role), ground or Ground()
    script = _Grants(role, jobs, ground)
    with_password = f"-- To log in with a password: ALTER ROLE {quoted} LOGIN PASSWORD '...';"
    lines = [
        f"-- What {', '.join(sorted(jobs))} may do: read the site's tables, write the bundle's own.",
        "DO $$ BEGIN",
        f"    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) THEN CREATE ROLE {quoted}; END IF;",
        "END $$;",
        *([f"ALTER ROLE {quoted} LOGIN;", f"GRANT rds_iam TO {quoted};"] if with_iam else [with_password]),
        f"GRANT USAGE ON SCHEMA {listed(found.schemas)} TO {quoted};",
        *_of_the_owner(found),
        "",
        "-- What its sessions need behind RDS Proxy or PgBouncer, which hand on no settings",
        *_settings(quoted, found.schemas),
        "",
        "-- The site's tables",
        *script.of(SITE_TABLES, by_column=by_column),
        "",
        "-- The bundle's own tables",
        *script.of(BUNDLE_TABLES),
        grant("SELECT", script.place(RECORD), role),
    ]
    return "\n".join(lines) + "\n"


def _of_the_owner(ground: Ground) -> Iterator[str]:
    if ground.hampered is not None:
        schema, owner = ground.hampered
        yield ""
        yield "-- The owner of the bundle's tables makes others with later versions, and views anew"
        yield f"GRANT USAGE, CREATE ON SCHEMA {identifier(schema)} TO {identifier(owner)};"


def _settings(quoted: str, schemas: Sequence[str]) -> Iterator[str]:
    if tuple(schemas) != Ground().schemas:
        yield f"ALTER ROLE {quoted} SET search_path = {listed(schemas)};"
    for name, value in SESSION_SETTINGS.items():
        yield f"ALTER ROLE {quoted} SET {name} = {literal(value)};"


@dataclass(frozen=True)
class _Grants:
    """The grants of one role for some jobs."""

    role: str
    jobs: Collection[str]
    ground: Ground | None

    def place(self, name: str) -> str:
        """A table's name, quoted, with the schema in which it was found."""
        schema = None if self.ground is None else self.ground.places.get(name)
        return identifier(name) if schema is None else f"{identifier(schema)}.{identifier(name)}"

    def of(self, tables: Sequence[Table], *, by_column: bool = False) -> Iterator[str]:
        for table in tables:
            if not needed(table.jobs, self.jobs):
                continue
            place = self.place(table.name)
            if self.ground is not None and table.name not in self.ground.places:
                yield f"-- {place} is not there: `sitejobs check` says what to do"
                continue
            columns = f" ({listed(column.name for column in table.columns_for(self.jobs))})" if by_column else ""
            yield grant(", ".join(privilege + columns for privilege in table.privileges()), place, self.role)
            if written := table.updates_for(self.jobs):
                yield grant(f"UPDATE ({listed(written)})", place, self.role)
