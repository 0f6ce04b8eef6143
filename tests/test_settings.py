"""A function's environment: what is missing or wrong is named; the database's address is made of its secret."""

import json
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from sitejobs.errors import InvalidInput
from sitejobs.settings import Settings, database_url, read_settings

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:site"
SECRET = {"host": "db.example.com", "port": 5433, "username": "site", "password": "pw", "dbname": "people"}


def from_secret(secret: Any, **variables: str) -> dict[str, Any]:
    settings = read_settings({"DATABASE_SECRET_ARN": ARN, **variables})
    text = secret if isinstance(secret, str) else json.dumps(secret)
    return conninfo_to_dict(database_url(settings, {ARN: text}.__getitem__))


def no_secret(arn: str) -> str:
    raise AssertionError(f"nobody asked for {arn}")


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
        ("RUN_STALE_SECONDS", "soon"),
        ("RUN_STALE_SECONDS", "0"),
        ("RUN_STALE_SECONDS", ""),
        ("STATEMENT_TIMEOUT_MS", "-1"),
        ("STATEMENT_TIMEOUT_MS", "1.5"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"environment variable {name}: "):
        read_settings({name: value})


def test_several_wrong_variables_are_all_named() -> None:
    with pytest.raises(InvalidInput, match=r"STATEMENT_TIMEOUT_MS.*RUN_STALE_SECONDS"):
        read_settings({"RUN_STALE_SECONDS": "soon", "STATEMENT_TIMEOUT_MS": "late"})


def test_a_given_address_needs_no_secret() -> None:
    settings = read_settings({"DATABASE_URL": "postgresql://here/site", "DATABASE_SECRET_ARN": ARN})
    assert database_url(settings, no_secret) == "postgresql://here/site"


def test_without_an_address_the_settings_that_are_lacking_are_named() -> None:
    with pytest.raises(InvalidInput, match="set DATABASE_SECRET_ARN or DATABASE_URL"):
        database_url(read_settings({}), no_secret)


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
    assert from_secret(SECRET)["sslrootcert"] == "system"


def test_a_password_may_hold_anything() -> None:
    password = "p@ss:w/o?r#d %20&=\N{PILE OF POO}'\" \\"
    parts = from_secret(SECRET | {"password": password, "username": "a@b:c"})
    assert (parts["password"], parts["user"], parts["host"]) == (password, "a@b:c", "db.example.com")


def test_port_and_database_may_be_left_out() -> None:
    parts = from_secret({name: SECRET[name] for name in ("host", "username", "password")})
    assert (parts["port"], parts["dbname"]) == ("5432", "postgres")


@pytest.mark.parametrize(
    "secret",
    [
        "not json: hunter2",
        '"hunter2"',
        '["hunter2"]',
        "null",
        {"host": "h", "username": "u"},
        {"username": "u", "password": "hunter2"},
        SECRET | {"port": "hunter2"},
    ],
)
def test_a_secret_of_another_shape_is_refused_without_being_shown(secret: Any) -> None:
    with pytest.raises(InvalidInput, match="JSON object with host, username, password") as caught:
        from_secret(secret)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
