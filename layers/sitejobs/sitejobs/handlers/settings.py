"""A function's environment variables as one validated model."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NoReturn
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict
from pydantic import Field

from sitejobs.errors import InvalidInput
from sitejobs.handlers.authorities import joined_authorities
from sitejobs.postgres.address import read_address
from sitejobs.postgres.address_forms import EXAMPLE, as_uri, hosts_of
from sitejobs.postgres.parameters import plain
from sitejobs.variables import Variables, read_environment

ReadSecret = Callable[[str], str]
"""Returns the text of the secret with this ARN."""

VERIFIED: Final = {"sslmode": "verify-full"}

_OTHER_NAMES: Final = {
    other: name
    for name, others in (
        ("username", ("user",)),
        ("password", ("pass",)),
        ("host", ("hostname",)),
        ("port", ()),
        ("dbname", ("database", "databasename")),
        ("url", ("uri", "databaseurl", "connectionstring", "connectionuri")),
    )
    for other in (name, *others)
}
"""A secret's fields by RDS's names, and how else people name them; as names of parameters are compared."""

SignToken = Callable[[str, int, str], str]
"""Returns a token for one login: host, port, user."""


class Settings(Variables):
    """What every function reads from its environment."""

    database_url: str = Field(default="", alias="DATABASE_URL")
    database_authentication: Literal["password", "iam"] = Field(default="password", alias="DATABASE_AUTHENTICATION")
    database_secret_arn: str = Field(default="", alias="DATABASE_SECRET_ARN")
    # Where the database is, for "iam" and for a secret that does not say so, as those that RDS manages.
    database_host: str = Field(default="", alias="DATABASE_HOST")
    database_port: int = Field(default=5432, alias="DATABASE_PORT", ge=1, le=65535)
    database_name: str = Field(default="", alias="DATABASE_NAME")
    database_user: str = Field(default="", alias="DATABASE_USER")
    database_ca_file: str = Field(default="", alias="DATABASE_CA_FILE")
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


class MediaVariables(Variables):
    """Where the uploads are; `Rules` has the other variables of media."""

    bucket: str = Field(default="", alias="MEDIA_BUCKET")
    prefix: str = Field(default="", alias="MEDIA_PREFIX")


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


def with_secret(settings: Settings, arn: str, read_secret: ReadSecret) -> Settings:
    """The same database with the login of another secret, which need not say where the database is.

    Raises
    ------
    InvalidInput : the stack's own secret is no secret of a login.
    """
    own = _login(read_secret(settings.database_secret_arn)) if settings.database_secret_arn else {}
    place = {
        "database_host": str(own.get("host") or settings.database_host),
        "database_port": int(own.get("port") or settings.database_port),
        "database_name": str(own.get("dbname") or settings.database_name),
    }
    login = {"database_url": "", "database_authentication": "password", "database_user": "", "database_secret_arn": arn}
    return settings.model_copy(update=place | login)


def _login(text: str) -> dict[str, Any]:
    """A secret in RDS's shape, with a port that is a number if it has one."""
    try:
        secret = _fields(text.strip())
        str(secret["username"]), str(secret["password"]), int(secret.get("port") or 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidInput(
            "the database secret must be a JSON object with username, password, and optionally host, port and dbname,"
            f" or an address with a password: {EXAMPLE}"
        ) from None
    return secret


def _fields(text: str) -> dict[str, Any]:
    """What a secret says, by RDS's names; people also keep an address, or name the fields as their driver does."""
    if "://" in text and not text.startswith("{"):
        return _of_address(text)
    given: dict[str, Any] = json.loads(text)
    fields = {name: value for name, value in given.items() if name in _OTHER_NAMES.values()}
    for name, value in given.items():
        fields.setdefault(_OTHER_NAMES.get(plain(name), name), value)
    return _of_address(str(fields["url"])) if "url" in fields and "password" not in fields else fields


def _of_address(text: str) -> dict[str, Any]:
    address = read_address(text, "the database secret")
    parts = conninfo_to_dict(address.conninfo)
    hosts, ports = str(parts.get("host") or "").split(","), str(parts.get("port") or "").split(",")
    several = len(ports) > 1
    found = {
        "username": parts.get("user"),
        "password": parts.get("password"),
        "host": ",".join(map(":".join, zip(hosts, ports, strict=True))) if several else parts.get("host"),
        "port": None if several else parts.get("port"),
        "dbname": parts.get("dbname"),
        "search_path": address.search_path,
    }
    return {name: value for name, value in found.items() if value is not None}


def _url_of_secret(settings: Settings, read_secret: ReadSecret) -> str:
    if settings.database_user:
        raise InvalidInput(
            "DATABASE_USER: only with DATABASE_AUTHENTICATION=iam; with password the secret names the user"
        )
    if not settings.database_secret_arn:
        raise InvalidInput("set DATABASE_SECRET_ARN or DATABASE_URL: the functions need a database")
    secret = _login(read_secret(settings.database_secret_arn))
    user, password = str(secret["username"]), str(secret["password"])
    host, name = secret.get("host") or settings.database_host, secret.get("dbname") or settings.database_name
    port = int(secret.get("port") or settings.database_port)
    if lacking := [
        f"{variable} (or {key} in the secret)"
        for variable, key, value in (("DATABASE_HOST", "host", host), ("DATABASE_NAME", "dbname", name))
        if not value
    ]:
        raise InvalidInput(f"set {', '.join(lacking)}: the database secret does not say it")
    url = _url(settings, user, password, str(host), port, str(name))
    path = secret.get("search_path")
    return f"{url}&search_path={quote(str(path), safe='')}" if path else url


def _url_with_token(settings: Settings, sign_token: SignToken) -> str:
    if settings.database_secret_arn:
        raise InvalidInput("DATABASE_SECRET_ARN: not with DATABASE_AUTHENTICATION=iam, which needs no secret")
    address = {
        "DATABASE_HOST": settings.database_host,
        "DATABASE_NAME": settings.database_name,
        "DATABASE_USER": settings.database_user,
    }
    if lacking := [name for name, value in address.items() if not value]:
        raise InvalidInput(f"set {', '.join(lacking)}: DATABASE_AUTHENTICATION=iam has no secret that names them")
    host, port, user = settings.database_host, settings.database_port, settings.database_user
    return _url(settings, user, sign_token(host, port, user), host, port, settings.database_name)


def _url(settings: Settings, user: str, password: str, host: str, port: int, name: str) -> str:
    place = {"host": host, "port": ""}
    if host.count(":") == 1 or set(host) & set("[],"):  # not an IPv6 address alone
        place = dict(hosts_of(host, _refuse_host))
    authorities = settings.database_ca_file or joined_authorities()
    login = {"user": user, "password": password, "dbname": name}
    return as_uri({**login, **place, "port": place["port"] or str(port), **VERIFIED, "sslrootcert": authorities})


def _refuse_host(problem: str) -> NoReturn:
    raise InvalidInput(f"the database's host {problem}")
