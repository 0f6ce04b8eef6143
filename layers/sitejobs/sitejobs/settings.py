"""A function's environment variables as one validated model."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sitejobs.errors import InvalidInput


class Settings(BaseModel):
    """What every function reads of its environment."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    database_url: str = Field(default="", alias="DATABASE_URL")
    database_secret_arn: str = Field(default="", alias="DATABASE_SECRET_ARN")
    database_ca_file: str = Field(default="system", alias="DATABASE_CA_FILE")
    database_search_path: str = Field(default="", alias="DATABASE_SEARCH_PATH")
    statement_timeout_ms: int = Field(default=0, alias="STATEMENT_TIMEOUT_MS", ge=0)
    work_bucket: str = Field(default="", alias="WORK_BUCKET")
    state_machine_prefix: str = Field(default="", alias="STATE_MACHINE_PREFIX")
    queue_url: str = Field(default="", alias="QUEUE_URL")
    queue_retry_seconds: float = Field(default=10, alias="QUEUE_RETRY_SECONDS", ge=0, le=900)
    run_stale_seconds: int = Field(default=1800, alias="RUN_STALE_SECONDS", ge=1)
    job_machines: str = Field(default="", alias="JOB_MACHINES")
    """ARN of the jobs' state machines up to the job's name; only the workflows' function has it."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Check the environment of a function.

    Raises
    ------
    InvalidInput : names the variable and what it takes.
    """
    try:
        return Settings.model_validate(dict(environment))
    except ValidationError as error:
        problems = [f"{detail['loc'][0]}: {detail['msg']}" for detail in error.errors()]
        raise InvalidInput("environment variable " + "; ".join(problems)) from None


def database_url(settings: Settings, read_secret: Callable[[str], str]) -> str:
    """The connection string: DATABASE_URL, or made from the secret in the shape RDS gives it.

    `read_secret(arn)` returns the secret's text. TLS is required and the server's certificate verified for a
    database reached through a secret.
    """
    if settings.database_url:
        return settings.database_url
    if not settings.database_secret_arn:
        raise InvalidInput("set DATABASE_SECRET_ARN or DATABASE_URL: the functions need a database")
    try:
        secret = json.loads(read_secret(settings.database_secret_arn))
        user, password, host = (quote(str(secret[name]), safe="") for name in ("username", "password", "host"))
        name = quote(str(secret.get("dbname") or "postgres"), safe="")
        port = int(secret.get("port") or 5432)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput(
            "the database secret must be a JSON object with host, username, password, and optionally port and dbname"
        ) from None
    # `system` knows the public authorities, which RDS Proxy uses; a plain RDS instance needs Amazon's bundle.
    authority = quote(settings.database_ca_file, safe="")
    return f"postgresql://{user}:{password}@{host}:{port}/{name}?sslmode=verify-full&sslrootcert={authority}"
