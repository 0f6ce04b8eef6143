"""Grants that let a role run the jobs, and do nothing else."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from sitejobs.postgres.connection import SESSION_SETTINGS
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.mend import grant, listed, literal
from sitejobs.schema.model import Table, identifier, needed
from sitejobs.schema.site import SITE_TABLES

DEFAULT_SCHEMAS: Final = ("public",)


def role_script(
    role: str,
    jobs: Collection[str],
    schemas: Sequence[str] = DEFAULT_SCHEMAS,
    *,
    with_iam: bool = False,
    by_column: bool = False,
) -> str:
    """SQL that makes `role` if it is missing and grants it what `jobs` need of the database.

    Tables are named without a schema: they are found on the search path of the session that runs the script.
    `with_iam` lets the role log in with tokens of IAM, on RDS, and no longer with a password. `by_column` lets it read
    those columns of the site's tables only that the jobs read.
    """
    quoted = identifier(role)
    with_password = f"-- To log in with a password: ALTER ROLE {quoted} LOGIN PASSWORD '...';"
    lines = [
        f"-- What {', '.join(sorted(jobs))} may do: read the site's tables, write the bundle's own.",
        "DO $$ BEGIN",
        f"    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) THEN CREATE ROLE {quoted}; END IF;",
        "END $$;",
        *([f"ALTER ROLE {quoted} LOGIN;", f"GRANT rds_iam TO {quoted};"] if with_iam else [with_password]),
        f"GRANT USAGE ON SCHEMA {listed(schemas)} TO {quoted};",
        "",
        "-- What its sessions need behind RDS Proxy or PgBouncer, which hand on no settings",
        *_settings(quoted, schemas),
        "",
        "-- The site's tables",
        *_grants(SITE_TABLES, role, jobs, by_column=by_column),
        "",
        "-- The bundle's own tables",
        *_grants(BUNDLE_TABLES, role, jobs),
        grant("SELECT", identifier("SitejobsMigration"), role),
    ]
    return "\n".join(lines) + "\n"


def _settings(quoted: str, schemas: Sequence[str]) -> Iterator[str]:
    if tuple(schemas) != DEFAULT_SCHEMAS:
        yield f"ALTER ROLE {quoted} SET search_path = {listed(schemas)};"
    for name, value in SESSION_SETTINGS.items():
        yield f"ALTER ROLE {quoted} SET {name} = {literal(value)};"


def _grants(tables: Sequence[Table], role: str, jobs: Collection[str], *, by_column: bool = False) -> Iterator[str]:
    for table in tables:
        if not needed(table.jobs, jobs):
            continue
        columns = f" ({listed(column.name for column in table.columns_for(jobs))})" if by_column else ""
        yield grant(", ".join(privilege + columns for privilege in table.privileges()), identifier(table.name), role)
        if written := table.updates_for(jobs):
            yield grant(f"UPDATE ({listed(written)})", identifier(table.name), role)
