"""The embedded database from the command line: checked, held for other programs, deleted."""

import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.postgres.connection import connect
from sitejobs_local.database import migrations
from sitejobs_local.database.postgres import running_postgres
from tests.conftest import make_home, remove_home
from tests.limits import PATIENCE_S
from tests.local.command import PROGRAM, environment, sitejobs
from tests.local.postgres_processes import wait_until

USERS = 20


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of its own with a small synthetic site."""
    folder = make_home()
    filled = sitejobs("population", f"--users={USERS}", "--seed=3", env=environment(SITEJOBS_HOME=str(folder)))
    assert filled.returncode == 0, filled.stderr
    yield folder
    remove_home(folder)


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    return environment(SITEJOBS_HOME=str(home))


def test_check_of_the_embedded_database_finds_nothing_missing(env: dict[str, str]) -> None:
    result = sitejobs("check", env=env)
    assert (result.returncode, "every job can run" in result.stdout) == (0, True)
    # A few of the synthetic site's answers are as odd as people's are, which the check may recommend to look at.
    assert "required" not in result.stdout


def test_in_a_terminal_url_holds_the_server_until_interrupted(env: dict[str, str]) -> None:
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "db", "url"], env=env, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    )
    os.close(inside)
    shown = b""

    def read() -> None:
        nonlocal shown
        try:
            while chunk := os.read(terminal, 1024):
                shown += chunk
        except OSError:  # Linux says so when the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: b"until Ctrl-C" in shown)
    address = shown.decode().splitlines()[0]
    time.sleep(1)
    with psycopg.connect(address) as connection:
        assert connection.execute('SELECT count(*) FROM "User"').fetchone() == (USERS,)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0
    reader.join(PATIENCE_S)
    os.close(terminal)


def test_an_embedded_database_that_cannot_be_had_is_told_in_one_line(tmp_path: Path) -> None:
    home = tmp_path / "a-file"
    home.write_text("where the folder should be")
    result = sitejobs("check", env=environment(SITEJOBS_HOME=str(home)))
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("sitejobs: ")
    assert str(home) in line


def test_an_embedded_database_of_another_version_is_told_in_one_line() -> None:
    folder = make_home()
    env = environment(SITEJOBS_HOME=str(folder))
    assert sitejobs("db", "url", env=env).returncode == 0
    data = folder / "postgres" / "data"
    wait_until(lambda: not (data / "postmaster.pid").exists())
    (data / "PG_VERSION").write_text("9\n")
    result = sitejobs("check", env=env)
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"sitejobs: the data in {data} were made by PostgreSQL 9 ")
    assert line.endswith("`sitejobs db reset`")
    remove_home(folder)


def test_reset_asks_first_refuses_while_in_use_and_deletes_everything() -> None:
    folder = make_home()
    env = environment(SITEJOBS_HOME=str(folder))
    assert sitejobs("population", "--users=20", env=env).returncode == 0
    (folder / "work").mkdir()
    (folder / "work" / "snapshot").write_bytes(b"of this database")
    unasked = sitejobs("db", "reset", env=env)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    with running_postgres(folder):
        refused = sitejobs("db", "reset", "--yes", env=env)
        assert (refused.returncode, "in use" in refused.stderr) == (1, True)
    assert sitejobs("db", "reset", "--yes", env=env).returncode == 0
    assert not (folder / "work").exists()
    assert sitejobs("db", "shell", "-At", "-c", 'SELECT count(*) FROM "User"', env=env).stdout == "0\n"
    remove_home(folder)


def test_a_database_of_ones_own_is_replaced_only_by_its_name(database_url: str) -> None:
    own = environment(DATABASE_URL=database_url)
    for arguments in (["--replace"], ["--replace", "--database=other"]):
        refused = sitejobs("population", "--users=20", *arguments, env=own)
        assert (refused.returncode, "it goes with --database=" in refused.stderr) == (2, True)
    name = str(conninfo_to_dict(database_url)["dbname"])
    for _ in range(2):
        done = sitejobs("population", "--users=20", "--replace", f"--database={name}", env=own)
        assert done.returncode == 0, done.stderr
    refused = sitejobs("population", "--users=20", env=own)
    assert f"`sitejobs population --replace --database={name}` puts another in its place" in refused.stderr


def test_the_same_seed_and_date_give_the_same_site(database_url: str) -> None:
    def filled(*arguments: str) -> list[Any]:
        result = sitejobs("population", "--users=30", *arguments, env=environment(DATABASE_URL=database_url))
        assert result.returncode == 0, result.stderr
        with connect(database_url) as connection:
            rows = connection.execute('SELECT * FROM "Profile" ORDER BY "id"').fetchall()
            connection.execute("DROP SCHEMA public, sitejobs CASCADE; CREATE SCHEMA public")
        return rows

    one = filled("--seed=5", "--date=2026-01-31")
    assert filled("--seed=5", "--date=2026-01-31") == one
    assert filled("--seed=6", "--date=2026-01-31") != one


def test_a_site_without_users_is_pointed_out(database_url: str) -> None:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
        migrations.apply(connection)
    result = sitejobs("match-scores", env=environment(DATABASE_URL=database_url))
    assert result.returncode == 0
    assert "has no users: `sitejobs population --users 2000` makes some" in " ".join(result.stderr.split())
