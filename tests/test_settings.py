"""A function's environment: what is missing or wrong is named; the database's address is made of its secret."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.errors import InvalidInput
from sitejobs.handlers.authorities import joined_authorities
from sitejobs.handlers.settings import Settings, database_url, read_settings, with_secret
from sitejobs.postgres.address import read_address

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:site"
IAM = {
    "DATABASE_AUTHENTICATION": "iam",
    "DATABASE_HOST": "db.example.com",
    "DATABASE_PORT": "5433",
    "DATABASE_NAME": "people",
    "DATABASE_USER": "site",
}
SECRET = {"host": "db.example.com", "port": 5433, "username": "site", "password": "pw", "dbname": "people"}


def from_secret(secret: Any, **variables: str) -> dict[str, Any]:
    settings = read_settings({"DATABASE_SECRET_ARN": ARN, **variables})
    text = secret if isinstance(secret, str) else json.dumps(secret)
    return conninfo_to_dict(database_url(settings, {ARN: text}.__getitem__, no_token))


def no_secret(arn: str) -> str:
    raise AssertionError(f"nobody asked for {arn}")


def no_token(host: str, port: int, user: str) -> str:
    raise AssertionError(f"nobody asked for a token of {user}@{host}:{port}")


def test_an_empty_environment_has_the_defaults() -> None:
    settings = read_settings({})
    assert settings == Settings()
    assert (settings.run_stale_seconds, settings.statement_timeout_ms) == (1800, 0)


def test_variables_are_read_and_foreign_ones_ignored() -> None:
    settings = read_settings({"RUN_STALE_SECONDS": "60", "STATEMENT_TIMEOUT_MS": "5000", "PATH": "/bin"})
    assert (settings.run_stale_seconds, settings.statement_timeout_ms) == (60, 5000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_LOSS_PERCENT", "some"),
        ("MAX_LOSS_PERCENT", "-1"),
        ("MAX_LOSS_PERCENT", "101"),
        ("RUN_STALE_SECONDS", "soon"),
        ("RUN_STALE_SECONDS", "0"),
        ("RUN_STALE_SECONDS", ""),
        ("STATEMENT_TIMEOUT_MS", "-1"),
        ("STATEMENT_TIMEOUT_MS", "1.5"),
        ("DATABASE_AUTHENTICATION", "kerberos"),
        ("DATABASE_AUTHENTICATION", ""),
        ("DATABASE_PORT", "0"),
        ("DATABASE_PORT", "65536"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"environment variable {name} must be .* not '{value}'"):
        read_settings({name: value})


def test_several_wrong_variables_are_all_named() -> None:
    with pytest.raises(InvalidInput, match=r"STATEMENT_TIMEOUT_MS.*RUN_STALE_SECONDS"):
        read_settings({"RUN_STALE_SECONDS": "soon", "STATEMENT_TIMEOUT_MS": "late"})


@pytest.mark.parametrize("others", [{}, {"DATABASE_SECRET_ARN": ARN}, IAM])
def test_a_given_address_needs_neither_secret_nor_token(others: dict[str, str]) -> None:
    settings = read_settings({"DATABASE_URL": "postgresql://here/site", **others})
    assert database_url(settings, no_secret, no_token) == "postgresql://here/site"


def test_without_an_address_the_settings_that_are_lacking_are_named() -> None:
    with pytest.raises(InvalidInput, match="set DATABASE_SECRET_ARN or DATABASE_URL"):
        database_url(read_settings({}), no_secret, no_token)


def test_an_address_made_of_a_secret_demands_a_verified_server() -> None:
    assert from_secret(SECRET, DATABASE_CA_FILE="/etc/authorities.crt") == {
        "host": "db.example.com",
        "port": "5433",
        "user": "site",
        "password": "pw",
        "dbname": "people",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/authorities.crt",
    }
    assert from_secret(SECRET)["sslrootcert"] == joined_authorities()


def test_a_password_may_hold_anything() -> None:
    password = "p@ss:w/o?r#d %20&=\N{PILE OF POO}'\" \\"
    parts = from_secret(SECRET | {"password": password, "username": "a@b:c"})
    assert (parts["password"], parts["user"], parts["host"]) == (password, "a@b:c", "db.example.com")


@pytest.mark.parametrize(
    ("secret", "place"),
    [
        ({"host": "a.example:6432,b.example"}, ("a.example,b.example", "6432,")),
        ({"host": "db.example:6432", "port": None}, ("db.example", "6432")),
        ({"host": "fd00::1"}, ("fd00::1", "5433")),
        ({"host": "[fd00::1]:6432"}, ("fd00::1", "6432")),
    ],
)
def test_a_secret_may_name_several_hosts_and_their_ports(secret: dict[str, Any], place: tuple[str, str]) -> None:
    parts = from_secret(SECRET | secret)
    assert (parts["host"], parts["port"]) == place
    assert parts["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    "secret",
    [
        "postgresql://site:p%40w@db.example.com:5433/people?sslmode=disable&schema=Old&connection_limit=1",
        json.dumps({"DATABASE_URL": "postgres://site:p@w@db.example.com:5433/people?schema=Old"}),
    ],
)
def test_a_secret_may_be_an_address(secret: str) -> None:
    address = read_address(database_url(read_settings({"DATABASE_SECRET_ARN": ARN}), lambda arn: secret, no_token))
    parts = conninfo_to_dict(address.conninfo)
    assert [parts[name] for name in ("user", "password", "host", "port", "dbname", "sslmode")] == [
        *("site", "p@w", "db.example.com", "5433", "people", "verify-full")
    ]
    assert address.search_path == 'sitejobs,"Old"'


def test_the_fields_of_a_secret_may_have_a_drivers_names() -> None:
    parts = from_secret({"user": "site", "password": "pw", "hostname": "db", "database": "people", "port": "5433"})
    assert [parts[name] for name in ("user", "password", "host", "port", "dbname")] == [
        *("site", "pw", "db", "5433", "people")
    ]


RDS_MANAGED = {"username": "site", "password": "pw"}
"""The secret that RDS makes and rotates by itself."""


def test_what_a_secret_does_not_say_is_taken_from_the_variables() -> None:
    place = {"DATABASE_HOST": "site.abc.rds.amazonaws.com", "DATABASE_NAME": "people"}
    parts = from_secret(RDS_MANAGED, **place)
    assert [parts[name] for name in ("host", "port", "dbname", "user")] == [
        place["DATABASE_HOST"],
        "5432",
        "people",
        "site",
    ]
    assert from_secret(RDS_MANAGED, **place, DATABASE_PORT="6432")["port"] == "6432"


def test_what_a_secret_says_comes_before_the_variables() -> None:
    parts = from_secret(SECRET, DATABASE_HOST="elsewhere", DATABASE_PORT="1", DATABASE_NAME="other")
    assert [parts[name] for name in ("host", "port", "dbname")] == ["db.example.com", "5433", "people"]


@pytest.mark.parametrize("secret", [RDS_MANAGED, SECRET | {"dbname": "", "host": None}])
def test_neither_host_nor_database_is_guessed(secret: dict[str, Any]) -> None:
    lacking = r"^set DATABASE_HOST \(or host in the secret\), DATABASE_NAME \(or dbname in the secret\): "
    with pytest.raises(InvalidInput, match=lacking):
        from_secret(secret)
    with pytest.raises(InvalidInput, match=r"^set DATABASE_NAME \(or dbname in the secret\): "):
        from_secret(secret, DATABASE_HOST="h")


@pytest.mark.parametrize(
    "secret",
    [
        "not json: hunter2",
        '"hunter2"',
        '["hunter2"]',
        "null",
        {"host": "h", "username": "u"},
        {"host": "h", "password": "hunter2"},
        SECRET | {"port": "hunter2"},
    ],
)
def test_a_secret_of_another_shape_is_refused_without_being_shown(secret: Any) -> None:
    with pytest.raises(InvalidInput, match="JSON object with username, password") as caught:
        from_secret(secret)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# ---- with a token of IAM


def test_a_token_takes_the_place_of_the_password_and_demands_a_verified_server() -> None:
    token = "db.example.com:5433/?Action=connect&DBUser=site&X-Amz-Signature=a%2Fb+c=="
    asked: list[tuple[str, int, str]] = []

    def sign(host: str, port: int, user: str) -> str:
        asked.append((host, port, user))
        return token

    settings = read_settings(IAM | {"DATABASE_CA_FILE": "/etc/authorities.crt"})
    assert conninfo_to_dict(database_url(settings, no_secret, sign)) == {
        "host": "db.example.com",
        "port": "5433",
        "user": "site",
        "password": token,
        "dbname": "people",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/authorities.crt",
    }
    assert asked == [("db.example.com", 5433, "site")]


def test_the_token_that_the_sdk_signs_is_kept_as_it_is() -> None:
    """It is made without a network, of credentials as a function has them."""
    client = boto3.client(
        "rds",
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret/key+",
        aws_session_token="session/token+==",
    )
    tokens: list[str] = []

    def sign(host: str, port: int, user: str) -> str:
        tokens.append(client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user))
        return tokens[-1]

    parts = conninfo_to_dict(database_url(read_settings(IAM), no_secret, sign))
    assert [parts["password"]] == tokens
    token = urlsplit("https://" + tokens[0])
    given = {name: values[0] for name, values in parse_qs(token.query).items()}
    assert (token.hostname, token.port) == ("db.example.com", 5433)
    assert (given["Action"], given["DBUser"], given["X-Amz-Expires"]) == ("connect", "site", "900")
    assert given["X-Amz-Security-Token"] == "session/token+=="


def test_what_a_token_needs_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"^set DATABASE_HOST, DATABASE_NAME, DATABASE_USER: "):
        database_url(read_settings({"DATABASE_AUTHENTICATION": "iam"}), no_secret, no_token)
    with pytest.raises(InvalidInput, match=r"^set DATABASE_USER: "):
        database_url(read_settings(IAM | {"DATABASE_USER": ""}), no_secret, no_token)


def test_a_secret_and_tokens_exclude_one_another() -> None:
    with pytest.raises(InvalidInput, match=r"^DATABASE_SECRET_ARN: not with DATABASE_AUTHENTICATION=iam"):
        database_url(read_settings(IAM | {"DATABASE_SECRET_ARN": ARN}), no_secret, no_token)


def test_the_user_whom_a_secret_names_is_not_given_beside_it() -> None:
    settings = read_settings({"DATABASE_SECRET_ARN": ARN, "DATABASE_USER": "other"})
    with pytest.raises(InvalidInput, match=r"^DATABASE_USER: only with DATABASE_AUTHENTICATION=iam"):
        database_url(settings, no_secret, no_token)


OWNER = "arn:aws:secretsmanager:us-east-1:123456789012:secret:sitejobs/owner"


@pytest.mark.parametrize(
    ("owner", "variables", "place"),
    [
        ({}, {"DATABASE_SECRET_ARN": ARN}, ("db.example.com", "5433", "people")),
        ({"host": "other", "dbname": "x"}, {"DATABASE_SECRET_ARN": ARN}, ("other", "5433", "x")),
        ({}, IAM, ("db.example.com", "5433", "people")),
    ],
)
def test_another_login_goes_to_the_same_database_unless_its_secret_says_where(
    owner: dict[str, Any], variables: dict[str, str], place: tuple[str, str, str]
) -> None:
    secrets = {ARN: json.dumps(SECRET), OWNER: json.dumps({"username": "owner", "password": "theirs", **owner})}
    settings = with_secret(read_settings(variables), OWNER, secrets.__getitem__)
    url = conninfo_to_dict(database_url(settings, secrets.__getitem__, no_token))
    assert (url["user"], url["password"], url["sslmode"]) == ("owner", "theirs", "verify-full")
    assert (url["host"], url["port"], url["dbname"]) == place


def test_the_stacks_own_secret_is_named_when_it_is_none() -> None:
    with pytest.raises(InvalidInput, match="the database secret must be a JSON object"):
        with_secret(read_settings({"DATABASE_SECRET_ARN": ARN}), OWNER, {ARN: "[]"}.__getitem__)
