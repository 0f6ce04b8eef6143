"""The bundle as SAM builds it, and what a built function needs around it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from sitejobs_local.population import generate, load
from sitejobs_local.template.resources import Template
from sitejobs_local.template.template import load_template
from tests.bundle.emulator import Emulated, emulated
from tests.skips import Lacking, skip
from tools.bundle import MissingToolError, build, find_runtime, runtime_environment

USERS = 60
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "bundle: builds with SAM in environments of its own; needs python3.13 and make")


Start = Callable[..., Emulated]


@dataclass(frozen=True)
class Cloud:
    """S3 and Secrets Manager on this machine. `bucket` is the work bucket."""

    endpoint: str
    bucket: str

    def store_secret(self, text: str) -> str:
        """Keep a secret; returns its ARN."""
        answer = boto3.client("secretsmanager", **self._access()).create_secret(
            Name=f"database-{uuid.uuid4().hex}", SecretString=text
        )
        return str(answer["ARN"])

    def work_files(self) -> list[str]:
        """Names of the work files."""
        listed = boto3.client("s3", **self._access()).list_objects_v2(Bucket=self.bucket)
        return [item["Key"] for item in listed.get("Contents", [])]

    def put(self, key: str, data: bytes) -> None:
        """Put an object into the bucket."""
        boto3.client("s3", **self._access()).put_object(Bucket=self.bucket, Key=key, Body=data)

    def make_queue(self) -> str:
        """Make a queue; returns its URL."""
        return str(boto3.client("sqs", **self._access()).create_queue(QueueName="uploads")["QueueUrl"])

    def make_bucket(self) -> None:
        boto3.client("s3", **self._access()).create_bucket(Bucket=self.bucket)

    def _access(self) -> dict[str, str]:
        return {
            "endpoint_url": self.endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }


@pytest.fixture(scope="session")
def runtime() -> Path:
    """The python3.13 that the bundle is built with. Only CI must have one."""
    try:
        return find_runtime()
    except MissingToolError as error:
        skip(Lacking.PYTHON_3_13, error)


@pytest.fixture(scope="session")
def built(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built bundle, with its template.yaml."""
    folder = tmp_path_factory.mktemp("bundle")
    done = build(folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="session")
def functions(built: Path) -> Template:
    """The built template; a function's layers are folders with all that they carry."""
    return load_template(built / "template.yaml")


@pytest.fixture(scope="session")
def lambda_python(runtime: Path) -> Path:
    """A python3.13 that has what Lambda's runtime has, and nothing of ours."""
    return runtime_environment(runtime) / "python"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    there = Cloud(f"http://{host}:{port}", "work-files")
    there.make_bucket()
    yield there
    server.stop()


@pytest.fixture
def start(functions: Template, lambda_python: Path, cloud: Cloud, tmp_path: Path) -> Iterator[Start]:
    """Start an environment of a built function: `start(logical id, VARIABLE=value...)`; it ends with the test."""
    with ExitStack() as stack:

        def starting(name: str, **variables: str) -> Emulated:
            environment = {"AWS_ENDPOINT_URL": cloud.endpoint, "WORK_BUCKET": cloud.bucket, **variables}
            log = tmp_path / f"{name}.log"
            return stack.enter_context(emulated(functions.functions[name], lambda_python, environment, log))

        yield starting


@pytest.fixture
def site_url(site_url: str) -> str:
    """The URL of a database with a small synthetic site in it."""
    with psycopg.connect(site_url, autocommit=True) as connection:
        load(connection, generate(USERS, 1, NOW))
    return site_url
