"""Objects of the work bucket between commands."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sitejobs_local.template.cloudformation import TemplateError
from tests.skips import Lacking, skip_unless

from .machines import Watched

BUCKET = "toys-work-123456789012-local"
OTHER = "sitejobs-uploadbucket"


def objects(s3: Any) -> dict[str, bytes]:
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed}


def test_objects_live_on_in_the_next_machine_with_their_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "work files"
    with Watched(tmp_path, work_folder=folder).machine as machine:
        s3 = machine.client("s3")
        s3.put_object(Bucket=BUCKET, Key="runs/1/ünï code?*", Body=b"one", Metadata={"kind": "snapshot"})
        s3.put_object(Bucket=BUCKET, Key="x" * 1000, Body=b"two", ContentType="text/plain")
        s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
        s3.put_object(Bucket=OTHER, Key="elsewhere", Body=b"x")
        before = s3.head_object(Bucket=BUCKET, Key="runs/1/ünï code?*")
    with Watched(tmp_path, work_folder=folder).machine as machine:
        s3 = machine.client("s3")
        after = s3.head_object(Bucket=BUCKET, Key="runs/1/ünï code?*")
        found = objects(s3)
        part = s3.get_object(Bucket=BUCKET, Key="x" * 1000, Range="bytes=1-1")
        elsewhere = s3.list_objects_v2(Bucket=OTHER)["KeyCount"]

    assert found == {"runs/1/ünï code?*": b"one", "x" * 1000: b"two", "empty": b""}
    for field in ("ETag", "LastModified", "ContentLength", "Metadata", "ContentType"):
        assert after[field] == before[field]
    assert (part["Body"].read(), part["ContentType"]) == (b"w", "text/plain")
    assert elsewhere == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_what_was_deleted_or_replaced_is_so_in_the_next_machine_too(tmp_path: Path) -> None:
    for step in range(3):
        with Watched(tmp_path, work_folder=tmp_path / "work").machine as machine:
            s3 = machine.client("s3")
            if step == 0:
                for key in ("kept", "deleted", "replaced"):
                    s3.put_object(Bucket=BUCKET, Key=key, Body=b"old")
            if step == 1:
                s3.delete_object(Bucket=BUCKET, Key="deleted")
                s3.put_object(Bucket=BUCKET, Key="replaced", Body=b"new")
            found = objects(s3)

    assert found == {"kept": b"old", "replaced": b"new"}
    assert len(list((tmp_path / "work").iterdir())) == 4


def test_an_upload_in_parts_is_kept_whole(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(9 << 20))
    with Watched(tmp_path, work_folder=tmp_path / "work").machine as machine:
        machine.client("s3").upload_file(str(file), BUCKET, "large")
    with Watched(tmp_path, work_folder=tmp_path / "work").machine as machine:
        found = objects(machine.client("s3"))

    assert found["large"] == file.read_bytes()


def test_objects_past_the_buckets_expiry_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with Watched(tmp_path, work_folder=folder).machine as machine:
        for key in ("old", "new"):
            machine.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"x")
    for description in folder.glob("*.json"):
        fields = json.loads(description.read_text())
        days = {"old": 7.1, "new": 6.9}[fields["key"]]
        written = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
        description.write_text(json.dumps({**fields, "last_modified": written.isoformat()}))
        os.utime(folder / fields["data"], (0, 0))
    with Watched(tmp_path, work_folder=folder).machine as machine:
        found = objects(machine.client("s3"))

    assert found == {"new": b"x"}
    assert len(list(folder.iterdir())) == 2


def test_a_damaged_or_half_written_file_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with Watched(tmp_path, work_folder=folder).machine as machine:
        machine.client("s3").put_object(Bucket=BUCKET, Key="whole", Body=b"x")
        machine.client("s3").put_object(Bucket=BUCKET, Key="dataless", Body=b"x")
    for description in folder.glob("*.json"):
        fields = json.loads(description.read_text())
        if fields["key"] == "dataless":
            (folder / fields["data"]).unlink()
    (folder / "damaged.json").write_text('{"key": "dam')
    (folder / "begun.data").write_text("x")
    with Watched(tmp_path, work_folder=folder).machine as machine:
        assert objects(machine.client("s3")) == {"whole": b"x"}

    assert (folder / "begun.data").exists()  # another command may be at it


def bytes_moved() -> int:
    """Bytes that this process has read and written, from the kernel."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"]) + int(lines["wchar"])


@skip_unless(Path("/proc/self/io").exists(), Lacking.LINUX)
def test_an_object_of_fifty_megabytes_is_not_read_at_a_start_nor_written_at_an_end(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with Watched(tmp_path, work_folder=folder).machine as machine:
        machine.client("s3").put_object(Bucket=BUCKET, Key="snapshot", Body=bytes(50 << 20))
    before = bytes_moved()
    with Watched(tmp_path, work_folder=folder).machine:
        pass

    assert bytes_moved() - before < 25 << 20


def test_a_template_without_the_work_bucket_is_refused(tmp_path: Path) -> None:
    watched = Watched(tmp_path, work_folder=tmp_path / "work", work_bucket="Nowhere")

    with pytest.raises(TemplateError, match="has no bucket 'Nowhere'"), watched.machine:
        pass
