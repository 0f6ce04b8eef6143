"""Addresses of databases as sites have them, for libpq."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitejobs.errors import InvalidInput
from sitejobs.postgres.address import read_address
from sitejobs.postgres.connection import connect
from sitejobs.postgres.parameters import IGNORED, LIBPQ, UNDERSTOOD
from tests.connections import setting
from tests.local.command import environment, sitejobs
from tests.postgres_wire import gatekeeper, tls_of_localhost

AT_HOME = "postgresql://site:pw@db:5432/main"


def parts(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url).items()}


def refused(url: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_address(url)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "same_as", "search_path"),
    [
        (f"{AT_HOME}?schema=public", AT_HOME, "sitejobs,public"),
        (f"{AT_HOME}?schema=MySite&pgbouncer=true", AT_HOME, 'sitejobs,"MySite"'),
        (f"{AT_HOME}?schema=sitejobs", AT_HOME, "sitejobs"),
        (f"{AT_HOME}?schema=", AT_HOME, None),
        (f"{AT_HOME}?search_path=app,Public", AT_HOME, "sitejobs,app,public"),
        (f"{AT_HOME}?options[search_path]=app", AT_HOME, "sitejobs,app"),
        (f"{AT_HOME}?connection_limit=1&pool_timeout=20&statement_cache_size=0&socket_timeout=5&", AT_HOME, None),
        (f"{AT_HOME}?ssl=true", f"{AT_HOME}?sslmode=require", None),
        (f"{AT_HOME}?ssl=0", f"{AT_HOME}?sslmode=disable", None),
        (f"{AT_HOME}?ssl=true&sslmode=verify-ca", f"{AT_HOME}?sslmode=verify-ca", None),
        (f"{AT_HOME}?sslmode=no-verify", f"{AT_HOME}?sslmode=require", None),
        (f"{AT_HOME}?sslMode=VERIFY_CA", f"{AT_HOME}?sslmode=verify-ca", None),
        (f"{AT_HOME}?sslmode=require&uselibpqcompat=true", f"{AT_HOME}?sslmode=require", None),
        (f"{AT_HOME}?sslmode=require&sslaccept=accept_invalid_certs", f"{AT_HOME}?sslmode=require", None),
        (f'{AT_HOME}?ssl={{"rejectUnauthorized":false}}', f"{AT_HOME}?sslmode=require", None),
        ("postgresql+psycopg://site:pw@db:5432/main", AT_HOME, None),
        ("postgresql+asyncpg://site:pw@db:5432/main?ssl=require&timeout=5", f"{AT_HOME}?sslmode=require", None),
        ("postgis://site:pw@db:5432/main?conn_max_age=60", AT_HOME, None),
        ("postgresql+psycopg2://site:pw@/main?host=a:1&host=b:2", "postgresql://site:pw@a:1,b:2/main", None),
        (
            "jdbc:postgresql://a:1,b:2/main?user=site&password=pw&currentSchema=app,public&targetServerType=primary",
            "postgresql://site:pw@a:1,b:2/main?target_session_attrs=read-write",
            "sitejobs,app,public",
        ),
        ("r2dbc:pool:postgresql://site:pw@db:5432/main?schema=app", AT_HOME, "sitejobs,app"),
        ("jdbc:aws-wrapper:postgresql://db:5432/main?user=site&password=pw&wrapperPlugins=failover", AT_HOME, None),
        (
            "Host=db;Port=5432;Database=main;Username=site;Password='p;w';SSL Mode=VerifyCA;Maximum Pool Size=5;",
            "host=db port=5432 dbname=main user=site password=p;w sslmode=verify-ca",
            None,
        ),
        ("Server=db;User Id=site;Database=main;Search Path=app", "host=db user=site dbname=main", "sitejobs,app"),
        (
            "host=db user=site password=pw dbname=main port=5432 sslmode=disable TimeZone=Asia/Shanghai",
            f"{AT_HOME}?sslmode=disable",
            None,
        ),
        (f" '{AT_HOME}'\n", AT_HOME, None),
        ("postgresql://site:p@w:d@db:5432/main", "postgresql://site:p%40w%3Ad@db:5432/main", None),
        ("postgresql://site@server:pw@db:5432/main", "postgresql://site%40server:pw@db:5432/main", None),
        ("postgresql://site:pw@db:5432/main/", AT_HOME, None),
        ("host=db user=site schema=app dbname='my main'", "host=db user=site dbname='my main'", "sitejobs,app"),
    ],
)
def test_words_of_other_drivers_are_put_into_libpqs(url: str, same_as: str, search_path: str | None) -> None:
    address = read_address(url)
    assert parts(address.conninfo) == parts(same_as)
    assert address.search_path == search_path
    assert read_address(address.conninfo).conninfo == address.conninfo


@pytest.mark.parametrize(
    "url",
    [
        AT_HOME,
        "postgres://site:p%40w@db/main?sslmode=require",
        "postgresql://a:1,b:2,[::1]:3/main?target_session_attrs=any",
        "postgresql://site:p?w#d:x@db/main",
        "postgresql:///main?host=/var/run/postgresql",
        "postgresql://site:pw@localhost/main?host=/cloudsql/project:region:instance",
        "postgresql://%2Fvar%2Frun/main",
        "postgresql://postgres.abcd:pw@aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
        "postgresql://me:pw@ep-cool-1-pooler.us-east-2.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
        "postgresql://me:pw@ep-cool-1.us-east-2.aws.neon.tech/neondb?sslmode=require&options=endpoint%3Dep-cool-1",
        "postgresql://db/main?user=me@there&password=p@w",
        "postgresql://",
        "host=db password='p \\'w' dbname = main",
        "",
    ],
)
def test_what_libpq_takes_stays_as_it_is(url: str) -> None:
    address = read_address(url)
    assert (address.conninfo, address.search_path, address.notes) == (url, None, ())


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"{AT_HOME}?connectionlimit=1&pool_timeout=2&schema=x", ["effect here: connectionlimit, pool_timeout"]),
        (f"{AT_HOME}?sslmode=no-verify", ["sslmode=no-verify is taken as sslmode=require.*not checked.*verify-full"]),
        (f"{AT_HOME}?schema=x&pgbouncer=true&uselibpqcompat=true", []),
    ],
)
def test_what_is_left_out_or_weaker_than_it_looks_is_told(url: str, told: list[str]) -> None:
    notes = read_address(url).notes
    assert len(notes) == len(told)
    for note, pattern in zip(notes, told, strict=True):
        assert note.startswith("DATABASE_URL: ")
        assert re.search(pattern, note)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"{AT_HOME}?sslmod=require", "sslmod (did you mean sslmode?)"),
        (f"{AT_HOME}?frobnicate=1", "has a parameter that neither PostgreSQL nor a known driver has: frobnicate"),
        (f"{AT_HOME}?sslmode=requirred", "sslmode that is none: it is one of disable, allow, prefer, require"),
        (f"{AT_HOME}?ssl=maybe", "write sslmode=require"),
        (f"{AT_HOME}?connect_timeout=30s", "connect_timeout that is no whole number"),
        (f"{AT_HOME}?sslidentity=client.p12", "write sslcert and sslkey"),
        (f"{AT_HOME}?sslmode=verify-full&sslrootcert=certs/gone.pem", "sslrootcert with a file that is not there"),
        ("postgresql://site:pw@db:54x/main", "a port that is no number"),
        ("postgresql://a:1,b:2,c/main?port=1,2", "another number of ports than of hosts"),
        ("postgresql://site:pw@::1:5432/main", "IPv6 address without brackets"),
        ("postgresql://site:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres", "placeholder of its password"),
        ("prisma+postgres://accelerate.prisma-data.net/?api_key=ey", "Prisma's own service"),
        ("https://abcd.supabase.co", "web page or an API"),
        ("jdbc:postgresql:///main?cloudSqlInstance=a:b:c", "start the Cloud SQL Auth Proxy"),
        ("mysql://site:pw@db/main", "mysql://, and the jobs need a PostgreSQL"),
    ],
)
def test_what_cannot_be_taken_is_named(url: str, told: str) -> None:
    message = refused(url)
    assert message.startswith("DATABASE_URL ")
    assert told in message


@pytest.mark.parametrize("character", ["/", "?/", "/?", "/?a=1&b", "%", "%zz", "#/", "@/", "%00", "%ff"])
def test_a_password_that_must_be_escaped_is_told_and_not_shown(character: str) -> None:
    message = refused(f"postgresql://site:zebu{character}lon@db/main?sslmode=require")
    assert "zebu" not in message
    assert "lon" not in message
    assert message.startswith("DATABASE_URL has ")


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12), st.booleans())
def test_no_message_shows_a_password(secret: str, escaped: bool) -> None:
    written = "q9" + (quote(secret, safe="") if escaped else secret) + "9q"
    for url in (
        f"postgres://site:{written}@db/main?foo=1",
        f"host=db password={written} frob=1",
        f"Host=d;Password={written};x=1",
    ):
        try:
            address = read_address(url)
        except InvalidInput as error:
            assert "q9" not in str(error)
            assert "9q" not in str(error)
        else:
            assert "q9" not in repr(address)
    if escaped:
        address = read_address(f"postgres://site:{written}@db/main?schema=x")
        assert conninfo_to_dict(address.conninfo)["password"] == f"q9{secret}9q"


def test_files_are_found_from_the_working_folder_or_prismas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prisma").mkdir()
    (tmp_path / "prisma" / "ca.pem").touch()
    (tmp_path / "root.pem").touch()
    monkeypatch.chdir(tmp_path)
    assert parts(read_address(f"{AT_HOME}?sslrootcert=root.pem").conninfo)["sslrootcert"] == f"{tmp_path}/root.pem"
    address = read_address(f"{AT_HOME}?sslaccept=strict&sslcert=./ca.pem&sslmode=require")
    found = parts(address.conninfo)
    assert (found["sslmode"], found["sslrootcert"]) == ("verify-full", f"{tmp_path}/prisma/ca.pem")
    assert "sslcert" not in found
    assert "the authority's file" in address.notes[0]


@pytest.mark.parametrize(
    "words", ["sslmode=verify-full", "sslrootcert=system", "sslmode=require&sslaccept=strict", "sslMode=VERIFY_FULL"]
)
def test_without_a_file_the_systems_authorities_vouch_for_the_server(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    tls, authority = tls_of_localhost(tmp_path)
    place = conninfo_to_dict(database_url)
    with gatekeeper(lambda startup: None, f"{place['host']}/.s.PGSQL.5432", tls=tls) as port:
        url = f"postgresql://{place['user']}:pw@localhost:{port}/{place['dbname']}?{words}"
        with pytest.raises(OperationalError, match="certificate verify failed"):
            connect(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        connect(url).close()


def test_no_name_is_ours_and_somebody_elses() -> None:
    assert not IGNORED & LIBPQ.keys()
    assert not UNDERSTOOD & LIBPQ.keys()


def test_the_schema_that_prisma_names_is_looked_in(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute('CREATE SCHEMA "Old"; CREATE TABLE "Old"."Here" ()')
    address = f"{database_url}&schema=Old&pgbouncer=true&connection_limit=1"
    with connect(address) as connection:
        connection.execute('SELECT FROM "Here"')
        assert setting(connection, "search_path") == 'sitejobs,"Old"'
    with connect(address, search_path="public") as connection:
        assert setting(connection, "search_path") == "public"


def test_a_command_takes_such_an_address_and_hands_it_to_the_functions(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute('CREATE SCHEMA "Old"')
    env = environment(DATABASE_URL=f"{database_url}&schema=Old&connection_limit=1")
    told = sitejobs("db", "url", env=env)
    assert (told.returncode, told.stdout.strip()) == (0, database_url)
    assert told.stderr == "note: DATABASE_URL: settings of other drivers, without effect here: connection_limit\n"
    assert sitejobs("population", "--users=20", env=env).returncode == 0
    with connect(make_conninfo(database_url, options="-c search_path=Old")) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert row == (0,)
    done = sitejobs("user-interest-sets", env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_address_that_cannot_be_taken_ends_the_command_before_anything_is_read() -> None:
    told = sitejobs("check", env=environment(DATABASE_URL="postgresql://site:zebu/lon@db/main"))
    assert told.returncode == 2
    assert "must be escaped" in told.stderr
    assert "zebu" not in told.stderr
