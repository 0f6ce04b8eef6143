"""SQL of what a feed is made of: posts, people, questions, and relations between users. `k."userId"` is the viewer.

Reading and fingerprints use the same pieces, so that a fingerprint covers everything that its feed shows. What came
after the run's start, %(now)s, belongs to the next run.
"""

from typing import Final, LiteralString

from sitejobs.feed.media import SHOWN_TYPES
from sitejobs.feed.rules import RULES
from sitejobs.jobs.repeats import STILL_COUNTS
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.postgres.values import moment

IS_VISIBLE: Final[LiteralString] = """a."deletedAt" IS NULL AND c."deletedAt" IS NULL AND c."isVisible" """
"""Condition on `"User" a` and `"Profile" c`: may appear in others' feeds."""


def card_id(text: LiteralString) -> LiteralString:
    """SQL of a stored card's id as bigint. `text`: the id as text; NULL if it is no bigint."""
    return f"""
    CASE WHEN {text} ~ '^-?[0-9]{{1,18}}$' THEN ({text})::bigint
         WHEN {text} ~ '^-?[0-9]{{19}}$' THEN CASE
             WHEN ({text})::numeric BETWEEN {MIN_ID} AND {MAX_ID} THEN ({text})::bigint END
         END"""


_KIND: Final[LiteralString] = """
'{"highlight": "post", "post": "post", "suggestion": "suggestion", "grid": "suggestion", "question": "question"}'::jsonb
    ->> i."presentation"
"""
"""`KIND_OF` in SQL."""

SEGMENTS: Final[LiteralString] = """
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", NULL::jsonb AS "items", "presentation", "id"
FROM "FeedSegment"
UNION ALL
SELECT "userId", "segmentIndex", "algorithmVersion", "expiresAt", "items", NULL, NULL FROM "FeedPresortedRow"
"""
"""All segments. Those of before cards were stored apart have `items`, the others arrays."""


def cards_of(segments: LiteralString) -> LiteralString:
    """SQL of the cards of `segments`: `"kind"`, `"id"`, and `"author"`, NULL where the post tells it.

    A segment has arrays, or `items` if it is of before cards were stored apart. What is no card has no kind or id.
    """
    return f"""
    SELECT s."userId", s."segmentIndex", {_KIND} AS "kind", i."id",
           CASE WHEN i."presentation" IN ('suggestion', 'grid') THEN i."id" END AS "author"
    FROM {segments} s CROSS JOIN LATERAL unnest(s."presentation", s."id") AS i ("presentation", "id")
    WHERE s."items" IS NULL
    UNION ALL
    SELECT s."userId", s."segmentIndex", item->>'kind', {card_id("item->>'id'")}, {card_id("item->'author'->>'id'")}
    FROM {segments} s CROSS JOIN LATERAL jsonb_array_elements(
        CASE jsonb_typeof(s."items") WHEN 'array' THEN s."items" ELSE '[]' END) AS item
    """


_TAKEN: Final[LiteralString] = """
p."id", p."userId" AS "author", p."text", p."createdAt", c."displayName" AS "name", c."avatarUrl" AS "avatar"
"""


def _recent(post: LiteralString) -> LiteralString:
    return f"""
    {post}."deletedAt" IS NULL AND {post}."createdAt" <= %(now)s
    AND {post}."createdAt" > %(now)s::timestamptz - make_interval(days => %(days)s::int)
    """


# Looked up only for the posts that are taken.
_FIGURES: Final[LiteralString] = f"""p.*, {SHOWN_TYPES} AS "media", f."topics", f."quality", t."popularity" """
_WITH_FIGURES: Final[LiteralString] = """
LEFT JOIN "PostFeatures" f ON f."postId" = p."id"
LEFT JOIN "TrendingScore" t ON t."postId" = p."id" AND t."expiresAt" > %(now)s
"""


def _is_public(post: LiteralString) -> LiteralString:
    """Whether a post is public, whatever type the column has.

    The planner takes a CASE for true in half of the rows, but a comparison of a cast for true in one of 200.
    """
    return f"""CASE {post}."visibility"::text WHEN 'PUBLIC' THEN true ELSE false END"""


PUBLIC_POSTS: Final[LiteralString] = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM "Post" p
    JOIN "User" a ON a."id" = p."userId"
    JOIN "Profile" c ON c."userId" = p."userId"
    -- The oldest post of an author's share. Joined by author alone, so that the server can reuse it for each post
    LEFT JOIN LATERAL (
        SELECT o."createdAt", o."id" FROM "Post" o
        WHERE o."userId" = p."userId" AND {_is_public("o")} AND {_recent("o")}
        ORDER BY o."createdAt" DESC, o."id" DESC OFFSET %(authorPosts)s - 1 LIMIT 1
    ) AS oldest ON true
    WHERE {_is_public("p")} AND {_recent("p")} AND {IS_VISIBLE}
      AND (oldest."id" IS NULL OR (p."createdAt", p."id") >= (oldest."createdAt", oldest."id"))
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(publicPosts)s
) AS p {_WITH_FIGURES}
"""
"""The newest public posts of visible people, at most %(authorPosts)s of each, so that no author fills every feed."""

POST_HASH: Final[LiteralString] = "hashtextextended(post::text, 0)"
"""Hash of a row of `PUBLIC_POSTS` named `post`."""

RANK_HASH: Final[LiteralString] = """
hashtextextended(
    (post."author", post."createdAt", post."media", post."topics", post."quality", post."popularity")::text, 0)
"""
"""Hash of what the score of that row is made of, and of whose post it is."""

_OWN_POSTS: Final[LiteralString] = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM "Post" p LEFT JOIN "Profile" c ON c."userId" = p."userId" AND c."deletedAt" IS NULL
    WHERE p."userId" = k."userId" AND {_recent("p")}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(ownPosts)s
) AS p {_WITH_FIGURES}
"""
_FOLLOWED_POSTS: Final[LiteralString] = f"""
SELECT {_FIGURES} FROM (
    SELECT {_TAKEN} FROM (
        SELECT DISTINCT g."ownerUserId" FROM "ProfileAccess" g
        WHERE g."viewerUserId" = k."userId" AND g."ownerUserId" <> k."userId" AND g."status"::text = 'GRANTED'
    ) AS g
    JOIN "User" a ON a."id" = g."ownerUserId"
    JOIN "Profile" c ON c."userId" = g."ownerUserId"
    CROSS JOIN LATERAL (
        SELECT p."id", p."userId", p."text", p."createdAt" FROM "Post" p
        WHERE p."userId" = g."ownerUserId" AND p."visibility"::text = 'PRIVATE' AND {_recent("p")}
        ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(authorPosts)s
    ) AS p
    WHERE {IS_VISIBLE}
    ORDER BY p."createdAt" DESC, p."id" DESC LIMIT %(followedPosts)s
) AS p {_WITH_FIGURES}
"""
OWN_AND_FOLLOWED_POSTS: Final[LiteralString] = f"{_OWN_POSTS} UNION ALL {_FOLLOWED_POSTS}"
"""Candidates of this viewer alone: own posts, and private ones of users who let the viewer in."""

_CHANGED: Final[LiteralString] = moment('q."updatedAt"')
QUIZ: Final[LiteralString] = f"""
SELECT q."id", {_CHANGED} AS "updatedAt" FROM "Quiz" q WHERE q."isActive"
ORDER BY {_CHANGED} DESC NULLS LAST, q."id" DESC LIMIT 1
"""
"""The newest active quiz."""

QUESTIONS: Final[LiteralString] = f"""
SELECT q."id", q."prompt", quiz."id" AS "quiz", quiz."updatedAt", (
    SELECT COALESCE(jsonb_agg(jsonb_build_object('value', o."value", 'label', o."label")
                              ORDER BY o."order", o."id"), '[]')
    FROM "QuizOption" o
    WHERE o."questionId" = q."id" AND o."value" IS NOT NULL AND o."label" IS NOT NULL) AS "options"
FROM ({QUIZ}) AS quiz JOIN "QuizQuestion" q ON q."quizId" = quiz."id" AND q."prompt" IS NOT NULL
ORDER BY q."order", q."id"
"""
"""The questions of that quiz that have a prompt, with their options."""

ANSWERED: Final[LiteralString] = f"""
SELECT jsonb_object_keys(r."answers") AS "question"
FROM "QuizResult" r WHERE r."userId" = k."userId" AND r."quizId" = (SELECT "id" FROM ({QUIZ}) AS quiz)
  AND jsonb_typeof(r."answers") = 'object'
"""
"""Questions of the quiz that the viewer has answered."""

BLOCKED: Final[LiteralString] = """
SELECT b."blockedId" AS "other" FROM "UserBlock" b WHERE b."blockerId" = k."userId" AND b."blockedId" IS NOT NULL
UNION ALL
SELECT b."blockerId" FROM "UserBlock" b WHERE b."blockedId" = k."userId" AND b."blockerId" IS NOT NULL
"""
"""Users who must not appear to the viewer: blocks count both ways."""

DECIDED: Final[LiteralString] = f"""
SELECT l."toUserId" AS "other" FROM "Like" l
WHERE l."fromUserId" = k."userId" AND l."action" IS NOT NULL AND l."toUserId" IS NOT NULL AND {STILL_COUNTS}
UNION
SELECT l."fromUserId" FROM "Like" l
WHERE l."toUserId" = k."userId" AND l."action"::text = 'DISLIKE' AND l."fromUserId" IS NOT NULL
UNION
SELECT c."userBId" FROM "Conversation" c WHERE c."userAId" = k."userId" AND c."userBId" IS NOT NULL
UNION
SELECT c."userAId" FROM "Conversation" c WHERE c."userBId" = k."userId" AND c."userAId" IS NOT NULL
"""
"""Users whom the viewer has liked, disliked or written to, and those who disliked the viewer.

Whom the viewer passed over returns after %(repeat_days)s days, if given.
"""

MATCHES: Final[LiteralString] = f"""
SELECT m."other", {moment('m."updatedAt"')} AS "updatedAt" FROM (
    SELECT m."userBId" AS "other", m."updatedAt" FROM "Match" m
    WHERE m."userAId" = k."userId" AND m."state"::text = 'ACTIVE'
    UNION ALL
    SELECT m."userAId", m."updatedAt" FROM "Match" m
    WHERE m."userBId" = k."userId" AND m."state"::text = 'ACTIVE'
) AS m WHERE m."other" IS NOT NULL
"""
"""The viewer's active matches, and when each was last changed."""

SCORED: Final[LiteralString] = """
SELECT m."userId", m."candidateUserId"[:%(suggestions)s::int], m."score"[:%(suggestions)s::int]::float8[]
FROM "MatchCandidates" m WHERE m."userId" = ANY(%(keys)s)
"""
"""The first candidates of each user by match-scores."""

NEWEST_PEOPLE: Final[LiteralString] = f"""
SELECT a."id" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE {IS_VISIBLE} ORDER BY a."id" DESC LIMIT %(suggestions)s
"""
"""The newest visible users, suggested to users without match scores."""

OTHER_PEOPLE: Final[LiteralString] = f"""
SELECT a."id" AS "other" FROM "User" a
WHERE a."deletedAt" IS NULL AND a."id" <> k."userId"
  AND EXISTS (SELECT FROM "Profile" c WHERE c."userId" = a."id" AND c."deletedAt" IS NULL)
  AND a."id" NOT IN ({BLOCKED}) AND a."id" NOT IN ({DECIDED})
ORDER BY a."id" DESC LIMIT %(suggestions)s
"""
"""The newest people, hidden ones too, whom nothing keeps from the viewer: for whom has decided about the newest of all.

Hidden ones are left out later: a feed is made anew when somebody shows up whom it has left out.
"""

PERSON: Final[LiteralString] = f"""
SELECT a."id", c."displayName", c."avatarUrl", c."bio" FROM "User" a JOIN "Profile" c ON c."userId" = a."id"
WHERE {IS_VISIBLE}
"""
"""What cards show of visible people."""

PERSON_HASH: Final[LiteralString] = f"hashtextextended(person::text, {RULES})"
"""Hash of a row of `PERSON` named `person`."""
