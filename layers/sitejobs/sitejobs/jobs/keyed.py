"""Jobs that page through the keys of a table (users, posts): key ranges, what is stale, one transaction a page.

Such a job says in SQL which keys there are and which of them have a stale result; the rest is the same for all. Pages
are key ranges. A page reads the keys of its range anew, so that it sees what came or went since Plan.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.entry import JobEntry
from sitejobs.jobs.job import PAGES_A_CHAPTER, Chapter, PageSummary, Resources, Run, pages_a_chapter
from sitejobs.jobs.losses import Loss, guard
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.options import MAX_ID, MIN_ID, JobOptions

SCAN: Final = 10_000
"""Most keys that an incremental page scans: few keys have changed, so few pages are enough."""

LOOK: Final = 2500
"""Fewest keys an incremental page scans. Below this a page's fixed cost exceeds the scan's."""

BATCHES: Final = 20
"""Most batches that an incremental page of a job scans of which one change may make every key stale."""

TURNS: Final = 2
"""Pages for each concurrent function where ranges are joined: on a small site pages have fewer keys than they may."""

# Ranges are cut from one sorted array, since row_number() took longer. 8 bytes a key: 40 MB for a chapter's 5 million.
_CUT: Final[LiteralString] = """
WITH known ("keys") AS MATERIALIZED (SELECT array_agg("key" ORDER BY "key") FROM ({known}) AS found ("key"))
SELECT "keys"[least("end", cardinality("keys"))], least("end", cardinality("keys")) - "end" + %(page_size)s
FROM known, generate_series(%(page_size)s::bigint, cardinality("keys") + %(page_size)s - 1, %(page_size)s) AS "end"
ORDER BY "end"
"""
# Compiling a page's statement would take longer than running it.
_BEGIN: Final[LiteralString] = """SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL jit = off"""

Parameters = dict[str, Any]


KeyRange = tuple[int, int, int]
"""First and last key, both included, and how many keys lie there."""


@dataclass(frozen=True)
class Keys:
    """How a job finds its keys, as SQL.

    `known` and `stale` return one bigint column in ascending order: the keys from %(first)s to %(last)s, both included.
    Any bigint may be a key. The statements may use the job's own parameters, and %(today)s and %(now)s: the run's date
    and time in UTC.

    Attributes
    ----------
    known : keys that have a source or a stored result, the first %(limit)s of them (NULL: all).
    stale : keys whose stored result is not what a full run would store: changed, new and vanished ones.
    count : about how many keys a full run has: one number.
    losses : of every table that the job removes rows of, what a run would remove because its source has gone.
    """

    known: LiteralString
    stale: LiteralString
    count: LiteralString
    losses: tuple[Loss, ...] = ()


Refresh = Callable[[Connection, list[int], Parameters], PageSummary]
"""Computes and writes the results of some keys (ascending) inside the page's transaction; it may be called twice."""

Look = Callable[[Connection, Parameters], Parameters]
"""Finds out what `Keys.stale` needs besides for the keys from %(first)s to %(last)s, in the page's transaction."""

Prepare = Callable[[Connection], None]
"""What Plan does once a run, before keys are looked for; it may be called twice."""

ReadParameters = Callable[[Any, Mapping[str, str]], Parameters]
"""Makes a run's parameters (JSON values) from its options and the function's environment."""


def no_parameters(options: JobOptions, environment: Mapping[str, str]) -> Parameters:
    """For jobs without parameters of their own."""
    return {}


def no_look(connection: Connection, parameters: Parameters) -> Parameters:
    """For jobs whose `Keys.stale` needs nothing else."""
    return {}


def no_preparation(connection: Connection) -> None:
    """For jobs without preparation."""


COUNT_USERS: Final[LiteralString] = 'SELECT count(*) FROM "User"'
"""`Keys.count` of jobs that go through all users."""


def users_and(stored: LiteralString) -> LiteralString:
    """`Keys.known` of jobs that store results by user: all users, and every `"userId"` of the table `stored`."""
    return f"""
    SELECT "id" FROM (
        (SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s)
        UNION
        (SELECT DISTINCT "userId" FROM {stored} WHERE "userId" BETWEEN %(first)s AND %(last)s
         ORDER BY "userId" LIMIT %(limit)s)
    ) AS known ORDER BY "id" LIMIT %(limit)s
    """


@dataclass(frozen=True)
class KeyedJob:
    """A paged job made of its keys and the function that refreshes some of them.

    A page of a full run refreshes all keys of its range in one transaction: as many as `size` says or, where that
    leaves each function enough pages, up to `together`. A page of an incremental run scans a wider range for stale keys
    and refreshes these, at most `size` or `together` in one transaction.

    Attributes
    ----------
    parameters : what Plan reads from options and environment for all pages.
    prepare : what Plan does first, once a run.
    tidy : what Plan does before that, once a run for everyone, after it has made sure that the sources can be read.
    together : keys up to which a transaction grows beyond `size`, because what it reads for all of them is dear.
    look : what an incremental page does before it asks for stale keys.
    noun : what a key is called.
    only, size : the options' fields for a single key, and for the keys in one transaction.
    scan : most keys that an incremental page scans, unless a transaction has more, or the entry says `all_stale`.
    """

    entry: JobEntry
    keys: Keys
    refresh: Refresh
    parameters: ReadParameters = no_parameters
    prepare: Prepare = no_preparation
    tidy: Prepare = no_preparation
    look: Look = no_look
    together: int = 0
    noun: str = "user"
    only: str = "user_id"
    size: str = "batch_size"
    scan: int = SCAN

    @property
    def options(self) -> type[Any]:
        """The model of the job's options."""
        return self.entry.options

    def plan(self, resources: Resources, run: Run, options: Any, cursor: Any) -> Chapter:
        """The next chapter of key ranges."""
        connection = resources.database.connection()
        context = run.context if cursor else {"parameters": self.parameters(options, resources.environment)}
        values = _values(run, context)
        key = getattr(options, self.only, None)
        if not cursor:
            if key is None:
                guard(resources, run, options, self.keys.losses, values)
                self.tidy(connection)
            self.prepare(connection)
        if key is not None:
            return self._plan_one(connection, values, context, key)
        first, number = (int(cursor["first"]), int(cursor["page"])) if cursor else (MIN_ID, 0)
        return self._chapter(connection, options, values, context, first, number)

    def batch(self, resources: Resources, run: Run, options: Any, page: JsonObject) -> PageSummary:
        """Refresh the keys of one page's range; only the stale ones if the run is incremental."""
        connection = resources.database.connection()
        values = _values(run, run.context)
        total = PageSummary()
        statement = self.keys.stale if options.incremental else self.keys.known
        with one_moment(connection):
            if options.incremental:
                key_range = {"first": int(page["first"]), "last": int(page["last"])}
                values |= self.look(connection, {**values, **key_range})
            found = _find(connection, statement, values, int(page["first"]), int(page["last"]), None)
            at_once = max(getattr(options, self.size), self.together) if options.incremental else max(len(found), 1)
            if found:
                total.add(self.refresh(connection, found[:at_once], values))
        for start in range(at_once, len(found), at_once):
            with one_moment(connection):
                total.add(self.refresh(connection, found[start : start + at_once], values))
        if options.incremental:
            fresh = max(page["keys"] - len(found), 0)
            total.processed += fresh
            total.skip(SkipReason.FRESH, fresh)
        return total

    def _chapter(
        self, connection: Connection, options: Any, values: Parameters, context: JsonObject, first: int, number: int
    ) -> Chapter:
        """Up to `pages_a_chapter` pages from the key `first` on; `number` pages precede them."""
        size = getattr(options, self.size)
        looked_at = most_looked_at(self.entry, size, self.scan) if options.incremental else self.together
        grain = max(size, min(LOOK, looked_at)) if options.incremental else size
        most = max(looked_at // grain, 1)
        page_keys = grain * most
        limit = page_keys * pages_a_chapter(options)
        ranges = joined(_ranges(connection, self.keys, values, first, grain, limit), most, options.max_concurrency)
        pages = [_page(number + at, *key_range) for at, key_range in enumerate(ranges, 1)]
        planned_pages, planned_keys = len(pages), sum(count for _, _, count in ranges)
        full = planned_keys == limit
        if full and not number:
            planned_keys = max(planned_keys, _count(connection, self.keys, values))
            planned_pages = max(planned_pages, -(-planned_keys // page_keys))
        return Chapter(
            pages=pages,
            cursor=_cursor(ranges[-1][1], number + len(pages)) if full else None,
            planned_pages=planned_pages,
            planned_users=planned_keys,
            context=context,
        )

    def _plan_one(self, connection: Connection, values: Parameters, context: JsonObject, key: int) -> Chapter:
        if not _find(connection, self.keys.known, values, key, key, 1):
            return Chapter(pages=[], context=context, message=f"{self.noun} {key} does not exist")
        return Chapter(pages=[_page(1, key, key, 1)], planned_pages=1, planned_users=1, context=context)


def most_looked_at(entry: JobEntry, batch_size: int, scan: int = SCAN) -> int:
    """Most keys that an incremental page looks at: few where it may have to write all of them, to end in time."""
    return BATCHES * batch_size if entry.all_stale else scan


def ranges_a_page(ranges: int, most: int, functions: int) -> int:
    """How many ranges one page joins, up to `most`, while leaving each of `functions` TURNS pages.

    There are at most `most` * `PAGES_A_CHAPTER` ranges, so that the pages fit into a chapter.
    """
    return min(max(-(-ranges // min(TURNS * functions, PAGES_A_CHAPTER)), 1), most)


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """A REPEATABLE READ transaction: it fails if another one changes a row that it writes; the page is then retried."""
    with connection.transaction():
        connection.execute(_BEGIN)
        yield


def _values(run: Run, context: JsonObject) -> Parameters:
    return {**context["parameters"], "today": run.started_at.date(), "now": run.started_at}


def _page(number: int, first: int, last: int, keys: int) -> JsonObject:
    """A page's payload. Ids are text: readers of JSON may round a number of 17 digits."""
    return {"page": number, "first": str(first), "last": str(last), "keys": keys}


def _cursor(last: int, number: int) -> JsonObject | None:
    """Where the chapter after this key and page begins; None after the largest bigint."""
    return {"first": str(last + 1), "page": number} if last < MAX_ID else None


def _ranges(
    connection: Connection, keys: Keys, values: Parameters, first: int, size: int, limit: int
) -> list[KeyRange]:
    """Key ranges of `size` keys, `limit` keys in all."""
    given = {**values, "first": first, "last": MAX_ID, "limit": limit, "page_size": size}
    rows = connection.execute(_CUT.format(known=keys.known), given).fetchall()
    ends = [int(last) for last, _ in rows]
    starts = [first, *(end + 1 for end in ends[:-1])]
    return list(zip(starts, ends, [int(count) for _, count in rows], strict=True)) if ends else []


def joined(ranges: Sequence[KeyRange], most: int, functions: int) -> list[KeyRange]:
    """Join neighbouring ranges, at most `most` into one, and fewer where a function would have nothing to do."""
    a_page = ranges_a_page(len(ranges), most, functions)
    return [
        (part[0][0], part[-1][1], sum(count for _, _, count in part))
        for part in (ranges[at : at + a_page] for at in range(0, len(ranges), a_page))
    ]


def _find(
    connection: Connection, statement: LiteralString, values: Parameters, first: int, last: int, limit: int | None
) -> list[int]:
    rows = connection.execute(statement, {**values, "first": first, "last": last, "limit": limit}).fetchall()
    return [int(key) for (key,) in rows]


def _count(connection: Connection, keys: Keys, values: Parameters) -> int:
    row = connection.execute(keys.count, values).fetchone()
    assert row is not None
    return int(row[0])
