"""How a machine begins and ends, what it leaves behind, and what it keeps away from."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import Execution, LocalMachine, preload
from sitejobs_local.template.cloudformation import TemplateError
from tests.limits import PATIENCE_S

from .machines import FIXTURE, Watched
from .processes import alive, eventually

ROOT = Path(__file__).parents[2]


def test_a_listener_that_fails_disturbs_nothing_and_is_logged(tmp_path: Path) -> None:
    def listener(event: Event) -> None:
        raise RuntimeError("listener broke")

    watched = Watched(tmp_path)
    watched.machine = LocalMachine(
        FIXTURE / "template.yaml",
        database_url="x",
        log_file=watched.log,
        on_event=listener,
        parameters={"Needed": "given"},
    )
    with watched.machine:
        assert watched.run({"pages": 1}).status == "SUCCEEDED"
    assert "listener broke" in watched.log.read_text()


def test_a_stopped_execution_is_aborted_at_once_and_starts_nothing_more(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with watched.machine:
        arn = watched.machine.start("toy-pages", {"pages": 500, "maxConcurrency": 2})
        assert eventually(lambda: len(watched.calls("BatchFunction")) > 5)
        watched.machine.stop(arn)
        started = [event.kind for event in watched.events].count("started")

        assert watched.machine.wait(arn, timeout=PATIENCE_S) == Execution(arn, "ABORTED")
        assert eventually(
            lambda: watched.machine.client("stepfunctions").describe_execution(executionArn=arn)["status"] != "RUNNING"
        )
        # The two under way, and each worker may just have passed the check.
        assert [event.kind for event in watched.events].count("started") - started <= 2
        assert watched.calls("FinishFunction") == []
        watched.machine.stop(arn)  # twice is harmless


def test_leaving_the_machine_ends_a_handler_under_way_and_one_that_waits_for_its_retry(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with watched.machine:
        mark = tmp_path / "started"
        watched.machine.start("toy-call", {"do": "sleep", "seconds": 50, "started": str(mark)})
        watched.machine.start("toy-call", {"do": "transient"})
        assert eventually(lambda: mark.exists() and len(watched.calls("toy-slow")) == 1)
        pids = watched.machine._pool.pids()
        port = int(watched.machine.endpoint.rsplit(":", 1)[1])
        began = time.monotonic()

    assert time.monotonic() - began < 50
    assert not any(alive(pid) for pid in pids)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_nothing_of_one_machine_is_left_in_the_next(tmp_path: Path) -> None:
    first = Watched(tmp_path)
    with first.machine:
        first.machine.client("s3").put_object(Bucket="toys-work-123456789012-local", Key="k", Body=b"x")
        first.run({"pages": 1})
    with Watched(tmp_path).machine as second:
        objects = second.client("s3").list_objects_v2(Bucket="toys-work-123456789012-local")
        arn = second.template.state_machine("toy-pages").arn
        executions = second.client("stepfunctions").list_executions(stateMachineArn=arn)

    assert objects["KeyCount"] == 0
    assert executions["executions"] == []


def test_prewarmed_functions_answer_their_first_event_from_the_processes_started_early(tmp_path: Path) -> None:
    watched = Watched(tmp_path, prewarm=["toy-pages"])
    with watched.machine:
        assert eventually(lambda: len(watched.machine._pool.pids()) == 4)
        early = watched.machine._pool.pids()
        watched.run({"pages": 1})

        assert watched.machine._pool.pids() == early


def broken(folder: Path, definition: str) -> Path:
    """The fixture's template with another definition for toy-call."""
    shutil.copytree(FIXTURE, folder, dirs_exist_ok=True)
    (folder / "call.asl.json").write_text(definition)
    return folder / "template.yaml"


@pytest.mark.parametrize(
    "definition",
    ['{"StartAt": "A"', '{"StartAt": "A", "States": {"A": {"Type": "Walk"}}}', '{"StartAt": "A", "States": {"A": {}}}'],
)
def test_a_definition_that_is_wrong_is_named_when_it_is_started(tmp_path: Path, definition: str) -> None:
    watched = Watched(tmp_path, template=broken(tmp_path / "broken", definition))
    with watched.machine:
        assert watched.run({"pages": 0}).status == "SUCCEEDED"
        with pytest.raises(TemplateError, match=r"^CallStateMachine\.DefinitionUri: call\.asl\.json is not understood"):
            watched.machine.start("toy-call", {})
        with pytest.raises(TemplateError, match="no state machine 'nobody'"):
            watched.machine.start("nobody", {})


def test_the_definition_that_ships_runs_here_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shipped"
    shutil.copytree(FIXTURE, folder)
    shutil.copy(ROOT / "statemachines" / "paged-job.asl.json", folder / "paged.asl.json")
    watched = Watched(tmp_path, template=folder / "template.yaml")
    with watched.machine:
        done = watched.run({"pages": 5, "chapter": 2, "acts": {"3": {"do": "raise"}}})
        refused = watched.run({"planError": "no"})

    assert done.status == "SUCCEEDED"
    assert refused.error == "ValueError"


USER = {
    "AWS_PROFILE": "nonexistent",
    "AWS_ACCESS_KEY_ID": "AKIAREALKEY",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_MAX_ATTEMPTS": "many",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "MOTO_PORT": "9",
}
ALONE = """
import json, os, sys
from pathlib import Path
from sitejobs_local.aws.machine import LocalMachine

before = dict(os.environ)
folder = Path(sys.argv[2])
with LocalMachine(
    Path(sys.argv[1]), database_url="x", log_file=folder / "log", parameters={"Needed": "given"}
) as machine:
    status = machine.run("toy-pages", {"pages": 1}).status
    invoke = machine.client("lambda").invoke
    invoke(FunctionName="toy-objects", Payload=b'{"put": "k", "body": "text"}')
    body = json.load(invoke(FunctionName="toy-objects", Payload=b'{"get": "k"}')["Payload"])["body"]
    seen = json.load(invoke(FunctionName="toy-echo")["Payload"])["variables"]
    keys = machine.client("s3").list_objects_v2(Bucket="toys-work-123456789012-local")["KeyCount"]
print(json.dumps([status, body, keys, seen, dict(os.environ) == before]))
"""


def test_the_users_own_aws_settings_are_neither_used_nor_touched(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9\n")
    (tmp_path / ".aws" / "credentials").write_text("this is no configuration file\n")
    answer = subprocess.run(
        [sys.executable, "-c", ALONE, str(FIXTURE / "template.yaml"), str(tmp_path)],
        env={**os.environ, **USER, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert answer.stderr == ""  # nor anything said
    status, body, keys, seen, untouched = json.loads(answer.stdout)
    assert (status, body, keys, untouched) == ("SUCCEEDED", "text", 1, True)
    assert seen["AWS_ACCESS_KEY_ID"] == "local"
    assert seen["AWS_REGION"] == "us-east-1"
    assert not [name for name in seen if seen[name] in set(USER.values()) - {"true"}]


INTERRUPTED = """
import sys
from pathlib import Path
from sitejobs_local.aws.machine import LocalMachine

folder = Path(sys.argv[2])
try:
    with LocalMachine(
        Path(sys.argv[1]), database_url="x", log_file=folder / "log", parameters={"Needed": "given"}
    ) as machine:
        arn = machine.start("toy-call", {"do": "sleep", "seconds": 50, "started": str(folder / "started")})
        while not (folder / "started").exists():
            pass
        try:
            print(*machine._pool.pids(), flush=True)
            machine.wait(arn)
        except KeyboardInterrupt:
            machine.stop(arn)
            print(machine.describe(arn).status, flush=True)
            raise
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_stops_the_run_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(FIXTURE / "template.yaml"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)

    assert len(pids) == 1
    assert (process.returncode, output, errors) == (130, "ABORTED\n", "")
    assert not any(alive(pid) for pid in pids)


def test_importing_the_machine_imports_neither_moto_nor_boto() -> None:
    script = (
        "import sys, sitejobs_local.aws.machine; print([m for m in ('moto', 'boto3', 'flask') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"


def test_preloading_is_an_import_in_the_background() -> None:
    thread = preload()
    thread.join()

    assert thread is not threading.main_thread()
    assert "sitejobs_local.aws.local_aws" in sys.modules
