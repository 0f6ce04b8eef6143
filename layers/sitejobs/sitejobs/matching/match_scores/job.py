"""match-scores: Plan sees to a snapshot of the population and cuts the pages, a batch scores and writes one."""

import logging
from dataclasses import replace
from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import Chapter, Job, PageSummary, Resources, Run, pages_a_chapter
from sitejobs.jobs.keyed import COUNT_USERS
from sitejobs.jobs.losses import Loss, guard
from sitejobs.matching.match_scores.changes import (
    Base,
    fill_few,
    find_base,
    find_changes,
    pages_of,
    store_changes,
    stored_changes,
)
from sitejobs.matching.match_scores.page import refresh_page, score_page, score_user
from sitejobs.matching.match_scores.page_run import page_run
from sitejobs.matching.match_scores.paging import viewers_a_page
from sitejobs.matching.match_scores.settings import run_parameters
from sitejobs.matching.options import MATCH_SCORES, MatchScoresOptions, RoomVariables
from sitejobs.matching.passed_over import SCORED, count_passed_over, note_passed_over
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot import work_files
from sitejobs.matching.snapshot.file import StoredSnapshot
from sitejobs.matching.snapshot.needs import Room, needed, too_small
from sitejobs.matching.snapshot.preparing import is_of_parts, parts_before, prepare, take_part
from sitejobs.variables import read_environment

_LOG = logging.getLogger(__name__)

_READ_USER_STATE: Final[LiteralString] = """
SELECT u."id" IS NOT NULL AND u."deletedAt" IS NULL,
       EXISTS (SELECT FROM "MatchScoreViewer" v WHERE v."userId" = %(user_id)s AND v."rows" > 0)
FROM (SELECT %(user_id)s::bigint AS "id") asked LEFT JOIN "User" u ON u."id" = asked."id"
"""
"""Whether the user exists undeleted, and whether rows of it are stored."""

_COUNT_LOST_ROWS: Final[LiteralString] = """
SELECT COALESCE((
    SELECT sum(v."rows") FROM "MatchScoreViewer" v WHERE NOT EXISTS (
        SELECT FROM "User" u JOIN "Profile" p ON p."userId" = u."id"
        WHERE u."id" = v."userId" AND u."deletedAt" IS NULL AND p."deletedAt" IS NULL)), 0),
    (SELECT COALESCE(sum("rows"), 0) FROM "MatchScoreViewer")
"""
"""Counts the stored rows of viewers without a user or profile, which a run removes, and all stored rows."""

LOSSES = (Loss("MatchScore", _COUNT_LOST_ROWS),)


def plan(resources: Resources, run: Run, options: MatchScoresOptions, cursor: Any) -> Chapter:
    """The next chapter of pages; the first ones make the snapshot, and find what changed if asked to."""
    if options.user_id is not None:
        return _plan_user(resources, run, options, options.user_id, cursor)
    context, message = run.context, None
    if "snapshot" not in context:
        begun = context if is_of_parts(cursor) else _begun(resources, run, options)
        parameters = Parameters.from_json(begun["parameters"])
        base = find_base(resources, run, parameters) if options.incremental else None
        stored = prepare(resources, run, begun, cursor, options.candidate_batch_size, base.snapshot if base else None)
        if isinstance(stored, Chapter):
            return stored
        context, message = _taken(resources, run, options, begun, stored, base, parts_before(cursor))
    if "changes" in context:
        changes = stored_changes(resources, context["changes"])
        ranges = pages_of(changes, options.batch_size, few="basis" in context)
    else:
        users = int(context["users"])
        size = viewers_a_page(users, options.batch_size, options.max_concurrency)
        ranges = [(start, min(start + size, users)) for start in range(0, users, size)]
    first, parts = 0 if is_of_parts(cursor) else int(cursor or 0), int(context.get("parts", 0))
    chapter = ranges[first : first + pages_a_chapter(options)]
    return Chapter(
        pages=[
            {"page": number, "start": start, "stop": stop}
            for number, (start, stop) in enumerate(chapter, parts + first + 1)
        ],
        cursor=first + len(chapter) if first + len(chapter) < len(ranges) else None,
        planned_pages=parts + len(ranges),
        planned_users=sum(stop - start for start, stop in ranges),
        context=context,
        message=message,
    )


def batch(resources: Resources, run: Run, options: MatchScoresOptions, page: JsonObject) -> PageSummary:
    """Score and write the viewers of one page."""
    return note_passed_over(_batch(resources, run, options, page), run, page)


def _batch(resources: Resources, run: Run, options: MatchScoresOptions, page: JsonObject) -> PageSummary:
    if "part" in page:
        return take_part(resources, run, page)
    opened = page_run(resources, run, options)
    if "userId" in page:
        return score_user(opened, int(page["userId"]))
    if "changes" in run.context:
        changes = stored_changes(resources, run.context["changes"])
        return refresh_page(opened, changes, page["start"], page["stop"])
    return score_page(opened, page["start"], page["stop"])


def _begun(resources: Resources, run: Run, options: MatchScoresOptions) -> JsonObject:
    """What the run's pages share from the start."""
    guard(resources, run, options, LOSSES, {})
    connection = resources.database.connection()
    parameters = run_parameters(connection, resources.environment, options.top_k)
    short = _too_small(resources, run, connection, options)
    return {"parameters": parameters.to_json(), **count_passed_over(connection, SCORED)} | short


def _too_small(resources: Resources, run: Run, connection: Connection, options: MatchScoresOptions) -> JsonObject:
    """What the functions have too little of for a site of this size: told before they end for the lack of it."""
    row = connection.execute(COUNT_USERS).fetchone()
    assert row is not None
    users, room = int(row[0]), read_environment(RoomVariables, resources.environment)
    there = Room(plan=room.memory_mb, storage=room.storage_mb)
    size = viewers_a_page(users, options.batch_size, options.max_concurrency)
    found = list(too_small(there, needed(users, size, work_files.part_users(resources.environment)), users))
    if found:
        _LOG.warning("too small for the site", extra={"run_id": run.id, "too_small": found})
    return {"tooSmall": found} if found else {}


def _taken(
    resources: Resources,
    run: Run,
    options: MatchScoresOptions,
    begun: JsonObject,
    stored: StoredSnapshot,
    base: Base | None,
    parts: int,
) -> tuple[JsonObject, str | None]:
    """What the run's pages share once there is a snapshot, and what a person should know."""
    context = begun | {"snapshot": stored.key, "users": stored.users + stored.without_profile}
    if parts:
        context["parts"] = parts
    # A run for everybody compares all lists; after an incremental one some are as an earlier run left them.
    context["leftWithin"] = max(options.rewrite_epsilon, base.left_within if base else 0)
    short = "; ".join(begun.get("tooSmall", ())) or None
    if not options.incremental:
        return context, short
    if base is None:
        return context, _joined("no earlier run to compare with: everyone was computed", short)
    parameters = Parameters.from_json(begun["parameters"])
    changes = find_changes(resources.database.connection(), base, parameters, stored, run.started_at)
    context["changes"] = f"{stored.key}.changes"
    store_changes(resources, context["changes"], changes)
    if fill_few(len(changes.left), stored.users, parameters.top_k + parameters.spares):
        context["basis"] = {"snapshot": base.snapshot.key, "leftWithin": base.left_within}
    return context, _joined(None if changes.any else "nothing has changed since the last run", short)


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None


def _plan_user(resources: Resources, run: Run, options: MatchScoresOptions, user_id: int, cursor: Any) -> Chapter:
    connection = resources.database.connection()
    exists, has_rows = _state_of(connection, user_id)
    message = None if exists else f"user {user_id} does not exist"
    if not exists and not has_rows:
        return Chapter(pages=[], message=message)
    parameters = run_parameters(connection, resources.environment, options.top_k)
    stored: StoredSnapshot | Chapter | None = None
    begun = run.context
    if cursor is None:
        begun = {"parameters": parameters.to_json(), **count_passed_over(connection, SCORED, user_id)}
        stored = work_files.recent(resources, run, parameters)
    stored = stored or prepare(resources, run, begun, cursor, options.candidate_batch_size)
    if isinstance(stored, Chapter):
        return replace(stored, message=message)
    parts = parts_before(cursor)
    return Chapter(
        pages=[{"page": parts + 1, "userId": str(user_id)}],
        planned_pages=parts + 1,
        planned_users=1,
        context=begun | {"snapshot": stored.key},
        message=message,
    )


def _state_of(connection: Connection, user_id: int) -> tuple[bool, bool]:
    """Whether the user exists undeleted, and whether rows of it are stored."""
    row = connection.execute(_READ_USER_STATE, {"user_id": user_id}).fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])


JOB = Job(MATCH_SCORES, MatchScoresOptions, plan, batch)
