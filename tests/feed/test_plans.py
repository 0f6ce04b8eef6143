"""The server's plan for what all feeds of a page share, on a site where much is posted."""

from typing import Any

import psycopg

from sitejobs.feed.rules import read_rules
from sitejobs.feed.sources import PUBLIC_POSTS

POSTS = 40_000
_SITE = (
    """INSERT INTO "User" ("id", "createdAt") SELECT g, now() FROM generate_series(1, 2000) g""",
    """
    INSERT INTO "Profile" ("id", "userId", "isVisible") SELECT "id" + 5000, "id", "id" % 10 > 0 FROM "User"
    """,
    f"""
    INSERT INTO "Post" ("id", "userId", "visibility", "text", "createdAt")
    SELECT g, 1 + g % 2000, CASE WHEN g % 7 = 0 THEN 'PRIVATE' ELSE 'PUBLIC' END::"PostVisibility", 'jazz',
           now() - g * interval '10 seconds'
    FROM generate_series(1, {POSTS}) g
    """,
)


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = [plan]
    for node in plan.get("Plans", []):
        found += nodes_of(node)
    return found


def test_a_page_looks_at_the_newest_posts_only_however_many_there_are(connection: psycopg.Connection) -> None:
    for statement in _SITE:
        connection.execute(statement.encode())
    connection.execute("ANALYZE")
    values = read_rules({}, 20, 3).to_parameters()
    [[now]] = connection.execute("SELECT now()").fetchall()
    [[plan]] = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + PUBLIC_POSTS, {**values, "now": now}).fetchall()
    [posts] = [it for it in nodes_of(plan[0]["Plan"]) if it.get("Relation Name") == "Post"]
    looked_at = (posts["Actual Rows"] + posts.get("Rows Removed by Filter", 0)) * posts["Actual Loops"]
    assert values["publicPosts"] < looked_at < 2 * values["publicPosts"]
