"""Jobs that page through the keys of a table (users, posts): key ranges, what is stale, one transaction a page.

Such a job says in SQL which keys there are and which of them have a stored result that is out of date; the rest is
the same for all. Pages are key ranges, and a page asks again which keys lie in its range: whatever came or went since
Plan is seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection

from sitejobs.catalog import JobEntry
from sitejobs.jobs import PAGES_A_CHAPTER, Chapter, Job, JsonObject, PageSummary, Resources, Run
from sitejobs.options import MAX_ID, JobOptions

SCAN = 20_000
"""Keys looked at by one statement that searches for stale ones."""

SCANS_A_PLAN = 50
"""Statements of that kind in one Plan: a large site where little changed goes on in the next chapter."""

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """How a job finds its keys, as SQL.

    `known` and `stale` return one bigint column in ascending order: keys above %(after)s up to %(upto)s. They may use
    the job's own parameters, and %(today)s and %(now)s: the run's date and time, UTC.

    Attributes
    ----------
    known : keys that have a source or a stored result, the first %(limit)s of them (NULL: all).
    stale : keys whose stored result is not what a full run would store: changed, new and vanished ones.
    count : how many keys a full run will go through, about: one number.
    """

    known: LiteralString
    stale: LiteralString
    count: LiteralString


Refresh = Callable[[Connection, list[int], Parameters], PageSummary]
"""Computes and writes the results of some keys (ascending) inside the page's transaction; it may be called twice."""

ReadParameters = Callable[[Any, Mapping[str, str]], Parameters]
"""Makes a run's parameters (JSON values) of its options and the function's environment."""


def no_parameters(options: JobOptions, environment: Mapping[str, str]) -> Parameters:
    """For jobs that have none of their own."""
    return {}


def users_and(stored: LiteralString) -> LiteralString:
    """SQL of `Keys.known` for jobs that keep results by user: all users, and those of table `stored` (`"userId"`)."""
    return f"""
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" > %(after)s AND "id" <= %(upto)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM {stored} WHERE "userId" > %(after)s AND "userId" <= %(upto)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    """  # noqa: S608 - the table's name is a literal of our own


def keyed_job(
    entry: JobEntry,
    keys: Keys,
    refresh: Refresh,
    *,
    parameters: ReadParameters = no_parameters,
    noun: str = "user",
    only: str = "user_id",
    size: str = "batch_size",
) -> Job[Any]:
    """Make a paged job of its keys and the function that refreshes some of them.

    `only` and `size` name the options' fields of the one key asked for, and of the keys in a page; `noun` is what a
    key is called.
    """

    def plan(resources: Resources, run: Run, options: Any, cursor: Any) -> Chapter:
        connection = resources.database.connection()
        context = run.context if cursor else {"parameters": parameters(options, resources.environment)}
        values = _values(run, context)
        key = getattr(options, only, None)
        if key is not None:
            return _plan_one(connection, keys, values, context, noun, key)
        after, number = (int(cursor["after"]), int(cursor["page"])) if cursor else (0, 0)
        find = _next_stale if options.incremental else _next_known
        found, upto = find(connection, keys, values, after, getattr(options, size) * PAGES_A_CHAPTER)
        ranges = _ranges(found, getattr(options, size), after)
        pages = [{"page": number + i, "after": a, "upto": b} for i, (a, b) in enumerate(ranges, 1)]
        planned_pages, planned_keys = number + len(pages), len(found)
        if not options.incremental and not cursor:
            planned_keys = max(planned_keys, _count(connection, keys, values))
            planned_pages = max(planned_pages, -(-planned_keys // getattr(options, size)))
        nothing = options.incremental and not pages and upto == MAX_ID and not cursor
        return Chapter(
            pages=pages,
            cursor=None if upto == MAX_ID else {"after": upto, "page": number + len(pages)},
            planned_pages=planned_pages,
            planned_users=planned_keys,
            context=context,
            message="nothing has changed since the last run" if nothing else None,
        )

    def batch(resources: Resources, run: Run, options: Any, page: JsonObject) -> PageSummary:
        connection = resources.database.connection()
        values = _values(run, run.context)
        statement = keys.stale if options.incremental else keys.known
        with connection.transaction():
            # Everything of one moment: a page that another run's write overtakes fails and is tried again.
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = _find(connection, statement, values, page["after"], page["upto"], None)
            return refresh(connection, found, values) if found else PageSummary()

    return Job(entry, entry.options, plan, batch)


def _values(run: Run, context: JsonObject) -> Parameters:
    return {**context["parameters"], "today": run.started_at.date(), "now": run.started_at}


def _plan_one(
    connection: Connection, keys: Keys, values: Parameters, context: JsonObject, noun: str, key: int
) -> Chapter:
    if not _find(connection, keys.known, values, key - 1, key, 1):
        return Chapter(pages=[], context=context, message=f"{noun} {key} does not exist")
    page = {"page": 1, "after": key - 1, "upto": key}
    return Chapter(pages=[page], planned_pages=1, planned_users=1, context=context)


def _next_known(
    connection: Connection, keys: Keys, values: Parameters, after: int, limit: int
) -> tuple[list[int], int]:
    """The next keys, and up to where they are all there are."""
    found = _find(connection, keys.known, values, after, MAX_ID, limit)
    return found, found[-1] if len(found) == limit else MAX_ID


def _next_stale(
    connection: Connection, keys: Keys, values: Parameters, after: int, limit: int
) -> tuple[list[int], int]:
    """The next stale keys, and up to where they are all there are."""
    found: list[int] = []
    upto = after
    for _ in range(SCANS_A_PLAN):
        start, (_, upto) = upto, _next_known(connection, keys, values, upto, SCAN)
        found += _find(connection, keys.stale, values, start, upto, None)
        if len(found) > limit:
            return found[:limit], found[limit - 1]
        if upto == MAX_ID:
            break
    return found, upto


def _ranges(found: list[int], size: int, after: int) -> list[tuple[int, int]]:
    """Cut keys into ranges of `size` keys each: above the first number, up to the second."""
    ends = [*found[size - 1 : -1 : size], *found[-1:]]
    return list(zip([after, *ends[:-1]], ends, strict=True)) if ends else []


def _find(
    connection: Connection, statement: LiteralString, values: Parameters, after: int, upto: int, limit: int | None
) -> list[int]:
    rows = connection.execute(statement, {**values, "after": after, "upto": upto, "limit": limit}).fetchall()
    return [int(key) for (key,) in rows]


def _count(connection: Connection, keys: Keys, values: Parameters) -> int:
    row = connection.execute(keys.count, values).fetchone()
    assert row is not None
    return int(row[0])
