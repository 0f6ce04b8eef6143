"""What becomes of the errors of a real PostgreSQL: which are tried again, and what of them is told."""

import threading

import pytest
from psycopg.conninfo import make_conninfo

from sitejobs.errors import DatabaseFailure, InvalidInput, SitejobsError, Transient
from sitejobs.postgres.connection import Database, connect, translated_errors
from tests.connections import RDS_PROXY_SAYS, behind, pid

NAME = "Zebulon Quackenbush"


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
        ("Tenant or user not found", DatabaseFailure),
        ("The endpoint ID is not specified. Either upgrade libpq or pass options=endpoint%3Dzebulon", DatabaseFailure),
        ("MaxClientsInSessionMode: max clients reached", Transient),
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
    with (
        pytest.raises(InvalidInput, match=r"DATABASE_URL (is no PostgreSQL address|has a %)") as caught,
        translated_errors(),
    ):
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
