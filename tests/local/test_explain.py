"""`sitejobs explain`: what the jobs know of one user, with the reasons that they stored."""

import json
from typing import Any

import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

from sitejobs.catalog import JOBS
from sitejobs.postgres.connection import connect
from sitejobs_local.commands.knowledge import SECTIONS, read_user
from sitejobs_local.database.postgres import Server
from tests.databases import site_database, temporary_database
from tests.local.command import environment, sitejobs
from tests.local.conftest import HOSTILE

MATCHED = """SELECT "userId" FROM "MatchScoreViewer" WHERE "rows" > 0 ORDER BY "userId" LIMIT 1"""


def first(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def known_of(connection: Connection, user_id: int) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(json.dumps(read_user(connection, user_id)))["known"]
    return known


def test_every_section_is_told_with_its_time(computed_site: str) -> None:
    with connect(computed_site) as connection:
        user_id = first(connection, MATCHED)
        known = known_of(connection, user_id)
        stored = connection.execute(
            """SELECT "candidateUserId", "score", "rank" FROM "MatchScore"
               WHERE "userId" = %s ORDER BY "rank" LIMIT 5""",
            [user_id],
        ).fetchall()
    assert list(known) == [section.name for section in SECTIONS]
    for name, section in known.items():
        assert section["told"], name
        if name != "model":  # so small a site has none
            assert section["computedAt"].startswith("20"), name
    assert [(it["userId"], pytest.approx(it["score"]), it["rank"]) for it in known["matches"]["best"]] == stored
    assert f"user {stored[0][0]}, tier" in known["matches"]["told"][1]
    assert known["feed"]["first"][0]["parts"]


def test_why_there_is_nothing_is_what_the_jobs_stored(postgres_server: Server) -> None:
    with site_database(postgres_server) as url, connect(url) as connection:
        connection.execute("""
            INSERT INTO "User" ("id") VALUES (1), (2);
            INSERT INTO "SearchableUser" ("userId", "isVisible", "isDeleted", "completeness", "isSearchable", "reasons",
                "missing", "updatedAt")
            VALUES (1, false, false, 0.29, false, '{hidden,completeness}', '{bio,avatar}', '2026-03-01 10:20Z');
            INSERT INTO "MatchScoreViewer" ("userId", "scoredAt", "algorithmVersion", "rows", "skipped", "provisional")
            VALUES (1, '2026-03-01 10:21Z', 'v1', 0, 'all-decided', true);
            INSERT INTO "FeedPresortedUser" ("userId", "algorithmVersion", "computedAt", "expiresAt", "segments",
                "skipped", "shared", "fingerprint", "people")
            VALUES (1, 'v1', '2026-03-01 10:22Z', 'infinity', 0, 'nothing-to-show', 0, 0, '{}')
        """)
        known = known_of(connection, 1)
        assert known["search"]["told"] == [
            "may not be found: hidden, completeness; 29% filled in", "missing: bio, avatar"]  # fmt: skip
        assert known["search"]["computedAt"] == "2026-03-01T10:20:00Z"
        assert known["matches"]["told"] == ["no matches: all-decided; computed anew by the next incremental run"]
        assert known["feed"]["told"] == ["no feed: nothing-to-show"]
        none = known_of(connection, 2)
    assert {name: section["computedAt"] for name, section in none.items()} == dict.fromkeys(none)
    assert none["traits"]["told"] == ["not computed: `sitejobs build-user-traits --userId=2`"]
    for section in SECTIONS:
        takes = "user_id" in JOBS[section.job].options.model_fields
        assert section.one == takes, section.job


def test_it_reads_and_writes_nothing(computed_site: str) -> None:
    with connect(computed_site) as connection:
        connection.execute("SET default_transaction_read_only = on")
        assert read_user(connection, first(connection, MATCHED))["known"]


def test_the_command_shows_a_table_of_80_columns_and_obeys_no_name(hostile_site: str) -> None:
    env = environment(DATABASE_URL=hostile_site, COLUMNS="80")
    with connect(hostile_site) as connection:
        user_id = first(connection, MATCHED)
    shown = sitejobs("explain", f"--userId={user_id}", env=env)
    assert shown.returncode == 0, shown.stderr
    head, *table = shown.stdout.splitlines()
    assert head.startswith(f"user {user_id}: \ufffdevil\ufffd </p><script>")
    assert max(map(len, table)) <= 80
    assert not set("\u202e\u2066\x1b") & set(shown.stdout)
    told = sitejobs("explain", f"--userId={user_id}", "--json", env=env).stdout
    assert not set("\u202e\u2066\x1b") & set(told)
    assert (json.loads(told)["userId"], json.loads(told)["name"]) == (user_id, HOSTILE)


def test_a_user_who_does_not_exist_is_bad_input(computed_site: str) -> None:
    done = sitejobs("explain", "--userId=987654321", env=environment(DATABASE_URL=computed_site))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "sitejobs: there is no user 987654321\n")


def test_what_a_model_ranked_is_told_by_its_chances(postgres_server: Server, computed_site: str) -> None:
    with temporary_database(postgres_server, template=str(conninfo_to_dict(computed_site)["dbname"])) as url:
        with connect(url) as connection:
            user_id = first(connection, MATCHED)
            connection.execute(
                """UPDATE "MatchList" SET "scoreLike" = array_fill(0.5::real, ARRAY[cardinality("score")]),
                   "scoreBack" = array_fill(0.25::real, ARRAY[cardinality("score")]) WHERE "userId" = %s""",
                [user_id],
            )
            told = known_of(connection, user_id)["matches"]["told"]
        env = environment(DATABASE_URL=url)
        shown = json.loads(sitejobs("matches", f"--userId={user_id}", "--json", env=env).stdout)["matches"][0]
    assert told[1].endswith(": chances of a yes 0.50 and 0.25, by the model")
    assert shown["chances"] == {"userSaysYes": 0.5, "candidateSaysYes": 0.25}
