"""match-scores: Plan takes a snapshot of the population and cuts the pages, a batch scores and writes one."""

from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, Job, PageSummary, Resources, Run
from sitejobs.jobs.losses import Loss, guard
from sitejobs.matching.match_scores.changes import find_changes, pages_of, store_changes, stored_changes
from sitejobs.matching.match_scores.page import refresh_page, score_page, score_user
from sitejobs.matching.match_scores.page_run import page_run
from sitejobs.matching.options import MATCH_SCORES, MatchScoresOptions
from sitejobs.matching.passed_over import TRAITS, count_passed_over, note_passed_over
from sitejobs.matching.scoring.parameters import read_parameters
from sitejobs.matching.snapshot import work_files

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
    """The next chapter of pages; the first call takes the snapshot, and finds what changed if asked to."""
    if options.user_id is not None:
        return _plan_user(resources, run, options, options.user_id)
    context, message = run.context, None
    if "snapshot" not in context:
        context, message = _take(resources, run, options)
    if "changes" in context:
        changes = stored_changes(resources, context["changes"])
        ranges = pages_of(changes, options.batch_size)
    else:
        users, size = int(context["users"]), options.batch_size
        ranges = [(start, min(start + size, users)) for start in range(0, users, size)]
    first = int(cursor or 0)
    chapter = ranges[first : first + PAGES_A_CHAPTER]
    return Chapter(
        pages=[
            {"page": number, "start": start, "stop": stop} for number, (start, stop) in enumerate(chapter, first + 1)
        ],
        cursor=first + len(chapter) if first + len(chapter) < len(ranges) else None,
        planned_pages=len(ranges),
        planned_users=sum(stop - start for start, stop in ranges),
        context=context,
        message=message,
    )


def batch(resources: Resources, run: Run, options: MatchScoresOptions, page: JsonObject) -> PageSummary:
    """Score and write the viewers of one page."""
    return note_passed_over(_batch(resources, run, options, page), run, page)


def _batch(resources: Resources, run: Run, options: MatchScoresOptions, page: JsonObject) -> PageSummary:
    opened = page_run(resources, run, options.rewrite_epsilon)
    if "userId" in page:
        return score_user(opened, int(page["userId"]))
    if "changes" in run.context:
        changes = stored_changes(resources, run.context["changes"])
        return refresh_page(opened, changes, page["start"], page["stop"])
    return score_page(opened, page["start"], page["stop"])


def _take(resources: Resources, run: Run, options: MatchScoresOptions) -> tuple[JsonObject, str | None]:
    """Take the snapshot; returns what the run's pages share, and what a person should know."""
    guard(resources, run, options, LOSSES, {})
    parameters = read_parameters(resources.environment, options.top_k)
    stored = work_files.take(resources, run, parameters, options.candidate_batch_size)
    context: JsonObject = {
        "snapshot": stored.key,
        "users": stored.users + stored.without_profile,
        "parameters": parameters.to_json(),
        **count_passed_over(resources.database.connection(), TRAITS),
    }
    if not options.incremental:
        return context, None
    changes = find_changes(resources, run, parameters, stored)
    if changes is None:
        return context, "no earlier run to compare with: everyone was computed"
    context["changes"] = f"{stored.key}.changes"
    store_changes(resources, context["changes"], changes)
    return context, None if changes.any else "nothing has changed since the last run"


def _plan_user(resources: Resources, run: Run, options: MatchScoresOptions, user_id: int) -> Chapter:
    connection = resources.database.connection()
    exists, has_rows = _state_of(connection, user_id)
    message = None if exists else f"user {user_id} does not exist"
    if not exists and not has_rows:
        return Chapter(pages=[], message=message)
    parameters = read_parameters(resources.environment, options.top_k)
    stored = work_files.recent(resources, run, parameters) or work_files.take(
        resources, run, parameters, options.candidate_batch_size
    )
    return Chapter(
        pages=[{"page": 1, "userId": str(user_id)}],
        planned_pages=1,
        planned_users=1,
        context={
            "snapshot": stored.key,
            "parameters": parameters.to_json(),
            **count_passed_over(connection, TRAITS, user_id),
        },
        message=message,
    )


def _state_of(connection: Connection, user_id: int) -> tuple[bool, bool]:
    """Whether the user exists undeleted, and whether rows of it are stored."""
    row = connection.execute(_READ_USER_STATE, {"user_id": user_id}).fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])


JOB = Job(MATCH_SCORES, MatchScoresOptions, plan, batch)
