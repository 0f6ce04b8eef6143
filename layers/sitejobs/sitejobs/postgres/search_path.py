"""Where a session looks when no DATABASE_SEARCH_PATH says it: in the bundle's schema, then as it would anyway."""

import re
from collections.abc import Iterable
from typing import Final, LiteralString

from psycopg import Connection

from sitejobs.postgres.shared_session import schemas_of

BUNDLE_SCHEMA: Final = "sitejobs"

SERVERS_OWN: Final = '"$user", public'
"""What PostgreSQL looks through unless it is told otherwise."""

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_IN_OPTIONS: Final = re.compile(r"-(?:c\s*|-)search[_-]path=((?:\\.|\S)+)")
# Settings of a login, the nearest first: of a role in a database, of a role, of a database, of all.
_CONFIGURED: Final[LiteralString] = """
SELECT current_setting('search_path'), (
    SELECT substr(entry, length('search_path=') + 1)
    FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) AS entry
    WHERE entry LIKE 'search\\_path=%'
      AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
      AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1)
"""


def path_of(schemas: str | Iterable[str], first: str = BUNDLE_SCHEMA) -> str:
    """A search path of these schemas, or of another path's, with the first before them unless it is among them."""
    names = list(dict.fromkeys(schemas_of(schemas) if isinstance(schemas, str) else schemas))
    if first not in names:
        names.insert(0, first)
    return ",".join(name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"' for name in names)


def of_options(options: str) -> str | None:
    """The path that a session's options name (`-c search_path=...`); the last one holds."""
    found = _IN_OPTIONS.findall(options)
    return re.sub(r"\\(.)", r"\1", found[-1]) if found else None


def configured(connection: Connection) -> tuple[str, str | None]:
    """The session's path, and the one that ALTER ROLE or ALTER DATABASE gave it, if any."""
    row = connection.execute(_CONFIGURED).fetchone()
    assert row is not None  # one row, always
    return row[0], None if row[1] is None else row[1].replace('""', "")
