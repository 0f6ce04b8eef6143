"""A run's snapshot: Plan takes that of a small site; that of a large one is made of parts, which pages take."""

from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, PageSummary, Resources, Run
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot import work_files
from sitejobs.matching.snapshot.file import StoredSnapshot
from sitejobs.options import MAX_ID, MIN_ID

READ_NEXT_PART: Final[LiteralString] = """
SELECT "id" FROM "User" WHERE "id" >= %(first)s ORDER BY "id" OFFSET %(users)s LIMIT 1
"""
"""Reads where the next part begins, after so many users from the key `first` on; no row: this part is the last."""


def prepare(
    resources: Resources,
    run: Run,
    context: JsonObject,
    cursor: Any,
    block_size: int,
    base: StoredSnapshot | None = None,
) -> StoredSnapshot | Chapter:
    """The run's snapshot, or the next chapter of pages that take parts of it.

    `cursor`: None, or that of the last chapter of parts (`is_of_parts`). `base`: as `work_files.take` has it.
    """
    parameters = Parameters.from_json(context["parameters"])
    before = int(cursor["parts"]) if cursor else 0
    if cursor and cursor["first"] is None:
        return work_files.merge(resources, run, parameters, block_size, before)
    users = work_files.part_users(resources.environment)
    first = int(cursor["first"]) if cursor else MIN_ID
    ranges, following = _ranges(resources.database.connection(), first, users)
    if len(ranges) == 1 and not before:
        return work_files.take(resources, run, parameters, block_size, base)
    parts = before + len(ranges)
    return Chapter(
        # Ids are text: readers of JSON may round a number of 17 digits.
        pages=[
            {"page": number, "part": {"first": str(low), "last": str(high)}}
            for number, (low, high) in enumerate(ranges, before + 1)
        ],
        cursor={"parts": parts, "first": None if following is None else str(following)},
        planned_pages=parts,
        context=context,
    )


def is_of_parts(cursor: Any) -> bool:
    """Whether a cursor follows a chapter of parts."""
    return isinstance(cursor, dict)


def parts_before(cursor: Any) -> int:
    """How many pages of the run took parts, as the cursor after them says."""
    return int(cursor["parts"]) if is_of_parts(cursor) else 0


def take_part(resources: Resources, run: Run, page: JsonObject) -> PageSummary:
    """Take the part of a page of such a chapter; it writes no rows."""
    first, last = int(page["part"]["first"]), int(page["part"]["last"])
    work_files.take_part(resources, run, Parameters.from_json(run.context["parameters"]), page["page"], first, last)
    return PageSummary()


def _ranges(connection: Connection, first: int, users: int) -> tuple[list[tuple[int, int]], int | None]:
    """A chapter's key ranges of at most so many users each, and where the next chapter's begin.

    The last range has no end: whoever registers while the parts are taken belongs to it.
    """
    ranges: list[tuple[int, int]] = []
    while len(ranges) < PAGES_A_CHAPTER:
        row = connection.execute(READ_NEXT_PART, {"first": first, "users": users}).fetchone()
        if row is None:
            return [*ranges, (first, MAX_ID)], None
        following = int(row[0])
        ranges.append((first, following - 1))
        first = following
    return ranges, first
