"""The work bucket: what is put is read back, and S3's errors by the names that definitions know."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from sitejobs.errors import DataUnavailable, SitejobsError, Transient
from sitejobs.handlers.work_bucket import S3WorkStore
from tests.fakes import FolderWorkStore
from tests.limits import PATIENCE_S

BUCKET = "work-files"
KEY = "snapshots/toy-1.snap"
CONTENT = bytes(range(256)) * 40


def client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S, proxies={}),
    )


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = client(f"http://{host}:{port}")
    made.create_bucket(Bucket=BUCKET)
    yield made
    server.stop()


Store = S3WorkStore | FolderWorkStore


@pytest.fixture(params=["bucket", "folder"])
def store(request: pytest.FixtureRequest, s3: Any, tmp_path: Path) -> Store:
    """The real store, and the stand-in of other tests, which must behave alike."""
    if request.param == "folder":
        return FolderWorkStore(tmp_path / "work")
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    return S3WorkStore(s3, BUCKET)


def put(store: Store, folder: Path, content: bytes = CONTENT) -> None:
    file = folder / "file"
    file.write_bytes(content)
    store.put_file(KEY, file)


def test_a_stored_file_is_read_back_in_parts(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path)
    assert store.size(KEY) == len(CONTENT)
    assert store.read(KEY, 0, len(CONTENT)) == CONTENT
    assert store.read(KEY, 1000, 77) == CONTENT[1000:1077]
    assert store.read(KEY, len(CONTENT) - 1, 1) == CONTENT[-1:]


def test_storing_again_replaces_the_whole_object(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path)
    put(store, tmp_path, b"new")
    assert store.size(KEY) == 3
    assert store.read(KEY, 0, 3) == b"new"


def test_a_file_larger_than_one_part_is_stored_whole(store: Store, tmp_path: Path) -> None:
    content = CONTENT * 900  # 9 MB: two parts
    put(store, tmp_path, content)
    assert store.size(KEY) == len(content)
    assert store.read(KEY, len(content) - 5, 5) == content[-5:]


@pytest.mark.parametrize("call", [lambda store: store.size(KEY), lambda store: store.read(KEY, 0, 1)])
def test_an_object_that_is_gone_is_named(store: Store, call: Callable[[Store], object]) -> None:
    with pytest.raises(DataUnavailable, match=f"work file {KEY} is not there"):
        call(store)


@pytest.mark.parametrize(("start", "length"), [(len(CONTENT) - 3, 4), (len(CONTENT) + 1, 4)])
def test_an_object_that_is_shorter_than_expected_is_named(
    store: Store, tmp_path: Path, start: int, length: int
) -> None:
    put(store, tmp_path)
    with pytest.raises(DataUnavailable, match=f"work file {KEY}"):
        store.read(KEY, start, length)


def test_a_bucket_that_is_gone_is_final_for_reading_and_for_storing(s3: Any, tmp_path: Path) -> None:
    store = S3WorkStore(s3, "no-such-bucket")
    for call in (lambda: store.size(KEY), lambda: store.read(KEY, 0, 1), lambda: put(store, tmp_path)):
        with pytest.raises(DataUnavailable, match=f"work file {KEY} is not there"):
            call()


# ---- a service in trouble


@contextmanager
def scripted(status: int, body: bytes, promised: int | None = None) -> Iterator[Any]:
    """An S3 that answers every request with a status and a body, cut short of the length that it has promised."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # a client that uploads waits a second for a 1.0 server's go-ahead

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(promised or len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            self.close_connection = True

        do_PUT = do_HEAD = do_GET  # noqa: N815 - the base class's names

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield client(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>in words</Message></Error>".encode()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (503, "SlowDown", Transient),
        (500, "InternalError", Transient),
        (503, "ServiceUnavailable", Transient),
        (400, "RequestTimeout", Transient),
        (403, "AccessDenied", DataUnavailable),
        (400, "KMS.DisabledException", DataUnavailable),
    ],
)
def test_a_busy_service_is_asked_again_and_a_refusal_is_final(
    tmp_path: Path, status: int, code: str, expected: type[SitejobsError]
) -> None:
    with scripted(status, error(code)) as s3:
        store = S3WorkStore(s3, BUCKET)
        for call in (lambda: store.read(KEY, 0, 1), lambda: put(store, tmp_path)):
            with pytest.raises(expected, match=f"work file {KEY}: {code}"):
                call()


@pytest.mark.parametrize(("status", "expected"), [(503, Transient), (500, Transient), (403, DataUnavailable)])
def test_an_answer_without_a_body_counts_by_its_status(status: int, expected: type[SitejobsError]) -> None:
    with scripted(status, b"") as s3, pytest.raises(expected, match=f"work file {KEY}: {status}"):
        S3WorkStore(s3, BUCKET).size(KEY)


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    with scripted(206, b"only this", promised=100) as s3, pytest.raises(Transient, match=f"work file {KEY}: "):
        S3WorkStore(s3, BUCKET).read(KEY, 0, 100)


def test_a_service_that_cannot_be_reached_is_asked_again(tmp_path: Path) -> None:
    store = S3WorkStore(client("http://127.0.0.1:1"), BUCKET)
    for call in (lambda: store.size(KEY), lambda: store.read(KEY, 0, 1), lambda: put(store, tmp_path)):
        with pytest.raises(Transient, match=f"work file {KEY}: EndpointConnectionError"):
            call()
