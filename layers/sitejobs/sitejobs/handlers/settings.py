"""A function's environment variables as one validated model."""

import json
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import quote

from pydantic import Field

from sitejobs.errors import InvalidInput
from sitejobs.variables import Variables, read_environment

ReadSecret = Callable[[str], str]
"""Returns the text of the secret with this ARN."""

SignToken = Callable[[str, int, str], str]
"""Returns a token for one login: host, port, user."""


class Settings(Variables):
    """What every function reads from its environment."""

    database_url: str = Field(default="", alias="DATABASE_URL")
    database_authentication: Literal["password", "iam"] = Field(default="password", alias="DATABASE_AUTHENTICATION")
    database_secret_arn: str = Field(default="", alias="DATABASE_SECRET_ARN")
    # Where the database is and who logs in, for "iam"; for "password" the secret says so.
    database_host: str = Field(default="", alias="DATABASE_HOST")
    database_port: int = Field(default=5432, alias="DATABASE_PORT", ge=1, le=65535)
    database_name: str = Field(default="", alias="DATABASE_NAME")
    database_user: str = Field(default="", alias="DATABASE_USER")
    database_ca_file: str = Field(default="system", alias="DATABASE_CA_FILE")
    database_search_path: str = Field(default="", alias="DATABASE_SEARCH_PATH")
    statement_timeout_ms: int = Field(default=0, alias="STATEMENT_TIMEOUT_MS", ge=0)
    work_bucket: str = Field(default="", alias="WORK_BUCKET")
    state_machine_prefix: str = Field(default="", alias="STATE_MACHINE_PREFIX")
    queue_url: str = Field(default="", alias="QUEUE_URL")
    queue_retry_seconds: float = Field(default=10, alias="QUEUE_RETRY_SECONDS", ge=0, le=900)
    run_stale_seconds: int = Field(default=1800, alias="RUN_STALE_SECONDS", ge=1)
    max_loss_percent: int = Field(default=20, alias="MAX_LOSS_PERCENT", ge=0, le=100)
    """Percentage of a table's rows that a run may remove without allowLoss."""
    job_machines: str = Field(default="", alias="JOB_MACHINES")
    """ARN of the jobs' state machines up to the job's name; only the workflows' function has it."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Check the environment of a function.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    return read_environment(Settings, environment, empty_is_unset=False)


def database_url(settings: Settings, read_secret: ReadSecret, sign_token: SignToken) -> str:
    """The connection string: DATABASE_URL, or made from a secret in RDS's shape, or with a token of IAM.

    TLS is required and the server's certificate verified, except with DATABASE_URL, which has its own settings. A token
    is valid for 15 minutes.

    Raises
    ------
    InvalidInput : names the settings that are missing, or that conflict.
    """
    if settings.database_url:
        return settings.database_url
    if settings.database_authentication == "iam":
        return _url_with_token(settings, sign_token)
    return _url_of_secret(settings, read_secret)


def _url_of_secret(settings: Settings, read_secret: ReadSecret) -> str:
    if given := [name for name, value in _address(settings).items() if value]:
        raise InvalidInput(
            f"{', '.join(given)}: only with DATABASE_AUTHENTICATION=iam; with password the secret names them"
        )
    if not settings.database_secret_arn:
        raise InvalidInput("set DATABASE_SECRET_ARN or DATABASE_URL: the functions need a database")
    try:
        secret = json.loads(read_secret(settings.database_secret_arn))
        user, password, host = (secret[name] for name in ("username", "password", "host"))
        name, port = secret.get("dbname") or "postgres", int(secret.get("port") or 5432)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput(
            "the database secret must be a JSON object with host, username, password, and optionally port and dbname"
        ) from None
    return _url(settings, str(user), str(password), str(host), port, str(name))


def _url_with_token(settings: Settings, sign_token: SignToken) -> str:
    if settings.database_secret_arn:
        raise InvalidInput("DATABASE_SECRET_ARN: not with DATABASE_AUTHENTICATION=iam, which needs no secret")
    if lacking := [name for name, value in _address(settings).items() if not value]:
        raise InvalidInput(f"set {', '.join(lacking)}: DATABASE_AUTHENTICATION=iam has no secret that names them")
    host, port, user = settings.database_host, settings.database_port, settings.database_user
    return _url(settings, user, sign_token(host, port, user), host, port, settings.database_name)


def _address(settings: Settings) -> dict[str, str]:
    """The variables that only IAM uses, by name. Not the port: with its default one cannot tell whether it was set."""
    return {
        "DATABASE_HOST": settings.database_host,
        "DATABASE_NAME": settings.database_name,
        "DATABASE_USER": settings.database_user,
    }


def _url(settings: Settings, user: str, password: str, host: str, port: int, name: str) -> str:
    login = ":".join(quote(part, safe="") for part in (user, password))
    place = f"{quote(host, safe='')}:{port}/{quote(name, safe='')}"
    # `system`: the public authorities, which suit RDS Proxy; a plain RDS instance needs Amazon's bundle.
    return f"postgresql://{login}@{place}?sslmode=verify-full&sslrootcert={quote(settings.database_ca_file, safe='')}"
