"""Execution environments: what a handler sees, what a misbehaving one does to the others, and who outlives whom."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sitejobs_local.aws.environment import Environment, own_python
from sitejobs_local.aws.workers import Invocation, PayloadTooLarge, PoolClosed, UnknownFunction, WorkerPool
from sitejobs_local.template.template import load_template
from tests import forks
from tests.limits import PATIENCE_S

from .processes import alive, eventually

FIXTURE = Path(__file__).parent / "fixtures" / "machine" / "template.yaml"
TEMPLATE = load_template(FIXTURE, {"Needed": "given"})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "functions.log"


@pytest.fixture(params=[own_python, forks.forking(every=True)], ids=["own Python", "forked"])
def pool(log: Path, request: pytest.FixtureRequest) -> Iterator[WorkerPool]:
    functions = TEMPLATE.functions.values()
    with (
        forks.used(request.param),
        WorkerPool(functions, environment={"DATABASE_URL": "from-the-machine"}, log_file=log) as pool,
    ):
        yield pool


def act(pool: WorkerPool, do: str, function: str = "toy-act", **details: Any) -> Invocation:
    return pool.invoke(function, json.dumps({"do": do, **details}))


def error_of(invocation: Invocation) -> tuple[str, str]:
    assert invocation.errored
    return invocation.value["errorType"], invocation.value["errorMessage"]


def test_a_handler_gets_its_event_and_lambdas_context(pool: WorkerPool) -> None:
    invocation = pool.invoke("toy-echo", '{"name": "Zoë", "list": [1, null, 2.5]}')
    seen = invocation.value

    assert seen["event"] == {"name": "Zoë", "list": [1, None, 2.5]}
    assert seen["request"] == invocation.request_id
    assert seen["function"] == "toy-echo"
    assert seen["memory"] == "256"
    assert seen["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:toy-echo"
    assert 3_000 < seen["remaining"] <= 60_000
    assert invocation.seconds > 0
    assert 5_000 < (invocation.peak_memory_kb or 0) < 100_000


def test_a_handler_runs_in_its_folder_and_finds_its_code_and_layers_first(pool: WorkerPool) -> None:
    seen = pool.invoke("toy-echo", "{}").value

    toys = FIXTURE.parent / "functions" / "toys"
    assert seen["folder"] == str(toys)
    assert seen["path"] == [str(toys), str(FIXTURE.parent / "layer")]
    assert pool.invoke("toy-layered", "{}").value == "from the layer"


def test_a_handler_sees_only_the_variables_it_was_given(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("MY_SECRET", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    variables = pool.invoke("toy-echo", "{}").value["variables"]

    assert not {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "MY_SECRET", "PYTHONPATH"} & set(variables)
    assert variables["PATH"] == os.environ["PATH"]
    assert variables["OWN"] == "toy-uploads/${Literal}"
    assert variables["DATABASE_URL"] == "from-the-machine"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "toy-echo"
    assert variables["OPENBLAS_NUM_THREADS"] == "1"


def test_an_environment_is_kept_warm_for_the_next_event_of_its_function_only(pool: WorkerPool) -> None:
    first, second = (pool.invoke("toy-echo", "{}") for _ in range(2))
    other = act(pool, "print", bytes=1)

    assert (first.cold, second.cold, other.cold) == (True, False, True)
    assert first.value["pid"] == second.value["pid"] != other.value["pid"]
    assert (first.value["calls"], second.value["calls"]) == (1, 2)


def test_invocations_at_the_same_time_run_in_processes_of_their_own(pool: WorkerPool, tmp_path: Path) -> None:
    marks = [tmp_path / str(number) for number in range(3)]
    enough = tmp_path / "enough"
    with ThreadPoolExecutor(3) as threads:
        running = [
            threads.submit(act, pool, "wait", "toy-slow", until=str(enough), started=str(mark)) for mark in marks
        ]
        all_at_once = eventually(lambda: all(mark.exists() for mark in marks))
        nobody_done = not any(invocation.done() for invocation in running)
        enough.touch()
        pids = {invocation.result().value["pid"] for invocation in running}

    assert all_at_once
    assert nobody_done
    assert len(pids) == 3
    assert act(pool, "print", "toy-slow", bytes=1).value["pid"] in pids


def test_an_exception_has_lambdas_shape_and_leaves_the_environment_alive(pool: WorkerPool) -> None:
    before = act(pool, "print", bytes=1).value["pid"]
    failed = act(pool, "raise")

    assert failed.value["errorType"] == "ValueError"
    assert failed.value["errorMessage"] == "no personal data"
    assert [line.split(", in ")[1].split("\n")[0] for line in failed.value["stackTrace"]] == ["act", "fail"]
    assert act(pool, "print", bytes=1).value["pid"] == before


@pytest.mark.parametrize(
    ("do", "details", "reason"),
    [
        ("exit", {"status": 3}, "Runtime exited with error: exit status 3"),
        ("exit", {"status": 0}, "Runtime exited without providing a reason"),
        ("kill", {}, "Runtime exited with error: signal: killed"),
    ],
)
def test_a_crash_is_lambdas_exit_error_and_the_next_event_gets_a_fresh_process(
    pool: WorkerPool, do: str, details: dict[str, Any], reason: str
) -> None:
    before = act(pool, "print", bytes=1)
    crashed = act(pool, do, **details)
    after = act(pool, "print", bytes=1)

    kind, message = error_of(crashed)
    assert kind == "Runtime.ExitError"
    assert message.startswith(f"RequestId: {crashed.request_id} Error: {reason}")
    assert crashed.peak_memory_kb is None
    assert after.value["pid"] != before.value["pid"]
    assert pool.pids("toy-act") == {after.value["pid"]}


def test_a_function_past_its_time_limit_is_killed_with_its_children(pool: WorkerPool, tmp_path: Path) -> None:
    act(pool, "print", "toy-late", bytes=1)
    late = act(pool, "child", "toy-late", started=str(tmp_path / "child"))

    kind, message = error_of(late)
    assert kind == "Sandbox.Timedout"
    assert message == f"RequestId: {late.request_id} Error: Task timed out after 1.00 seconds"
    assert 1.0 <= late.seconds < 60
    child = int((tmp_path / "child").read_text())
    assert eventually(lambda: not alive(child))
    assert pool.pids("toy-late") == set()
    assert not act(pool, "print", "toy-late", bytes=1).errored


def test_an_environment_that_died_idle_costs_no_event(pool: WorkerPool) -> None:
    first = act(pool, "die later", seconds=0.05).value["pid"]
    assert eventually(lambda: not alive(first))

    after = act(pool, "print", bytes=1)

    assert not after.errored
    assert after.value["pid"] != first


def test_what_handlers_print_goes_to_the_log_and_nowhere_else(
    pool: WorkerPool, log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not act(pool, "print", bytes=1_000_000).errored

    assert log.read_text() == "x" * 1_000_000 + "\nto stderr\n"
    assert log.stat().st_mode & 0o077 == 0
    assert capfd.readouterr() == ("", "")


def test_payloads_up_to_lambdas_limit_pass_and_larger_ones_fail_as_there(pool: WorkerPool) -> None:
    large = json.dumps({"do": "large", "bytes": 6 * 1024 * 1024})
    room = 6 * 1024 * 1024 - len(large) - len(', "x": ""')
    assert len(pool.invoke("toy-act", large).payload) == 6 * 1024 * 1024 + 2
    assert not pool.invoke("toy-act", json.dumps({"x": "y" * room})).errored

    kind, message = error_of(act(pool, "large", bytes=6 * 1024 * 1024 + 100))
    assert kind == "Function.ResponseSizeTooLarge"
    assert "(6291556 bytes)" in message
    with pytest.raises(PayloadTooLarge, match="6291456 are allowed"):
        pool.invoke("toy-act", json.dumps({"x": "y" * 6 * 1024 * 1024}))


def test_a_result_that_is_not_json_is_lambdas_marshal_error(pool: WorkerPool) -> None:
    kind, message = error_of(act(pool, "unserialisable"))

    assert kind == "Runtime.MarshalError"
    assert message == "Unable to marshal response: Object of type set is not JSON serializable"


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        ("toy-missing-module", "Runtime.ImportModuleError", "Unable to import module 'nowhere'"),
        ("toy-missing-handler", "Runtime.HandlerNotFound", "Handler 'nothing' missing on module 'app'"),
    ],
)
def test_a_handler_that_cannot_be_imported_is_lambdas_error_every_time(
    pool: WorkerPool, function: str, kind: str, message: str
) -> None:
    for _ in range(2):
        found = error_of(pool.invoke(function, "{}"))
        assert found[0] == kind
        assert found[1].startswith(message)
    assert pool.pids() == set()


def test_an_import_error_is_not_hidden_by_prewarming(pool: WorkerPool) -> None:
    pool.prewarm(["toy-missing-module"])
    assert eventually(lambda: bool(pool.pids()))

    assert error_of(pool.invoke("toy-missing-module", "{}"))[0] == "Runtime.ImportModuleError"


def test_prewarmed_environments_take_the_first_events(pool: WorkerPool) -> None:
    first = pool.invoke("toy-echo", "{}").value["pid"]
    pool.prewarm(["toy-echo", "toy-missing-module", "toy-slow", "toy-layered"])
    assert eventually(lambda: all(pool.pids(name) for name in ("toy-slow", "toy-layered")))
    started = pool.pids("toy-slow")

    assert pool.pids("toy-echo") == {first}
    assert {act(pool, "print", "toy-slow", bytes=1).value["pid"]} == started == pool.pids("toy-slow")


def test_an_unknown_function_is_refused(pool: WorkerPool) -> None:
    with pytest.raises(UnknownFunction, match="Function not found: nobody"):
        pool.invoke("nobody", "{}")


def test_closing_ends_busy_and_idle_environments_at_once(pool: WorkerPool, tmp_path: Path) -> None:
    pool.invoke("toy-echo", "{}")
    with ThreadPoolExecutor(1) as threads:
        mark = tmp_path / "started"
        busy = threads.submit(act, pool, "sleep", "toy-slow", seconds=50, started=str(mark))
        assert eventually(mark.exists)
        pids = pool.pids()
        began = time.monotonic()
        pool.close()
        kind, _ = error_of(busy.result(PATIENCE_S))

    assert kind == "Runtime.ExitError"
    assert time.monotonic() - began < 50
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)
    with pytest.raises(PoolClosed):
        pool.invoke("toy-echo", "{}")
    pool.close()


def test_nothing_stays_open_after_a_pool(log: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = open_files()
    with WorkerPool(TEMPLATE.functions.values(), environment={}, log_file=log) as pool:
        pool.prewarm(["toy-echo", "toy-slow"])
        act(pool, "exit")
        act(pool, "print", bytes=1)

    assert open_files() == before
    assert eventually(lambda: threading.active_count() == 1)


def test_ctrl_c_does_not_reach_the_environments(pool: WorkerPool) -> None:
    pid = pool.invoke("toy-echo", "{}").value["pid"]
    os.kill(pid, signal.SIGINT)

    assert os.getpgid(pid) != os.getpgid(0)
    assert pool.invoke("toy-echo", "{}").value["pid"] == pid


PARENT = """
import json, sys, threading, time
from pathlib import Path
from sitejobs_local.template.template import load_template
from sitejobs_local.aws.environment import own_python
from sitejobs_local.aws.workers import WorkerPool

template, folder = Path(sys.argv[1]), Path(sys.argv[2])
functions = load_template(template, {"Needed": "given"}).functions.values()
pool = WorkerPool(functions, environment={}, log_file=folder / "log")
pool.invoke("toy-echo", "{}")
marks = [folder / do for do in ("sleep", "spin", "child")]
for mark in marks:
    event = json.dumps({"do": mark.name, "seconds": 60, "started": str(mark)})
    threading.Thread(target=pool.invoke, args=("toy-slow", event), daemon=True).start()
while not all(mark.exists() for mark in marks) or not marks[2].stat().st_size:
    time.sleep(0.01)
print(json.dumps([*pool.pids(), int(marks[2].read_text())]), flush=True)
sys.stdin.read()
"""

STUCK_PARENT = """
import sys, threading, time
from pathlib import Path
from sitejobs_local.template.resources import Function
from sitejobs_local.aws.environment import own_python
from sitejobs_local.aws.workers import WorkerPool

folder = Path(sys.argv[1])
stuck = Function("Stuck", "stuck", folder, "app.handler", timeout=1, memory=128)
pool = WorkerPool([stuck], environment={}, log_file=folder / "log")
threading.Thread(target=pool.invoke, args=("stuck", "{}"), daemon=True).start()
while not (folder / "started").exists():
    time.sleep(0.01)
print(*pool.pids(), flush=True)
sys.stdin.read()
"""

STUCK = """
import re
from pathlib import Path

def handler(event, context):
    Path("started").touch()
    re.match("(a+)+$", "a" * 64 + "b")  # years, and no other thread runs meanwhile
"""


def pids_after_killing(script: str, *arguments: str) -> list[int]:
    """Runs a script that prints process ids, and kills it then."""
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().strip("[]\n").split(",")]
        assert all(alive(pid) for pid in pids)
        parent.kill()
    return pids


def test_no_environment_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    pids = pids_after_killing(PARENT, str(FIXTURE), str(tmp_path))

    assert len(pids) == 5
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_a_handler_that_holds_the_interpreter_outlives_a_killed_parent_by_its_time_limit_only(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(STUCK)
    (pid,) = pids_after_killing(STUCK_PARENT, str(tmp_path))

    assert eventually(lambda: not alive(pid))


def test_a_retired_functions_idle_environments_end_and_the_next_event_gets_a_new_one(pool: WorkerPool) -> None:
    first = pool.invoke("toy-echo", "{}").value["pid"]
    other = act(pool, "print", bytes=1).value["pid"]
    pool.retire("toy-echo")

    assert not alive(first)
    assert alive(other)
    assert pool.invoke("toy-echo", "{}").cold


def test_a_forked_environment_that_is_killed_at_once_ends(log: Path) -> None:
    function = next(iter(TEMPLATE.functions.values()))
    ended = []

    def start_and_end() -> None:
        with forks.used(forks.forking(every=True)), log.open("a") as opened:
            for _ in range(100):
                lifeline, other = os.pipe()
                environment = Environment(function, {}, lifeline, opened.fileno())
                ended.append(environment.end())
                environment.close()
                os.close(lifeline)
                os.close(other)

    thread = threading.Thread(target=start_and_end, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert ended == [-signal.SIGKILL] * 100
