"""match-model: pages gather decisions, then one page trains on them.

The chapters, which match-quality shares: parts of the snapshot, the decisions of its users, one page with all of them,
and at last Plan alone, which tells what came out. An incremental run folds in instead (`folding.py`).
"""

from collections.abc import Callable
from typing import Any, Final

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, Job, PageSummary, Resources, Run
from sitejobs.matching.match_model import folding, gathering, report
from sitejobs.matching.match_model.reading import Cut, find_cut
from sitejobs.matching.match_model.training_page import (
    TOO_FEW,
    are_enough,
    decisions_key,
    read_history,
    train_page,
)
from sitejobs.matching.options import MATCH_MODEL, MatchModelOptions, MatchQualityOptions
from sitejobs.matching.scoring.parameters import read_parameters
from sitejobs.matching.snapshot import work_files
from sitejobs.matching.snapshot.preparing import is_of_parts, parts_before, prepare, take_part

BLOCK_USERS: Final = 500
"""Users of a block of the snapshot: pages look up single users, blocks are what they fetch."""

REPORT: Final = "report"
"""Cursor of the last call of Plan."""

TOO_LITTLE_TOLD: Final = "too few likes and dislikes to learn from: v1 goes on"


def plan(resources: Resources, run: Run, options: MatchQualityOptions, cursor: Any) -> Chapter:
    """The next chapter."""
    if cursor == REPORT:
        context, message = report.of_run(resources, run)
        return Chapter(pages=[], context=run.context | context, message=message)
    context = run.context
    if "users" not in context:
        if not is_of_parts(cursor):
            context = _begun(resources)
        if not context["enough"]:
            return Chapter(pages=[], context=context, message=TOO_LITTLE_TOLD)
        stored = prepare(resources, run, context, cursor, BLOCK_USERS)
        if isinstance(stored, Chapter):
            return stored
        if not stored.users:
            return Chapter(pages=[], context=context, message=TOO_LITTLE_TOLD)
        context = context | {"snapshot": stored.key, "users": stored.users, "parts": parts_before(cursor)}
    first = 0 if cursor is None or is_of_parts(cursor) else int(cursor)
    return _chapter(context, options.batch_size, first)


def _begun(resources: Resources) -> JsonObject:
    """What the run's pages share from the start."""
    cut, told = find_cut(resources.database.connection())
    parameters = read_parameters(resources.environment, 1)
    return {
        "parameters": parameters.to_json(),
        "cut": cut.to_json(),
        "through": told.through,
        "enough": are_enough(told.decisions, told.likes),
    }


def _chapter(context: JsonObject, batch_size: int, first: int) -> Chapter:
    """Pages that gather the decisions of users from position `first` on; after them the one that trains."""
    users, parts = int(context["users"]), int(context["parts"])
    total = -(-users // batch_size)
    begin = first // batch_size
    stop = min(begin + PAGES_A_CHAPTER, total)
    pages: list[JsonObject] = [
        {"page": parts + at + 1, "start": at * batch_size, "stop": min((at + 1) * batch_size, users)}
        for at in range(begin, stop)
    ]
    cursor: Any = stop * batch_size
    if not pages:
        pages, cursor = [{"page": parts + total + 1, "decisions": [parts + 1, parts + total + 1]}], REPORT
    return Chapter(pages=pages, cursor=cursor, planned_pages=parts + total + 1, planned_users=users, context=context)


def batch_with(
    finish: Callable[..., PageSummary],
) -> Callable[[Resources, Run, Any, JsonObject], PageSummary]:
    """A page of any kind; `finish` takes the one with all decisions."""

    def batch(resources: Resources, run: Run, options: MatchQualityOptions, page: JsonObject) -> PageSummary:
        if "part" in page:
            return take_part(resources, run, page)
        snapshot = work_files.opened(resources, run.context["snapshot"])
        if "decisions" not in page:
            start, stop = int(page["start"]), int(page["stop"])
            cut = Cut.from_json(run.context["cut"])
            connection = resources.database.connection()
            gathered = gathering.gather(connection, snapshot, start, stop, cut, snapshot.parameters)
            gathering.store(resources.work, decisions_key(run, page["page"]), gathered)
            return PageSummary(processed=stop - start)
        history = read_history(resources, run, snapshot, range(*page["decisions"]))
        if are_enough(len(history.liked), int(history.liked.sum())):
            return finish(resources, run, snapshot, history)
        summary = PageSummary()
        summary.note(TOO_FEW)
        return summary

    return batch


_TRAIN: Final = batch_with(train_page)


def plan_model(resources: Resources, run: Run, options: MatchModelOptions, cursor: Any) -> Chapter:
    """The next chapter of either kind of run."""
    return (folding.plan if options.incremental else plan)(resources, run, options, cursor)


def batch_of_model(resources: Resources, run: Run, options: MatchModelOptions, page: JsonObject) -> PageSummary:
    """A page of either kind of run."""
    return (folding.KEYED.batch if options.incremental else _TRAIN)(resources, run, options, page)


JOB = Job(MATCH_MODEL, MatchModelOptions, plan_model, batch_of_model)
