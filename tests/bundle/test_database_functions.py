"""The built functions that check and migrate a database, under Lambda's runtime interface emulator."""

import json

import psycopg
import pytest

from sitejobs.aliases import JsonObject
from sitejobs.schema.migrations import MIGRATIONS
from sitejobs_local.places import SITE_SCHEMA
from tests.bundle.conftest import Cloud, Start

pytestmark = pytest.mark.bundle

NOWHERE = "postgresql://somebody:a-password@127.0.0.1:1/nowhere"
ALL = sorted(file.name for file in MIGRATIONS.glob("*.sql"))


@pytest.fixture
def bare_site(database_url: str) -> str:
    """A database with the site's tables, and none of the bundle's."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SITE_SCHEMA.read_bytes())  # without the embedded database's record of it
    return database_url


def named(answer: JsonObject, kind: str) -> set[str]:
    return {finding["object"] for finding in answer["findings"] if finding["kind"] == kind}


def test_a_bare_site_is_migrated_once_and_checked_before_and_after(start: Start, cloud: Cloud, bare_site: str) -> None:
    places = {"MEDIA_BUCKET": cloud.bucket, "MEDIA_PREFIX": "media/", "QUEUE_URL": cloud.make_queue()}
    check = start("CheckFunction", DATABASE_URL=bare_site, **places)
    before = check.invoke({})
    assert before["ok"] is False
    assert '"MatchList"' in named(before, "table")
    assert set(ALL) <= named(before, "migration")
    migrate = start("MigrateFunction", DATABASE_URL=bare_site)
    assert migrate.invoke({"again": False}) == {"applied": ALL}
    assert migrate.invoke({}) == {"applied": []}
    after = check.invoke({})
    assert after["ok"] is True
    assert named(after, "service") | named(after, "table") | named(after, "migration") == set()
    assert len(json.dumps(before)) < 1_000_000  # an answer may have 6 MB


def test_what_is_not_reached_is_told_all_at_once_and_no_login_with_it(start: Start, cloud: Cloud) -> None:
    places = {"WORK_BUCKET": "gone", "MEDIA_BUCKET": "gone-too", "QUEUE_URL": f"{cloud.endpoint}/123456789012/gone"}
    check = start("CheckFunction", DATABASE_URL=NOWHERE, **places)
    answer = check.invoke({})
    assert (answer["ok"], answer["server"]) == (False, "")
    assert named(answer, "service") == {"the work bucket", "the uploads' bucket", "the uploads' queue"}
    [database] = [finding for finding in answer["findings"] if finding["object"] == "the database"]
    assert "Connection refused" in database["problem"]
    assert "a-password" not in json.dumps(answer) + check.log.read_text()


def test_another_login_is_read_from_its_secret_and_a_wrong_option_is_named(start: Start, cloud: Cloud) -> None:
    login = {"host": "127.0.0.1", "port": 1, "username": "owner", "password": "a-password", "dbname": "site"}
    secret = cloud.store_secret(json.dumps(login))
    migrate = start("MigrateFunction", DATABASE_URL="", DATABASE_SECRET_ARN="")
    answer = migrate.invoke({"secret": secret})
    assert (answer["errorType"], answer["errorMessage"]) == ("Transient", "OperationalError: Connection refused")
    refused = migrate.invoke({"secret": 8, "place": "x"})
    assert refused["errorType"] == "InvalidInput"
    assert "secret must be" in refused["errorMessage"]
    assert "unknown option 'place'" in refused["errorMessage"]
    assert "a-password" not in json.dumps([answer, refused]) + migrate.log.read_text()


def test_a_role_that_may_not_make_tables_is_told_so(start: Start, bare_site: str) -> None:
    with psycopg.connect(bare_site, autocommit=True) as connection:
        connection.execute("CREATE ROLE poor_runner LOGIN")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        url = f"{bare_site}{'&' if '?' in bare_site else '?'}options=-c%20role%3Dpoor_runner"
        answer = start("MigrateFunction", DATABASE_URL=url).invoke({})
        assert answer["errorType"] == "InvalidInput"
        assert '"poor_runner" may not make tables in schema "sitejobs"' in answer["errorMessage"]
    finally:
        with psycopg.connect(bare_site, autocommit=True) as connection:
            connection.execute("DROP OWNED BY poor_runner; DROP ROLE poor_runner")
