"""How the Lambda entries come to log in to the database: a secret, or a token of IAM."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from psycopg.conninfo import conninfo_to_dict

from sitejobs.aliases import JsonObject
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import REPOSITORY
from tests.databases import site_database
from tests.postgres_wire import Startup, gatekeeper, tls_of_localhost
from tests.test_handlers import EXECUTION, function

# ---- the database's secret


@pytest.fixture(scope="module")
def secrets() -> Iterator[str]:
    """Endpoint of a Secrets Manager without secrets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def finish_with_secret(endpoint: str, arn: str, log: Path) -> JsonObject:
    aws = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_MAX_ATTEMPTS": "1"}
    variables = {"DATABASE_SECRET_ARN": arn, "AWS_ENDPOINT_URL": endpoint, **aws}
    finish = function("finish", REPOSITORY / "functions" / "runs", "app.finish", **variables)
    with WorkerPool([finish], environment={}, log_file=log) as pool:
        event = {"run": {"id": "1"}, "execution": EXECUTION, "error": None}
        answer: JsonObject = pool.invoke("finish", json.dumps(event)).value
        return answer


def test_a_secret_that_cannot_be_read_is_named(secrets: str, tmp_path: Path) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:none"
    answer = finish_with_secret(secrets, arn, tmp_path / "log")
    assert answer["errorType"] == "InvalidInput"
    assert answer["errorMessage"] == f"the database secret {arn} cannot be read: ResourceNotFoundException"


def test_a_secret_of_another_shape_is_refused_without_being_shown(secrets: str, tmp_path: Path) -> None:
    client = boto3.client(
        "secretsmanager",
        endpoint_url=secrets,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arn = client.create_secret(Name="odd", SecretString='{"password": "hunter2"}')["ARN"]
    answer = finish_with_secret(secrets, arn, tmp_path / "log")
    assert answer["errorType"] == "InvalidInput"
    assert "hunter2" not in json.dumps(answer) + (tmp_path / "log").read_text()


def test_a_secrets_manager_that_cannot_be_reached_is_asked_again(tmp_path: Path) -> None:
    answer = finish_with_secret("http://127.0.0.1:1", "arn:aws:secretsmanager:us-east-1:1:secret:x", tmp_path / "log")
    assert answer["errorType"] == "Transient"
    assert "EndpointConnectionError" in answer["errorMessage"]


# ---- tokens of IAM


def finish_with_token(log: Path, **variables: str) -> JsonObject:
    """What Finish answers of a run that does not exist; no service of AWS can be reached."""
    given = {"DATABASE_AUTHENTICATION": "iam", "DATABASE_HOST": "localhost", **variables}
    given = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "true", **given}
    finish = function("finish", REPOSITORY / "functions" / "runs", "app.finish", **given)
    with WorkerPool([finish], environment={}, log_file=log) as pool:
        answer: JsonObject = pool.invoke("finish", json.dumps({"run": {"id": "999"}, "error": None})).value
        return answer


@pytest.mark.parametrize("authorities", ["DATABASE_CA_FILE", "SSL_CERT_FILE"])  # named, or the system's
def test_a_function_logs_in_with_a_token_that_it_signs_itself(
    postgres_server: Server, tmp_path: Path, authorities: str
) -> None:
    tls, authority = tls_of_localhost(tmp_path)
    logins: list[Startup] = []

    def refusal(startup: Startup) -> str | None:
        logins.append(startup)
        return None

    with site_database(postgres_server) as url:
        parts = conninfo_to_dict(url)
        with gatekeeper(refusal, f"{parts['host']}/.s.PGSQL.5432", tls=tls) as port:
            answer = finish_with_token(
                tmp_path / "log",
                DATABASE_PORT=str(port),
                DATABASE_NAME=str(parts["dbname"]),
                DATABASE_USER=str(parts["user"]),
                AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
                AWS_SECRET_ACCESS_KEY="not-to-be-shown",
                AWS_SESSION_TOKEN="a-session",
                **{authorities: str(authority)},
            )
    # It has asked the database.
    assert answer["errorType"] == "InvalidInput"
    assert "999" in answer["errorMessage"]
    [login] = logins
    assert login["tls"]
    assert login["password"].startswith(f"localhost:{port}/?Action=connect&DBUser={parts['user']}&")
    assert "X-Amz-Security-Token=a-session" in login["password"]
    assert "X-Amz-Signature" not in json.dumps(answer) + (tmp_path / "log").read_text()


def test_a_function_without_credentials_says_that_it_cannot_sign(tmp_path: Path) -> None:
    answer = finish_with_token(tmp_path / "log", DATABASE_NAME="site", DATABASE_USER="sitejobs")
    assert (answer["errorType"], answer["errorMessage"]) == (
        "InvalidInput",
        "no token for the database can be signed: NoCredentialsError",
    )
