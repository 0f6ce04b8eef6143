"""Connections and the names of their errors, against a real PostgreSQL."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitejobs.errors import DatabaseFailure, InvalidInput, SitejobsError, Transient
from sitejobs.postgres.connection import TIMEOUTS, Database, connect, translated_errors
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.template import load_template
from tests.local.command import environment, sitejobs
from tests.postgres_wire import Startup, gatekeeper, tls_of_localhost

NAME = "Zebulon Quackenbush"
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


# ---- the errors' names


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('password authentication failed for user "zebulon"', DatabaseFailure),
        ('PAM authentication failed for user "zebulon"', DatabaseFailure),
        ("The IAM authentication failed for the role zebulon. Check the IAM token for this role.", DatabaseFailure),
        ('role "zebulon" does not exist', DatabaseFailure),
        ('database "zebulon" does not exist', DatabaseFailure),
        ('no pg_hba.conf entry for host "10.0.0.1", user "zebulon"', DatabaseFailure),
        ("unsupported startup parameter: options", DatabaseFailure),
        ("sorry, too many clients already", Transient),
        ("remaining connection slots are reserved", Transient),
        ("the database system is starting up", Transient),
        ("the database system is in recovery mode", Transient),
        ("terminating connection due to administrator command", Transient),
    ],
)
def test_a_refused_login_is_final_and_a_busy_server_is_not(
    database_url: str, answer: str, expected: type[SitejobsError]
) -> None:
    with (
        behind(lambda startup: answer, database_url) as url,
        pytest.raises(expected, match=r"^OperationalError: ") as caught,
        translated_errors(),
    ):
        connect(url)
    assert "zebulon" not in str(caught.value)


def test_a_proxy_that_refuses_the_urls_own_options_is_a_final_error(database_url: str) -> None:
    with (
        behind(lambda startup: RDS_PROXY_SAYS if "options" in startup else None, database_url) as url,
        pytest.raises(DatabaseFailure, match="command-line options"),
        translated_errors(),
    ):
        connect(make_conninfo(url, options="-c work_mem=7MB"))


@pytest.mark.parametrize("url", ["postgres//a:zebulon@b", "postgresql://a:zebulon%zz@b", "zebulon", "host=b zebulon=1"])
def test_an_address_that_is_none_is_told_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInput, match="no PostgreSQL connection string") as caught, translated_errors():
        Database(url).connection()
    assert "zebulon" not in str(caught.value)


def test_nobody_listening_is_transient() -> None:
    with pytest.raises(Transient, match="Connection refused"), translated_errors():
        connect("postgresql://127.0.0.1:1/none")


@pytest.fixture
def people(database_url: str) -> str:
    """URL of a database with a small table of names."""
    with connect(database_url) as connection:
        connection.execute(
            "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL CHECK (length(name) < 100), nick text);"
            "INSERT INTO people VALUES (1, 'one'), (2, 'two')"
        )
    return database_url


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO people VALUES (1, '{NAME}')",
        f"INSERT INTO people VALUES (3, repeat('{NAME}', 9))",
        f"INSERT INTO people VALUES (3, NULL, '{NAME}')",
        f"SELECT '{NAME}'::int",
        f"""SELECT '{{"{NAME}"'::jsonb""",
        f"DO $$ BEGIN RAISE EXCEPTION 'not {NAME}'; END $$",
    ],
)
def test_an_error_that_quotes_a_row_is_passed_on_without_it(people: str, statement: str) -> None:
    with connect(people) as connection, pytest.raises(DatabaseFailure, match="SQLSTATE") as caught, translated_errors():
        connection.execute(statement.encode())
    assert "Zebulon" not in str(caught.value)


@pytest.mark.parametrize(
    ("statement", "named"),
    [("SELECT * FROM missing", "missing"), ("SELECT colour FROM people", "colour")],
)
def test_what_the_schema_lacks_is_named_with_the_command_that_lists_it(people: str, statement: str, named: str) -> None:
    with (
        connect(people) as connection,
        pytest.raises(InvalidInput, match=f"{named}.*`sitejobs check`"),
        translated_errors(),
    ):
        connection.execute(statement.encode())


def test_a_privilege_that_is_missing_is_named(people: str) -> None:
    with connect(people) as connection:
        connection.execute("CREATE ROLE sitejobs_test_nobody")
        try:
            connection.execute("SET ROLE sitejobs_test_nobody")
            with pytest.raises(InvalidInput, match="permission denied for table people"), translated_errors():
                connection.execute("SELECT * FROM people")
        finally:
            connection.execute("RESET ROLE; DROP ROLE sitejobs_test_nobody")


def test_a_terminated_session_is_transient(people: str) -> None:
    with connect(people) as one, connect(people) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid(one)])
        with pytest.raises(Transient), translated_errors():
            one.execute("SELECT 1")


def test_a_server_that_goes_away_while_a_statement_runs_is_transient(people: str) -> None:
    with connect(people) as one, connect(people) as other:
        end = threading.Timer(0.1, other.execute, ["SELECT pg_terminate_backend(%s, 5000)", [pid(one)]])
        end.start()
        with pytest.raises(Transient), translated_errors():
            one.execute("SELECT pg_sleep(30)")
        end.join()


def test_a_lock_not_had_in_time_is_transient(people: str) -> None:
    with connect(people) as one, connect(people) as other, other.transaction():
        other.execute("LOCK TABLE people")
        one.execute("SET lock_timeout = '10ms'")
        with pytest.raises(Transient, match="55P03"), translated_errors():
            one.execute("DELETE FROM people")


def test_two_transactions_that_cannot_be_put_in_order_are_transient(people: str) -> None:
    with connect(people) as one, connect(people) as other:
        one.execute("SET default_transaction_isolation = 'repeatable read'")
        with pytest.raises(Transient, match="40001"), translated_errors(), one.transaction():
            one.execute("SELECT * FROM people")
            other.execute("UPDATE people SET nick = 'x'")
            one.execute("UPDATE people SET nick = 'y'")


def test_the_victim_of_a_deadlock_may_try_again(people: str) -> None:
    touch = "UPDATE people SET nick = 'x' WHERE id = %s"
    with connect(people) as one, connect(people) as other, other.transaction():
        other.execute("SET deadlock_timeout = '1min'")
        other.execute(touch, [2])
        with pytest.raises(Transient, match="40P01"), translated_errors(), one.transaction():
            one.execute("SET LOCAL deadlock_timeout = '10ms'")
            one.execute(touch, [1])
            waiting = threading.Thread(target=other.execute, args=(touch, [1]))
            waiting.start()
            one.execute("SELECT pg_sleep(0.05)")
            one.execute(touch, [2])
        waiting.join()


def test_a_statement_over_its_limit_is_not_tried_again(people: str) -> None:
    with (
        connect(people, statement_timeout_ms=20) as connection,
        pytest.raises(DatabaseFailure, match="57014"),
        translated_errors(),
    ):
        connection.execute("SELECT pg_sleep(30)")


def test_errors_of_other_kinds_pass_through() -> None:
    with pytest.raises(KeyError), translated_errors():
        raise KeyError("x")


# ---- a password that was changed


def test_a_login_that_is_refused_once_it_worked_is_tried_with_the_address_that_is_kept_now(database_url: str) -> None:
    """As after a rotation of the secret, while the function's environment lives on."""
    kept, refused, asked = ["old"], set[str](), []

    def read() -> str:
        asked.append(kept[0])
        return make_conninfo(url, application_name=kept[0])

    def refusal(startup: Startup) -> str | None:
        return "password authentication failed" if startup["application_name"] in refused else None

    with behind(refusal, database_url) as url:
        database = Database(read)
        database.connection()
        database.close()
        database.connection()
        assert asked == ["old"]
        database.close()
        kept[0] = "new"
        refused.add("old")
        assert setting(database.connection(), "application_name") == "new"
        assert asked == ["old", "new"]
        database.close()
        refused.add("new")
        with pytest.raises(DatabaseFailure, match="password authentication failed"), translated_errors():
            database.connection()
        assert asked == ["old", "new", "new"]


def test_an_address_is_not_asked_for_again_while_the_server_is_only_busy(database_url: str) -> None:
    asked = []

    def read() -> str:
        asked.append(1)
        return url

    answers = iter([None, "sorry, too many clients already", None])
    with behind(lambda startup: next(answers), database_url) as url:
        database = Database(read)
        database.connection()
        database.close()
        with pytest.raises(Transient), translated_errors():
            database.connection()
        database.connection()
        database.close()
    assert len(asked) == 1


# ---- a login that lasts for some minutes


def test_every_connection_asks_for_an_address_of_its_own(database_url: str, tmp_path: Path) -> None:
    """As a token of IAM wants it: the second connection may be made when the first one's has expired."""
    tls, authority = tls_of_localhost(tmp_path)
    secure = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(authority)}
    folder, user = (conninfo_to_dict(database_url)[name] for name in ("host", "user"))
    tokens, logins = iter(["first&=+/", "second"]), []

    def read() -> str:
        return make_conninfo(database_url, password=next(tokens), port=port, **secure)

    def refusal(startup: Startup) -> str | None:
        logins.append((startup["user"], startup["password"], startup["tls"]))
        return None

    with gatekeeper(refusal, f"{folder}/.s.PGSQL.5432", tls=tls) as port:
        database = Database(read, renewed=True)
        first = pid(database.connection())
        assert pid(database.connection()) == first
        with connect(database_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert setting(database.connection(), "TimeZone") == "UTC"
        database.close()
    assert logins == [(user, "first&=+/", "TLSv1.3"), (user, "second", "TLSv1.3")]


def test_a_token_that_is_refused_is_a_final_error_and_never_shown(database_url: str, tmp_path: Path) -> None:
    tls, authority = tls_of_localhost(tmp_path)
    secure = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(authority)}
    asked = []

    def read() -> str:
        asked.append(1)
        return make_conninfo(database_url, password="a-token", port=port, **secure)

    with gatekeeper(lambda startup: "PAM authentication failed for user", "", tls=tls) as port:
        database = Database(read, renewed=True)
        with pytest.raises(DatabaseFailure, match=r"PAM authentication failed$") as caught, translated_errors():
            database.connection()
    assert len(asked) == 1
    assert "a-token" not in str(caught.value)
