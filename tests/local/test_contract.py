"""`sitejobs check`: everything that is missing in one report, with SQL that mends it; and the grants of a role."""

import uuid
from collections.abc import Collection, Iterator

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.postgres.connection import connect
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.check import Finding, check, missing_tables
from sitejobs.schema.model import Jobs
from sitejobs.schema.roles import role_script
from sitejobs.schema.site import EXTENSIONS, MEDIA, SITE_TABLES
from sitejobs_local.database import migrations

EVERY_JOB = sorted({job for table in SITE_TABLES for job in table.jobs or ()})


@pytest.fixture
def site(site_url: str) -> Iterator[Connection]:
    """A database with the site's tables and the bundle's."""
    with connect(site_url) as connection:
        yield connection


def findings(connection: Connection, jobs: Collection[str] = tuple(JOBS)) -> list[Finding]:
    return list(check(connection, jobs, migrations.pending(connection)).findings)


def only(found: list[Finding], kind: str) -> Finding:
    (finding,) = [finding for finding in found if finding.kind == kind]
    return finding


def test_a_migrated_site_lacks_nothing_for_any_job(site: Connection) -> None:
    assert check(site, EVERY_JOB).findings == ()


def test_where_an_extension_may_not_be_installed_migrations_do_without_and_the_check_says_so(
    site: Connection, site_url: str, role: str
) -> None:
    site.execute("DROP EXTENSION pg_trgm CASCADE")
    site.execute('DROP TABLE "ProfileSearchIndex", "SearchableUser"')
    site.execute("""DELETE FROM "SitejobsMigration" WHERE "name" IN
                    ('0006_searchable_user.sql', '0007_profile_search_index.sql')""")
    site.execute('DROP FUNCTION "profileSearchText", "profileSearchWords", "profileSearchVector", "profileSearchQuery"')
    site.execute(f'CREATE ROLE "{role}" LOGIN; GRANT ALL ON SCHEMA public TO "{role}"'.encode())
    site.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"'.encode())
    with connect(make_conninfo(site_url, user=role)) as connection:
        assert "0007_profile_search_index.sql" in migrations.apply(connection)
        report = check(connection, ("profile-search-index",))
        assert report.ok
        finding = only(list(report.findings), "extension")
        assert (finding.object, finding.level) == ("pg_trgm", "recommended")
        assert "no search by parts of a name" in finding.problem
    site.execute(finding.mend.partition("--")[0].encode())
    assert finding.mend.endswith("sitejobs db migrate --again")
    migrations.apply(site, again=True)
    assert findings(site) == []
    indexes = site.execute(
        "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%' ORDER BY 1"
    ).fetchall()
    assert indexes == [("ProfileSearchIndex_displayName_idx",), ("ProfileSearchIndex_letters_idx",)]


def test_the_contracts_own_tables_are_what_the_migrations_make(site: Connection) -> None:
    for table in BUNDLE_TABLES:
        rows = site.execute(
            """SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
               WHERE attrelid = to_regclass(quote_ident(%s)) AND attnum > 0 AND NOT attisdropped""",
            [table.name],
        ).fetchall()
        assert dict(rows) == {column.name: column.type for column in table.columns}, table.name
    made = site.execute(
        """SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
           AND NOT relname = ANY(%s)""",
        [[*(table.name for table in SITE_TABLES), "SitejobsMigration"]],
    ).fetchall()
    assert {name for (name,) in made} == {table.name for table in BUNDLE_TABLES}


def test_every_job_of_the_catalog_is_known_to_the_contract() -> None:
    assert set(JOBS) <= set(EVERY_JOB)


def test_an_empty_database_gives_one_report_of_every_table(database_url: str) -> None:
    with connect(database_url) as connection:
        report = check(connection, tuple(JOBS), migrations.pending(connection))
        missing = {finding.object for finding in report.findings if finding.kind == "table"}
        assert not report.ok
        assert {'"User"', '"Profile"', '"UserInterest"', '"MatchScore"', '"JobRun"', '"MatchScoreExplained"'} <= missing
        of_one_job = {finding.object for finding in check(connection, ["match-scores"], []).findings}
        assert '"Post"' in missing - of_one_job  # match-scores does not read it
        of_site, of_bundle = missing_tables(connection, tuple(JOBS))
        assert "User" in of_site
        assert "MatchScore" in of_bundle


def test_the_mends_of_an_empty_database_make_it_pass(database_url: str) -> None:
    with connect(database_url) as connection:
        for finding in findings(connection):
            if finding.kind == "table" and finding.mend.startswith("CREATE VIEW"):
                connection.execute(finding.mend.encode())
        migrations.apply(connection)
        assert check(connection, tuple(JOBS)).ok


def test_all_that_is_wrong_is_reported_at_once(site: Connection) -> None:
    site.execute("""
        ALTER TABLE "Profile" DROP COLUMN "lat";
        ALTER TABLE "ProfileRating" DROP CONSTRAINT "ProfileRating_smart_check";
        ALTER TABLE "ProfileRating" ALTER COLUMN "smart" TYPE text;
        DROP INDEX "UserBlock_blockedId_idx";
        DROP TABLE "UserPreference";
        ALTER TABLE "UserTrait" ALTER COLUMN "value" TYPE double precision;
        ALTER TABLE "JobRun" DROP COLUMN "heartbeatAt" CASCADE;
    """)
    found = {(finding.kind, finding.object) for finding in findings(site)}
    assert found == {
        ("column", '"Profile"."lat"'),
        ("type", '"ProfileRating"."smart"'),
        ("index", '"UserBlock"'),
        ("table", '"UserPreference"'),
        ("type", '"UserTrait"."value"'),
        ("column", '"JobRun"."heartbeatAt"'),
        ("table", '"JobRunOverview"'),  # which shows that column
    }


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ('ALTER TABLE "Profile" DROP COLUMN "birthdate"', "column"),
        ('ALTER TABLE "Profile" ALTER COLUMN "lat" TYPE text', "type"),
        ('ALTER TABLE "QuizResult" ALTER COLUMN "scoreVec" TYPE json', "type"),
        ('ALTER TABLE "MatchList" ALTER COLUMN "tierA" TYPE integer', "type"),
        ('ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key"', "index"),
        ('ALTER TABLE "MatchList" DROP CONSTRAINT "MatchList_pkey"', "index"),
        ('ALTER TABLE "UserTrait" DROP CONSTRAINT "UserTrait_pkey"', "index"),
        ('DROP INDEX "ProfileSearchIndex_searchVector_idx"', "index"),
        ('DROP INDEX "ProfileSearchIndex_lat_lng_idx"', "index"),
    ],
)
def test_the_sql_of_a_finding_mends_it(site: Connection, damage: str, kind: str) -> None:
    dependents = 'DROP VIEW "MatchScoreExplained", "MatchScore", "MatchCandidates"'
    if "MatchList" in damage:
        site.execute(dependents)
    site.execute(damage.encode())
    site.execute(only(findings(site), kind).mend.encode())
    if "MatchList" in damage:
        migrations.apply(site, again=True)
    assert findings(site) == []


def test_the_bundles_unique_indexes_are_required_and_the_sites_recommended(site: Connection) -> None:
    site.execute('ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key"')
    assert only(findings(site), "index").level == "recommended"
    site.execute('ALTER TABLE "UserTrait" DROP CONSTRAINT "UserTrait_pkey"')
    assert not check(site, tuple(JOBS)).ok


def test_an_invalid_a_partial_or_an_expression_index_does_not_count(site: Connection) -> None:
    site.execute("""
        DROP INDEX "UserBlock_blockedId_idx";
        CREATE INDEX ON "UserBlock" ("blockedId") WHERE "blockedId" > 5;
        CREATE INDEX ON "UserBlock" (("blockedId" + 0));
        CREATE INDEX ON "UserBlock" ("createdAt", "blockedId");
    """)
    assert only(findings(site), "index").object == '"UserBlock"'
    site.execute('CREATE INDEX ON "UserBlock" ("blockedId", "createdAt")')
    assert findings(site) == []


def test_types_of_one_family_domains_and_enums_pass(site: Connection) -> None:
    site.execute("""
        CREATE DOMAIN "Degrees" AS numeric(9, 6);
        ALTER TABLE "Profile" ALTER COLUMN "lat" TYPE "Degrees";
        ALTER TABLE "Profile" ALTER COLUMN "birthdate" TYPE timestamptz;
        ALTER TABLE "Profile" ALTER COLUMN "locationText" TYPE varchar(200);
        ALTER TABLE "UserBlock" ALTER COLUMN "blockedId" TYPE integer;
    """)
    assert findings(site) == []


def test_views_of_a_schema_on_the_search_path_satisfy_the_contract(site: Connection, site_url: str) -> None:
    site.execute("""
        CREATE SCHEMA "bridge";
        ALTER TABLE "Profile" RENAME TO "people";
        ALTER TABLE "people" RENAME COLUMN "lng" TO "longitude";
    """)
    (missing,) = [finding for finding in findings(site) if finding.level == "required"]
    assert missing.object == '"Profile"'
    site.execute("""
        CREATE VIEW "bridge"."Profile" AS
        SELECT "id", "userId", "birthdate", "locationText", "lat", "longitude" AS "lng", "gender", "isVisible",
               "updatedAt", "deletedAt", "displayName", "bio", "avatarUrl", "geoPrecision", "intent",
               "locationAccuracy" FROM "people"
    """)
    elsewhere = only([finding for finding in findings(site) if finding.level == "required"], "table")
    assert "stands in schema bridge" in elsewhere.problem
    with connect(site_url, search_path="bridge,public") as connection:
        report = check(connection, tuple(JOBS))
        assert report.ok
        assert {(finding.kind, finding.object) for finding in report.findings} == {("index", '"Profile"')}
        assert all("view" in finding.problem for finding in report.findings)


def test_the_mend_of_a_view_is_a_change_of_its_definition(site: Connection) -> None:
    site.execute("""
        ALTER TABLE "UserBlock" RENAME TO "blocks";
        CREATE VIEW "UserBlock" AS SELECT "blockerId"::text AS "blockerId" FROM "blocks";
    """)
    by_kind = {finding.kind: finding for finding in findings(site) if finding.level == "required"}
    assert by_kind["type"].mend == '-- in the view\'s SELECT: (...)::bigint AS "blockerId"'
    assert by_kind["column"].mend.startswith('-- in the view\'s SELECT: NULL::bigint AS "blockedId"')


def test_migrations_that_are_not_recorded_are_named(site: Connection) -> None:
    site.execute("""DELETE FROM "SitejobsMigration" WHERE "name" = '0041_job_run_statuses.sql'""")
    finding = only(findings(site), "migration")
    assert (finding.object, finding.mend) == ("0041_job_run_statuses.sql", "sitejobs db migrate")


def test_an_old_server_is_a_warning(site: Connection) -> None:
    from sitejobs.schema import check as module
    from sitejobs.schema.inspect import Found

    found = Found(120_005, "site", "db", ("public",), frozenset(), {}, {})
    (finding,) = module._Comparison(found, ("match-scores",), ()).findings([])
    assert (finding.level, finding.object) == ("recommended", "PostgreSQL 12.5")


# Roles ------------------------------------------------------------------------------------------------------


@pytest.fixture
def role(site: Connection) -> Iterator[str]:
    """The name of a role that does not exist yet; it is gone after the test."""
    name = f"worker of {uuid.uuid4().hex[:8]}"
    yield name
    if site.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None:
        quoted = f'"{name}"'
        site.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}".encode())


def as_role(site: Connection, site_url: str, role: str, jobs: Collection[str]) -> Connection:
    site.execute('REVOKE ALL ON SCHEMA "public" FROM PUBLIC')
    site.execute(role_script(role, jobs).encode())
    site.execute(f'ALTER ROLE "{role}" LOGIN'.encode())
    return connect(make_conninfo(site_url, user=role))


def test_the_role_script_grants_what_the_check_asks_for_and_may_run_twice(
    site: Connection, site_url: str, role: str
) -> None:
    site.execute(role_script(role, EVERY_JOB).encode())
    with as_role(site, site_url, role, EVERY_JOB) as connection:
        report = check(connection, EVERY_JOB, migrations.pending(connection))
        assert report.role == role
        assert [finding for finding in report.findings if finding.level == "required"] == []


def test_a_role_that_uses_tokens_of_iam_may_log_in_and_gets_what_rds_asks_for(site: Connection, role: str) -> None:
    # RDS has this role from the start.
    site.execute("CREATE ROLE rds_iam")
    try:
        site.execute(role_script(role, EVERY_JOB, with_iam=True).encode())
        asked = "SELECT rolcanlogin, pg_has_role(rolname, 'rds_iam', 'member') FROM pg_roles WHERE rolname = %s"
        assert site.execute(asked, [role]).fetchone() == (True, True)
    finally:
        site.execute("DROP ROLE rds_iam")


def test_a_role_can_read_the_site_and_write_the_bundles_tables_and_nothing_else(
    site: Connection, site_url: str, role: str
) -> None:
    site.execute("""
        INSERT INTO "User" DEFAULT VALUES;
        INSERT INTO "Media" ("ownerUserId", "type") VALUES (1, 'IMAGE');
        CREATE TABLE "Payment" ("id" bigint);
    """)
    with as_role(site, site_url, role, EVERY_JOB) as connection:
        for table in SITE_TABLES:
            connection.execute(f'SELECT * FROM "{table.name}"'.encode())
        connection.execute("""
            INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (1, 'calm', 1, 1);
            UPDATE "UserTrait" SET "n" = 2; DELETE FROM "UserTrait";
            INSERT INTO "JobRun" ("job", "scope", "execution", "trigger", "options")
            VALUES ('match-scores', 'all', 'one', 'cli', '{}');
            UPDATE "Media" SET "status" = 'READY', "width" = 1, "height" = 1, "durationSec" = 1, "mimeType" = 'a/b';
            SELECT * FROM "MatchScoreExplained";
        """)
        for forbidden in (
            'UPDATE "Media" SET "storageKey" = NULL',
            'DELETE FROM "Media"',
            'UPDATE "User" SET "deletedAt" = now()',
            'INSERT INTO "UserBlock" VALUES (1, 1)',
            'DELETE FROM "Profile"',
            'SELECT * FROM "Payment"',
            'TRUNCATE "MatchList"',
            'DROP TABLE "MatchList"',
            'CREATE TABLE "Mine" ()',
            'UPDATE "SitejobsMigration" SET "checksum" = NULL',
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())


def test_a_role_may_do_what_its_jobs_need_only(site: Connection, site_url: str, role: str) -> None:
    with as_role(site, site_url, role, ["match-scores"]) as connection:
        assert check(connection, ["match-scores"]).ok
        for forbidden in ('SELECT * FROM "Post"', """UPDATE "Media" SET "status" = 'READY'"""):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())


def test_a_missing_privilege_is_reported_with_the_grant_that_mends_it(
    site: Connection, site_url: str, role: str
) -> None:
    with as_role(site, site_url, role, EVERY_JOB) as connection:
        site.execute(
            f"""
            REVOKE SELECT ON "UserBlock" FROM "{role}";
            REVOKE DELETE ON "UserTrait" FROM "{role}";
            REVOKE UPDATE ("width") ON "Media" FROM "{role}";
        """.encode()
        )
        found = [finding for finding in findings(connection, EVERY_JOB) if finding.kind == "privilege"]
        assert {(finding.object, finding.problem) for finding in found} == {
            ('"UserBlock"', f"{role} may not SELECT"),
            ('"UserTrait"', f"{role} may not DELETE"),
            ('"Media"', f'{role} may not UPDATE ("width")'),
        }
        for finding in found:
            site.execute(finding.mend.encode())
        assert [finding for finding in findings(connection, EVERY_JOB) if finding.kind == "privilege"] == []


def test_select_granted_column_by_column_is_enough(site: Connection, site_url: str, role: str) -> None:
    with as_role(site, site_url, role, ["match-scores"]) as connection:
        site.execute(
            f"""
            REVOKE SELECT ON "UserBlock" FROM "{role}";
            GRANT SELECT ("blockerId", "blockedId") ON "UserBlock" TO "{role}";
        """.encode()
        )
        assert check(connection, ["match-scores"]).ok


def test_each_finding_names_the_jobs_that_need_it(site: Connection) -> None:
    site.execute('DROP TABLE "LikedPost"; ALTER TABLE "Media" DROP COLUMN "width"; DROP EXTENSION pg_trgm CASCADE')
    needed_by: dict[str, Jobs] = {finding.object: finding.jobs for finding in findings(site, EVERY_JOB)}
    assert needed_by['"LikedPost"'] == ("affinity", "trending")
    assert needed_by['"Media"."width"'] == MEDIA
    assert needed_by["pg_trgm"] == EXTENSIONS[0].jobs
