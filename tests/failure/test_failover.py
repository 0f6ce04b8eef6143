"""A failover: for a while the database is read-only for every session."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitejobs.errors import Transient
from sitejobs.postgres.connection import Database, connect, translated_errors
from sitejobs_local.database.postgres import Server
from tests.conftest import make_home
from tests.failure.site import BATCH, FINISH, PLAN, RECORD, Rows, Site
from tests.servers import own_server

READ_ONLY = "default_transaction_read_only = on"


class Failover:
    """Makes the database read-only when a function is first called, until one of its calls has failed because of it."""

    def __init__(self, site: Site, function: str) -> None:
        self.site, self.name = site, site.function(function)
        self.begun, self.failed = threading.Event(), threading.Event()
        site.listener = self._hear

    def _hear(self, event: object) -> None:
        kind, function, error = (getattr(event, name) for name in ("kind", "function", "error"))
        if function != self.name:
            return
        if kind == "started" and not self.begun.is_set():
            self.begun.set()
            self.site.set_database(READ_ONLY)
            self.site.end_sessions()
        elif error is not None and not self.failed.is_set():
            self.failed.set()
            self.reset()

    def reset(self) -> None:
        with self.site.administrator() as administrator:
            administrator.execute(f'ALTER DATABASE "{self.site.name}" RESET default_transaction_read_only'.encode())


@pytest.mark.parametrize("function", [PLAN, BATCH, RECORD, FINISH])
def test_a_failover_costs_nothing_but_time(site: Site, clean: Rows, function: str) -> None:
    failover = Failover(site, function)
    ended = site.run(maxConcurrency=2)
    assert failover.failed.is_set()
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", len(clean))
    assert {error.split(":")[0] for error in site.errors(function)} == {"Transient"}
    assert site.rows() == clean
    assert site.failed_pages() == []


# ---- one connection


def pid(connection: psycopg.Connection) -> int:
    return connection.info.backend_pid


def alter(url: str, change: str) -> None:
    """Change the settings of a database, even while it is read-only."""
    with connect(make_conninfo(url, options="-c default_transaction_read_only=off")) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} {}").format(name, sql.SQL(change)))


def test_a_session_of_a_read_only_database_is_not_kept(database_url: str) -> None:
    database = Database(database_url)
    alter(database_url, f"SET {READ_ONLY}")
    with pytest.raises(Transient, match="read-only"):
        database.connection()
    alter(database_url, "RESET default_transaction_read_only")
    database.connection().execute("CREATE TABLE written ()")
    database.close()


def test_a_session_that_became_read_only_is_replaced(database_url: str) -> None:
    """As with a standby: the server's name may have led to one when the session began."""
    database = Database(database_url)
    before = database.connection()
    before.execute("SET default_transaction_read_only = on")
    with pytest.raises(Transient, match=r"^ReadOnlySqlTransaction: SQLSTATE 25006: read-only$"), translated_errors():
        before.execute("CREATE TABLE written ()")
    database.connection().execute("CREATE TABLE written ()")
    assert before.closed
    database.close()


def test_a_session_within_a_transaction_that_only_reads_is_kept(database_url: str) -> None:
    database = Database(database_url)
    with database.connection().transaction():
        database.connection().execute("SET TRANSACTION READ ONLY")
        one = pid(database.connection())
        assert pid(database.connection()) == one
    database.close()


@pytest.fixture(scope="module")
def standby() -> Iterator[Server]:
    """A server in recovery: it is read-only until it is promoted."""
    home = make_home()
    with own_server(home, settings={"hot_standby": "on"}, prepare=lambda data: (data / "standby.signal").touch()) as it:
        yield it
    shutil.rmtree(home)


def test_of_several_hosts_the_one_that_takes_writes_is_taken(
    standby: Server, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary = str(conninfo_to_dict(database_url)["host"])
    name = str(conninfo_to_dict(database_url)["dbname"])
    with psycopg.connect(standby.url) as connection:
        assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    hosts = f"{standby.socket_dir},{primary}"
    both = make_conninfo(database_url, host=hosts, port="5432,5432", dbname="postgres")
    with connect(both) as connection:
        assert connection.info.host == primary
    with connect(make_conninfo(both, target_session_attrs="any")) as connection:
        assert connection.info.host == str(standby.socket_dir)
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    with connect(both) as connection:
        assert connection.info.host == str(standby.socket_dir)
    monkeypatch.delenv("PGTARGETSESSIONATTRS")
    monkeypatch.setenv("PGHOST", hosts)
    with connect(f"dbname={name} user=postgres port=5432,5432") as connection:
        assert connection.info.host == primary


def test_hosts_of_which_none_takes_writes_may_be_tried_again(standby: Server, tmp_path: Path) -> None:
    both = make_conninfo(standby.url, host=f"{standby.socket_dir},{tmp_path}", port="5432,5432")
    with pytest.raises(Transient, match=r"read-only|hot standby|No such file"), translated_errors():
        Database(both).connection()


def test_a_standby_is_no_place_for_a_run_until_it_is_promoted() -> None:
    home = make_home()
    with own_server(home, settings={"hot_standby": "on"}, prepare=lambda data: (data / "standby.signal").touch()) as it:
        database = Database(it.url)
        with pytest.raises(Transient, match="standby"):
            database.connection()
        with psycopg.connect(it.url, autocommit=True) as administrator:
            administrator.execute("SELECT pg_promote(true, 60)")
        database.connection().execute("CREATE TABLE written ()")
        database.close()
    shutil.rmtree(home)
