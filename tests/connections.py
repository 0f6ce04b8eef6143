"""What tests ask of a connection, and a server in front of the real one that refuses some of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.postgres_wire import Startup, gatekeeper

RDS_PROXY_SAYS = (
    "Feature not supported: RDS Proxy currently doesn\N{RIGHT SINGLE QUOTATION MARK}t support command-line options."
)


def setting(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def pid(connection: Connection) -> int:
    return connection.info.backend_pid


@contextmanager
def behind(refusal: Callable[[Startup], str | None], url: str) -> Iterator[str]:
    """The URL of a server that refuses what `refusal` says, and hands on all else."""
    folder = conninfo_to_dict(url)["host"]
    with gatekeeper(refusal, f"{folder}/.s.PGSQL.5432") as port:
        yield make_conninfo(url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
