"""With a database of one's own, media jobs run only where it is said where its uploads are."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import psycopg
import pytest
from botocore.config import Config

from sitejobs.errors import InvalidInput
from sitejobs.media.objects import ObjectGone, S3Objects
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.media_place import READ_UPLOADS, media_place
from sitejobs_local.places import TEMPLATE
from tests.local.cloud import aws_variables
from tests.local.command import environment, sitejobs
from tests.media.make_files import FILES

ASKS = "where are this site's uploads? Name their bucket (MEDIA_BUCKET=<name>"
KEY = "media/1/orientation-6.jpg"


@pytest.fixture
def site_url(site_url: str) -> str:
    """A site with one upload that nobody has checked."""
    with psycopg.connect(site_url, autocommit=True) as connection:
        connection.execute('INSERT INTO "User" ("id") VALUES (1)')
        connection.execute(
            """INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey")
               VALUES (1, 'IMAGE', 'UPLOADED', %s)""",
            [KEY],
        )
    return site_url


def states(url: str) -> list[tuple[object, ...]]:
    """The states of all uploads, each with the number of runs that there were."""
    with psycopg.connect(url) as connection:
        return connection.execute('SELECT "status"::text, (SELECT count(*) FROM "JobRun") FROM "Media"').fetchall()


@pytest.mark.parametrize(
    "arguments",
    [
        ["media-metadata", "--mediaId=1"],
        ["media-metadata-all"],
        ["media-metadata-batch"],
        ["all", "--includeMedia"],
        ["all", "--only=media"],
        ["all", "--only=trending,media-metadata-batch"],
        ["upload", str(FILES / "orientation-6.jpg")],
    ],
    ids=" ".join,
)
def test_without_the_bucket_they_refuse_before_anything_runs(
    site_url: str, tmp_path: Path, arguments: list[str]
) -> None:
    done = sitejobs(*arguments, env=environment(DATABASE_URL=site_url, SITEJOBS_HOME=str(tmp_path), MEDIA_BUCKET=""))
    assert done.returncode == 2, done.stdout
    assert ASKS in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert states(site_url) == [("UPLOADED", 0)]


def test_jobs_without_uploads_and_the_embedded_database_need_no_bucket(tmp_path: Path) -> None:
    assert media_place(tmp_path, {}, ("trending",), embedded=False).folder == tmp_path
    for job in READ_UPLOADS:
        assert media_place(tmp_path, {}, (job,), embedded=True).folder == tmp_path


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MEDIA_FOLDER": "/nowhere/at/all"}, "is no folder"),
        ({"MEDIA_FOLDER": "."}, "there is no file in"),
        ({"MEDIA_FOLDER": ".", "MEDIA_BUCKET": "one"}, "set one of them"),
    ],
)
def test_a_place_that_holds_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=told):
        media_place(tmp_path, variables, ("media-metadata-all",), embedded=False)


@pytest.fixture
def far(tmp_path: Path) -> Iterator[LocalMachine]:
    """Another machine's AWS, in the place of the real one."""
    with LocalMachine(TEMPLATE, database_url="postgresql://127.0.0.1:1/x", log_file=tmp_path / "far.log") as machine:
        machine.client("s3").create_bucket(Bucket="of-the-site")
        yield machine


def test_a_bucket_on_s3_is_read_and_written_in_its_place(site_url: str, tmp_path: Path, far: LocalMachine) -> None:
    image = FILES / "orientation-6.jpg"
    far.client("s3").upload_file(str(image), "of-the-site", KEY)
    variables = environment(DATABASE_URL=site_url, SITEJOBS_HOME=str(tmp_path), **aws_variables(far))
    wrong = sitejobs("media-metadata-all", env={**variables, "MEDIA_BUCKET": "of-another-site"})
    assert (wrong.returncode, "'of-another-site' cannot be read" in wrong.stderr) == (2, True), wrong.stderr
    assert states(site_url) == [("UPLOADED", 0)]
    done = sitejobs("media-metadata-all", env={**variables, "MEDIA_BUCKET": "of-the-site"})
    assert done.returncode == 0, done.stdout
    assert states(site_url) == [("READY", 1)]
    put = sitejobs("upload", str(image), "--json", env={**variables, "MEDIA_BUCKET": "of-the-site"})
    assert json.loads(put.stdout)["verdict"] == "READY", put.stderr
    assert len(far.client("s3").list_objects_v2(Bucket="of-the-site")["Contents"]) == 2


def test_no_upload_is_gone_because_there_is_no_such_bucket(far: LocalMachine) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=far.endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ObjectGone):
        S3Objects(client, "of-the-site").head("media/1")
    with pytest.raises(InvalidInput, match="there is no such bucket"):
        S3Objects(client, "of-another-site").head("media/1")


def test_files_of_a_folder_are_the_uploads(site_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    (folder / KEY).parent.mkdir(parents=True)
    (folder / KEY).write_bytes((FILES / "orientation-6.jpg").read_bytes())
    variables = environment(DATABASE_URL=site_url, SITEJOBS_HOME=str(tmp_path / "home"), MEDIA_FOLDER=str(folder))
    assert sitejobs("all", "--only=media", env=variables).returncode == 0
    assert states(site_url)[0][0] == "READY"
    put = sitejobs("upload", str(FILES / "orientation-6.jpg"), "--json", env=variables)
    assert json.loads(put.stdout)["verdict"] == "READY", put.stderr
    assert sum(len(files) for _, _, files in os.walk(folder)) == 2


def test_a_view_that_takes_no_uploads_is_told_in_one_line(site_url: str, tmp_path: Path) -> None:
    with psycopg.connect(site_url, autocommit=True) as connection:
        connection.execute(
            """ALTER TABLE "Media" RENAME TO "Upload"; CREATE VIEW "Media" AS SELECT DISTINCT * FROM "Upload" """
        )
    variables = environment(DATABASE_URL=site_url, SITEJOBS_HOME=str(tmp_path / "home"), MEDIA_FOLDER=str(tmp_path))
    done = sitejobs("upload", str(FILES / "plain.jpg"), env=variables)
    assert done.returncode == 2, done.stderr
    assert "takes no row with an owner at this site" in done.stderr.splitlines()[-1]
