"""A real PgBouncer between us and the database, which hands on no options and says so or not.

Without one these tests are skipped, in CI they fail.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.errors import DatabaseFailure, InvalidInput, Transient
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import Database, connect, translated_errors
from sitejobs.postgres.shared_session import schemas_of
from sitejobs.schema.check import check
from sitejobs.schema.roles import Ground, role_script
from sitejobs.workflows.graph import STEPS
from sitejobs_local.commands.studio.reader import Reader
from sitejobs_local.database import migrations
from sitejobs_local.database.accounts import run_as, server_account
from sitejobs_local.database.cluster import Cluster
from sitejobs_local.database.postgres import Server
from sitejobs_local.database.target import Target
from tests.conftest import make_home
from tests.limits import PATIENCE_S
from tests.local.command import environment, sitejobs
from tests.promises.described import described
from tests.promises.site import separate_site
from tests.skips import Lacking, program

ODD = {
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "client_encoding": "LATIN1",
}
"""What a database may have been altered to."""

CONFIGURATION = """
[databases]
* = host={host} port=5432 user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 5432
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
ignore_startup_parameters = {ignored}
query_wait_timeout = 1
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""

WITHOUT_ROWS = {"match-model", "match-quality", "feed-presort-cleanup"}
"""Jobs that store nothing on a small, new site."""

Pooler = Callable[..., AbstractContextManager[str]]


@pytest.fixture
def pooler(postgres_server: Server, database_url: str) -> Iterator[Pooler]:
    """Starts a PgBouncer before the test's database; its URL."""
    home = make_home()
    there, account = postgres_server.socket_dir, server_account(Cluster(postgres_server.data_dir.parent))

    @contextmanager
    def start(mode: str = "session", ignored: str = "options", size: int = 5, host: Path = there) -> Iterator[str]:
        if account is not None:
            os.chown(home, account.uid, account.gid)
        (home / "pgbouncer.ini").write_text(
            CONFIGURATION.format(host=host, folder=home, mode=mode, size=size, ignored=ignored)
        )
        command = [program(Lacking.PGBOUNCER), "-q", str(home / "pgbouncer.ini")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **run_as(account))
        try:
            wait_for(home / ".s.PGSQL.5432", process)
            yield make_conninfo(database_url, host=str(home))
        finally:
            process.terminate()
            process.wait(PATIENCE_S)

    yield start
    shutil.rmtree(home)


def wait_for(path: Path, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(3000):
        assert process.poll() is None, "PgBouncer ended"
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("PgBouncer does not start")


def setting(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def alter(url: str, settings: dict[str, str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        for key, value in settings.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(name, sql.Identifier(key), sql.Literal(value))
            )


def assert_settled(connection: psycopg.Connection) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    row = connection.execute(
        """
        SELECT '2026-03-04 05:06:07'::timestamp AT TIME ZONE current_setting('TimeZone'), date '2026-03-04',
               interval '1 day 2 hours', '\\x00ff'::bytea, 0.1::float8 + 0.2::float8, 'a\\b', %s::text[], 'ж😀',
               '2026-03-04 05:06:07'::timestamp::timestamptz = %s
        """,
        [["a", None], moment],
    ).fetchone()
    assert row is not None
    assert row[0] == moment
    assert row[1] == moment.date()
    assert (row[2].days, row[2].seconds) == (1, 7200)
    assert row[3:] == (b"\x00\xff", 0.1 + 0.2, "a\\b", ["a", None], "ж😀", True)


def test_what_a_database_was_altered_to_does_not_reach_us(database_url: str) -> None:
    alter(database_url, ODD)
    with connect(database_url) as connection:
        assert_settled(connection)


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("ignored", ["options", "extra_float_digits"])
def test_a_pooler_that_drops_our_settings_or_refuses_them_is_given_them_afterwards(
    pooler: Pooler, database_url: str, mode: str, ignored: str
) -> None:
    alter(database_url, ODD)
    with pooler(mode, ignored) as url, connect(url, search_path="site, public", statement_timeout_ms=70) as connection:
        assert_settled(connection)
        assert setting(connection, "search_path") == "site, public"
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")


def test_nothing_outlives_a_transaction_of_a_shared_session(pooler: Pooler, database_url: str) -> None:
    alter(database_url, ODD)
    with (
        pooler("transaction", size=1) as url,
        connect(url, search_path='site, "My Data"', statement_timeout_ms=70) as ours,
    ):
        with pytest.raises(psycopg.errors.QueryCanceled):
            ours.execute("SELECT pg_sleep(30)")
        assert_as_altered(url)
        with ours.transaction():
            ours.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            with ours.transaction():  # a savepoint
                assert_settled(ours)
            assert setting(ours, "transaction_isolation") == "repeatable read"
        with (
            ours.cursor() as cursor,
            cursor.copy("COPY (SELECT interval '1 day', current_setting('search_path')) TO STDOUT") as copy,
        ):
            assert list(copy.rows()) == [("1 day", 'site, "My Data"')]
        assert_as_altered(url)


def test_the_studio_cannot_write_through_a_pooler_and_leaves_others_who_can(pooler: Pooler) -> None:
    with pooler("transaction", size=1) as url, Reader(Target(url, embedded=False, search_path=None)) as reader:
        for lend in (reader.session, reader.moment):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), lend() as connection:
                connection.execute("CREATE TABLE written ()")
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
            other.execute("CREATE TABLE written ()")
            assert setting(other, "statement_timeout") == "0"
            other.execute("DROP TABLE written")


def assert_as_altered(url: str) -> None:
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
        assert_altered(other)
        assert setting(other, "search_path") == '"$user", public'


def assert_altered(other: psycopg.Connection) -> None:
    """What PgBouncer does not restore for each client."""
    for name in ("bytea_output", "extra_float_digits", "array_nulls", "transform_null_equals"):
        assert setting(other, name) == ODD[name]
    assert setting(other, "statement_timeout") == "0"


def test_the_sessions_of_a_role_that_we_print_need_no_setting(database_url: str) -> None:
    alter(database_url, ODD)
    script = role_script("polled", [], Ground(schemas=("My Data", "public")))
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute('CREATE ROLE "polled" LOGIN')
        try:
            owner.execute("\n".join(line for line in script.splitlines() if line.startswith("ALTER ROLE")).encode())
            with psycopg.connect(database_url, user="polled", client_encoding="UTF8") as theirs:
                assert_settled(theirs)
                assert setting(theirs, "search_path") == '"My Data", public'
        finally:
            owner.execute('DROP ROLE "polled"')


@pytest.mark.parametrize(
    ("search_path", "schemas"),
    [
        ("public", ["public"]),
        ('Site, "My ""Data""",$user', ["site", 'My "Data"', "$user"]),
        ('"a,b" , c', ["a,b", "c"]),
    ],
)
def test_a_search_path_is_read_as_the_server_reads_it(search_path: str, schemas: list[str]) -> None:
    assert schemas_of(search_path) == schemas


@pytest.mark.parametrize("search_path", ['site,"unfinished', "site,,public", "site,"])
def test_what_is_no_search_path_is_refused_and_not_dropped(database_url: str, search_path: str) -> None:
    with pytest.raises(InvalidInput, match="is no search path"):
        connect(database_url, search_path=search_path)


@pytest.mark.parametrize("ignored", ["options", "extra_float_digits"])
def test_what_others_left_in_a_session_does_not_reach_us(pooler: Pooler, database_url: str, ignored: str) -> None:
    alter(database_url, {"search_path": "site"})  # so that nothing seems to be left to set
    with (
        pooler("transaction", ignored, size=1) as url,
        connect(url, search_path="site") as ours,
        psycopg.connect(url, autocommit=True, prepare_threshold=None) as other,
    ):
        other.execute("SET search_path = elsewhere; SET array_nulls = off; SET bytea_output = escape")
        assert setting(ours, "search_path") == "site"
        assert_settled(ours)
        assert setting(other, "search_path") == "elsewhere"


@pytest.mark.parametrize("ignored", ["options", "extra_float_digits"])
def test_the_bundles_schema_comes_before_those_of_the_database(pooler: Pooler, database_url: str, ignored: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        name = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL('ALTER DATABASE {} SET search_path = site, "My Data"').format(name))
    with pooler("transaction", ignored) as url, connect(url, first_schema="sitejobs") as connection:
        assert schemas_of(setting(connection, "search_path")) == ["sitejobs", "site", "My Data"]
        assert_settled(connection)


def test_a_connection_without_a_pooler_sets_nothing_more(database_url: str) -> None:
    alter(database_url, ODD)
    with connect(database_url, search_path="site", statement_timeout_ms=70) as connection:
        assert not connection.shared


def test_a_pooler_of_single_statements_is_refused(pooler: Pooler) -> None:
    with pooler("statement") as url:
        with pytest.raises(DatabaseFailure, match="not allowed in statement pooling mode"), translated_errors():
            connect(url)
        told = sitejobs("check", env=environment(DATABASE_URL=url))
    assert (told.returncode, "pool_mode=transaction or session" in told.stderr) == (1, True), told.stderr


@pytest.mark.parametrize("ignored", ["options", "extra_float_digits"])
def test_every_job_works_in_schemas_of_its_own_through_a_pooler(
    pooler: Pooler, database_url: str, tmp_path: Path, ignored: str
) -> None:
    alter(database_url, {**ODD, "search_path": "nowhere"})
    with (
        ParserHost() as parser,
        pooler("transaction", ignored, size=3) as url,
        separate_site(database_url, tmp_path, parser, "Site", login=url) as site,
    ):
        assert {job for job in STEPS if not site.rows(described(job))} <= WITHOUT_ROWS
        with ExitStack() as transactions:
            for _ in range(3):  # each takes a session of its own
                other = transactions.enter_context(psycopg.connect(url, prepare_threshold=None))
                assert setting(other, "search_path") == "nowhere"
                assert_altered(other)
        tables = site.connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables == (0,)


def test_psql_looks_where_the_jobs_do_although_a_pooler_refuses_settings(pooler: Pooler, tmp_path: Path) -> None:
    (tmp_path / "asked.sql").write_text("SELECT current_setting('search_path');")
    asked = "SELECT current_setting('search_path')"
    with pooler("transaction", "extra_float_digits") as url:
        env = environment(DATABASE_URL=url, DATABASE_SEARCH_PATH='site,"My Data"')
        for arguments in (["-Atc", asked], ["-At", "-c", asked], ["-At", "-f", str(tmp_path / "asked.sql")]):
            told = sitejobs("db", "shell", *arguments, env=env)
            assert (told.returncode, told.stdout, told.stderr) == (0, 'site, "My Data"\n', "")
        told = sitejobs("db", "shell", "-At", env=env, stdin="SELECT 6 * 7;")
    assert (told.returncode, told.stdout) == (0, "42\n"), told.stderr
    assert "SET LOCAL search_path TO site" in told.stderr


def test_sessions_that_share_one_of_the_servers_keep_their_time_zones(pooler: Pooler, database_url: str) -> None:
    alter(database_url, {"TimeZone": "Asia/Tokyo"})
    with pooler("transaction", size=1) as url, psycopg.connect(url, autocommit=True) as other:
        database = Database(url)
        for _ in range(3):
            other.execute("SET TimeZone = 'America/Lima'; SET DateStyle = 'German'")
            assert setting(other, "TimeZone") == "America/Lima"
            assert_settled(database.connection())
        database.close()


def test_a_pooler_without_a_free_connection_may_be_asked_again(pooler: Pooler) -> None:
    with pooler("transaction", size=1) as url, psycopg.connect(url) as other:
        other.execute("SELECT 1")
        with pytest.raises(Transient, match="query_wait_timeout"), translated_errors():
            Database(url).connection()


def test_a_database_that_a_pooler_does_not_find_is_a_final_error(pooler: Pooler) -> None:
    with pooler() as url, pytest.raises(DatabaseFailure, match="does not exist"), translated_errors():
        connect(make_conninfo(url, dbname="nowhere"))


def test_a_pooler_whose_server_is_away_may_be_asked_again(pooler: Pooler, tmp_path: Path) -> None:
    with pooler(host=tmp_path) as url, pytest.raises(Transient), translated_errors():
        connect(url)


def test_the_bundle_gets_its_schema_behind_a_pooler_of_transactions(pooler: Pooler, database_url: str) -> None:
    with connect(database_url) as owner:
        migrations.apply_site_schema(owner)
        with pooler("transaction", "options") as url, connect(url, first_schema="sitejobs") as session:
            migrations.apply(session)
            assert check(session, list(JOBS), migrations.pending(session)).findings == ()
        places = """SELECT DISTINCT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE c.relname IN ('MatchList', 'JobRun', 'SitejobsMigration')"""
        # The site's tables, which another session made, are recorded beside them.
        assert sorted(owner.execute(places.encode()).fetchall()) == [("public",), ("sitejobs",)]
        assert owner.execute("""SELECT to_regclass('public."JobRun"')""").fetchone() == (None,)
