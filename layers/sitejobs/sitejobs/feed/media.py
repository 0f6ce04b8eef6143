"""SQL of the media that a post shows, and of the kind of post that they make it."""

from collections.abc import Sequence
from typing import Final, LiteralString

SHOWN: Final[LiteralString] = """
m."deletedAt" IS NULL AND m."status"::text IN ('UPLOADED', 'PROCESSING', 'READY')
"""
"""Condition on `"Media" m`: uploaded, not refused, not deleted. A status of the site's own is not shown."""

MEDIA_COUNT: Final[LiteralString] = f"""
(SELECT count(DISTINCT m."id") FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId"
 WHERE pm."postId" = p."id" AND {SHOWN})
"""
"""Number of media that the post `p` shows."""

CONTENT_TYPE: Final[LiteralString] = f"""
(SELECT CASE WHEN bool_or(m."type"::text = 'VIDEO') THEN 'videos'
             WHEN bool_or(m."type"::text = 'IMAGE') THEN 'photos' ELSE 'text' END
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND {SHOWN})
"""
"""Kind of the post `p`: videos if it shows one, else photos if it shows an image, else text."""

SHOWN_TYPES: Final[LiteralString] = f"""
(SELECT array_agg(m."type"::text ORDER BY pm."order", m."id")
 FROM "PostMedia" pm JOIN "Media" m ON m."id" = pm."mediaId" WHERE pm."postId" = p."id" AND {SHOWN})
"""
"""The types of the media that the post `p` shows, in their order; NULL if it shows none."""


def content_type(types: Sequence[str]) -> str:
    """`CONTENT_TYPE` of a post with media of these types."""
    return "videos" if "VIDEO" in types else "photos" if "IMAGE" in types else "text"
