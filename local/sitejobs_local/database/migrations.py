"""The migrations of the bundle, and the site's own tables for a database of this machine."""

from pathlib import Path

from psycopg import Connection

from sitejobs.schema.migrations import apply, apply_file, pending
from sitejobs_local.places import SITE_SCHEMA

__all__ = ["apply", "apply_site_schema", "pending"]


def apply_site_schema(connection: Connection, file: Path = SITE_SCHEMA) -> None:
    """Create the site's own tables in a local database. Does nothing if the same file was applied before.

    Its CREATE INDEX IF NOT EXISTS would wait for every writer of its table, such as a population that is being loaded.
    """
    apply_file(connection, file)
