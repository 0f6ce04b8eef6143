"""PostgreSQL's plans for a page of a larger site scan no large table."""

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest

from sitejobs.feed import content_features, feed_presort_cleanup, freshness, inputs
from sitejobs.feed.rules import read_rules
from sitejobs.feed.sources import PUBLIC_POSTS
from sitejobs.postgres.connection import connect
from sitejobs_local.database.postgres import Server
from tests.databases import site_database

_SITE: tuple[LiteralString, ...] = (
    """INSERT INTO "User" ("id", "createdAt") SELECT g, now() FROM generate_series(1, 20000) g""",
    """INSERT INTO "Profile" ("id", "userId", "isVisible") SELECT "id" + 50000, "id", "id" % 10 > 0 FROM "User" """,
    """
    INSERT INTO "Post" ("id", "userId", "visibility", "text", "createdAt")
    SELECT g, 1 + g % 20000, CASE WHEN g % 7 = 0 THEN 'PRIVATE' ELSE 'PUBLIC' END::"PostVisibility", 'jazz',
           now() - g * interval '10 seconds'
    FROM generate_series(1, 40000) g
    """,
    """
    INSERT INTO "PostFeatures" ("postId", "topics", "quality", "computedAt", "fingerprint")
    SELECT "id", ARRAY['jazz'], 0.5, now(), 1 FROM "Post"
    """,
    """
    INSERT INTO "ProfileAccess" ("ownerUserId", "viewerUserId", "status")
    SELECT "id", "id" % 20000 + step, 'GRANTED' FROM "User" CROSS JOIN generate_series(1, 2) step
    WHERE "id" % 20000 + step NOT IN ("id", 20001)
    """,
    """
    INSERT INTO "FeedSegment" ("userId", "segmentIndex", "algorithmVersion", "computedAt", "expiresAt", "presentation",
                               "id", "score", "match", "affinity", "recency", "quality", "trending")
    SELECT "id", 0, 'v1', now(), now() + interval '1 hour', '{post}', ARRAY["id" * 7], '{0}', '{NULL}', '{0}', '{0}',
           '{0}', '{0}'
    FROM "User" WHERE "id" <= 5000
    """,
    """
    INSERT INTO "FeedCard" SELECT 'post', "id", now(), 0, '{}' FROM "Post"
    """,
    "ANALYZE",
)
PAGE = {
    "keys": list(range(1001, 1101)),
    "ids": list(range(20, 20_000, 20)),
    "first": 20_001,
    "last": 23_000,
    "limit": None,
}


@pytest.fixture(scope="module")
def large_site(postgres_server: Server) -> Iterator[psycopg.Connection]:
    with site_database(postgres_server) as url, connect(url) as connection:
        for statement in _SITE:
            connection.execute(statement)
        yield connection


def nodes(connection: psycopg.Connection, statement: LiteralString, values: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes of the plan, with their actual rows."""
    [[now]] = connection.execute("SELECT now()").fetchall()
    given = {**values, "now": now}
    [[plan]] = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, given).fetchall()
    found = []
    waiting = [plan[0]["Plan"]]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].get("Plans", [])
    return found


def test_a_page_looks_at_the_newest_posts_only_however_many_there_are(large_site: psycopg.Connection) -> None:
    values = read_rules({}, 20, 3).to_parameters()
    found = nodes(large_site, PUBLIC_POSTS, values)
    assert values["publicPosts"] < looked_at(found, "p") < 2 * values["publicPosts"]
    assert looked_at(found, "o") < 10 * values["publicPosts"]


def looked_at(found: list[dict[str, Any]], alias: str) -> float:
    """Number of rows of the table that were read, including those filtered out."""
    rows = 0.0
    for it in found:
        if it.get("Alias") == alias and "Relation Name" in it:
            rows += (it["Actual Rows"] + it.get("Rows Removed by Filter", 0)) * it["Actual Loops"]
    return rows


def test_an_author_of_many_posts_costs_one_look_at_the_share(large_site: psycopg.Connection) -> None:
    values = read_rules({}, 20, 3).to_parameters()
    with large_site.transaction(force_rollback=True):
        large_site.execute("""
            INSERT INTO "Post" ("id", "userId", "text", "createdAt")
            SELECT 100000 + g, 7, 'spam', now() - g * interval '1 second' FROM generate_series(1, 20000) g
        """)
        large_site.execute('ANALYZE "Post"')
        found = nodes(large_site, PUBLIC_POSTS, values)
        [[now]] = large_site.execute("SELECT now()").fetchall()
        authors = [row[1] for row in large_site.execute(PUBLIC_POSTS, {**values, "now": now})]
    assert looked_at(found, "o") < 10 * values["publicPosts"]
    assert (len(authors), authors.count(7)) == (values["publicPosts"], 10)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (inputs._PEOPLE, {}),
        (inputs._VISIBLE, {}),
        (content_features.STALE, {"days": 7, "rules": 1, "maxTopics": 10}),
        (content_features.STALE, {"days": 0, "rules": 1, "maxTopics": 10}),
        (feed_presort_cleanup.FIND, {"maxSegments": 3, "version": "v1"}),
    ],
    ids=["people", "visible", "features", "features of all", "cleanup"],
)
def test_a_page_reads_no_large_table_from_end_to_end(
    large_site: psycopg.Connection, statement: LiteralString, values: dict[str, Any]
) -> None:
    found = nodes(large_site, statement, PAGE | values)
    assert {it.get("Relation Name") for it in found} & {"Profile", "Post", "FeedSegment"}
    # "FeedPresortedUser" is empty here.
    scanned = {it["Relation Name"] for it in found if it["Node Type"] == "Seq Scan"} - {"FeedPresortedUser"}
    assert scanned & {"User", "Profile", "Post", "PostFeatures", "ProfileAccess", "FeedSegment", "FeedCard"} == set()


def test_a_page_looks_for_match_scores_of_its_own_users_only(large_site: psycopg.Connection) -> None:
    values = read_rules({}, 20, 3).to_parameters() | {"first": 1, "last": 10_000, "limit": None}
    with large_site.transaction(force_rollback=True):
        large_site.execute("""
            INSERT INTO "MatchList"
            SELECT "id", now(), 'v1', 0, 0, 200, ids, zeros, zeros, zeros, zeros, zeros, zeros, zeros, none, none, none,
                   none, none, zeros::integer[], zeros::smallint[], zeros::smallint[], zeros::smallint[]
            FROM "User" CROSS JOIN (
                SELECT array_agg(g::bigint) AS ids, array_agg(0::real) AS zeros, array_agg(NULL::real) AS none
                FROM generate_series(1, 200) g) AS filled WHERE "id" <= 2000
        """)
        large_site.execute("""
            INSERT INTO "FeedPresortedUser" SELECT "id", 'v1', now(), now(), 1, NULL, 0, 0, '{}' FROM "User"
        """)
        large_site.execute('ANALYZE "MatchList", "FeedPresortedUser"')
        shared = '(SELECT 0::bigint AS "hash")'
        statement = f'SELECT {freshness.FINGERPRINT} FROM (SELECT *, 0 AS "peopleSum" FROM "FeedPresortedUser" '
        statement += 'WHERE "userId" BETWEEN %(first)s AND %(last)s) AS k'
        found = nodes(large_site, f"WITH newest AS MATERIALIZED {shared} {statement}", values)
    lists = [it for it in found if it.get("Relation Name") == "MatchList"]
    assert lists
    assert not [it for it in lists if it["Node Type"] == "Seq Scan"]
