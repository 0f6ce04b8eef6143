"""What the jobs know of one user: the stored rows of each, and what they say in words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.matches import why
from sitejobs_local.commands.stored_matches import best

if TYPE_CHECKING:
    from psycopg import Connection

Facts = dict[str, Any]

SHOWN: Final = 5
"""Most traits, matches, creators and the like that are named."""

_AT: Final = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "{}" """
"""A time as text: a year that Python cannot hold is shown, too."""


def _at(column: LiteralString, name: LiteralString = "computedAt") -> str:
    return _AT.format(column, name)


_USER: Final = f"""
SELECT u."deletedAt" IS NOT NULL AS "deleted", p."userId" IS NOT NULL AS "hasProfile", p."displayName" AS "name",
       p."isVisible" AS "visible", p."gone" AS "profileDeleted", {_at('u."createdAt"', "since")}
FROM "User" u LEFT JOIN LATERAL (
    SELECT q."userId", q."displayName", q."isVisible", q."deletedAt" IS NOT NULL AS "gone" FROM "Profile" q
    WHERE q."userId" = u."id" ORDER BY q."deletedAt" IS NULL DESC, q."id" DESC LIMIT 1
) AS p ON true
WHERE u."id" = %(id)s
"""
_SEARCHABLE: Final = f"""
SELECT s."isSearchable" AS "searchable", s."reasons", s."missing", s."completeness", {_at('s."updatedAt"')}
FROM "SearchableUser" s WHERE s."userId" = %(id)s
"""
_INDEXED: Final = f"""
SELECT i."age", i."gender", i."city", i."country", i."hasLocation", i."interestCount", i."traitCount",
       cardinality(i."top5Keywords") AS "keywords", {_at('i."indexedAt"')}
FROM "ProfileSearchIndex" i WHERE i."userId" = %(id)s
"""
_TRAITS: Final = f"""
SELECT s."skipped", {_at('s."checkedAt"')}, t."count", COALESCE(t."strongest", '[]') AS "strongest"
FROM "UserTraitState" s CROSS JOIN LATERAL (
    SELECT count(*) AS "count",
           jsonb_agg(jsonb_build_object('trait', "traitKey", 'value', "value"::float8, 'answers', "n") ORDER BY "place")
               FILTER (WHERE "place" <= %(shown)s) AS "strongest"
    FROM (SELECT *, row_number() OVER (ORDER BY abs("value") DESC, "traitKey") AS "place"
          FROM "UserTrait" WHERE "userId" = s."userId" AND "value" <> 'NaN') AS each
) AS t
WHERE s."userId" = %(id)s
"""
_INTERESTS: Final = f"""
SELECT {_at('s."updatedAt"')}, (SELECT count(*) FROM "InterestUserSet" i WHERE i."userId" = s."userId") AS "count",
       ARRAY(SELECT n."key" FROM "InterestUserSet" i JOIN "Interest" n ON n."id" = i."interestId"
             WHERE i."userId" = s."userId" ORDER BY n."key" LIMIT %(shown)s) AS "first"
FROM "InterestSetState" s WHERE s."userId" = %(id)s
"""
_VIEWER: Final = f"""
SELECT v."rows", v."skipped", v."provisional", v."algorithmVersion", {_at('v."scoredAt"')}
FROM "MatchScoreViewer" v WHERE v."userId" = %(id)s
"""
_MODEL: Final = f"""
SELECT m."id" AS "model", e."selectivity", e."appeal", {_at('m."trainedAt"')}
FROM "MatchModel" m LEFT JOIN "UserMatchEffect" e ON e."modelId" = m."id" AND e."userId" = %(id)s
WHERE m."status" = 'active' ORDER BY m."id" DESC LIMIT 1
"""
_COMPATIBILITY: Final = f"""
SELECT v."rows", v."skipped", v."algorithmVersion", {_at('v."computedAt"')}, COALESCE((
    SELECT jsonb_agg(jsonb_build_object('userId', c."targetUserId", 'score', c."score", 'status', c."status",
                     'components', c."reasons" -> 'components') ORDER BY c."score" DESC NULLS LAST, c."targetUserId")
    FROM (SELECT * FROM "UserCompatibilityExplained" WHERE "viewerUserId" = %(id)s
          ORDER BY "score" DESC NULLS LAST, "targetUserId" LIMIT %(shown)s) AS c), '[]') AS "best"
FROM "UserCompatibilityViewer" v WHERE v."userId" = %(id)s
"""
_AFFINITY: Final = f"""
SELECT a."topCreators"[1:%(shown)s] AS "creators", a."topCreatorShares"[1:%(shown)s] AS "creatorShares",
       a."topTopics"[1:%(shown)s] AS "topics", a."topTopicShares"[1:%(shown)s] AS "topicShares",
       a."contentTypePrefs" AS "contentTypes", a."engagementVelocity" AS "likesADay",
       a."explorationFactor" AS "exploration", {_at('a."computedAt"')}
FROM "UserAffinityProfile" a WHERE a."userId" = %(id)s
"""
_FEED: Final = f"""
SELECT f."segments", f."skipped", f."algorithmVersion", {_at('f."computedAt"')}, {_at('f."expiresAt"', "expiresAt")},
       f."expiresAt" <= now() AS "expired",
       COALESCE((SELECT s."items" FROM "FeedPresorted" s WHERE s."userId" = f."userId" AND s."segmentIndex" = 0), '[]')
           AS "first"
FROM "FeedPresortedUser" f WHERE f."userId" = %(id)s
"""


@dataclass(frozen=True)
class Section:
    """One thing that a job computes of a user. `say`: its stored row in words, a line each."""

    name: str
    job: str
    query: str
    say: Callable[[Facts], Iterator[str]]
    one: bool = True
    """Whether the job takes --userId."""


def read_user(connection: "Connection", user_id: int) -> Facts:
    """All that is stored of a user, as of one moment; nothing is written.

    Raises
    ------
    InvalidInput : there is no such user.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = _row(connection, _USER, user_id)
        if found is None:
            raise InvalidInput(f"there is no user {user_id}")
        known = {section.name: _read(connection, section, user_id) for section in SECTIONS}
    return {"userId": user_id, **found, "told": ", ".join(_person(found)), "known": known}


def _read(connection: "Connection", section: Section, user_id: int) -> Facts:
    """What one job stored. `told` is empty in no case; `computedAt` is null where the job has not come to the user."""
    row = _row(connection, section.query, user_id)
    if row is None:
        command = f"sitejobs {section.job}" + (f" --userId={user_id}" if section.one else "")
        return {"job": section.job, "computedAt": None, "told": [f"not computed: `{command}`"]}
    if section.name == "matches":
        row["best"] = [_match(match) for match in best(connection, user_id, SHOWN)]
    return {"job": section.job, **row, "told": list(section.say(row))}


def _row(connection: "Connection", query: str, user_id: int) -> Facts | None:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), {"id": user_id, "shown": SHOWN}).fetchone()


def _match(row: Mapping[str, Any]) -> Facts:
    return {
        "rank": row["rank"],
        "tier": row["tier"],
        "userId": row["id"],
        "name": row["name"],
        "age": row["age"],
        "place": row["place"],
        "score": row["score"],
        "why": why(dict(row)),
    }


# In words ----------------------------------------------------------------------------------------------------


def _person(user: Facts) -> Iterator[str]:
    yield user["name"] or "(no name)"
    if user["deleted"]:
        yield "deleted"
    elif not user["hasProfile"]:
        yield "no profile"
    elif user["profileDeleted"]:
        yield "profile deleted"
    else:
        yield "visible" if user["visible"] else "hidden"
    if user["since"]:
        yield f"since {user['since'][:10]}"


def _search(row: Facts) -> Iterator[str]:
    filled = f"{row['completeness']:.0%} filled in"
    yield f"may be found, {filled}" if row["searchable"] else f"may not be found: {', '.join(row['reasons'])}; {filled}"
    if row["missing"]:
        yield f"missing: {', '.join(row['missing'])}"


def _index(row: Facts) -> Iterator[str]:
    where = ", ".join(filter(None, (row["city"], row["country"]))) or ("a place" if row["hasLocation"] else "no place")
    age = "age unknown" if row["age"] is None else f"{row['age']} years"
    yield f"{age}, {row['gender'] or 'no gender'}, {where}"
    yield f"{row['interestCount']} interests, {row['traitCount']} traits, {row['keywords'] or 0} words of lists"


def _traits(row: Facts) -> Iterator[str]:
    left = f", {row['skipped']} answers or results left out" if row["skipped"] else ""
    yield f"{row['count']} traits{left}"
    if row["strongest"]:
        yield "strongest: " + ", ".join(f"{each['trait']} {each['value']:.2f}" for each in row["strongest"])


def _interests(row: Facts) -> Iterator[str]:
    more = row["count"] - len(row["first"])
    yield f"{row['count']} interests" + (
        f": {', '.join(row['first'])}" + (f" and {more} more" if more > 0 else "") if row["first"] else ""
    )


def _matches(row: Facts) -> Iterator[str]:
    later = "; computed anew by the next incremental run" if row["provisional"] else ""
    if row["skipped"] or not row["rows"]:
        yield f"no matches: {row['skipped'] or 'no candidates'}{later}"
        return
    yield f"{row['rows']} matches, {row['algorithmVersion']}{later}"
    for match in row["best"]:
        yield f"{match['rank']}. user {match['userId']}, tier {match['tier']}, {match['score']:.3f}: {match['why'][-1]}"


def _model(row: Facts) -> Iterator[str]:
    if row["appeal"] is None:
        yield f"model {row['model']} is active and does not know this user yet"
        return
    yield f"model {row['model']}: appeal {row['appeal']:+.2f}, selectivity {row['selectivity']:+.2f}"


def _compatibility(row: Facts) -> Iterator[str]:
    if row["skipped"] or not row["rows"]:
        yield f"compared with nobody: {row['skipped'] or 'no targets'}"
        return
    yield f"compared with {row['rows']} users, {row['algorithmVersion']}"
    for each in row["best"]:
        parts = ", ".join(f"{name} {value:.2f}" for name, value in each["components"].items())
        score = "too little to compare" if each["score"] is None else f"{each['score']:.3f}: {parts}"
        yield f"user {each['userId']}, {score}"


def _affinity(row: Facts) -> Iterator[str]:
    creators = zip(row["creators"] or (), row["creatorShares"] or (), strict=False)
    topics = zip(row["topics"] or (), row["topicShares"] or (), strict=False)
    named = {
        "posts of": [f"user {creator} {share:.0%}" for creator, share in creators],
        "topics": [f"{topic} {share:.0%}" for topic, share in topics],
        "kinds": [f"{kind} {share:.0%}" for kind, share in sorted((row["contentTypes"] or {}).items())],
    }
    for title, parts in named.items():
        if parts:
            yield f"{title}: {', '.join(parts)}"
    yield f"{row['likesADay']:.2f} likes a day, exploration {row['exploration']:.2f}"


def _feed(row: Facts) -> Iterator[str]:
    if row["skipped"] or not row["first"]:
        yield f"no feed: {row['skipped'] or 'cleaned up, the next run makes it anew'}"
        return
    until = "expired" if row["expired"] else "until"
    yield f"{row['segments']} segments, {row['algorithmVersion']}, {until} {row['expiresAt'][11:16]}"
    for card in row["first"][:SHOWN]:
        parts = ", ".join(f"{name} {value:.2f}" for name, value in card["parts"].items())
        score = f", {card['score']:.3f} ({parts})" if parts else ""
        yield f"{card['presentation']} {card['id']}{score}"


SECTIONS: Final = (
    Section("search", "searchable-user", _SEARCHABLE, _search),
    Section("index", "profile-search-index", _INDEXED, _index),
    Section("traits", "build-user-traits", _TRAITS, _traits),
    Section("interests", "user-interest-sets", _INTERESTS, _interests),
    Section("matches", "match-scores", _VIEWER, _matches),
    Section("model", "match-model", _MODEL, _model, one=False),
    Section("compatibility", "compatibility", _COMPATIBILITY, _compatibility),
    Section("affinity", "affinity", _AFFINITY, _affinity),
    Section("feed", "feed-presort", _FEED, _feed),
)
"""All that is told of a user, in the order in which the jobs need each other."""
