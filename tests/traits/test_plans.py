"""PostgreSQL's plans for a page of a larger site scan no large table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString

import pytest

from sitejobs.jobs.keyed import Keys
from sitejobs.traits import build_user_traits as user_traits
from sitejobs.traits import user_interest_sets as interest_sets
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database
from tests.keyed_runs import NOW
from tests.traits.sites import Site

USERS = 6000
PAGE = 150
LARGE = 5000
"""Rows from which on a table is large here."""


@pytest.fixture(scope="module")
def loaded(postgres_server: Server) -> Iterator[Site]:
    """A synthetic site on which both jobs have run."""
    with site_database(postgres_server) as url:
        site = Site(url)
        load(site.connection, generate(USERS, 5, datetime(2026, 6, 1, tzinfo=UTC)))
        for job in (interest_sets.JOB, user_traits.JOB):
            site.run(job)
        site.query("""
            INSERT INTO "Quiz" ("id", "title") SELECT 1000000 + i, '' FROM generate_series(1, 1000) i;
            INSERT INTO "QuizQuestion" ("id", "quizId", "prompt")
            SELECT 1000000 + i, 1000001 + i / 6, '' FROM generate_series(0, 5999) i;
            INSERT INTO "QuizOption" ("questionId", "label", "value")
            SELECT 1000000 + i / 2, '', i::text FROM generate_series(0, 11999) i
        """)
        site.query("ANALYZE")
        yield site
        site.close()


def scanned(site: Site, statement: LiteralString, values: dict[str, Any]) -> set[str]:
    """Tables that the plan reads completely, in sequence or by an index."""
    row = site.connection.execute("EXPLAIN (FORMAT JSON) " + statement, values).fetchone()
    assert row is not None
    found: set[str] = set()
    nodes = [row[0][0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan") and "Index Cond" not in node:
            found.add(node["Relation Name"])
    return found


def large_tables(site: Site) -> set[str]:
    return {name for (name,) in site.query("SELECT relname::text FROM pg_class WHERE reltuples >= %s", [LARGE])}


def test_the_tables_of_these_jobs_are_large_on_this_site(loaded: Site) -> None:
    assert large_tables(loaded) >= {
        "User", "UserInterest", "InterestUserSet", "InterestSubjectUserSet", "InterestSetState", "QuizResult",
        "UserTrait", "UserTraitState", "QuizQuestion", "QuizOption",
    }  # fmt: skip
    assert scanned(loaded, 'SELECT * FROM "UserTrait"', {}) == {"UserTrait"}


@pytest.mark.parametrize(
    ("keys", "write"),
    [(interest_sets.KEYS, interest_sets.WRITE_SETS), (user_traits.KEYS, user_traits.WRITE_TRAITS)],
    ids=["interests", "traits"],
)
def test_a_page_reads_no_large_table_from_end_to_end(loaded: Site, keys: Keys, write: LiteralString) -> None:
    users = [user for (user,) in loaded.query('SELECT "id" FROM "User" ORDER BY 1 OFFSET 3000 LIMIT %s', [PAGE])]
    given = {"now": NOW, "keys": users, "first": users[0], "last": users[-1], "limit": None}
    for statement in (keys.known, keys.stale, write):
        assert scanned(loaded, statement, given) & large_tables(loaded) == set()


def test_plan_cuts_a_chapter_without_reading_beyond_it(loaded: Site) -> None:
    for keys in (interest_sets.KEYS, user_traits.KEYS):
        given = {"first": 11, "last": 2**63 - 1, "limit": PAGE}
        assert scanned(loaded, keys.known, given) & large_tables(loaded) == set()
