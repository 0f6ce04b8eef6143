"""Uploads and jobs from the command line: the real path from the bucket to the verdict."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.places import TEMPLATE
from sitejobs_local.uploads import shown
from tests.limits import PATIENCE_S
from tests.local.command import environment, sitejobs
from tests.media.sources import FILES, content
from tests.media.test_extraction import UNREADABLE

REJECTED = {
    "drawing.svg": {"format"},
    "plain.tiff": {"format"},
    "plain.bmp": {"format"},
    "huge.png": {"dimensions"},
    "long.mp4": {"duration"},
    "picture.mp4": {"type", "mime-type"},
}
SECRET = "SECRET"
_TIMES = re.compile(r"\d\d:\d\d:\d\d[.,]\d+")
AGREEING = """
SELECT DISTINCT "status"::text = "verdict" FROM "Media" m JOIN "MediaMetadata" k ON k."mediaId" = m."id"
"""
METADATA = """SELECT to_jsonb(k) - 'checkedAt' - 'checks' FROM "MediaMetadata" k ORDER BY "mediaId" """
UNCHECK = """UPDATE "Media" SET "status" = 'UPLOADED' """
ADD = """INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey") VALUES (1, 'IMAGE', 'UPLOADED', %s)"""


@pytest.fixture
def site_url(site_url: str) -> str:
    with psycopg.connect(site_url, autocommit=True) as connection:
        connection.execute('INSERT INTO "User" ("id") VALUES (1)')
    return site_url


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(query.encode())
        return done.fetchall() if done.description else []


def at_home(url: str, home: Path) -> dict[str, str]:
    (home / "uploads").mkdir(exist_ok=True)
    return environment(DATABASE_URL=url, SITEJOBS_HOME=str(home), MEDIA_FOLDER=str(home / "uploads"))


def run(url: str, home: Path, *arguments: str) -> Any:
    done = sitejobs(*arguments, "--json", env=at_home(url, home))
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_folder_goes_through_the_trigger_and_the_jobs(site_url: str, tmp_path: Path) -> None:
    uploaded = run(site_url, tmp_path, "upload", str(FILES))
    verdicts = {Path(one["file"]).name: one for one in uploaded}
    assert set(verdicts) == {path.name for path in FILES.iterdir()}
    for name, one in verdicts.items():
        codes = {reason["code"] for reason in one["reasons"]}
        if name in UNREADABLE:
            assert (one["verdict"], codes) == ("FAILED_PROCESSING", {UNREADABLE[name]}), name
        else:
            assert (one["verdict"], codes) == ("REJECTED" if name in REJECTED else "READY", REJECTED.get(name, set()))
    assert rows(site_url, AGREEING) == [(True,)]
    nobody_is_shown(site_url, tmp_path, uploaded)

    before = rows(site_url, METADATA)
    rows(site_url, UNCHECK + "WHERE true")
    rows(site_url, 'DELETE FROM "MediaMetadata" WHERE "mediaId" % 2 = 0')
    [recent] = run(site_url, tmp_path, "media-metadata-batch", "--batchSize=20", "--maxAgeHours=1", "--pauseMs=0")
    assert recent["processed"] == recent["written"] == len(verdicts)
    assert recent["pages"] == -(-len(verdicts) // 20)
    assert rows(site_url, METADATA) == before

    rows(site_url, UNCHECK + 'WHERE "id" <= 3')
    [everything] = run(site_url, tmp_path, "media-metadata-all")
    assert (everything["processed"], everything["pages"]) == (3, 1)
    one = verdicts["orientation-6.jpg"]["mediaId"]
    [forced] = run(site_url, tmp_path, "media-metadata", f"--mediaId={one}", "--force")
    assert forced["written"] == 1
    assert (forced["record"]["verdict"], forced["record"]["reasons"], forced["record"]["rotation"]) == ("READY", [], 90)
    missing = sitejobs("media-metadata", "--mediaId=99999", env=at_home(site_url, tmp_path))
    assert missing.returncode == 2
    assert "there is no media 99999" in missing.stderr


def nobody_is_shown(url: str, home: Path, answers: Any) -> None:
    """Rows, logs and answers have none of the files' personal data."""
    hidden = [content(path.name) for path in FILES.glob("private.*")]
    assert len(hidden) >= 9
    assert all(SECRET.encode() in data or b"GPS" in data for data in hidden)
    stored = rows(url, 'SELECT to_jsonb(k)::text FROM "MediaMetadata" k')
    logs = "".join(path.read_text() for path in home.glob("logs*/*.log"))
    assert "messages done" in logs
    told = _TIMES.sub("", repr(stored) + json.dumps(answers) + logs)  # 47.37 may be seconds of one
    for personal in (SECRET, "47.37", "008.54", "ISO6709"):
        assert personal not in told
    # The logs have no names of uploads either: people choose them.
    assert "orientation-6" not in logs


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Iterator[LocalMachine]:
    with LocalMachine(
        TEMPLATE,
        database_url=site_url,
        log_file=tmp_path / "machine.log",
        environment={"QUEUE_RETRY_SECONDS": "1"},
        parameters={"MediaConcurrency": "3"},
    ) as running:
        yield running


def put(machine: LocalMachine, key: str, data: bytes) -> None:
    machine.client("s3").put_object(Bucket=machine.template.buckets["MediaBucket"].name, Key=key, Body=data)


def add(url: str, key: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ADD, [key])


def statuses(url: str) -> dict[str, int]:
    return dict(rows(url, 'SELECT "status"::text, count(*) FROM "Media" GROUP BY 1'))


def until_all(url: str, status: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while statuses(url) != {status: count}:
        assert time.monotonic() < deadline, statuses(url)
        time.sleep(0.1)


def test_early_doubled_and_oddly_named_uploads_have_their_verdict_once(site_url: str, machine: LocalMachine) -> None:
    """tests/test_benchmarks.py has what happens while the database is unavailable."""
    keys = [f"media/{at}/ä b+%20#.jpg" for at in range(20)]
    for key in keys + keys[5:15]:
        put(machine, key, content("plain.jpg"))  # before their records
    time.sleep(0.5)
    for key in keys:
        add(site_url, key)
    until_all(site_url, "READY", len(keys))
    assert rows(site_url, 'SELECT count(*), max("checks") FROM "MediaMetadata"') == [(len(keys), 1)]


def test_overwritten_and_deleted_objects_end_with_the_verdict_of_what_is_there(
    site_url: str, machine: LocalMachine
) -> None:
    for key in ("media/overwritten", "media/deleted"):
        add(site_url, key)
    put(machine, "media/overwritten", content("truncated.jpg"))
    until_status(site_url, "media/overwritten", "FAILED_PROCESSING")
    put(machine, "media/overwritten", content("orientation-6.jpg"))
    until_status(site_url, "media/overwritten", "READY")
    bucket = machine.template.buckets["MediaBucket"].name
    put(machine, "media/deleted", content("plain.jpg"))
    machine.client("s3").delete_object(Bucket=bucket, Key="media/deleted")
    until_status(site_url, "media/deleted", "READY", "FAILED_PROCESSING")
    rows(site_url, UNCHECK + """WHERE "storageKey" = 'media/deleted'""")
    ended = machine.run("media-metadata-all", {}, timeout=PATIENCE_S)
    assert (ended.status, ended.output["written"]) == ("SUCCEEDED", 1)
    assert rows(site_url, 'SELECT "status"::text FROM "Media" ORDER BY "id"') == [("READY",), ("FAILED_PROCESSING",)]


def until_status(url: str, key: str, *wanted: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute('SELECT "status"::text FROM "Media" WHERE "storageKey" = %s', [key]).fetchone()
        if row and row[0] in wanted:
            return
        assert time.monotonic() < deadline, row
        time.sleep(0.1)


def test_what_cannot_be_uploaded_is_named(site_url: str, tmp_path: Path) -> None:
    env = at_home(site_url, tmp_path)
    for arguments, message in (
        ([str(tmp_path / "nowhere.jpg")], "neither a file nor a folder"),
        ([str(FILES / "plain.jpg"), "--userId=77"], "there is no user 77"),
    ):
        done = sitejobs("upload", *arguments, env=env)
        assert done.returncode == 2
        assert message in done.stderr


def test_a_name_costs_nobody_but_itself_and_the_content_is_claimed_where_the_name_says_nothing(
    site_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    files = {
        os.fsencode(folder) + b"/one\nline.png": "plain.png",
        os.fsencode(folder) + b"/\xffnot-utf-8.png": "plain.png",
        os.fsencode(folder) + "/\u202egnp.jpg".encode(): "plain.jpg",
        os.fsencode(folder) + b"/no-extension": "plain.heic",
        os.fsencode(folder) + b"/sound.unknown": "sound.opus",
        os.fsencode(folder) + b"/film.3gp": "silent.mp4",
    }
    for path, name in files.items():
        Path(os.fsdecode(path)).write_bytes(content(name))
    env = at_home(site_url, tmp_path)
    done = sitejobs("upload", str(folder), "--json", env=env)
    assert done.returncode == 0, done.stderr
    found = {os.fsencode(one["file"]): one for one in map(json.loads, done.stdout.splitlines())}
    assert set(found) == set(files)
    assert {one["verdict"] for one in found.values()} == {"READY"}, found
    named = [os.fsdecode(path) for path in files if b"png" in path or b"gnp" in path]
    table = sitejobs("upload", *named, env={**env, "COLUMNS": "250"})
    assert table.returncode == 0, table.stderr
    assert "\u202e" not in table.stdout


def test_a_path_is_shown_with_escapes_for_what_moves_or_turns_the_text() -> None:
    path = Path(os.fsdecode(b"folder/one\nline \xff \x1b[2J") + "\u202egnp.jpg é")
    assert shown(path) == r"folder/one\nline \udcff \x1b[2J\u202egnp.jpg é"


@pytest.mark.parametrize(("name", "value"), [("MEDIA_MAX_SECONDS", "2m"), ("MEDIA_FORMATS", "jpeg,exe")])
def test_a_wrong_setting_is_told_before_anything_is_uploaded(
    site_url: str, tmp_path: Path, name: str, value: str
) -> None:
    env = {**at_home(site_url, tmp_path), name: value}
    done = sitejobs("upload", str(FILES / "plain.jpg"), env=env)
    assert done.returncode == 2
    assert f"environment variable {name} must be " in done.stderr
    assert f"not '{value}'" in done.stderr
    assert rows(site_url, 'SELECT count(*) FROM "Media"') == [(0,)]


def test_a_person_sees_a_table(site_url: str, tmp_path: Path) -> None:
    # Wide enough for the path of any working copy.
    env = {**at_home(site_url, tmp_path), "COLUMNS": "400"}
    done = sitejobs("upload", str(FILES / "plain.jpg"), str(FILES / "plain.png"), "--type", "VIDEO", env=env)
    assert done.returncode == 0, done.stderr
    assert "REJECTED" in done.stdout
    assert "the content is IMAGE, the record says VIDEO" in " ".join(done.stdout.split())


SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
CREATE TRIGGER slowly BEFORE INSERT ON "MediaMetadata" FOR EACH ROW EXECUTE FUNCTION slowly()
"""


def test_a_worker_killed_within_its_page_and_a_second_run_beside_it_lose_and_double_nothing(
    site_url: str, machine: LocalMachine
) -> None:
    rows(site_url, SLOWLY)
    for at in range(60):
        # No message names these: they have no objects, so only the job checks them.
        add(site_url, f"media/{at}")
    job = machine.start("media-metadata-batch", {"batchSize": 20, "maxConcurrency": 2, "pauseMs": 0})
    deadline = time.monotonic() + PATIENCE_S
    while rows(site_url, 'SELECT count(*) FROM "MediaMetadata"') < [(8,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed = machine._pool.pids("MediaMetadataBatchFunction")
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    beside = machine.run("media-metadata-all", {"maxConcurrency": 2}, timeout=PATIENCE_S)
    ended = machine.wait(job, timeout=PATIENCE_S)
    assert (ended.status, beside.status) == ("SUCCEEDED", "SUCCEEDED")
    # There are no objects: every record gets that verdict, once.
    assert statuses(site_url) == {"FAILED_PROCESSING": 60}
    assert rows(site_url, 'SELECT DISTINCT "checks", "verdict" FROM "MediaMetadata"') == [(1, "FAILED_PROCESSING")]
