"""The studio's server without a browser: whom it answers, with which headers, and that its session cannot write."""

import http.client
import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sitejobs.postgres.connection import connect
from sitejobs_local.commands.studio.answers import ANSWERS
from sitejobs_local.commands.studio.reader import Reader
from sitejobs_local.commands.studio.server import HEADERS, KEY, LONGEST, Server
from sitejobs_local.database.target import Target
from tests.limits import PATIENCE_S
from tests.local.command import PROGRAM, environment
from tests.local.test_explain import MATCHED, first
from tests.local.test_studio import serving


@pytest.fixture(scope="module")
def server(computed_site: str) -> Iterator[Server]:
    with serving(computed_site) as server:
        yield server


def asked(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE_S)
    given = {KEY: server.key, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request(method, path, headers=given)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return found


def answer(server: Server, path: str) -> Any:
    status, _, body = asked(server, path)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize("path", ["/", "/studio.js", "/studio.css", "/api/site", "/nowhere"])
def test_every_answer_forbids_what_the_page_does_not_need(server: Server, path: str) -> None:
    _, headers, _ = asked(server, path)
    assert {name: headers[name] for name in HEADERS} == HEADERS
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Host": "rebound.example:{port}"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1:{port}.rebound.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"X_Studio_Key": "wrong"}, 401),
        ({"X_Studio_Key": ""}, 401),
    ],
)
def test_only_the_page_itself_is_answered(server: Server, headers: dict[str, str], status: int) -> None:
    given = {name: value.format(port=server.server_port) for name, value in headers.items()}
    assert asked(server, "/api/site", **given)[0] == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_there_is_nothing_to_change(server: Server, method: str) -> None:
    assert asked(server, "/api/runs", method)[0] == 501


@pytest.mark.parametrize(
    "path", ["/..%2fcli.py", "/page/../server.py", "//etc/passwd", "/studio.js/", "/api/", "/x" * LONGEST]
)
def test_no_other_file_is_handed_out(server: Server, path: str) -> None:
    assert asked(server, path)[0] in (403, 404, 414)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/user", "say which id"),
        ("/api/user?id=x", "id must be a whole number, not 'x'"),
        ("/api/user?id=9223372036854775808", "id must be a whole number"),
        ("/api/user?id=%D9%A3", "id must be a whole number"),
        ("/api/user?id=987654321", "there is no user 987654321"),
        ("/api/run?id=987654321", "there is no run 987654321"),
        ("/api/search", "say what to search for"),
        ("/api/search?text=x&age=9", "age must be two ages"),
        ("/api/search?text=x&km=5", "km says how far around a place"),
        ("/api/search?text=%00", "say what to search for"),
        ("/api/uploads?verdict=MAYBE", "verdict must be one of READY"),
        ("/api/runs?before=-1", "before must be a whole number"),
    ],
)
def test_what_cannot_be_answered_is_said(server: Server, path: str, told: str) -> None:
    status, _, body = asked(server, path)
    assert status == 400
    assert told in json.loads(body)["error"]
    assert "--" not in body


def test_every_question_has_its_answer(server: Server, computed_site: str) -> None:
    with connect(computed_site) as connection:
        user_id = first(connection, MATCHED)
        runs = first(connection, 'SELECT count(*) FROM "JobRun"')
        score = connection.execute('SELECT max("score") FROM "MatchScore" WHERE "userId" = %s', [user_id]).fetchone()
    queries = {"/api/user": f"?id={user_id}", "/api/search": "?text=a", "/api/run": "?id=1"}
    found = {path: answer(server, path + queries.get(path, "")) for path in ANSWERS}
    assert len(found["/api/runs"]["runs"]) == min(runs, 25)
    user = found["/api/user"]
    assert score is not None
    assert max(match["score"] for match in user["matches"]) == pytest.approx(score[0])
    assert all(match["why"] for match in user["matches"])
    assert user["cards"][0]["parts"]
    assert "no model was checked yet" in found["/api/quality"]["none"]


def test_an_id_that_javascript_would_round_is_text(server: Server, computed_site: str) -> None:
    with connect(computed_site) as connection:
        connection.execute("""INSERT INTO "MediaMetadata" ("mediaId", "storageKey", "verdict", "reasons", "checkedAt",
                              "checks") VALUES (9007199254740993, 'x', 'READY', '[]', now(), 1)""")
        try:
            assert answer(server, "/api/uploads")["uploads"][0]["mediaId"] == "9007199254740993"
        finally:
            connection.execute('DELETE FROM "MediaMetadata" WHERE "mediaId" = 9007199254740993')


def test_its_session_cannot_write(computed_site: str) -> None:
    with Reader(Target(computed_site, embedded=False, search_path=None)) as reader:
        for lend in (reader.session, reader.moment):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), lend() as connection:
                connection.execute('DELETE FROM "JobRun"')
        with reader.moment() as connection:
            assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)


def test_a_lost_connection_is_made_anew(computed_site: str) -> None:
    with Reader(Target(computed_site, embedded=False, search_path=None)) as reader:
        with reader.session() as connection, connect(computed_site) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError), reader.moment():
            pass
        with reader.moment() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_command_prints_the_address_and_ends_with_ctrl_c(computed_site: str) -> None:
    command = [*PROGRAM, "studio", "--no-open", "--port=0"]
    with subprocess.Popen(
        command, env=environment(DATABASE_URL=computed_site), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline()
        assert address.startswith("http://127.0.0.1:")
        assert "/#key=" in address
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "stopped\n")


def test_a_port_that_is_taken_is_bad_input(server: Server, computed_site: str) -> None:
    command = [*PROGRAM, "studio", "--no-open", f"--port={server.server_port}"]
    done = subprocess.run(
        command,
        env=environment(DATABASE_URL=computed_site),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert "--port=0 takes a free one" in done.stderr
