"""Writes cards as they are equal for all who see them, each once (FeedCard).

Pages that run at the same time show the same posts and people. If two of them wrote one row, one of them would fail.
So a page adds a row where none of those that it sees is equal, the newest counts, and the cleanup removes the others.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.feed.feeds import Feed
from sitejobs.feed.rules import KIND_OF

_FIND_NEW: Final[LiteralString] = """
SELECT k."place"
FROM unnest(%(kinds)s::text[], %(ids)s::bigint[], %(hashes)s::bigint[]) WITH ORDINALITY
    AS k ("kind", "id", "hash", "place")
LEFT JOIN LATERAL (
    SELECT c."hash" FROM "FeedCard" c WHERE c."kind" = k."kind" AND c."id" = k."id" ORDER BY c."madeAt" DESC LIMIT 1
) AS stored ON true
WHERE stored."hash" IS DISTINCT FROM k."hash"
ORDER BY k."place"
"""
"""Finds the cards that are not stored, or not as they are now."""

# now() is when the transaction began to read: of two pages the one that has seen the later state wins. A row that a
# wrong clock dated ahead is replaced all the same.
_ADD: Final[LiteralString] = """
INSERT INTO "FeedCard" ("kind", "id", "madeAt", "hash", "card")
SELECT k."kind", k."id", GREATEST(now(), stored."last" + interval '1 microsecond'), k."hash", k."card"::jsonb
FROM unnest(%(kinds)s::text[], %(ids)s::bigint[], %(hashes)s::bigint[], %(cards)s::text[])
    AS k ("kind", "id", "hash", "card")
CROSS JOIN LATERAL (
    SELECT max(c."madeAt") AS "last" FROM "FeedCard" c WHERE c."kind" = k."kind" AND c."id" = k."id"
) AS stored
"""
"""Adds cards."""


def write_cards(connection: Connection, feeds: Sequence[Feed]) -> None:
    """Store the cards of these feeds that are new or have changed."""
    found: dict[tuple[str, int], str] = {}
    for feed in feeds:
        for segment in feed.segments:
            for item in segment:
                found[KIND_OF[item.presentation], item.id] = item.shared
    keys, texts = list(found), [f"{text}}}" for text in found.values()]
    kinds, ids, hashes = [kind for kind, _ in keys], [id_ for _, id_ in keys], [_hash(text) for text in texts]
    places = connection.execute(_FIND_NEW, {"kinds": kinds, "ids": ids, "hashes": hashes}).fetchall()
    new = [place - 1 for (place,) in places]
    if new:
        columns: dict[str, list[Any]] = {"kinds": kinds, "ids": ids, "hashes": hashes, "cards": texts}
        connection.execute(_ADD, {name: [values[at] for at in new] for name, values in columns.items()})


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
