"""A site with rows of before there were lists moves with its next run, under the eyes of its readers."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from sitejobs.errors import DatabaseFailure
from sitejobs.matching.match_scores.old_rows import drop_rows
from sitejobs.postgres.connection import connect
from sitejobs.schema.migrations import MIGRATIONS
from sitejobs_local.database import migrations
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load
from tests.matching.test_lists import HOUR

READER = "match_rows_reader"
Lists = dict[int, tuple[int, ...]]

_BACK = """
CREATE TABLE saved AS TABLE "MatchScore";
DROP VIEW "MatchScoreExplained", "MatchScore", "MatchCandidates";
DROP TABLE "MatchList", "MatchListChange";
DROP FUNCTION "matchViews", "dropMatchRows", "forgetMatchRows";
DELETE FROM "SitejobsMigration" WHERE "name" ~ '^00(6[016]|70|8)'
"""
_LISTS = """SELECT "userId", array_agg("candidateUserId" ORDER BY "rank") FROM "MatchScore" GROUP BY 1"""
_DIFFERENT = """(TABLE saved EXCEPT TABLE "MatchScore") UNION ALL (TABLE "MatchScore" EXCEPT TABLE saved)"""


def lists(connection: Connection) -> Lists:
    return {viewer: tuple(ids) for viewer, ids in connection.execute(_LISTS)}


def is_there(connection: Connection) -> bool:
    return connection.execute("""SELECT to_regclass('"MatchScoreRow"') IS NOT NULL""").fetchone() == (True,)


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path / "work")


@pytest.fixture
def old(site: Connection, machine: Site, tmp_path: Path) -> Iterator[Connection]:
    """A site as the version before left it: match-scores has run, its rows stand in a table, and a role reads them."""
    load(site, draw(70, 60, "one city"))
    machine.run(NOW, {"topK": 9, "batchSize": 11})
    site.execute(_BACK)
    before = tmp_path / "before"
    before.mkdir()
    for file in MIGRATIONS.glob("00[0-5]*.sql"):
        shutil.copy(file, before)
    migrations.apply(site, before, again=True)
    site.execute("""CREATE TABLE narrow AS TABLE saved; ALTER TABLE narrow DROP "scoreLike", DROP "scoreBack";
                    INSERT INTO "MatchScore" TABLE narrow; DROP TABLE narrow""")
    site.execute(f'CREATE ROLE {READER} LOGIN; GRANT SELECT ON "MatchScore" TO {READER}')
    yield site
    site.execute(f"DROP OWNED BY {READER}; DROP ROLE {READER}")


def test_the_migration_shows_the_very_rows_and_the_next_run_moves_them(
    old: Connection, machine: Site, site_url: str
) -> None:
    old.execute("""
        CREATE VIEW "best" WITH (security_barrier) AS
        SELECT "userId", "candidateUserId" FROM "MatchScore" WHERE "rank" = 1;
        COMMENT ON VIEW "best" IS 'ours'
    """)
    migrations.apply(old)
    assert is_there(old)
    assert old.execute(_DIFFERENT).fetchall() == []
    assert old.execute('SELECT count(*) FROM "MatchList"').fetchone() == (0,)
    first = lists(old)
    old.execute("""UPDATE "Profile" SET "lat" = "lat" + 0.05 WHERE "userId" % 4 = 0""")
    seen: list[Lists] = []
    done = threading.Event()

    def read() -> None:
        with connect(make_conninfo(site_url, user=READER)) as reader:
            while not done.is_set() or not seen:
                seen.append(lists(reader))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        machine.run(NOW + HOUR, {"topK": 9, "batchSize": 11})
        with connect(site_url) as finishing:
            assert drop_rows(finishing)
    finally:
        done.set()
        thread.join()
    last = lists(old)
    assert first != last
    for found in seen:
        assert set(found) == set(first)
        assert all(found[viewer] in (first[viewer], last[viewer]) for viewer in found)
    assert not is_there(old)
    assert dict(old.execute('TABLE "best"').fetchall()) == {viewer: ids[0] for viewer, ids in last.items()}
    options = old.execute("""SELECT reloptions, obj_description(oid) FROM pg_class WHERE relname = 'best'""").fetchone()
    assert options == (["security_barrier=true"], "ours")


def test_until_then_a_viewer_has_the_rows_and_every_file_bears_being_applied_again(
    old: Connection, machine: Site
) -> None:
    migrations.apply(old)
    viewer, gone, *_ = sorted(lists(old))
    machine.run(NOW + HOUR, {"userId": viewer, "topK": 9})
    assert not drop_rows(old)
    assert set(lists(old)) == {row[0] for row in old.execute('SELECT "userId" FROM saved')}
    assert old.execute('SELECT "userId" FROM "MatchList"').fetchall() == [(viewer,)]
    migrations.apply(old, again=True)
    before = lists(old)
    old.execute('DROP VIEW "MatchScoreExplained", "MatchScore", "MatchCandidates"')
    migrations.apply(old, again=True)
    assert lists(old) == before
    old.execute("""UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s""", [gone])
    machine.run(NOW + HOUR, {"userId": gone, "topK": 9})
    assert gone not in lists(old)
    assert not drop_rows(old)


def test_an_incremental_run_moves_everyone_too(old: Connection, machine: Site) -> None:
    migrations.apply(old)
    machine.run(NOW + HOUR, {"topK": 9, "incremental": True})
    assert drop_rows(old)
    assert set(old.execute('SELECT "userId" FROM "MatchList"').fetchall()) == {(viewer,) for viewer in lists(old)}


def test_a_reader_in_the_way_keeps_the_table_and_is_not_waited_for(
    old: Connection, machine: Site, site_url: str
) -> None:
    migrations.apply(old)
    machine.run(NOW + HOUR, {"topK": 9})
    with connect(site_url) as reader, reader.transaction():
        lists(reader)
        assert not drop_rows(old)
        assert lists(old) == lists(reader)
    assert drop_rows(old)


def test_who_could_read_or_write_the_table_reads_the_view_or_writes_the_lists(old: Connection, site_url: str) -> None:
    writer, column = f"{READER}_writes", f"{READER}_column"
    old.execute(f"""
        CREATE ROLE {writer}; GRANT SELECT, INSERT, UPDATE, DELETE ON "MatchScore" TO {writer};
        CREATE ROLE {column}; GRANT SELECT ("userId", "candidateUserId") ON "MatchScore" TO {column} WITH GRANT OPTION
    """)
    try:
        migrations.apply(old)
        rights = {
            (role, table, privilege)
            for role, table, privilege in old.execute(
                """SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants
                   WHERE grantee LIKE %s AND table_name IN ('MatchScore', 'MatchList')""",
                [f"{READER}%"],
            )
        }
        assert rights == {
            (READER, "MatchScore", "SELECT"),
            (writer, "MatchScore", "SELECT"),
            *((writer, "MatchList", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
        }
        with connect(site_url) as other:
            other.execute(f"SET ROLE {column}")
            assert other.execute('SELECT "userId", "candidateUserId" FROM "MatchScore"').fetchall()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute('SELECT "score" FROM "MatchScore"')
    finally:
        for role in (writer, column):
            old.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ('ALTER TABLE "MatchScore" ENABLE ROW LEVEL SECURITY', "row level security"),
        (
            """CREATE TABLE "note" ("u" bigint, "c" bigint,
                CONSTRAINT "of_match" FOREIGN KEY ("u", "c") REFERENCES "MatchScore")""",
            "of_match",
        ),
        ('CREATE MATERIALIZED VIEW "often" AS SELECT "candidateUserId" FROM "MatchScore"', "often"),
        (
            """CREATE FUNCTION heard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
               CREATE TRIGGER "hears" AFTER INSERT ON "MatchScore" FOR EACH ROW EXECUTE FUNCTION heard()""",
            "hears",
        ),
    ],
)
def test_what_a_view_cannot_have_is_named_and_nothing_is_changed(old: Connection, made: str, named: str) -> None:
    old.execute(made.encode())
    with pytest.raises(DatabaseFailure, match=named):
        migrations.apply(old)
    assert old.execute("""SELECT relkind FROM pg_class WHERE oid = '"MatchScore"'::regclass""").fetchone() == ("r",)
    assert old.execute("""SELECT to_regclass('"MatchList"')""").fetchone() == (None,)
