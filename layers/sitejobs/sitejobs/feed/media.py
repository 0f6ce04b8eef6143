"""Which media of a post somebody sees, and what kind of post they make it: SQL that the feed's jobs share."""

from collections.abc import Sequence
from typing import LiteralString

SHOWN: LiteralString = """
m."deletedAt" IS NULL AND m."status"::text NOT IN ('PENDING', 'REJECTED', 'FAILED_PROCESSING')
"""
"""Condition on `"Media" m`: uploaded, not refused, not deleted."""

MEDIA_COUNT: LiteralString = f"""
(SELECT count(DISTINCT m."id") FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId"
 WHERE pm."postId" = p."id" AND {SHOWN})
"""
"""How many media the post `p` shows."""

CONTENT_TYPE: LiteralString = f"""
(SELECT CASE WHEN bool_or(m."type"::text = 'VIDEO') THEN 'videos'
             WHEN bool_or(m."type"::text = 'IMAGE') THEN 'photos' ELSE 'text' END
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND {SHOWN})
"""
"""What the post `p` is: videos if it shows one, else photos if it shows one, else text."""

SHOWN_TYPES: LiteralString = f"""
(SELECT array_agg(m."type"::text ORDER BY pm."order", m."id")
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND {SHOWN})
"""
"""The types of the media that the post `p` shows, in their order; NULL if it shows none."""


def content_type(types: Sequence[str]) -> str:
    """What `CONTENT_TYPE` says of a post with media of these types."""
    return "videos" if "VIDEO" in types else "photos" if "IMAGE" in types else "text"
