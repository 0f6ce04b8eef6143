"""compatibility: the first pages renew each user's inputs, the others compare viewers with their targets."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, Job, PageSummary, Resources, Run
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters, joined, one_moment
from sitejobs.jobs.losses import Loss, guard
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.compatibility import inputs
from sitejobs.matching.compatibility.chances import chances_of
from sitejobs.matching.compatibility.comparing import compare
from sitejobs.matching.compatibility.store import fit_to_store, write
from sitejobs.matching.compatibility.targets import COUNT, KNOWN, STALE, targets_of
from sitejobs.matching.options import COMPATIBILITY, CompatibilityOptions, CompatibilityVariables
from sitejobs.matching.passed_over import NOT_FINITE, RELATIONS, count_passed_over, note_passed_over
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.variables import read_environment

_LOG = logging.getLogger(__name__)


def read_parameters(options: CompatibilityOptions, environment: Mapping[str, str]) -> Parameters:
    """The parameters that all pages of a run share."""
    return {
        "version": read_environment(CompatibilityVariables, environment).version,
        "suggestions": options.max_suggestion_targets,
        "targetsAtATime": options.target_batch_size,
    }


def refresh(connection: Connection, ids: list[int], parameters: Parameters) -> PageSummary:
    """Compare these users with their targets and write what differs, within the page's transaction."""
    found = targets_of(connection, ids, parameters["suggestions"])
    gone = sorted(set(ids) - set(found.viewers.tolist()))
    compared, unfit = fit_to_store(compare(connection, found, parameters["targetsAtATime"]))
    scores, suggestions = compared.scores, parameters["suggestions"]
    chance = chances_of(connection, compared.viewers, scores.viewer, scores.target, suggestions)
    compared = replace(compared, scores=replace(scores, chance=chance))
    if len(unfit):
        _LOG.error("scores that are no numbers: nothing is written for viewers %s", unfit.tolist())
    written = write(connection, compared, gone, parameters["version"], suggestions, parameters["now"])
    summary = PageSummary(processed=len(ids), written=written)
    summary.fail(NOT_FINITE, len(unfit))
    summary.skip(SkipReason.DELETED, len(gone))
    summary.skip(SkipReason.NO_TARGETS, int((compared.counts == 0).sum()))
    return summary


_COUNT_LOST_ROWS: Final[LiteralString] = """
SELECT COALESCE((
    SELECT sum(v."rows") FROM "UserCompatibilityViewer" v WHERE NOT EXISTS (
        SELECT FROM "User" u WHERE u."id" = v."userId" AND u."deletedAt" IS NULL)), 0),
    (SELECT COALESCE(sum("rows"), 0) FROM "UserCompatibilityViewer")
"""
"""Counts the stored rows of deleted viewers, which a run removes, and all stored rows."""

LOSSES = (Loss("UserCompatibility", _COUNT_LOST_ROWS),)

_KEYED = KeyedJob(COMPATIBILITY, Keys(KNOWN, STALE, COUNT), refresh, parameters=read_parameters)


def plan(resources: Resources, run: Run, options: CompatibilityOptions, cursor: Any) -> Chapter:
    """The next chapter. The chapters that renew inputs come first, so that comparisons find all of them renewed."""
    connection = resources.database.connection()
    if options.user_id is not None:
        _renew_around(connection, options.user_id, read_parameters(options, resources.environment))
        chapter = _KEYED.plan(resources, run, options, cursor)
        passed_over = count_passed_over(connection, RELATIONS, options.user_id)
        return replace(chapter, context=chapter.context | passed_over)
    if cursor is None:
        guard(resources, run, options, LOSSES, {})
    if cursor is None or "inputs" in cursor:
        return _plan_inputs(resources, options, run, cursor)
    return _KEYED.plan(resources, run, options, cursor)


def batch(resources: Resources, run: Run, options: CompatibilityOptions, page: JsonObject) -> PageSummary:
    """One page, of either kind. Renewed inputs are no results: they are not counted."""
    return note_passed_over(_batch(resources, run, options, page), run, page)


def _batch(resources: Resources, run: Run, options: CompatibilityOptions, page: JsonObject) -> PageSummary:
    if "inputs" not in page:
        return _KEYED.batch(resources, run, options, page)
    first, last = map(int, page["inputs"])
    connection = resources.database.connection()
    with one_moment(connection):
        inputs.renew_range(connection, first, last)
    return PageSummary()


def _plan_inputs(resources: Resources, options: CompatibilityOptions, run: Run, cursor: Any) -> Chapter:
    connection = resources.database.connection()
    first, number = (int(cursor["inputs"]), int(cursor["page"])) if cursor else (MIN_ID, 0)
    ranges = inputs.ranges(connection, first, PAGES_A_CHAPTER)
    full = len(ranges) == PAGES_A_CHAPTER and ranges[-1][0] < MAX_ID
    # The last range has no end: stored inputs of users who are gone may lie beyond the last user.
    ends = [last for last, _ in ranges] if full else [*(last for last, _ in ranges[:-1]), MAX_ID]
    starts = [first, *(end + 1 for end in ends[:-1])]
    found = list(zip(starts, ends, [count for _, count in ranges] or [0], strict=True))
    pages = [
        {"page": number + at, "inputs": [str(start), str(end)]}
        for at, (start, end, _) in enumerate(joined(found, inputs.RANGES_A_PAGE, options.max_concurrency), 1)
    ]
    number += len(pages)
    users = sum(count for _, count in ranges)
    return Chapter(
        pages=pages,
        cursor={"inputs" if full else "first": str(ends[-1] + 1 if full else MIN_ID), "page": number},
        planned_pages=number if options.incremental else number - (-users // options.batch_size),
        planned_users=0 if options.incremental else users,
        context=run.context if cursor else _context(connection, options, resources.environment),
    )


def _context(connection: Connection, options: CompatibilityOptions, environment: Mapping[str, str]) -> JsonObject:
    return {"parameters": read_parameters(options, environment), **count_passed_over(connection, RELATIONS)}


def _renew_around(connection: Connection, user_id: int, parameters: Parameters) -> None:
    """Renew the inputs of a user and of all its targets."""
    with one_moment(connection):
        found = targets_of(connection, [user_id], parameters["suggestions"])
        inputs.renew(connection, sorted({user_id, *found.target.tolist()}))


JOB = Job(COMPATIBILITY, CompatibilityOptions, plan, batch)
