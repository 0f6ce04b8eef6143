"""The built functions under Lambda's own runtime interface emulator, over a real PostgreSQL."""

import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sitejobs.aliases import JsonObject
from sitejobs_local.template.resources import Function, Template
from tests.bundle.conftest import USERS, Cloud, Start
from tests.media.sources import content
from tools.bundle import ROOT

pytestmark = pytest.mark.bundle

INIT_LIMIT_MS = 10_000
"""Lambda's limit of the init phase, on a machine busy with other tests; a quiet one takes a tenth of it."""

NO_DATABASE = "postgresql://127.0.0.1:1/nowhere"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:match-scores:emulated"
ADD_UPLOAD = """
INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey")
VALUES ((SELECT min("id") FROM "User"), %s, 'UPLOADED', %s)
"""
RUN = {"id": "999", "job": "match-scores", "startedAt": "2026-06-01T00:00:00+00:00", "options": {}, "context": {}}


def event(name: str) -> JsonObject:
    loaded: JsonObject = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


def shape(value: Any) -> Any:
    """A payload without its values: names of fields, and what kinds of things they hold."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_the_four_functions_make_a_whole_run(start: Start, cloud: Cloud, site_url: str) -> None:
    plan, batch, record, finish = (
        start(name, DATABASE_URL=site_url)
        for name in ("MatchScoresPlanFunction", "MatchScoresFunction", "RunsRecordFunction", "RunsFinishFunction")
    )
    given = {"batchSize": 25, "pauseMs": 0}
    planned = plan.invoke({"input": given, "execution": EXECUTION, "run": None, "cursor": None, "chapter": 0})
    assert (planned["status"], planned["cursor"]) == ("PLANNED", None)
    assert planned["planned"]["pages"] == len(planned["pages"]) > 1
    assert planned["run"]["context"]["snapshot"] in cloud.work_files()
    results = [batch.invoke({"run": planned["run"], "page": page}) for page in planned["pages"]]
    assert sum(result["processed"] for result in results) == planned["planned"]["users"] <= USERS
    recorded = record.invoke({"run": planned["run"], "chapter": 1, "results": results})
    assert recorded["failedPages"] == 0
    summary = finish.invoke({"run": planned["run"], "error": None})
    assert (summary["status"], summary["error"]) == ("SUCCEEDED", None)
    with psycopg.connect(site_url) as connection:
        stored = connection.execute('SELECT count(*) FROM "MatchScore"').fetchone()
    assert stored == (summary["written"],)
    assert summary["written"] > 0


def test_the_ready_events_have_the_shape_of_real_ones(start: Start, site_url: str) -> None:
    with psycopg.connect(site_url) as connection:
        found = connection.execute('SELECT "userId" FROM "Profile" WHERE "deletedAt" IS NULL LIMIT 1').fetchone()
    assert found
    asked = event("match-scores-plan")
    asked["input"]["userId"] = str(found[0])
    planned = start("MatchScoresPlanFunction", DATABASE_URL=site_url).invoke(asked)
    [page] = planned["pages"]
    assert shape(event("match-scores")) == shape({"run": planned["run"], "page": page})
    done = start("MatchScoresFunction", DATABASE_URL=site_url).invoke({"run": planned["run"], "page": page})
    to_record, to_finish = event("runs-record"), event("runs-finish")
    assert shape(to_record["results"][0]) == shape(done)
    assert {key: shape(value) for key, value in to_record["run"].items() if key != "context"} == {
        key: shape(value) for key, value in planned["run"].items() if key != "context"
    }
    assert to_finish["run"] == to_record["run"]
    record, finish = (start(name, DATABASE_URL=site_url) for name in ("RunsRecordFunction", "RunsFinishFunction"))
    assert record.invoke(to_record | {"run": planned["run"]})["failedPages"] == 1
    assert finish.invoke(to_finish | {"run": planned["run"]})["error"] == "PagesFailed"


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("ContentFeaturesFunction", "content-features"),
        ("TrendingFunction", "trending"),
        ("AffinityFunction", "affinity"),
        ("FeedPresortFunction", "feed-presort"),
        ("FeedPresortCleanupFunction", "feed-presort-cleanup"),
    ],
)
def test_a_function_of_the_feed_plans_and_computes_pages_of_the_shape_of_its_event(
    start: Start, site_url: str, name: str, job: str
) -> None:
    with psycopg.connect(site_url) as connection:
        connection.execute(
            """UPDATE "Post" SET "createdAt" = now() - interval '1 hour' WHERE "visibility" = 'PUBLIC'"""
        )
        # Somebody for the cleanup to look at.
        connection.execute(
            """INSERT INTO "FeedPresortedUser"
               VALUES (8, 'v1', now() - interval '1 day', now(), 0, NULL, 0, NULL, '{}')"""
        )
    function = start(name, DATABASE_URL=site_url)
    execution = EXECUTION.replace("match-scores", job)
    planned = function.invoke({"input": event(f"{job}.input"), "execution": execution, "run": None, "cursor": None})
    assert planned["status"] == "PLANNED"
    assert shape(event(job)) == shape({"run": planned["run"], "page": planned["pages"][0]})
    results = [function.invoke({"run": planned["run"], "page": page}) for page in planned["pages"]]
    assert sum(result["processed"] for result in results) > 0
    assert sum(result["failed"] for result in results) == 0


def test_the_function_of_the_workflows_takes_a_run_from_its_plan_to_its_end(start: Start, site_url: str) -> None:
    machines = "arn:aws:states:us-east-1:123456789012:stateMachine:"
    function = start("WorkflowsFunction", DATABASE_URL=site_url, JOB_MACHINES=machines)
    planned = function.invoke(event("workflows"))
    assert [order["job"] for order in planned["ready"]] == ["build-user-traits"]
    assert planned["ready"][0]["machine"] == machines + "build-user-traits"
    error = {"Error": "States.TaskFailed", "Cause": json.dumps({"Status": "TIMED_OUT"})}
    ended = function.invoke({"step": "Ended", "run": planned["run"], "job": "build-user-traits", "error": error})
    assert ended["ready"] == []
    summary = function.invoke({"step": "Finish", "run": planned["run"], "execution": "x", "error": None})
    assert (summary["status"], summary["error"]) == ("FAILED", "JobsFailed")
    assert summary["cause"].startswith("failed: build-user-traits: TIMED_OUT. not started: match-scores, ")


UPLOADS = {
    "media/film.mp4": ("moov-last.mp4", "VIDEO"),
    "media/photo.heic": ("plain.heic", "IMAGE"),
    "media/photo.avif": ("plain.avif", "IMAGE"),
    "media/photo.jpg": ("orientation-6.jpg", "IMAGE"),
    "media/voice.mp3": ("vbr-headless.mp3", "AUDIO"),
}


def test_the_built_function_understands_uploads(start: Start, cloud: Cloud, site_url: str) -> None:
    record = event("media-uploaded")["Records"][0]
    body = json.loads(record["body"])
    records = []
    with psycopg.connect(site_url) as connection:
        connection.execute('DELETE FROM "Media"')
        for key, (name, kind) in UPLOADS.items():
            cloud.put(key, content(name))
            connection.execute(ADD_UPLOAD, [kind, key])
            body["detail"]["object"]["key"] = key
            records.append(record | {"messageId": key, "body": json.dumps(body)})
    uploaded = start("MediaUploadedFunction", DATABASE_URL=site_url, MEDIA_BUCKET=cloud.bucket)
    assert uploaded.invoke({"Records": records}) == {"batchItemFailures": []}
    with psycopg.connect(site_url) as connection:
        statuses = connection.execute('SELECT DISTINCT "status"::text FROM "Media"').fetchall()
        count = connection.execute('SELECT count(*) FROM "MediaMetadata" WHERE "format" IS NOT NULL').fetchone()
    assert (statuses, count) == ([("READY",)], (len(UPLOADS),))


def test_plan_names_every_wrong_option(start: Start) -> None:
    given = {"userId": "x", "batchSize": 0, "colour": "red"}
    answer = start("MatchScoresPlanFunction", DATABASE_URL=NO_DATABASE).invoke({"input": given, "execution": EXECUTION})
    assert answer["errorType"] == "InvalidInput"
    for part in ("userId must be a whole number", "not 'x'", "batchSize", "unknown option 'colour'"):
        assert part in answer["errorMessage"]


def test_batch_names_a_wrong_option_of_its_run(start: Start) -> None:
    run = RUN | {"options": {"topK": -1}}
    answer = start("MatchScoresFunction", DATABASE_URL=NO_DATABASE).invoke({"run": run, "page": {"page": 1}})
    assert answer["errorType"] == "InvalidInput"
    assert "topK" in answer["errorMessage"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("RunsRecordFunction", {"run": RUN, "chapter": 1, "results": []}),
        ("RunsFinishFunction", {"run": RUN, "error": None}),
    ],
)
def test_a_run_that_does_not_exist_is_named(start: Start, site_url: str, name: str, given: JsonObject) -> None:
    answer = start(name, DATABASE_URL=site_url).invoke(given)
    assert answer["errorType"] == "InvalidInput"
    assert "999" in answer["errorMessage"]


def test_a_function_without_a_database_says_which_setting_it_lacks(start: Start) -> None:
    answer = start("RunsFinishFunction", DATABASE_SECRET_ARN="").invoke({"run": RUN, "error": None})
    assert answer["errorType"] == "InvalidInput"
    assert "DATABASE_SECRET_ARN" in answer["errorMessage"]


def test_the_login_is_read_from_the_secret_and_never_shown(start: Start, cloud: Cloud) -> None:
    login = {"host": "127.0.0.1", "port": 1, "username": "site", "password": "a-password", "dbname": "site"}
    finish = start("RunsFinishFunction", DATABASE_SECRET_ARN=cloud.store_secret(json.dumps(login)))
    answer = finish.invoke({"run": RUN, "error": None})
    assert (answer["errorType"], answer["errorMessage"]) == ("Transient", "OperationalError: Connection refused")
    assert "a-password" not in json.dumps(answer) + finish.log.read_text()


@pytest.mark.parametrize(
    "name",
    [
        "MatchScoresPlanFunction",
        "MatchScoresFunction",
        "BuildUserTraitsFunction",
        "UserInterestSetsFunction",
        "MediaUploadedFunction",
        "WorkflowsFunction",
        "RunsRecordFunction",
        "RunsFinishFunction",
    ],
)
def test_a_cold_start_ends_within_lambdas_limit(start: Start, name: str) -> None:
    function = start(name, DATABASE_URL=NO_DATABASE)
    function.invoke({"input": None, "run": RUN, "page": {"page": 1}, "chapter": 1, "results": [], "Records": []})
    assert function.init_milliseconds < INIT_LIMIT_MS


def imported(python: Path, function: Function) -> set[str]:
    """Names of the modules that a cold start of the function leaves imported."""
    folders = ":".join(str(folder) for folder in (function.code, *function.layers))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": folders, "LAMBDA_TASK_ROOT": str(function.code)}
    module = function.handler.rpartition(".")[0]
    program = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    command = [str(python), "-B", "-c", program]
    asked = subprocess.run(
        command, env=environment | dict(function.environment), capture_output=True, text=True, check=True
    )
    return set(json.loads(asked.stdout))


def test_record_and_finish_import_neither_numpy_nor_scoring(functions: Template, lambda_python: Path) -> None:
    for name in ("RunsRecordFunction", "RunsFinishFunction"):
        modules = imported(lambda_python, functions.functions[name])
        ours = {module for module in modules if module.startswith(("sitejobs.matching.", "sitejobs.feed."))}
        # The catalog names every job with its options; Finish removes the rows of before there were lists.
        assert ours <= {
            "sitejobs.matching.options",
            "sitejobs.feed.options",
            "sitejobs.matching.match_scores",
            "sitejobs.matching.match_scores.old_rows",
        }
        assert not {"numpy", "boto3", "regex", "PIL", "pymediainfo", "sitejobs.media.extraction"} & modules
        assert "sitejobs.jobs.runs" in modules


def test_the_aws_sdk_is_imported_once_it_is_needed(functions: Template, lambda_python: Path) -> None:
    modules = imported(lambda_python, functions.functions["MatchScoresFunction"])
    assert "numpy" in modules
    assert "boto3" not in modules


def test_the_aws_sdk_is_the_runtimes_own(functions: Template, lambda_python: Path) -> None:
    for name, function in functions.functions.items():
        for layer in function.layers:
            assert not list(layer.glob("boto*")), f"{name}: {layer}"


def test_the_end_of_an_execution_closes_its_run(start: Start, site_url: str) -> None:
    told = event("run-closed")
    execution = told["detail"]["executionArn"]
    opened = """INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
                VALUES ('match-scores', 'user:1', %s, 'cli', '{}') RETURNING "id" """
    with psycopg.connect(site_url) as connection:
        found = connection.execute(opened, [execution]).fetchone()
    assert found
    closes = start("RunClosedFunction", DATABASE_URL=site_url)
    assert closes.invoke(told) == {"execution": execution, "ended": "ABORTED", "closedRun": str(found[0])}
    assert closes.invoke(told)["closedRun"] is None
    with psycopg.connect(site_url) as connection:
        status = connection.execute('SELECT "status" FROM "JobRun" WHERE "id" = %s', found).fetchone()
    assert status == ("ABORTED",)
