"""Every mend that `sitejobs check` prints is run on the table that it is for: then the check is satisfied."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.matching.snapshot.population import read_population
from sitejobs.media.parser_host import ParserHost
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import Finding, check
from sitejobs.schema.site import SITE_TABLES
from sitejobs_local.database import migrations
from sitejobs_local.places import REPOSITORY
from tests.local.every_job import JOBS_IN_ORDER, run_job


@pytest.fixture
def site(copied_site: str) -> Iterator[Connection]:
    with connect(copied_site) as connection:
        yield connection


def findings(connection: Connection) -> list[Finding]:
    return list(check(connection, list(JOBS), migrations.pending(connection)).findings)


def mend(connection: Connection) -> list[Finding]:
    """Do what the findings say until none is left; all of them, in order."""
    done: list[Finding] = []
    while left := findings(connection):
        assert len(done) < 40, left
        for finding in left:
            assert not finding.mend.startswith("--"), finding
            if finding.mend.startswith("sitejobs db migrate"):
                migrations.apply(connection, again=True)
                continue
            connection.execute(finding.mend.encode())
            if "-- then: sitejobs db migrate --again" in finding.mend:
                migrations.apply(connection, again=True)
        done += left
    return done


def run_those_that_read(url: str, table: str, parser: ParserHost, folder: Path) -> None:
    by = next(entry.jobs for entry in SITE_TABLES if entry.name == table)
    for job in JOBS_IN_ORDER:
        if by is None or job.entry.name in by:
            run_job(url, job, folder, parser)


def retype(connection: Connection, table: str, column: str, type_: str, using: str, default: str = "") -> None:
    change = f'ALTER COLUMN "{column}" DROP DEFAULT, ALTER COLUMN "{column}" TYPE {type_} USING {using}'
    change += f', ALTER COLUMN "{column}" SET DEFAULT {default}' if default else ""
    connection.execute(f'ALTER TABLE "{table}" {change}'.encode())


# Types that the jobs read as they are ----------------------------------------------------------------------


_ARRAY = "CASE WHEN \"preferredGenders\" IS NULL THEN NULL ELSE ARRAY['FEMALE', 'MALE'] END"


@pytest.mark.parametrize(
    ("table", "column", "type_", "using"),
    [
        ("UserPreference", "preferredGenders", '"Gender"[]', f'({_ARRAY})::"Gender"[]'),
        ("UserPreference", "preferredGenders", "text[]", f"({_ARRAY})::text[]"),
        ("UserPreference", "preferredGenders", "varchar(20)[]", f"({_ARRAY})::varchar(20)[]"),
        ("UserPreference", "preferredGenders", "json", '"preferredGenders"::json'),
        ("UserPreference", "preferredDistanceKm", "numeric", '"preferredDistanceKm"'),
        ("Profile", "birthdate", "timestamptz", '"birthdate"'),
        ("Profile", "birthdate", "timestamp", '"birthdate"'),
        ("Profile", "displayName", "varchar(200)", '"displayName"'),
        ("Profile", "lat", "numeric(9,6)", '"lat"'),
        ("Profile", "gender", "text", '"gender"::text'),
        ("Profile", "userId", "integer", '"userId"'),
        ("ProfileRating", "smart", "numeric(3,1)", '"smart"'),
        ("ProfileRating", "smart", "smallint", '"smart"'),
        ("QuizResult", "updatedAt", "timestamp(0)", '"updatedAt"'),
        ("Post", "createdAt", "timestamp", '"createdAt"'),
        ("Post", "visibility", "varchar(10)", '"visibility"::text'),
        ("LikedPost", "createdAt", "timestamp", '"createdAt"'),
        ("Media", "status", "text", '"status"::text'),
        ("QuizQuestion", "order", "double precision", '"order"'),
        ("Top5Item", "order", "numeric", '"order"'),
    ],
)
def test_what_the_check_lets_pass_runs(
    site: Connection,
    copied_site: str,
    parser: ParserHost,
    tmp_path: Path,
    table: str,
    column: str,
    type_: str,
    using: str,
) -> None:
    retype(site, table, column, type_, using)
    assert findings(site) == []
    run_those_that_read(copied_site, table, parser, tmp_path)


def test_genders_in_an_array_mean_what_they_mean_in_json(site: Connection) -> None:
    site.execute("""UPDATE "UserPreference" SET "preferredGenders" =
                    CASE "userId" % 3 WHEN 0 THEN '["FEMALE", "OTHER"]'::jsonb WHEN 1 THEN '[]' END""")
    before = read_population(site, datetime.now(UTC)).users["wants"].tolist()
    retype(site, "UserPreference", "preferredGenders", '"Gender"[]', "NULL")
    site.execute("""UPDATE "UserPreference" SET "preferredGenders" =
                    CASE "userId" % 3 WHEN 0 THEN '{FEMALE,OTHER}'::"Gender"[] WHEN 1 THEN '{}' END""")
    assert read_population(site, datetime.now(UTC)).users["wants"].tolist() == before


# Types that are mended -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "type_", "using", "default"),
    [
        ("QuizResult", "answers", "json", '"answers"::json', "'{}'"),
        ("QuizResult", "answers", "text", '"answers"::text', "'{}'"),
        ("QuizResult", "scoreVec", "double precision[]", "'{0.5, 1}'", ""),
        ("QuizOption", "traitValues", "text", '"traitValues"::text', ""),
        ("UserPreference", "preferredGenders", "text", '"preferredGenders"::text', ""),
        ("UserPreference", "preferredDistanceKm", "varchar(10)", '"preferredDistanceKm"::text', "'25'"),
        ("UserPreference", "preferredDistanceKm", "money", '"preferredDistanceKm"::money', ""),
        ("UserPreference", "preferredAgeMin", "jsonb", 'to_jsonb("preferredAgeMin")', ""),
        ("Profile", "lat", "text", '"lat"::text', ""),
        ("Profile", "isVisible", "integer", '"isVisible"::integer', "1"),
        ("Profile", "isVisible", "smallint", '"isVisible"::integer::smallint', "1"),
        ("Profile", "isVisible", "text", '"isVisible"::text', "'true'"),
        ("Profile", "birthdate", "text", '"birthdate"::text', ""),
        ("Profile", "birthdate", "bigint", 'extract(epoch FROM "birthdate")::bigint * 1000', ""),
        ("Profile", "displayName", "jsonb", 'to_jsonb("displayName")', ""),
        ("Profile", "updatedAt", "bigint", 'extract(epoch FROM "updatedAt")::bigint * 1000', "0"),
        ("Profile", "updatedAt", "date", '"updatedAt"::date', "CURRENT_DATE"),
        ("Profile", "updatedAt", "text", '"updatedAt"::text', "now()::text"),
        ("Interest", "key", "integer", '"id"::integer', "0"),
        ("InterestSubject", "key", "uuid", "gen_random_uuid()", ""),
        ("Post", "text", "uuid", "gen_random_uuid()", ""),
        ("Media", "durationSec", "interval", """make_interval(secs => "durationSec")""", ""),
        ("Media", "width", "text", '"width"::text', ""),
        ("Media", "sizeBytes", "boolean", '"sizeBytes" > 0', ""),
        ("Post", "createdAt", "date", '"createdAt"::date', "CURRENT_DATE"),
    ],
)
def test_the_mend_of_a_type_is_run_on_rows_and_defaults(
    site: Connection,
    copied_site: str,
    parser: ParserHost,
    tmp_path: Path,
    table: str,
    column: str,
    type_: str,
    using: str,
    default: str,
) -> None:
    retype(site, table, column, type_, using, default)
    (finding,) = findings(site)
    assert (finding.kind, finding.object) == ("type", f'"{table}"."{column}"')
    mend(site)
    run_those_that_read(copied_site, table, parser, tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        'ALTER TABLE "MatchList" ALTER COLUMN "tierA" TYPE integer',
        'ALTER TABLE "UserCompatibility" ALTER COLUMN "ratingCount" TYPE bigint',
        'ALTER TABLE "JobRun" ALTER COLUMN "processed" TYPE integer',
        'ALTER TABLE "UserTrait" ALTER COLUMN "value" TYPE double precision',
    ],
)
def test_a_table_of_the_bundle_is_mended_though_its_views_stand_in_the_way(site: Connection, damage: str) -> None:
    views = '"MatchScoreExplained", "MatchScore", "MatchCandidates", "UserCompatibilityExplained", "JobRunOverview"'
    site.execute(f"DROP VIEW {views}; {damage}".encode())
    migrations.apply(site, again=True)
    assert {finding.kind for finding in findings(site)} == {"type"}
    mend(site)


def test_a_column_that_something_depends_on_is_left_to_a_view(site: Connection) -> None:
    retype(site, "QuizResult", "answers", "json", '"answers"::json', "'{}'")
    site.execute('CREATE VIEW "answered" AS SELECT "answers" FROM "QuizResult"')
    (finding,) = findings(site)
    assert finding.mend == '-- a view in a schema of its own with (...)::jsonb AS "answers": docs/site-tables.md'


# Indexes ---------------------------------------------------------------------------------------------------


def test_a_partitioned_table_gets_the_indexes_that_it_can_have(
    site: Connection, copied_site: str, parser: ParserHost, tmp_path: Path
) -> None:
    site.execute("""
        ALTER TABLE "Post" RENAME TO "old";
        CREATE TABLE "Post" (LIKE "old") PARTITION BY RANGE ("createdAt");
        CREATE TABLE "posts" PARTITION OF "Post" DEFAULT;
        INSERT INTO "Post" SELECT * FROM "old";
        ALTER TABLE "UserBlock" RENAME TO "older";
        CREATE TABLE "UserBlock" (LIKE "older") PARTITION BY HASH ("blockerId");
        CREATE TABLE "blocks" PARTITION OF "UserBlock" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        INSERT INTO "UserBlock" SELECT * FROM "older";
        ALTER TABLE "User" RENAME TO "oldest";
        CREATE TABLE "User" (LIKE "oldest") PARTITION BY HASH ("id");
        CREATE TABLE "users" PARTITION OF "User" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        INSERT INTO "User" SELECT * FROM "oldest";
    """)
    done = mend(site)
    assert {finding.kind for finding in done} == {"index"}
    assert not any("CONCURRENTLY" in finding.mend for finding in done)
    for table in ("Post", "UserBlock", "User"):
        run_those_that_read(copied_site, table, parser, tmp_path)


def test_a_unique_index_over_undeleted_profiles_is_enough_beside_one_over_all(site: Connection) -> None:
    site.execute('ALTER TABLE "Profile" DROP CONSTRAINT "Profile_userId_key"')
    site.execute('INSERT INTO "Profile" ("userId", "deletedAt") SELECT "userId", now() FROM "Profile" LIMIT 3')
    done = mend(site)
    assert [finding.mend for finding in done] == [
        'CREATE UNIQUE INDEX CONCURRENTLY ON "public"."Profile" ("userId") WHERE "deletedAt" IS NULL;',
        'CREATE INDEX CONCURRENTLY ON "public"."Profile" ("userId");',
    ]


@pytest.mark.parametrize(
    ("table", "constraint", "columns"),
    [
        ("UserPreference", "UserPreference_pkey", '"userId"'),
        ("QuizResult", "QuizResult_pkey", '"userId", "quizId"'),
        ("UserInterest", "UserInterest_pkey", '"userId", "subjectId", "interestId"'),
        ("ProfileRating", "ProfileRating_pkey", '"raterProfileId", "targetProfileId"'),
        ("LikedPost", "LikedPost_pkey", '"userId", "postId"'),
    ],
)
def test_what_should_be_there_once_is_recommended_to_be_unique(
    site: Connection, table: str, constraint: str, columns: str
) -> None:
    site.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{constraint}"'.encode())
    unique = [finding for finding in findings(site) if "unique" in finding.problem]
    assert [(finding.object, finding.level) for finding in unique] == [(f'"{table}"', "recommended")]
    assert unique[0].mend == f'CREATE UNIQUE INDEX CONCURRENTLY ON "public"."{table}" ({columns});'
    site.execute(f'INSERT INTO "{table}" SELECT * FROM "{table}" LIMIT 1'.encode())
    for _ in range(2):  # while rows repeat, first an index that can be made, then what is left to do
        repeated = [finding for finding in findings(site) if "unique" in finding.problem]
        assert "rows repeat: each counts once" in repeated[0].problem
        site.execute(repeated[0].mend.encode())
    assert repeated[0].mend.startswith("-- once no rows repeat: CREATE UNIQUE INDEX")


# Ids -------------------------------------------------------------------------------------------------------


def test_ids_that_are_no_whole_numbers_are_refused_with_one_sentence(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("""
            CREATE TABLE "User" ("id" uuid PRIMARY KEY, "createdAt" timestamp, "deletedAt" timestamp);
            CREATE TABLE "UserBlock" ("blockerId" uuid, "blockedId" uuid);
            CREATE TABLE "UserInterest" ("userId" uuid, "subjectId" bigint, "interestId" text, "createdAt" timestamp);
        """)
        found = [finding for finding in findings(connection) if finding.kind == "type"]
        assert [(finding.object, finding.problem) for finding in found] == [
            (
                '"User"."id", "UserBlock"."blockerId", "UserBlock"."blockedId", "UserInterest"."userId",'
                ' "UserInterest"."interestId"',
                "are uuid, text: ids must be whole numbers",
            )
        ]
        assert "match-scores" in found[0].jobs
        assert found[0].mend.endswith("docs/site-tables.md")


def test_views_that_number_ids_as_the_documentation_says_satisfy_the_check_and_a_job_runs(
    site: Connection, copied_site: str, parser: ParserHost, tmp_path: Path
) -> None:
    (job,) = (job for job in JOBS_IN_ORDER if job.entry.name == "user-interest-sets")
    # The users' ids become uuids; the other tables that point to them are not this job's.
    for name in ("User", "UserInterest"):
        site.execute(f'CREATE TABLE "new_{name}" (LIKE "{name}" INCLUDING DEFAULTS)'.encode())
    site.execute("""
        ALTER TABLE "new_User" ALTER COLUMN "id" TYPE uuid USING NULL, ADD PRIMARY KEY ("id");
        ALTER TABLE "new_UserInterest" ALTER COLUMN "userId" TYPE uuid USING NULL;
        CREATE TABLE "given" AS SELECT "id", gen_random_uuid() AS "uuid" FROM "User";
        INSERT INTO "new_User" ("id") SELECT "uuid" FROM "given";
        INSERT INTO "new_UserInterest" ("userId", "subjectId", "interestId")
        SELECT "uuid", "subjectId", "interestId" FROM "UserInterest" JOIN "given" ON "id" = "userId";
        DROP TABLE "User", "UserInterest" CASCADE;
        ALTER TABLE "new_User" RENAME TO "User"; ALTER TABLE "new_UserInterest" RENAME TO "UserInterest";
    """)
    assert not check(site, [job.entry.name]).ok
    (recipe,) = re.findall(
        r"```pgsql\n(CREATE SCHEMA \"numbered\".*?)```", (REPOSITORY / "docs" / "site-tables.md").read_text(), re.DOTALL
    )
    site.execute(recipe.encode())
    site.execute('INSERT INTO "User" ("id") VALUES (gen_random_uuid())')
    numbered = make_conninfo(copied_site, options="-c search_path=numbered,public")
    with connect(numbered) as connection:
        assert check(connection, [job.entry.name]).ok
        assert connection.execute('SELECT count(*) FROM "User"').fetchone() == (41,)
        done = run_job(numbered, job, tmp_path, parser)
        assert done["processed"] == 41
        same = """SELECT count(*) FROM "InterestUserSet" s JOIN "UserInterest" i USING ("userId", "interestId")"""
        rows = connection.execute('SELECT count(*) FROM "UserInterest"').fetchone()
        assert connection.execute(same).fetchone() == rows != (0,)
