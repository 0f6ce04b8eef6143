"""Migrations: applied once each, in order, also when two start at once."""

import threading
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.errors import DatabaseFailure, InvalidInput
from sitejobs.postgres.connection import connect
from sitejobs.schema.migrations import MIGRATIONS
from sitejobs_local.database import migrations
from sitejobs_local.places import SITE_SCHEMA
from tests.local.command import environment, sitejobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text('CREATE TABLE IF NOT EXISTS "Log" ("line" text);\n')
    (tmp_path / "0002_second.sql").write_text("""INSERT INTO "Log" VALUES ('second: 100 %s');\n""")
    return tmp_path


def names(connection: Connection) -> list[str]:
    rows = connection.execute("""SELECT "name" FROM "SitejobsMigration" ORDER BY "appliedAt", "name" """).fetchall()
    return [row[0] for row in rows]


def test_each_number_is_one_migrations() -> None:
    numbers = [int(path.name.partition("_")[0]) for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert len(numbers) == len(set(numbers))


def test_the_repositorys_migrations_apply_after_the_sites_schema_and_again_do_nothing(database_url: str) -> None:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
        applied = migrations.apply(connection)
        assert applied == sorted(path.name for path in MIGRATIONS.glob("*.sql"))
        assert migrations.pending(connection) == []
        migrations.apply_site_schema(connection)
        assert migrations.apply(connection) == []


def test_every_file_bears_being_applied_again(database_url: str) -> None:
    with connect(database_url) as connection:
        migrations.apply_site_schema(connection)
        first = migrations.apply(connection)
        connection.execute('DROP TABLE "UserTrait"')
        assert migrations.apply(connection, again=True) == first
        assert connection.execute("""SELECT to_regclass('"UserTrait"') IS NOT NULL""").fetchone() == (True,)


def test_a_new_file_alone_is_applied_to_a_database_that_has_the_others(database_url: str, folder: Path) -> None:
    with connect(database_url) as connection:
        migrations.apply(connection, folder)
        (folder / "0003_third.sql").write_text("""INSERT INTO "Log" VALUES ('third');""")
        assert migrations.pending(connection, folder) == ["0003_third.sql"]
        assert migrations.apply(connection, folder) == ["0003_third.sql"]
        assert connection.execute('SELECT * FROM "Log"').fetchall() == [("second: 100 %s",), ("third",)]


def test_a_failing_file_leaves_nothing_of_itself_and_keeps_those_before_it(database_url: str, folder: Path) -> None:
    (folder / "0003_broken.sql").write_text("""INSERT INTO "Log" VALUES ('half'); SELECT 1/0;""")
    with connect(database_url) as connection:
        told = r"0003_broken\.sql failed .*SQLSTATE 22012; applied before it: 0001_first\.sql, 0002_second\.sql"
        with pytest.raises(DatabaseFailure, match=told):
            migrations.apply(connection, folder)
        assert names(connection) == ["0001_first.sql", "0002_second.sql"]
        assert connection.execute('SELECT count(*) FROM "Log"').fetchone() == (1,)


def test_a_changed_file_is_refused_by_name_before_anything_is_applied(database_url: str, folder: Path) -> None:
    with connect(database_url) as connection:
        migrations.apply(connection, folder)
        (folder / "0001_first.sql").write_text("SELECT 1;")
        (folder / "0003_third.sql").write_text("SELECT 1;")
        with pytest.raises(InvalidInput, match=r"0001_first\.sql was applied .* with other content"):
            migrations.apply(connection, folder)
        assert names(connection) == ["0001_first.sql", "0002_second.sql"]


def test_two_at_once_apply_each_file_once(database_url: str, folder: Path) -> None:
    (folder / "0003_slow.sql").write_text("""SELECT pg_sleep(0.2); INSERT INTO "Log" VALUES ('slow');""")
    start = threading.Barrier(4)
    applied: list[list[str]] = []

    def apply() -> None:
        with connect(database_url) as connection:
            start.wait()
            applied.append(migrations.apply(connection, folder))

    threads = [threading.Thread(target=apply) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for names_ in applied for name in names_) == [
        "0001_first.sql",
        "0002_second.sql",
        "0003_slow.sql",
    ]
    with connect(database_url) as connection:
        assert connection.execute("""SELECT count(*) FROM "Log" WHERE "line" = 'slow'""").fetchone() == (1,)


def test_a_file_without_a_number_is_refused(database_url: str, folder: Path) -> None:
    (folder / "fix.sql").write_text("SELECT 1;")
    with connect(database_url) as connection, pytest.raises(InvalidInput, match=r"fix\.sql: a migration is named like"):
        migrations.apply(connection, folder)


def test_an_empty_folder_is_refused(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection, pytest.raises(InvalidInput, match="no migrations in"):
        migrations.apply(connection, tmp_path)


def test_the_sites_schema_follows_its_file_but_waits_for_no_writer_once_applied(
    database_url: str, tmp_path: Path
) -> None:
    schema = tmp_path / "site-schema.sql"
    schema.write_bytes(SITE_SCHEMA.read_bytes())
    with connect(database_url) as connection, connect(database_url) as writer:
        migrations.apply_site_schema(connection, schema)
        with writer.transaction():
            writer.execute('INSERT INTO "User" DEFAULT VALUES')
            connection.execute("SET lock_timeout = '1s'")
            migrations.apply_site_schema(connection, schema)
        schema.write_text(schema.read_text() + '\nALTER TABLE "User" ADD COLUMN IF NOT EXISTS "shoeSize" integer;\n')
        migrations.apply_site_schema(connection, schema)
        assert connection.execute('SELECT "shoeSize" FROM "User"').fetchall() == [(None,)]


def test_printed_and_run_with_psql_they_do_the_same(database_url: str, tmp_path: Path) -> None:
    printed = sitejobs("db", "migrate", "--print", env=environment(DATABASE_URL="postgresql://127.0.0.1:1/nowhere"))
    assert printed.returncode == 0, printed.stderr
    (tmp_path / "bundle.sql").write_text(printed.stdout)
    with connect(database_url, first_schema="sitejobs") as connection:
        migrations.apply_site_schema(connection)
        for _ in range(2):
            env = environment(DATABASE_URL=database_url)
            done = sitejobs("db", "shell", "-q", "-f", str(tmp_path / "bundle.sql"), env=env)
            assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr
            assert migrations.pending(connection) == []
            assert migrations.apply(connection) == []  # each file's checksum is the one that is recorded
