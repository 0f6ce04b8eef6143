"""What the page asks for and gets: made of what the other commands read. Nothing is computed anew."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sitejobs.errors import InvalidInput
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs_local.commands import quality, search
from sitejobs_local.commands.knowledge import read_user
from sitejobs_local.commands.matches import showpiece, why
from sitejobs_local.commands.stored_matches import best
from sitejobs_local.runs import recorded

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs_local.commands.studio.reader import Reader

Json = dict[str, Any]
Asked = Mapping[str, str]

RUNS, MATCHES, UPLOADS, HITS = 25, 30, 40, 20
SMALL = 20_000
"""Users up to whom all lists are looked through for one to show."""

_USUAL: Final = """
SELECT extract(epoch FROM r."finishedAt" - r."startedAt")::double precision FROM "JobRun" r
WHERE r."job" = %(job)s AND r."scope" = %(scope)s AND r."status" = 'SUCCEEDED' AND r."id" < %(id)s
ORDER BY r."id" DESC LIMIT 1
"""
"""Seconds that the last run of the same took."""

_JOBS_OF: Final = """
SELECT "id", "context" -> 'jobs' FROM "JobRun"
WHERE "id" = ANY(%(ids)s) AND jsonb_typeof("context" -> 'jobs') = 'object'
"""
"""The jobs of workflows, with how each of them stands."""

_USERS: Final = """SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = to_regclass('"User"')"""
"""About how many users: counting them all would take as long as reading them."""

_UPLOADS: Final = """
SELECT m."mediaId", m."verdict", m."reasons", m."format", m."kind", m."width", m."height", m."durationMs",
       m."sizeBytes", m."playable", m."checks",
       to_char(m."checkedAt" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "checkedAt"
FROM "MediaMetadata" m WHERE m."mediaId" < %(before)s AND (%(verdict)s::text IS NULL OR m."verdict" = %(verdict)s)
ORDER BY m."mediaId" DESC LIMIT %(limit)s
"""
VERDICTS: Final = ("READY", "REJECTED", "FAILED_PROCESSING")


def site(reader: "Reader", asked: Asked) -> Json:
    """What stands at the head of the page."""
    with reader.moment() as connection:
        row = connection.execute(_USERS).fetchone()
        users = int(row[0]) if row else 0
        example = showpiece(connection) if users <= SMALL else None
        return {"label": reader.target.label, "users": users, "example": example}


def recent_runs(reader: "Reader", asked: Asked) -> Json:
    """Runs, newest first; of those at work how long the last one took, and the jobs of a workflow."""
    with reader.moment() as connection:
        found = recorded.recent(connection, before=_whole(asked, "before", 1), limit=RUNS)
        following = found[-1]["id"] if len(found) == RUNS else None
        return {"runs": _completed(connection, found), "next": following}


def one_run(reader: "Reader", asked: Asked) -> Json:
    """One run with its failed pages."""
    with reader.moment() as connection:
        return _completed(connection, [recorded.one(connection, _required(asked, "id"), RUNS)])[0]


def _completed(connection: "Connection", found: list[Json]) -> list[Json]:
    """Runs with `usualSeconds`, where they are at work, and `jobs`, where they are workflows."""
    jobs: dict[int, Json] = dict(connection.execute(_JOBS_OF, {"ids": [run["id"] for run in found]}).fetchall())
    return [{**run, "usualSeconds": _usual(connection, run), "jobs": jobs.get(run["id"])} for run in found]


def _usual(connection: "Connection", run: Json) -> float | None:
    row = connection.execute(_USUAL, run).fetchone() if run["status"] == "RUNNING" else None
    return row[0] if row else None


def user(reader: "Reader", asked: Asked) -> Json:
    """What the jobs know of a user, matches with reasons, the feed's first cards."""
    user_id = _required(asked, "id")
    with reader.session() as connection:
        known = read_user(connection, user_id)
    with reader.moment() as connection:
        matches = [
            {**{key: row[key] for key in ("rank", "tier", "id", "name", "age", "place", "score")}, "why": why(row)}
            for row in best(connection, user_id, MATCHES)
        ]
    return {**known, "matches": matches, "cards": known["known"]["feed"].get("first", [])}


def searched(reader: "Reader", asked: Asked) -> Json:
    """Who is found, with marks around the words found."""
    given = {name: asked.get(name, "").strip() or None for name in ("near", "km", "age", "gender", "after")}
    try:
        wanted = search.wanted_of(asked.get("text", ""), limit=HITS, **given)
    except InvalidInput as error:
        raise InvalidInput(str(error).replace("--", "")) from None  # fields of a form, not options
    with reader.moment() as connection:
        hits, following = search.page_of(connection, wanted)
        told = None if hits or wanted.after else search.why_none(connection)
    return {"found": [vars(hit) for hit in hits], "next": following, "told": told}


def uploads(reader: "Reader", asked: Asked) -> Json:
    """Uploads by id, newest first, with their verdicts."""
    verdict = asked.get("verdict") or None
    if verdict not in (None, *VERDICTS):
        raise InvalidInput(f"verdict must be one of {', '.join(VERDICTS)}")
    given = {"before": _whole(asked, "before", MIN_ID) or MAX_ID, "verdict": verdict, "limit": UPLOADS}
    from psycopg.rows import dict_row

    with reader.moment() as connection, connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_UPLOADS, given).fetchall()
    return {"uploads": found, "next": str(found[-1]["mediaId"]) if len(found) == UPLOADS else None}


def model(reader: "Reader", asked: Asked) -> Json:
    """The page of `sitejobs quality --html`, for a frame of its own; `none` says why there is none."""
    from sitejobs_local.quality.page import page

    with reader.moment() as connection:
        try:
            report = quality.newest(connection)
        except InvalidInput as error:
            return {"html": None, "none": str(error)}
    return {"html": page(report), "none": None}


ANSWERS: Final[Mapping[str, Callable[["Reader", Asked], Json]]] = {
    "/api/site": site,
    "/api/runs": recent_runs,
    "/api/run": one_run,
    "/api/user": user,
    "/api/search": searched,
    "/api/uploads": uploads,
    "/api/quality": model,
}
"""By path."""


def _whole(asked: Asked, name: str, least: int) -> int | None:
    text = asked.get(name, "").strip()
    if not text:
        return None
    try:
        value = int(text) if text.isascii() else least - 1
    except ValueError:
        value = least - 1
    if not least <= value <= MAX_ID:
        raise InvalidInput(f"{name} must be a whole number, not {text[:40]!r}")
    return value


def _required(asked: Asked, name: str) -> int:
    value = _whole(asked, name, MIN_ID)
    if value is None:
        raise InvalidInput(f"say which {name}")
    return value
