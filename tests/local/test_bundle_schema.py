"""The bundle in a schema of its own, beside a site that has names of the bundle's."""

import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import check
from sitejobs.schema.home import home_of, made_by
from sitejobs.schema.migrations import MIGRATIONS, read
from sitejobs_local.commands.database import _psql
from sitejobs_local.database import migrations
from sitejobs_local.population import generate, load
from tests.local.command import environment, sitejobs
from tests.local.every_job import JOBS_IN_ORDER, run_job

THEIRS = """
CREATE TABLE "UserTrait" ("id" serial PRIMARY KEY, "userId" integer, "trait" text);
CREATE VIEW "MatchScoreExplained" AS SELECT 1 AS "one";
CREATE TYPE "TrendingScore" AS ENUM ('low', 'high');
CREATE FUNCTION "matchViews"(boolean) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE INDEX "JobRun_running_key" ON "UserTrait" ("trait");
INSERT INTO "UserTrait" ("userId", "trait") VALUES (1, 'kind');
"""
NAMES = ["JobRun_running_key", "MatchScoreExplained", "TrendingScore", "UserTrait", "matchViews"]
_THINGS = """
SELECT relname::text FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
UNION ALL SELECT typname FROM pg_type WHERE typnamespace = %(schema)s::regnamespace
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
UNION ALL SELECT extname FROM pg_extension WHERE extnamespace = %(schema)s::regnamespace
UNION ALL SELECT opcname FROM pg_opclass WHERE opcnamespace = %(schema)s::regnamespace ORDER BY 1
"""
# Names that PostgreSQL chose itself are never taken; those of others are.
_CHOSEN = """
SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'sitejobs'::regnamespace
  AND (c.relkind = 'S' OR c.relkind = 'i' AND EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = c.oid))
UNION ALL SELECT 'SitejobsMigration'
UNION ALL SELECT p.proname || '()' FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
"""
_MADE = """
SELECT relname::text FROM pg_class WHERE relnamespace = 'sitejobs'::regnamespace AND relkind IN ('r', 'v', 'i', 'S')
UNION SELECT proname || '()' FROM pg_proc WHERE pronamespace = 'sitejobs'::regnamespace
"""


@pytest.fixture
def site(database_url: str) -> Iterator[Connection]:
    """A site in schema public, without the bundle, as a session of the command sees it."""
    with connect(database_url, first_schema="sitejobs") as connection:
        migrations.apply_site_schema(connection)
        yield connection


def theirs(url: str, text: str = THEIRS) -> None:
    with connect(url) as connection:
        connection.execute(text.encode())


def things(connection: Connection, schema: str = "public") -> list[str]:
    return [name for (name,) in connection.execute(_THINGS, {"schema": schema}).fetchall()]


def test_nothing_of_the_bundle_lies_in_the_sites_schema(site: Connection) -> None:
    before = things(site)
    migrations.apply(site)
    assert things(site) == before
    assert {"MatchScore", "SitejobsMigration", "pg_trgm"} <= set(things(site, "sitejobs"))
    assert check(site, list(JOBS), migrations.pending(site)).findings == ()
    assert migrations.apply(site) == []
    migrations.apply(site, again=True)
    assert things(site) == before


def test_what_a_migration_makes_is_what_is_recorded_of_it(site: Connection) -> None:
    migrations.apply(site)
    real = {name for (name,) in site.execute(_MADE)} - {name for (name,) in site.execute(_CHOSEN)}
    named = {name for migration in read(MIGRATIONS) for name in migration.made}
    of_the_move = {"MatchScoreRow", "MatchScoreSpare", "FeedPresortedRow", "FeedPresortedSpare"}
    gone_with_it = {"MatchScore_userId_rank_idx"}
    assert named - real <= of_the_move | gone_with_it
    assert real - named == set()
    recorded = site.execute("""SELECT unnest("objects") FROM sitejobs."SitejobsMigration" """).fetchall()
    assert {name for (name,) in recorded} == named


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b'CREATE TABLE IF NOT EXISTS "A" (', {"A"}),
        (b'CREATE UNIQUE INDEX "b_idx"\n    ON "A"', {"b_idx"}),
        (b'CREATE OR REPLACE FUNCTION "f"("x" text)', {"f()"}),
        (b'ALTER TABLE "A" RENAME TO "C"', {"C"}),
    ],
)
def test_names_are_read_of_a_migrations_text(text: bytes, names: set[str]) -> None:
    assert made_by(text) == names


def test_the_sites_namesakes_stay_what_they_are_beside_a_schema_of_the_bundles_own(
    site: Connection, database_url: str
) -> None:
    theirs(database_url)
    before = things(site)
    migrations.apply(site)
    migrations.apply(site, again=True)
    assert things(site) == before
    assert site.execute('SELECT "userId", "trait" FROM public."UserTrait"').fetchall() == [(1, "kind")]
    assert check(site, list(JOBS), migrations.pending(site)).findings == ()


def test_in_one_schema_all_namesakes_are_told_at_once_before_anything_is_written(
    site: Connection, database_url: str
) -> None:
    theirs(database_url)
    before = things(site)
    env = environment(DATABASE_URL=database_url, DATABASE_SEARCH_PATH="public")
    refused = sitejobs("db", "migrate", env=env)
    assert refused.returncode == 2
    for name in NAMES:
        assert f'"{name}"' in refused.stderr
    assert "DATABASE_SEARCH_PATH=sitejobs,public sitejobs db migrate --schema sitejobs" in refused.stderr
    assert 'ALTER INDEX "public"."JobRun_running_key" RENAME TO' in refused.stderr
    assert things(site) == before
    with connect(database_url) as connection:
        findings = check(connection, list(JOBS), migrations.pending(connection)).findings
        required = [it for it in findings if it.level == "required"]
        assert [it.object for it in required] == [", ".join(f'"{name}"' for name in NAMES)]
        assert not any(it.kind == "migration" for it in findings)
        assert "db migrate --schema sitejobs" in required[0].mend
    helped = sitejobs("db", "migrate", "--schema=sitejobs", env={**env, "DATABASE_SEARCH_PATH": "sitejobs,public"})
    assert helped.returncode == 0, helped.stderr
    assert things(site) == before
    assert check(site, list(JOBS), migrations.pending(site)).findings == ()


def test_an_installation_of_before_the_names_were_kept_goes_on_where_it_is(site: Connection, database_url: str) -> None:
    with connect(database_url) as connection:
        migrations.apply(connection)
        connection.execute('ALTER TABLE "SitejobsMigration" DROP COLUMN "objects"')
        site.execute("""DELETE FROM public."SitejobsMigration" WHERE "name" ~ '^0072' """)
        assert home_of(site).schema == "public"
        assert migrations.apply(site) == ["0072_compatibility_chance.sql"]
        untold = site.execute('SELECT count(*) FROM public."SitejobsMigration" WHERE "objects" IS NULL').fetchone()
        assert untold == (0,)
        assert check(site, list(JOBS), migrations.pending(site)).findings == ()


def test_what_an_older_version_took_for_its_own_is_found(database_url: str) -> None:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
        connection.execute('DROP TABLE "SitejobsMigration"')
        connection.execute(THEIRS.partition("CREATE VIEW")[0])
        # As it was done: the table is there, so the migration passes it over, and records that it was applied.
        connection.execute('ALTER TABLE "UserTrait" RENAME TO "Theirs"')
        migrations.apply(connection)
        connection.execute("""DROP TABLE "UserTrait"; ALTER TABLE "Theirs" RENAME TO "UserTrait";
                              ALTER TABLE "SitejobsMigration" DROP COLUMN "objects" """)
        with pytest.raises(InvalidInput, match=r'in schema "public" "UserTrait" \(table\) has a name'):
            migrations.apply(connection)


def test_a_restored_dump_is_an_installation_still(site: Connection, tmp_path: Path) -> None:
    """Its numbers say nothing any more: the tables were made in the order of their names."""
    migrations.apply(site)
    site.execute('ALTER TABLE sitejobs."SitejobsMigration" DROP COLUMN "objects"')
    site.execute("""
        CREATE TABLE sitejobs."Copy" (LIKE sitejobs."SitejobsMigration" INCLUDING ALL);
        INSERT INTO sitejobs."Copy" TABLE sitejobs."SitejobsMigration";
        DROP TABLE sitejobs."SitejobsMigration";
        ALTER TABLE sitejobs."Copy" RENAME TO "SitejobsMigration";
    """)
    assert migrations.apply(site) == []
    assert check(site, list(JOBS), migrations.pending(site)).findings == ()


@pytest.mark.parametrize("schema", ["app", "The App"])
def test_the_site_may_be_in_a_schema_of_any_name(database_url: str, schema: str) -> None:
    path = f'"{schema}"'
    with connect(database_url) as owner:
        owner.execute(f'CREATE SCHEMA "{schema}"'.encode())
    with connect(make_conninfo(database_url, options=f"-c search_path={path.replace(' ', chr(92) + ' ')}")) as session:
        migrations.apply_site_schema(session)
        theirs(database_url, f'SET search_path = "{schema}"; {THEIRS}')
        migrations.apply(session)
        assert home_of(session).schema == "sitejobs"
        assert check(session, list(JOBS), migrations.pending(session)).findings == ()
        assert things(session, "public") == []


@pytest.mark.parametrize("kept", ["ROLE CURRENT_USER IN DATABASE", "DATABASE"])
def test_what_the_database_says_of_the_path_stands_behind_the_bundles_schema(database_url: str, kept: str) -> None:
    with connect(database_url) as owner:
        name = owner.info.dbname
        owner.execute('CREATE SCHEMA "app"')
        owner.execute(f'ALTER {kept} "{name}" SET search_path = app, public'.encode())
    with connect(database_url, first_schema="sitejobs") as session:
        assert session.execute("SHOW search_path").fetchone() == ("sitejobs,app,public",)
    with connect(database_url, search_path="public", first_schema="sitejobs") as session:
        assert session.execute("SHOW search_path").fetchone() == ("public",)


def test_a_schema_that_the_jobs_would_not_find_is_refused(site: Connection, database_url: str) -> None:
    env = environment(DATABASE_URL=database_url, DATABASE_SEARCH_PATH="public")
    refused = sitejobs("db", "migrate", "--schema=jobs", env=env)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "DATABASE_SEARCH_PATH=jobs,public" in refused.stderr


def test_an_installation_is_moved_with_its_rows_and_grants(site: Connection, database_url: str) -> None:
    """Also one that an older version made of the site's own table, in part."""
    with connect(database_url) as connection:
        connection.execute('CREATE TABLE "Theirs" ("id" serial, "trait" text)')
        migrations.apply(connection)
        connection.execute("""
            DROP TABLE "UserTrait"; ALTER TABLE "Theirs" RENAME TO "UserTrait";
            ALTER TABLE "SitejobsMigration" DROP COLUMN "objects";
            CREATE ROLE moved_reader; GRANT SELECT ON "MatchScore" TO moved_reader;
            INSERT INTO "TrendingScore" VALUES (1, 1, 1, 1, now(), now(), now())
        """)
    try:
        done = sitejobs("db", "migrate", "--schema=sitejobs", env=environment(DATABASE_URL=database_url))
        assert done.returncode == 0, done.stderr
        assert home_of(site).schema == "sitejobs"
        assert site.execute('SELECT "postId" FROM sitejobs."TrendingScore"').fetchall() == [(1,)]
        readable = "SELECT has_table_privilege('moved_reader', 'sitejobs.\"MatchScore\"', 'SELECT')"
        assert site.execute(readable.encode()).fetchone() == (True,)
        left = {name for name in things(site) if name in {made for it in read(MIGRATIONS) for made in it.made}}
        assert left <= {"UserTrait"}
        assert site.execute('SELECT "dropMatchRows"()').fetchone() == (True,)
        assert check(site, list(JOBS), migrations.pending(site)).findings == ()
        assert migrations.apply(site) == []
    finally:
        site.execute("DROP OWNED BY moved_reader; DROP ROLE moved_reader")


@pytest.mark.parametrize(
    ("before", "advice"),
    [
        ('DROP SCHEMA "sitejobs" CASCADE', 'CREATE SCHEMA "sitejobs" AUTHORIZATION "nobodys_migrator"'),
        (
            'DROP TABLE "SitejobsMigration"; GRANT USAGE ON SCHEMA "sitejobs" TO PUBLIC',
            'GRANT USAGE, CREATE ON SCHEMA "sitejobs" TO "nobodys_migrator"',
        ),
    ],
)
def test_a_role_that_may_make_nothing_is_told_what_the_owner_does(
    site: Connection, database_url: str, before: str, advice: str
) -> None:
    site.execute(before.encode())
    site.execute("CREATE ROLE nobodys_migrator LOGIN")
    try:
        with connect(make_conninfo(database_url, user="nobodys_migrator"), first_schema="sitejobs") as migrator:
            with pytest.raises(InvalidInput, match=advice):
                migrations.apply(migrator)
            site.execute(advice.encode())
            migrations.apply(migrator)
    finally:
        site.execute("DROP OWNED BY nobodys_migrator CASCADE; DROP ROLE nobodys_migrator")


def test_one_of_the_sites_that_comes_first_on_the_path_is_told(site: Connection, database_url: str) -> None:
    migrations.apply(site)
    site.execute('CREATE TABLE public."UserTrait" ("id" integer)')
    with connect(database_url, search_path="public,sitejobs") as session:
        (finding,) = [it for it in check(session, list(JOBS)).findings if it.level == "required"]
        assert (finding.object, finding.mend) == ('"UserTrait"', "-- set DATABASE_SEARCH_PATH=sitejobs,public")


def test_the_printed_grants_leave_the_sites_namesakes_alone(
    site: Connection, database_url: str, tmp_path: Path
) -> None:
    """As psql runs them, whose search path leads to the site's tables first."""
    theirs(database_url)
    migrations.apply(site)
    role = f"jobs {uuid.uuid4().hex[:8]}"
    script = tmp_path / "roles.sql"
    script.write_text(sitejobs("db", "roles", f"--role={role}", env=environment(DATABASE_URL=database_url)).stdout)
    try:
        run = subprocess.run(
            [_psql(), "-qd", database_url, "-v", "ON_ERROR_STOP=1", "-f", script], capture_output=True, check=False
        )
        assert (run.returncode, run.stderr) == (0, b"")
        rights = """SELECT n.nspname::text, c.relname::text, privilege FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
            WHERE n.nspname IN ('public', 'sitejobs') AND c.relkind IN ('r', 'v')
              AND has_table_privilege(%s, c.oid, privilege)"""
        granted = set(site.execute(rights, [role]).fetchall())
        assert {(schema, what) for schema, name, what in granted if name == "UserTrait"} == {
            ("sitejobs", what) for what in ("SELECT", "INSERT", "UPDATE", "DELETE")
        }
        assert {what for schema, _, what in granted if schema == "public"} == {"SELECT"}
        assert ("public", "MatchScoreExplained", "SELECT") not in granted
        site.execute(f'ALTER ROLE "{role}" LOGIN'.encode())
        with connect(make_conninfo(database_url, user=role), first_schema="sitejobs") as worker:
            assert worker.execute("SHOW search_path").fetchone() == ("sitejobs,public",)
            assert check(worker, list(JOBS), migrations.pending(worker)).findings == ()
    finally:
        site.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"'.encode())


def test_every_job_runs_with_the_bundle_and_the_site_in_schemas_of_their_own(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as owner:
        name = owner.info.dbname
        owner.execute(f'CREATE SCHEMA "The App"; ALTER DATABASE "{name}" SET search_path = "The App"'.encode())
    env = environment(DATABASE_URL=database_url, SITEJOBS_HOME=str(tmp_path), MEDIA_FOLDER=str(tmp_path))
    with connect(database_url, first_schema="sitejobs") as site:
        migrations.apply_site_schema(site)
        theirs(database_url)
        before = things(site, '"The App"')
        migrated = sitejobs("db", "migrate", env=env)
        assert migrated.returncode == 0, migrated.stderr
        load(site, generate(40, 5, datetime.now(UTC) - timedelta(minutes=1)))
        url = make_conninfo(database_url, options=r'-c search_path=sitejobs,"The\ App"')
        with ParserHost() as parser:
            for job in JOBS_IN_ORDER:
                run_job(url, job, tmp_path, parser)
        assert check(site, list(JOBS), migrations.pending(site)).findings == ()
        assert things(site, '"The App"') == before
        assert things(site, "public") == []
        assert site.execute('SELECT "userId", "trait" FROM "The App"."UserTrait"').fetchall() == [(1, "kind")]
        for table in ("MatchList", "FeedSegment", "ProfileSearchIndex", "UserTrait", "UserCompatibility"):
            row = site.execute(f'SELECT count(*) > 0 FROM sitejobs."{table}"'.encode()).fetchone()
            assert row == (True,), table


def test_rows_of_a_table_of_the_sites_are_never_taken_for_old_matches(site: Connection) -> None:
    migrations.apply(site)
    site.execute('CREATE TABLE public."MatchScoreRow" AS SELECT 1::bigint AS "userId"')
    site.execute("""SELECT sitejobs."forgetMatchRows"('{1}'), sitejobs."dropMatchRows"()""")
    assert site.execute('SELECT "userId" FROM public."MatchScoreRow"').fetchall() == [(1,)]


def test_a_population_takes_no_table_of_the_sites_for_the_bundles(site: Connection, database_url: str) -> None:
    theirs(database_url, 'CREATE TABLE "UserTrait" AS SELECT 1 AS "userId"')
    refused = sitejobs("population", "--users=20", env=environment(DATABASE_URL=database_url))
    assert refused.returncode == 2
    assert "`sitejobs db migrate`" in refused.stderr
    assert site.execute('SELECT "userId" FROM public."UserTrait"').fetchall() == [(1,)]


def test_a_role_without_rights_is_told_of_these_and_of_nothing_that_it_cannot_know(
    site: Connection, database_url: str
) -> None:
    migrations.apply(site)
    site.execute("CREATE ROLE knows_nothing LOGIN")
    try:
        with connect(make_conninfo(database_url, user="knows_nothing"), first_schema="sitejobs") as session:
            for grants in ("SELECT 1", "GRANT USAGE ON SCHEMA sitejobs TO knows_nothing"):
                site.execute(grants.encode())
                findings = check(session, ["trending"], migrations.pending(session)).findings
                assert {it.kind for it in findings} <= {"table", "privilege"}
                assert all(it.mend.startswith("GRANT ") for it in findings), findings
    finally:
        site.execute("DROP OWNED BY knows_nothing; DROP ROLE knows_nothing")
