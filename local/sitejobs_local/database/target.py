"""The database that a command works on: the embedded one, or that of DATABASE_URL. Its password is never shown."""

import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sitejobs.errors import InvalidInput, SitejobsError

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs.postgres.shared_session import SessionConnection

# A pattern in the message of PostgreSQL or libpq, and what to do about it.
_ADVICE: tuple[tuple[str, str], ...] = (
    ("password authentication failed", "wrong password, or no such user: mend it in DATABASE_URL"),
    (
        "certificate verify failed",
        "its certificate is signed by nobody that is trusted: see sslrootcert in DATABASE_URL",
    ),
    ("does not match host name", "its certificate is another host's: use the name that stands in it"),
    ("root certificate file", "the file of sslrootcert in DATABASE_URL cannot be read"),
    ("requires a valid client certificate", "it wants a certificate: see sslcert and sslkey in DATABASE_URL"),
    ("does not support SSL", "it does not encrypt: see sslmode in DATABASE_URL"),
    ("no password supplied", "it asks for a password and DATABASE_URL has none"),
    ("no pg_hba.conf entry", "its pg_hba.conf does not let this user in from here (or only with sslmode=require)"),
    ("Peer authentication failed", "it takes only the operating system's user of that name over a socket"),
    ('role ".*" does not exist', "there is no such user: mend it in DATABASE_URL"),
    (
        'database ".*" does not exist',
        "there is no such database: create it (createdb) or mend its name in DATABASE_URL",
    ),
    ("Connection refused", "nothing listens there: is it running, are host and port right?"),
    ("No such file or directory", "nothing listens there: is it running, is the socket's folder right?"),
    ("permission denied for database", "this user may not connect to it: GRANT CONNECT ON DATABASE"),
    ("is not permitted to log in", "this role may not log in: ALTER ROLE ... LOGIN"),
    ("Permission denied", "this user may not use its socket"),
    ("failed to resolve host", "the host's name is unknown: mend it in DATABASE_URL"),
    ("could not translate host name", "the host's name is unknown: mend it in DATABASE_URL"),
    ("timeout", "no answer: a firewall or security group in between, or a wrong address?"),
    ("invalid port number", "the port must be a number from 1 to 65535"),
    (
        "statement pooling mode",
        "its pooler must lend sessions for whole transactions: pool_mode=transaction or session",
    ),
    ("Tenant or user not found", "its pooler knows no such user: at Supabase it is postgres.<project>"),
    ("endpoint ID is not specified", "add options=endpoint%3D<endpoint> to DATABASE_URL"),
    ("[Mm]ax client", "its pooler has no connection left: try again later or raise its limit"),
    ("too many clients", "it has no connection left: try again later or raise max_connections"),
    ("too many connections for", "it has no connection left for this user or database: try again later"),
    ("remaining connection slots", "it has no connection left: try again later or raise max_connections"),
    ("starting up", "it is still starting: try again in a moment"),
    ("shutting down", "it is being shut down"),
    ("in recovery mode", "it is recovering from a crash: try again in a moment"),
    ("accepting connections", "it takes no connections now: try again later"),
    ("read-only|hot standby", "none of its hosts takes writes: a failover? see target_session_attrs in DATABASE_URL"),
    ("SSL", "encryption could not be agreed on: see sslmode in DATABASE_URL"),
)
_ANY_TABLE = """
SELECT EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(current_schemas(false)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
)
"""


class CannotConnect(SitejobsError):
    """The database cannot be reached or refuses the login."""


@dataclass(frozen=True)
class Target:
    """A database to work on.

    Attributes
    ----------
    url : its address, as libpq takes it.
    search_path : schemas to look in first, comma separated.
    first_schema : without them a schema in front of those that the database itself names.
    """

    url: str = field(repr=False)
    embedded: bool
    search_path: str | None
    first_schema: str | None = None

    def connect(self) -> "SessionConnection":
        """Open a connection; the caller closes it.

        Raises
        ------
        CannotConnect : says what is wrong and what to do, without the password.
        """
        import psycopg

        from sitejobs.postgres.connection import connect, describe

        try:
            return connect(self.url, search_path=self.search_path, first_schema=self.first_schema)
        except psycopg.OperationalError as error:
            advice = _advice(str(error)) or describe(error)
            raise CannotConnect(f"cannot connect to {self.label}: {advice}") from None

    @property
    def variables(self) -> dict[str, str]:
        """What functions at home are told of it beside its address."""
        return {"DATABASE_SEARCH_PATH": self.search_path} if self.search_path else {}

    def leading_to(self, schema: str | None) -> "Target":
        """The same database, looking in this schema first unless DATABASE_SEARCH_PATH says where to look."""
        if schema is None or self.embedded or self.search_path is not None:
            return self
        from sitejobs.postgres.search_path import BUNDLE_SCHEMA, path_of

        with self.connect() as connection:
            return replace(self, search_path=path_of(self.settled(connection).search_path or BUNDLE_SCHEMA, schema))

    def looking_in(self, schemas: Sequence[str]) -> "Target":
        """The same database, looking in these schemas if there are any."""
        from sitejobs.postgres.search_path import path_of

        return replace(self, search_path=path_of(schemas, schemas[0])) if schemas else self

    def settled(self, connection: "SessionConnection") -> "Target":
        """The same database with the search path that this session of it has, for other programs."""
        if self.search_path is not None or self.first_schema is None:
            return self
        row = connection.execute("SELECT current_setting('search_path')").fetchone()
        return self if row is None else replace(self, search_path=row[0])

    @property
    def label(self) -> str:
        """The database as messages name it: without a password."""
        if self.embedded:
            return "the embedded database"
        return place_of(self.url)


@contextmanager
def open_target(environ: Mapping[str, str]) -> Iterator[Target]:
    """The database of DATABASE_URL, or the embedded one, which is started and held while the block runs."""
    from sitejobs.postgres.address import Address, read_address
    from sitejobs.postgres.search_path import BUNDLE_SCHEMA
    from sitejobs_local.database.postgres import site_database

    given = environ.get("DATABASE_URL", "").strip()
    address = read_address(given) if given else Address("")
    for note in address.notes:
        sys.stderr.write(f"note: {note}\n")
    search_path = environ.get("DATABASE_SEARCH_PATH") or address.search_path
    with site_database({**environ, "DATABASE_URL": address.conninfo}) as url:
        yield Target(url, not given, search_path, BUNDLE_SCHEMA if given else None)


def check_url(url: str) -> dict[str, str]:
    """The parts of a database's address, by libpq's names.

    Raises
    ------
    InvalidInput : it cannot be taken; its password is not shown.
    """
    from psycopg.conninfo import conninfo_to_dict

    from sitejobs.postgres.address import read_address

    parts = conninfo_to_dict(read_address(url).conninfo)
    return {name: str(value) for name, value in parts.items() if value is not None}


def place_of(url: str) -> str:
    """User, host, port and database name of a connection string."""
    parts = check_url(url)
    hosts = (parts.get("host") or parts.get("hostaddr") or "the local socket").split(",")
    ports = parts.get("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    where = ", ".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports, strict=True))
    user = f" as {parts['user']}" if "user" in parts else ""
    name = parts.get("dbname") or parts.get("user") or ""
    return f"database {name!r} on {where}{user}" if name else f"the database on {where}{user}"


def without_password(url: str) -> str:
    """The connection string with its password left out: `user@host` stays."""
    from psycopg.conninfo import make_conninfo

    parts = check_url(url)
    if "password" not in parts:
        return url
    if re.match(r"postgres(ql)?://", url):
        shorn = re.sub(r"(?<=://)([^:@/?]*):[^@/?]*@", r"\1@", url)
        if "password" not in check_url(shorn):
            return shorn
    del parts["password"]
    return make_conninfo("", **parts)


def prepare(target: Target, connection: "Connection", jobs: Collection[str]) -> None:
    """Make sure that the tables of `jobs` exist: the embedded database gets them, another is only checked.

    Raises
    ------
    InvalidInput : names the missing tables and the command that makes them.
    """
    from sitejobs.schema.check import missing_tables
    from sitejobs_local.database import migrations

    if target.embedded:
        migrations.apply_site_schema(connection)
        migrations.apply(connection)
        return
    of_site, of_bundle = missing_tables(connection, jobs)
    if of_site:
        raise InvalidInput(
            f"{target.label} lacks the site's {_names(of_site)}: `sitejobs check` says how to mend it"
            " (`sitejobs population` fills an empty database with a synthetic site)"
        )
    if of_bundle:
        raise InvalidInput(f"{target.label} lacks the bundle's {_names(of_bundle)}: `sitejobs db migrate` creates them")


def prepare_for_population(target: Target, connection: "Connection") -> None:
    """Make sure that a synthetic site can be loaded; a database of DATABASE_URL without any table gets all of them.

    Raises
    ------
    InvalidInput : it has tables of its own, but not those of a site.
    """
    from sitejobs.schema.home import home_of
    from sitejobs_local.database import migrations

    if target.embedded or _is_blank(connection):
        migrations.apply_site_schema(connection)
        migrations.apply(connection)
        return
    row = connection.execute("""SELECT to_regclass('"User"') IS NULL""").fetchone()
    if row is None or row[0]:
        raise InvalidInput(
            f"{target.label} has tables, but none of a site: a synthetic site goes into an empty database only"
        )
    if not home_of(connection).recorded:
        raise InvalidInput(f"{target.label} lacks the bundle's tables: `sitejobs db migrate` creates them")


def _is_blank(connection: "Connection") -> bool:
    row = connection.execute(_ANY_TABLE).fetchone()
    return row is not None and not row[0]


def _names(tables: list[str]) -> str:
    return ("tables " if len(tables) > 1 else "table ") + ", ".join(f'"{name}"' for name in tables)


def _advice(text: str) -> str | None:
    return next((advice for sign, advice in _ADVICE if re.search(sign, text)), None)
