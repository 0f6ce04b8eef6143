"""match-scores: Plan takes a snapshot of the population and cuts the pages, a batch scores and writes one."""

from typing import Any

from psycopg import Connection

from sitejobs.catalog import JOBS
from sitejobs.jobs import PAGES_A_CHAPTER, Chapter, Job, JsonObject, PageSummary, Resources, Run
from sitejobs.matching import snapshots
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.matching.page import score_page, score_user
from sitejobs.matching.parameters import Parameters, read_parameters

_USER = """
SELECT u."deletedAt" IS NULL, EXISTS (SELECT FROM "MatchScoreViewer" v WHERE v."userId" = %(id)s AND v."rows" > 0)
FROM (SELECT %(id)s::bigint AS "id") asked LEFT JOIN "User" u ON u."id" = asked."id"
"""


def plan(resources: Resources, run: Run, options: MatchScoresOptions, cursor: Any) -> Chapter:
    """The next chapter of pages; the first call takes the snapshot."""
    if options.user_id is not None:
        return _plan_user(resources, run, options, options.user_id)
    context = run.context
    if cursor is None and "snapshot" not in context:
        parameters = read_parameters(resources.environment, options.top_k)
        stored = snapshots.take(resources, run, parameters, options.candidate_batch_size)
        context = {
            "snapshot": stored.key,
            "users": stored.users + stored.without_profile,
            "parameters": parameters.to_json(),
        }
    return _positions(context, int(cursor or 0), options.batch_size)


def batch(resources: Resources, run: Run, options: MatchScoresOptions, page: JsonObject) -> PageSummary:
    """Score and write the viewers of one page."""
    parameters = Parameters.from_json(run.context["parameters"])
    stored = snapshots.opened(resources, run.context["snapshot"])
    if "userId" in page:
        return score_user(resources, run, parameters, stored, int(page["userId"]))
    return score_page(resources, run, parameters, stored, page["start"], page["stop"])


def _positions(context: JsonObject, start: int, batch_size: int) -> Chapter:
    users = int(context["users"])
    stop = min(users, start + PAGES_A_CHAPTER * batch_size)
    first = start // batch_size
    pages = [
        {"page": first + number, "start": at, "stop": min(at + batch_size, users)}
        for number, at in enumerate(range(start, stop, batch_size), 1)
    ]
    return Chapter(
        pages=pages,
        cursor=stop if stop < users else None,
        planned_pages=-(-users // batch_size),
        planned_users=users,
        context=context,
    )


def _plan_user(resources: Resources, run: Run, options: MatchScoresOptions, user_id: int) -> Chapter:
    connection = resources.database.connection()
    exists, has_rows = _state_of(connection, user_id)
    message = None if exists else f"user {user_id} does not exist"
    if not exists and not has_rows:
        return Chapter(pages=[], message=message)
    parameters = read_parameters(resources.environment, options.top_k)
    stored = snapshots.recent(resources, run, parameters) or snapshots.take(
        resources, run, parameters, options.candidate_batch_size
    )
    return Chapter(
        pages=[{"page": 1, "userId": user_id}],
        planned_pages=1,
        planned_users=1,
        context={"snapshot": stored.key, "parameters": parameters.to_json()},
        message=message,
    )


def _state_of(connection: Connection, user_id: int) -> tuple[bool, bool]:
    """Whether the user exists undeleted, and whether rows of it are stored."""
    row = connection.execute(_USER, {"id": user_id}).fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])


JOB = Job(JOBS["match-scores"], MatchScoresOptions, plan, batch)
