"""Writes cards as they are equal for all who see them, each once (FeedCard).

Pages that run at the same time show the same posts and people. If two of them wrote one row, one of them would fail.
So a page adds a row where none of those that it sees is equal, the newest counts, and the cleanup removes the others.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection


class Card(NamedTuple):
    """A card as it is equal for all, as JSON; `hash`: of all that it is made of."""

    kind: str
    id: int
    hash: int
    text: str


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


def hash_of(text: str) -> int:
    """The hash of a card that is made of nothing but its text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def write_cards(connection: Connection, cards: Sequence[Card]) -> None:
    """Store those of these cards that are new or have changed."""
    if not cards:
        return
    kinds, ids, hashes, texts = zip(*cards, strict=True)
    given: dict[str, list[Any]] = {"kinds": list(kinds), "ids": list(ids), "hashes": list(hashes), "cards": list(texts)}
    places = connection.execute(_FIND_NEW, {name: given[name] for name in ("kinds", "ids", "hashes")}).fetchall()
    if places:
        new = [place - 1 for (place,) in places]
        connection.execute(_ADD, {name: [values[at] for at in new] for name, values in given.items()})
