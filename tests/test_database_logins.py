"""Logins that change while a function lives: a password that was rotated, a token that lasts for minutes."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitejobs.errors import DatabaseFailure, Transient
from sitejobs.postgres.connection import Database, connect, translated_errors
from tests.connections import behind, pid, setting
from tests.postgres_wire import Startup, gatekeeper, tls_of_localhost

# ---- a password that was changed


def test_a_login_that_is_refused_once_it_worked_is_tried_with_the_address_that_is_kept_now(database_url: str) -> None:
    """As after a rotation of the secret, while the function's environment lives on."""
    kept, refused, asked = ["old"], set[str](), []

    def read() -> str:
        asked.append(kept[0])
        return make_conninfo(url, application_name=kept[0])

    def refusal(startup: Startup) -> str | None:
        return "password authentication failed" if startup["application_name"] in refused else None

    with behind(refusal, database_url) as url:
        database = Database(read)
        database.connection()
        database.close()
        database.connection()
        assert asked == ["old"]
        database.close()
        kept[0] = "new"
        refused.add("old")
        assert setting(database.connection(), "application_name") == "new"
        assert asked == ["old", "new"]
        database.close()
        refused.add("new")
        with pytest.raises(DatabaseFailure, match="password authentication failed"), translated_errors():
            database.connection()
        assert asked == ["old", "new", "new"]


def test_an_address_is_not_asked_for_again_while_the_server_is_only_busy(database_url: str) -> None:
    asked = []

    def read() -> str:
        asked.append(1)
        return url

    answers = iter([None, "sorry, too many clients already", None])
    with behind(lambda startup: next(answers), database_url) as url:
        database = Database(read)
        database.connection()
        database.close()
        with pytest.raises(Transient), translated_errors():
            database.connection()
        database.connection()
        database.close()
    assert len(asked) == 1


# ---- a login that lasts for some minutes


def test_every_connection_asks_for_an_address_of_its_own(database_url: str, tmp_path: Path) -> None:
    """As a token of IAM wants it: the second connection may be made when the first one's has expired."""
    tls, authority = tls_of_localhost(tmp_path)
    secure = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(authority)}
    folder, user = (conninfo_to_dict(database_url)[name] for name in ("host", "user"))
    tokens, logins = iter(["first&=+/", "second"]), []

    def read() -> str:
        return make_conninfo(database_url, password=next(tokens), port=port, **secure)

    def refusal(startup: Startup) -> str | None:
        logins.append((startup["user"], startup["password"], startup["tls"]))
        return None

    with gatekeeper(refusal, f"{folder}/.s.PGSQL.5432", tls=tls) as port:
        database = Database(read, renewed=True)
        first = pid(database.connection())
        assert pid(database.connection()) == first
        with connect(database_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert setting(database.connection(), "TimeZone") == "UTC"
        database.close()
    assert logins == [(user, "first&=+/", "TLSv1.3"), (user, "second", "TLSv1.3")]


def test_a_token_that_is_refused_is_a_final_error_and_never_shown(database_url: str, tmp_path: Path) -> None:
    tls, authority = tls_of_localhost(tmp_path)
    secure = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": str(authority)}
    asked = []

    def read() -> str:
        asked.append(1)
        return make_conninfo(database_url, password="a-token", port=port, **secure)

    with gatekeeper(lambda startup: "PAM authentication failed for user", "", tls=tls) as port:
        database = Database(read, renewed=True)
        with pytest.raises(DatabaseFailure, match=r"PAM authentication failed$") as caught, translated_errors():
            database.connection()
    assert len(asked) == 1
    assert "a-token" not in str(caught.value)
