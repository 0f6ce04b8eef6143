"""Connections against a real PostgreSQL: their settings and time limits, and the one that is kept."""

import uuid

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from sitejobs.errors import InvalidInput, Transient
from sitejobs.postgres.connection import TIMEOUTS, Database, connect, translated_errors
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.template import load_template
from tests.connections import RDS_PROXY_SAYS, behind, pid, setting
from tests.local.command import environment, sitejobs
from tests.postgres_wire import Startup

# ---- settings


def test_a_connection_speaks_utc_whatever_the_database_says(database_url: str) -> None:
    with connect(database_url) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET TimeZone = 'Asia/Tokyo'").format(name))
    with psycopg.connect(database_url) as connection:
        assert setting(connection, "TimeZone") == "Asia/Tokyo"
    with connect(database_url) as connection:
        assert setting(connection, "TimeZone") == "UTC"
    with connect(make_conninfo(database_url, options="-c TimeZone=Asia/Tokyo")) as connection:
        assert setting(connection, "TimeZone") == "UTC"


def test_the_search_path_may_hold_several_schemas_and_odd_names(database_url: str) -> None:
    with connect(database_url, search_path='site, "my \\ schema"') as connection:
        connection.execute('CREATE SCHEMA "my \\ schema"; CREATE TABLE "my \\ schema".here (); SELECT FROM here')
        assert setting(connection, "search_path") == 'site, "my \\ schema"'


def test_a_statement_is_cancelled_at_its_limit(database_url: str) -> None:
    with connect(database_url, statement_timeout_ms=50) as connection, pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30)")


def test_options_of_the_url_are_kept_beside_our_own(database_url: str) -> None:
    url = make_conninfo(database_url, options="-c work_mem=7MB -c statement_timeout=5000")
    with connect(url, search_path="site") as connection:
        assert setting(connection, "work_mem") == "7MB"
        assert setting(connection, "statement_timeout") == "5s"
        assert setting(connection, "search_path") == "site"
        assert setting(connection, "TimeZone") == "UTC"


def test_what_is_asked_for_wins_over_the_urls_options(database_url: str) -> None:
    url = make_conninfo(database_url, options="-c search_path=other -c statement_timeout=5000")
    with connect(url, search_path="site", statement_timeout_ms=70) as connection:
        assert setting(connection, "search_path") == "site"
        assert setting(connection, "statement_timeout") == "70ms"


def test_options_of_the_environment_are_kept_unless_the_url_has_some(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=9MB")
    with connect(database_url) as connection:
        assert setting(connection, "work_mem") == "9MB"
    with connect(make_conninfo(database_url, options="-c work_mem=7MB")) as connection:
        assert setting(connection, "work_mem") == "7MB"


def test_a_proxy_that_takes_no_options_is_given_the_settings_afterwards(database_url: str) -> None:
    def refusal(startup: Startup) -> str | None:
        return RDS_PROXY_SAYS if "options" in startup else None

    with (
        behind(refusal, database_url) as url,
        connect(url, search_path="site, public", statement_timeout_ms=50) as connection,
    ):
        assert setting(connection, "TimeZone") == "UTC"
        assert setting(connection, "search_path") == "site, public"
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_does_not_keep_every_script_is_refused(postgres_server: Server, encoding: str) -> None:
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE 'C' LOCALE_PROVIDER libc")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator:
        administrator.execute(create.format(sql.Identifier(name), sql.Literal(encoding)))
        try:
            with pytest.raises(InvalidInput, match=f"encoding is {encoding} and must be UTF8.*CREATE DATABASE"):
                connect(postgres_server.database_url(name))
            told = sitejobs("check", env=environment(DATABASE_URL=postgres_server.database_url(name)))
            assert told.returncode == 2
            assert f"encoding is {encoding} and must be UTF8" in told.stderr
        finally:
            administrator.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


# ---- a host that does not answer


def parameters(connection: Connection) -> dict[str, str]:
    return connection.info.get_parameters()


def test_a_connection_does_not_wait_for_ever(database_url: str) -> None:
    with connect(database_url) as connection:
        assert {name: parameters(connection).get(name) for name in TIMEOUTS} == {
            name: str(value) for name, value in TIMEOUTS.items()
        }


def test_the_urls_own_timeouts_hold(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"connect_timeout": "31", "keepalives_idle": "32", "tcp_user_timeout": "0"}
    with connect(make_conninfo(database_url, **own)) as connection:
        assert {name: parameters(connection)[name] for name in own} == own
        assert parameters(connection)["keepalives_count"] == str(TIMEOUTS["keepalives_count"])
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "33")
    with connect(database_url) as connection:
        assert parameters(connection)["connect_timeout"] == "33"


def test_a_function_learns_that_the_host_is_away_within_its_own_time_limit() -> None:
    limits = [function.timeout for function in load_template(TEMPLATE).functions.values()]
    probes = TIMEOUTS["keepalives_idle"] + TIMEOUTS["keepalives_interval"] * TIMEOUTS["keepalives_count"]
    noticed = max(TIMEOUTS["tcp_user_timeout"] / 1000, probes)
    assert noticed + TIMEOUTS["connect_timeout"] <= 0.75 * min(limits)


# ---- the one connection


def test_the_connection_is_made_once_and_kept(database_url: str) -> None:
    database = Database(database_url)
    assert pid(database.connection()) == pid(database.connection())
    database.close()


def test_a_connection_lost_between_two_uses_is_replaced_unnoticed(database_url: str) -> None:
    database = Database(database_url, search_path="site")
    first = pid(database.connection())
    with connect(database_url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert pid(database.connection()) != first
    assert setting(database.connection(), "search_path") == "site"
    database.close()


def test_a_closed_database_opens_again_when_used(database_url: str) -> None:
    database = Database(database_url)
    database.close()
    first = pid(database.connection())
    database.close()
    assert pid(database.connection()) != first
    database.close()
    database.close()


def test_a_database_that_was_away_is_found_again(database_url: str) -> None:
    answers = ["the database system is starting up", None]
    with behind(lambda startup: answers.pop(0), database_url) as url:
        database = Database(url)
        with pytest.raises(Transient), translated_errors():
            database.connection()
        assert setting(database.connection(), "TimeZone") == "UTC"
        database.close()
