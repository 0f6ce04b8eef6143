"""`sam local invoke` as docs/sam-local-invoke.md tells it: three built functions in containers of a real engine."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from sitejobs.aliases import JsonObject
from sitejobs_local.template.resources import Template
from tests.bundle.containers import IMAGE, Engine, NoEngineError, container_engine, import_stand_in
from tests.postgres_wire import gatekeeper
from tests.skips import Lacking, skip
from tools.bundle import ROOT

pytestmark = pytest.mark.bundle


EVENTS = {
    "BuildUserTraitsFunction": "build-user-traits",
    "WorkflowsFunction": "workflows",
    "RunsFinishFunction": "runs-finish",
}
"""Three functions that carry the same layers, so that SAM makes one image; with the ready event of each."""

SHORT_S = 3
HOST = "host.docker.internal"
OPEN_RUN = """
INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
VALUES ('build-user-traits', 'all', 'by-hand', 'cli', '{}') RETURNING "id"
"""


@dataclass(frozen=True)
class Invoked:
    """What `sam local invoke` wrote: the function's answer (None when there was none), and all else."""

    answer: Any
    log: str


@pytest.fixture(scope="module")
def running() -> Iterator[Engine]:
    try:
        with container_engine() as found:
            yield found
    except NoEngineError as error:
        skip(Lacking.CONTAINERS, error)


@pytest.fixture(scope="module")
def engine(running: Engine, functions: Template, lambda_python: Path) -> Engine:
    """A container engine that has the image which stands in for Lambda's."""
    carried = {layer for name in EVENTS for layer in functions.functions[name].layers}
    import_stand_in(running, lambda_python, carried)
    return running


@pytest.fixture(scope="module")
def short_template(built: Path) -> Iterator[Path]:
    """The built template with little time for each function."""
    template = yaml.safe_load((built / "template.yaml").read_text())
    for name in EVENTS:
        template["Resources"][name]["Properties"]["Timeout"] = SHORT_S
    path = built / "short.yaml"
    path.write_text(yaml.safe_dump(template))
    yield path
    path.unlink()


@pytest.fixture
def reachable(engine: Engine, site_url: str) -> Iterator[str]:
    """The URL of a site's database as a container reaches it."""
    parts = conninfo_to_dict(site_url)
    try:
        opened = gatekeeper(lambda startup: None, f"{parts['host']}/.s.PGSQL.5432", address=engine.host_address())
        with opened as port:
            yield f"postgresql://{parts['user']}@{HOST}:{port}/{parts['dbname']}"
    except OSError as error:
        skip(Lacking.HOST_OF_CONTAINERS, error)


Invoke = Callable[..., Invoked]


@pytest.fixture
def invoke(engine: Engine, built: Path, reachable: str, tmp_path: Path) -> Invoke:
    """Call a built function: `invoke(name, event)`, with the built template or the one that is given."""
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({"Parameters": {"DATABASE_URL": reachable}}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {**engine.variables, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    environment |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_EC2_METADATA_DISABLED": "true"}
    # SAM asks for the account's id, and does without after seconds of trying.
    environment |= {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}

    def invoking(name: str, event: object, template: Path = built / "template.yaml") -> Invoked:
        command = [str(ROOT / ".venv-sam" / "bin" / "sam"), "local", "invoke", name, "--template", str(template)]
        command += ["--event", "-", "--env-vars", str(variables), "--add-host", f"{HOST}:host-gateway"]
        command += ["--invoke-image", IMAGE, "--skip-pull-image"]
        done = subprocess.run(
            command, env=environment, cwd=ROOT, input=json.dumps(event), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Invoked(json.loads(done.stdout) if done.stdout.strip() else None, done.stderr)

    return invoking


def ready_event(name: str) -> JsonObject:
    loaded: JsonObject = json.loads((ROOT / "events" / f"{EVENTS[name]}.json").read_text())
    return loaded


def open_run(site_url: str) -> None:
    """The run that the ready events are of."""
    with psycopg.connect(site_url) as connection:
        assert connection.execute(OPEN_RUN).fetchone() == (1,)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BuildUserTraitsFunction", {"page": 1, "processed": 1, "failed": 0}),
        ("WorkflowsFunction", {"status": "PLANNED"}),
        ("RunsFinishFunction", {"status": "SUCCEEDED", "error": None}),
    ],
)
def test_a_function_answers_its_ready_event(invoke: Invoke, site_url: str, name: str, expected: JsonObject) -> None:
    open_run(site_url)
    invoked = invoke(name, ready_event(name))
    assert invoked.answer is not None, invoked.log
    assert expected.items() <= invoked.answer.items()


WRONG = {"userId": "x", "colour": "red"}


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        (
            "BuildUserTraitsFunction",
            {"run": ready_event("BuildUserTraitsFunction")["run"] | {"options": WRONG}},
            ["userId", "'x'", "colour"],
        ),
        ("WorkflowsFunction", {"input": WRONG}, ["userId", "'x'", "colour"]),
        # Nobody has opened that run.
        ("RunsFinishFunction", {}, ["run 1"]),
    ],
)
def test_bad_input_is_named(invoke: Invoke, name: str, changes: JsonObject, named: list[str]) -> None:
    invoked = invoke(name, ready_event(name) | changes)
    assert invoked.answer is not None, invoked.log
    assert invoked.answer["errorType"] == "InvalidInput"
    for part in named:
        assert part in invoked.answer["errorMessage"]


@pytest.mark.parametrize("name", EVENTS)
def test_a_function_that_takes_too_long_is_ended_without_an_answer(
    invoke: Invoke, site_url: str, short_template: Path, name: str
) -> None:
    open_run(site_url)
    with psycopg.connect(site_url) as holder:
        holder.execute('LOCK TABLE "JobRun"')
        invoked = invoke(name, ready_event(name), short_template)
    assert invoked.answer is None
    assert f"Function '{name}' timed out after {SHORT_S} seconds" in invoked.log
