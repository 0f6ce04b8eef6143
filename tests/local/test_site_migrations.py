"""What the bundle makes holds nothing of the site's: the site's own migrations change, drop and add what they like."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.errors import InvalidInput
from sitejobs.postgres.connection import connect
from sitejobs.schema.site import SITE_TABLES
from sitejobs_local.database import migrations

# Objects of any kind that depend on a table of the site's, but for what belongs to the table itself: its own indexes,
# constraints, sequences, row types and defaults.
_DEPENDENTS = """
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(quote_ident(%s))
  AND NOT (d.classid = 'pg_rewrite'::regclass AND d.objid IN (SELECT oid FROM pg_rewrite WHERE ev_class = d.refobjid))
EXCEPT SELECT * FROM unnest(%s::text[])
"""
_FILLED = """
INSERT INTO "InterestSubject" ("id", "key", "label") VALUES (1, 'music', 'Music'), (2, 'sport', 'Sport');
INSERT INTO "Interest" ("id", "subjectId", "key", "label")
VALUES (10, 1, 'jazz', 'Jazz'), (11, 1, 'folk', 'Folk'), (20, 2, 'chess', 'Chess');
INSERT INTO "MatchList" SELECT 1, now(), 'v1', 0, 0, 3, '{2,3,4}', zeros, zeros, zeros, zeros, zeros, zeros, zeros,
    none, none, none, none, none, '{0,0,0}', '{0,0,0}', '{0,0,0}', '{0,0,0}', NULL, NULL, NULL, '{20,NULL,NULL}',
    '{10,NULL,NULL}', '{99,NULL,NULL}', '{11,NULL,NULL}', NULL
FROM (VALUES ('{0,0,0}'::real[], '{NULL,NULL,NULL}'::real[])) AS list (zeros, none);
INSERT INTO "UserCompatibility" ("viewerUserId", "targetUserId", "score", "scoreQuiz", "scoreInterests",
    "scoreRatingsQuality", "scoreRatingsFit", "ratingCount", "sharedInterestCount", "computedAt", "algorithmVersion",
    "sharedInterestIds")
SELECT "userId", "candidateUserId", 0, 0, 0, 0, 0, 0, 0, now(), 'v1', "sharedInterestIds" FROM "MatchScore";
"""
NAMES = [["sport:chess", "music:jazz", "music:folk"], [], []]


@pytest.fixture
def site(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
        migrations.apply(connection)
        yield connection


def names(connection: Connection) -> list[list[str]]:
    matches = connection.execute("""SELECT "reasons"->'sharedInterests' FROM "MatchScoreExplained" ORDER BY "rank" """)
    found = [shared for (shared,) in matches.fetchall()]
    others = connection.execute(
        """SELECT "reasons"->'sharedInterests' FROM "UserCompatibilityExplained" ORDER BY "targetUserId" """
    )
    assert [shared for (shared,) in others.fetchall()] == found
    return found


def test_no_object_of_the_bundle_depends_on_a_table_of_the_site(database_url: str) -> None:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
        before = {
            table.name: [text for (text,) in connection.execute(_DEPENDENTS, [table.name, []])] for table in SITE_TABLES
        }
        migrations.apply(connection)
        migrations.apply(connection, again=True)
        for table in SITE_TABLES:
            assert connection.execute(_DEPENDENTS, [table.name, before[table.name]]).fetchall() == [], table.name


@pytest.mark.parametrize("table", SITE_TABLES, ids=lambda table: table.name)
def test_the_site_changes_and_drops_every_column_of_the_contract(site: Connection, table: object) -> None:
    from sitejobs.schema.model import Table

    assert isinstance(table, Table)
    place = f'"{table.name}"'
    for column in table.columns:
        if column.type == "text":
            site.execute(f'ALTER TABLE {place} ALTER COLUMN "{column.name}" DROP DEFAULT'.encode())
            change = f'TYPE varchar(80) USING "{column.name}"::text'
            site.execute(f'ALTER TABLE {place} ALTER COLUMN "{column.name}" {change}'.encode())
    site.execute(f'ALTER TABLE {place} ADD COLUMN "shoeSize" integer'.encode())
    site.execute(f'ALTER TABLE {place} RENAME COLUMN "{table.columns[0].name}" TO "renamed"'.encode())
    for column in table.columns[1:]:
        site.execute(f'ALTER TABLE {place} DROP COLUMN "{column.name}"'.encode())


def test_a_prisma_migration_of_the_names_is_done_and_the_views_show_what_they_showed(site: Connection) -> None:
    site.execute(_FILLED.encode())
    assert names(site) == NAMES
    site.execute("""
        ALTER TABLE "Interest" ALTER COLUMN "key" TYPE varchar(80), ALTER COLUMN "id" TYPE integer;
        ALTER TABLE "InterestSubject" ALTER COLUMN "key" TYPE char(20);
    """)
    assert names(site) == NAMES
    # As Prisma redefines a table: a new one, the rows, and the old one's name.
    site.execute("""
        CREATE TABLE "new_Interest" ("id" bigint PRIMARY KEY, "subjectId" bigint, "key" text);
        INSERT INTO "new_Interest" SELECT "id", "subjectId", "key" FROM "Interest";
        ALTER TABLE "UserInterest" DROP CONSTRAINT "UserInterest_interestId_fkey";
        DROP TABLE "Interest";
        ALTER TABLE "new_Interest" RENAME TO "Interest";
    """)
    assert names(site) == NAMES


def test_who_may_read_a_view_needs_no_right_on_the_tables_below_and_no_search_path(
    site: Connection, database_url: str
) -> None:
    site.execute(_FILLED.encode())
    site.execute("""
        DROP ROLE IF EXISTS web_reader; CREATE ROLE web_reader LOGIN;
        GRANT SELECT ON "MatchScoreExplained" TO web_reader;
    """)
    try:
        with connect(make_conninfo(database_url, user="web_reader"), search_path="nowhere") as reader:
            # Nothing of the reader's own comes in between.
            reader.execute("""CREATE TEMPORARY TABLE "Interest" AS SELECT 10::bigint AS "id", 1::bigint AS "subjectId",
                              'other' AS "key" """)
            rows = reader.execute(
                """SELECT "reasons"->'sharedInterests' FROM public."MatchScoreExplained" ORDER BY "rank" """
            ).fetchall()
            assert [shared for (shared,) in rows] == NAMES
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute('SELECT * FROM public."Interest"')
    finally:
        site.execute("DROP OWNED BY web_reader; DROP ROLE web_reader")


def test_tables_in_schemas_of_their_own_are_found_as_the_search_path_of_the_migration_says(
    database_url: str,
) -> None:
    with connect(database_url, search_path="site") as connection:
        connection.execute('CREATE SCHEMA "site"; CREATE SCHEMA "jobs"')
        migrations.apply_site_schema(connection)
    with connect(database_url, search_path="jobs,site") as connection:
        migrations.apply(connection)
        connection.execute(_FILLED.encode())
        assert names(connection) == NAMES
    with connect(database_url, search_path="jobs") as connection:
        assert names(connection) == NAMES
        connection.execute("""
            CREATE SCHEMA "later"; ALTER TABLE site."Interest" SET SCHEMA "later";
            ALTER TABLE site."InterestSubject" SET SCHEMA "later";
        """)
    with connect(database_url, search_path="jobs,site,later") as connection:
        migrations.apply(connection, again=True)
        assert names(connection) == NAMES


@pytest.mark.parametrize("type_", ["uuid", "text", "numeric"])
def test_where_ids_are_no_whole_numbers_nothing_is_written_and_it_is_said(database_url: str, type_: str) -> None:
    with connect(database_url) as connection:
        connection.execute(
            f"""
            CREATE TABLE "InterestSubject" ("id" {type_} PRIMARY KEY, "key" text);
            CREATE TABLE "Interest" ("id" {type_} PRIMARY KEY, "subjectId" {type_}, "key" text);
        """.encode()
        )
        with pytest.raises(InvalidInput) as refused:
            migrations.apply(connection)
        assert str(refused.value).startswith(
            f'"InterestSubject"."id", "Interest"."id", "Interest"."subjectId" are {type_}: ids must be whole numbers'
        )
        assert connection.execute("""SELECT to_regclass('"SitejobsMigration"')""").fetchone() == (None,)
