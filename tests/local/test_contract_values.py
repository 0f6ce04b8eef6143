"""What the check tells of values, encodings, schemas and views; the looks at a table stay short, whatever its size."""

from collections.abc import Iterator

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.catalog import JOBS
from sitejobs.postgres.connection import connect
from sitejobs.schema.check import Finding, check
from sitejobs.schema.inspect import inspect
from sitejobs.schema.rows import SAMPLE, Rows
from sitejobs.schema.values import VALUES, Words


@pytest.fixture
def site(copied_site: str) -> Iterator[Connection]:
    with connect(copied_site) as connection:
        yield connection


def of_kind(connection: Connection, *kinds: str) -> list[Finding]:
    return [finding for finding in check(connection, list(JOBS)).findings if finding.kind in kinds]


def as_text(site: Connection, table: str, column: str, value: str) -> None:
    """Make a column a text and give each second row this value."""
    site.execute(f'ALTER TABLE "{table}" ALTER "{column}" DROP DEFAULT, ALTER "{column}" TYPE text'.encode())
    site.execute(
        f"""UPDATE "{table}" SET "{column}" = {value} WHERE ctid IN (
        SELECT ctid FROM "{table}" ORDER BY ctid LIMIT 20)""".encode()
    )


# Values ------------------------------------------------------------------------------------------------------


def test_the_synthetic_site_holds_what_the_jobs_know(site: Connection) -> None:
    assert of_kind(site, "values", "view", "schema", "server") == []


@pytest.mark.parametrize(
    ("table", "column", "value", "word"),
    [
        ("Profile", "gender", "male", "MALE"),
        ("Profile", "gender", "agender", "?"),
        ("Profile", "gender", "Non-Binary", "NONBINARY"),
        ("Like", "action", "LIKED", "LIKE"),
        ("Match", "state", "matched", "ACTIVE"),
        ("Match", "state", "Active", "ACTIVE"),
        ("ProfileAccess", "status", "approved", "GRANTED"),
        ("Post", "visibility", "public", "PUBLIC"),
        ("Media", "type", "photo", "IMAGE"),
        ("Media", "status", "FAILED_UPLOAD", "FAILED_PROCESSING"),
    ],
)
def test_a_word_that_no_job_knows_is_told_with_its_number_and_the_case_for_the_view(
    site: Connection, table: str, column: str, value: str, word: str
) -> None:
    as_text(site, table, column, f"'{value}'")
    [found] = of_kind(site, "values")
    assert (found.level, found.object) == ("recommended", f'"{table}"."{column}"')
    held = site.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}" = %s'.encode(), [value]).fetchall()[0][0]
    assert f"holds '{value}' ({held:,})" in found.problem
    assert f"WHEN '{value}' THEN '{word}'" in found.mend
    expression = found.mend.split(": ", 1)[1]
    assert site.execute(f'SELECT {expression} FROM "{table}"'.encode()).rowcount  # it runs


def test_a_gender_that_is_wished_for_is_told_as_well(site: Connection) -> None:
    site.execute("""UPDATE "UserPreference" SET "preferredGenders" = '["woman", "MALE"]'""")
    [found] = of_kind(site, "values")
    assert "holds 'woman' (" in found.problem
    site.execute("""UPDATE "UserPreference" SET "preferredGenders" = '"woman"'""")
    assert "holds no list in " in of_kind(site, "values")[0].problem


def test_what_one_person_wrote_is_counted_and_not_shown(site: Connection) -> None:
    as_text(site, "Profile", "gender", "'call me on 555-' || \"id\"")
    [found] = of_kind(site, "values")
    assert "555" not in found.problem + found.mend
    assert "holds others (20)" in found.problem


@pytest.mark.parametrize(
    ("table", "column", "value", "told"),
    [
        ("ProfileRating", "smart", "10", "is not from 1 to 5 in "),
        ("Profile", "lat", "1000", "is not from -90 to 90 in "),
        ("QuizResult", "answers", "'[1]'", "holds no object in "),
        ("QuizResult", "answers", """'{"music": "a"}'""", "holds keys that are no ids in "),
        ("QuizResult", "scoreVec", """'{"a": 1}'""", "holds no list in "),
        ("QuizResult", "scoreVec", """'[1, "2"]'""", "holds elements that are no numbers in "),
        ("QuizOption", "traitValues", """'[1]'""", "holds no object in "),
        ("QuizOption", "traitValues", """'{"calm": "2"}'""", "holds values that are no numbers in "),
    ],
)
def test_numbers_and_shapes_that_do_not_count_are_told(
    site: Connection, table: str, column: str, value: str, told: str
) -> None:
    site.execute(
        f"""ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{table}_{column}_check";
            UPDATE "{table}" SET "{column}" = {value}""".encode()
    )
    [found] = of_kind(site, "values")
    assert found.problem.startswith(told), found
    assert "rows looked at" in found.problem


def test_a_large_table_is_not_read_as_a_whole(site: Connection) -> None:
    """10 million rows by what the planner believes."""
    site.execute("""UPDATE pg_class SET reltuples = 1e7 WHERE oid = '"Like"'::regclass""")
    table = inspect(site, {"Like": None}).tables["Like"]
    sample = Rows(site).sample('"Like"', table, "action")
    [plan] = site.execute(f"EXPLAIN SELECT * FROM {sample}".encode()).fetchmany(1)
    assert "Limit" in plan[0]
    assert f"TABLESAMPLE SYSTEM ({100 * SAMPLE / 1e7:.6f})" in sample


# Enums -------------------------------------------------------------------------------------------------------


def test_an_enum_gets_the_words_that_the_jobs_write(site: Connection) -> None:
    site.execute("""CREATE TYPE "State" AS ENUM ('NEW', 'READY', 'PENDING', 'UPLOADED');
        ALTER TABLE "Media" ALTER "status" DROP DEFAULT;
        UPDATE "Media" SET "status" = 'READY' WHERE "status"::text NOT IN ('PENDING', 'UPLOADED');
        ALTER TABLE "Media" ALTER "status" TYPE "State" USING "status"::text::"State" """)
    lacking = of_kind(site, "type")
    assert [finding.mend for finding in lacking] == [
        """ALTER TYPE "State" ADD VALUE 'REJECTED';""",
        """ALTER TYPE "State" ADD VALUE 'FAILED_PROCESSING';""",
    ]
    for finding in lacking:
        site.execute(finding.mend.encode())
    assert check(site, list(JOBS)).ok


def test_each_synonym_is_of_a_word_that_the_jobs_know() -> None:
    for words in VALUES.values():
        if isinstance(words, Words):
            assert set(words.synonyms.values()) | set(words.needs) <= set(words.meanings)


# The database, its schemas and views -------------------------------------------------------------------------


def test_a_schema_that_is_not_there_is_told(copied_site: str) -> None:
    url = make_conninfo(copied_site, options="-c search_path=numberd,public")
    with connect(url) as connection:
        found = of_kind(connection, "schema")
    assert [(it.level, it.object) for it in found] == [("required", '"numberd"')]


def test_a_view_that_cannot_be_written_to_is_told_until_a_trigger_writes(site: Connection) -> None:
    site.execute("""ALTER TABLE "Media" RENAME TO "Upload";
        CREATE VIEW "Media" AS SELECT u.*, w."no" FROM "Upload" u CROSS JOIN (VALUES (1)) AS w ("no")""")
    required, recommended = of_kind(site, "view")
    assert (required.level, recommended.level) == ("required", "recommended")
    assert '"status" cannot be updated' in required.problem
    assert "be inserted into" in recommended.problem
    site.execute("""CREATE FUNCTION written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER written INSTEAD OF UPDATE ON "Media" FOR EACH ROW EXECUTE FUNCTION written()""")
    assert of_kind(site, "view") == [recommended]
    site.execute("""DROP VIEW "Media"; CREATE VIEW "Media" AS SELECT * FROM "Upload" """)
    assert of_kind(site, "view") == []


# Casts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "column", "good", "bad"),
    [
        ("Profile", "lat", "47.5", "abc"),
        ("Profile", "birthdate", "1990-05-01", "in spring"),
        ("Profile", "deletedAt", "2026-01-02 03:04:05", "2026-02-31"),
        ("UserPreference", "preferredAgeMin", "18", "eighteen"),
        ("UserPreference", "preferredGenders", "[]", "MALE"),
        ("QuizResult", "answers", "{}", "{'1': 2}"),
        ("QuizQuestion", "order", "2", "1st"),
        ("Quiz", "isActive", "true", "perhaps"),
    ],
)
def test_no_mend_runs_into_a_cast_that_cannot_work(
    site: Connection, table: str, column: str, good: str, bad: str
) -> None:
    for constraint in ("NOT NULL", "DEFAULT"):
        site.execute(f'ALTER TABLE "{table}" ALTER "{column}" DROP {constraint}'.encode())
    site.execute(f'ALTER TABLE "{table}" ALTER "{column}" TYPE text'.encode())
    site.execute(f'UPDATE "{table}" SET "{column}" = %s'.encode(), [good])
    [able] = of_kind(site, "type")
    site.execute(f'UPDATE "{table}" SET "{column}" = %s'.encode(), [bad])
    [unable] = of_kind(site, "type")
    assert unable.mend.startswith("-- some values cannot be converted"), unable.mend
    assert bad not in unable.mend
    site.execute(f'UPDATE "{table}" SET "{column}" = %s'.encode(), [good])
    site.execute(able.mend.encode())
    assert of_kind(site, "type") == []


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_texts_become_times_of_utc_whatever_the_zone_of_the_session(site: Connection, zone: str) -> None:
    site.execute("""ALTER TABLE "User" ALTER "createdAt" DROP DEFAULT, ALTER "createdAt" TYPE text""")
    texts = ("2026-06-01T12:00:00Z", "2026-06-01 12:00", "2026-06-01T14:00:00.000+02:00", "2026-06-01 12:00:00 UTC")
    site.execute('UPDATE "User" SET "createdAt" = (%s::text[])["id" %% 4 + 1]', [list(texts)])
    [found] = of_kind(site, "type")
    site.execute(f"SET TimeZone = '{zone}'".encode())
    site.execute(found.mend.encode())
    assert site.execute('SELECT DISTINCT "createdAt"::text FROM "User"').fetchall() == [("2026-06-01 12:00:00",)]


# Silence -----------------------------------------------------------------------------------------------------


def test_recommendations_are_silenced_by_kind_and_object_and_what_is_required_is_not(site: Connection) -> None:
    site.execute(
        """DROP INDEX "Media_storageKey_idx"; DROP INDEX "Post_createdAt_idx"; ALTER TABLE "Post" DROP "text" """
    )
    report = check(site, list(JOBS))
    kept = report.without(["Media"])
    assert (len(kept.findings), kept.silenced) == (len(report.findings) - 1, 1)
    quiet = report.without(["index", "column", "extension", "server"])
    assert [finding.kind for finding in quiet.findings] == ["column"]
    assert not quiet.ok
