"""The table of the projection, in which each figure says how it is known and what is beyond a limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.figures import MergeFigures, PhasedRun
from benchmarks.projection import CHAPTER_SECONDS, CORES, INSTANCE, S3_MB_A_SECOND, Projection, functions, project
from sitejobs_local.cost.ranges import Range
from tools.docs import table

PROJECTED = (1_000_000, 10_000_000)
CONCURRENCY = 200
LAMBDA_SECONDS, LAMBDA_MB = 900, 10_240
"""The most that a function can be given: time, and memory or /tmp."""
PREPARE_SECONDS, PREPARE_MB, RUN_SECONDS, DATABASE_GB = 600, 2048, 45 * 60, 100
"""What ten million users should not go beyond: a function that makes the snapshot, a run, and its tables."""

_BATCH, _PLAN = functions()
WORK_STORAGE_MB = int(_PLAN.environment["WORK_STORAGE_MB"])


def projected(runs: Sequence[PhasedRun], merges: Sequence[MergeFigures]) -> str:
    """Millions of users on AWS, made of these figures."""
    found = [project(runs, merges, users, CONCURRENCY) for users in PROJECTED]
    largest = max(run.users for run in runs)
    head = ("a whole run", *(f"{it.users:,} users" for it in found), "how it is known")
    rows = [(line.what, *map(line.show, found), line.how.format(largest=f"{largest:,}")) for line in _LINES]
    return table(head, rows)


@dataclass(frozen=True)
class _Line:
    """A row: what it is about, its text, and how it is known."""

    what: str
    show: Callable[[Projection], str]
    how: str


def _span(value: Range, show: Callable[[float], str]) -> str:
    low, high = show(value.low), show(value.high)
    return low if low == high else f"{low} to {high}"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _times(value: Range, given: float, wanted: float = LAMBDA_SECONDS) -> str:
    """A call of a function, which has so many seconds."""
    text = _span(value, _time)
    if value.high > LAMBDA_SECONDS:
        return f"{text}: **beyond Lambda's limit of {LAMBDA_SECONDS} s**"
    if value.high > given:
        return f"{text}: **more than the {given:,.0f} s of template.yaml**"
    return f"{text}: **beyond {wanted:,.0f} s**" if value.high > wanted else text


def _room(value: float, given: float, remedy: str, wanted: float = LAMBDA_MB) -> str:
    """Memory or storage, of which a function has so many MB."""
    text = f"{value:,.0f} MB"
    if value > LAMBDA_MB:
        return f"{text}: **beyond Lambda's limit of {LAMBDA_MB:,} MB**"
    if value > given:
        return f"{text}: **more than the {given:,.0f} MB of template.yaml; {remedy}**"
    return f"{text}: **beyond {wanted:,.0f} MB**" if value > wanted else text


def _aimed(text: str, value: float, most: float, unit: str) -> str:
    return f"{text}: **beyond {most:,.0f} {unit}**" if value > most else text


def _dollars(value: float) -> str:
    return f"${value:,.2f}"


_LINES = (
    _Line("pages in flight", lambda it: f"{it.concurrency:,}", "chosen; each has a connection to the database"),
    _Line("parts of the snapshot", lambda it: f"{it.parts:,}", "users / 100,000"),
    _Line(
        "a part: call of Lambda",
        lambda it: _times(it.part.seconds, _BATCH.timeout, PREPARE_SECONDS),
        f"processor time measured at {{largest}}, and S3 at {S3_MB_A_SECOND} MB/s (assumed)",
    ),
    _Line(
        "a part: memory",
        lambda it: _room(it.part.mb, _BATCH.memory, "MemorySize", PREPARE_MB),
        "measured at {largest}; the same on every site",
    ),
    _Line("all parts", lambda it: _time(it.parts_seconds), f"a call, or the database's {CORES} processors"),
    _Line(
        "merge: call of Lambda",
        lambda it: _times(it.merge.seconds, _PLAN.timeout, PREPARE_SECONDS),
        "processor time measured up to 4,000,000, along a line; the snapshot from S3 and to it",
    ),
    _Line(
        "merge: memory",
        lambda it: _room(it.merge.mb, _PLAN.memory, "MatchScoresPlanMemory", PREPARE_MB),
        "measured up to 4,000,000, along a line",
    ),
    _Line(
        "/tmp of the merge, and of a page at most",
        lambda it: _room(it.storage_mb, WORK_STORAGE_MB, "WorkStorage"),
        "bytes a user as measured at {largest}",
    ),
    _Line("pages", lambda it: f"{it.pages:,} of {it.page_viewers:,} viewers", "as the stack's schedule has them"),
    _Line(
        "a page: processor time of the function",
        lambda it: _span(it.page.functions, _time),
        "extrapolated from runs up to {largest}: as a power of the users, or along a line",
    ),
    _Line(
        "a page: processor time of the database",
        lambda it: _span(it.page.server, _time),
        "extrapolated from runs up to {largest}, with log writer, checkpoints and vacuum",
    ),
    _Line(
        "a page: call of Lambda",
        lambda it: _times(it.page.seconds, _BATCH.timeout),
        "the sum of the two",
    ),
    _Line(
        "a page: memory",
        lambda it: _room(it.page.mb, _BATCH.memory, "a smaller batchSize, or MemorySize"),
        "its own, without the file from /tmp: as at {largest}, and bounds of more blocks as measured",
    ),
    _Line(
        "all pages, were the database never in the way",
        lambda it: _span(it.lambda_seconds, _time),
        f"calls that follow each other, with the last ones of each chapter; {CHAPTER_SECONDS} s a chapter (assumed);"
        " the snapshot fetched once by each environment",
    ),
    _Line(
        "all pages, were the functions never",
        lambda it: _span(it.database_seconds, _time),
        f"the database's processor time on {INSTANCE}, {CORES} processors (assumed as fast as one here)",
    ),
    _Line(
        "the run",
        lambda it: _aimed(_span(it.run_seconds, _time), it.run_seconds.high, RUN_SECONDS, "s"),
        "parts, merge, and the slower one of the last two",
    ),
    _Line("matches", lambda it: f"{it.rows / 1e6:,.0f} M", "a user's as measured at {largest}"),
    _Line(
        "tables of match-scores",
        lambda it: _aimed(f"{it.database_gb:,.1f} GB", it.database_gb, DATABASE_GB, "GB"),
        "bytes a user as measured at {largest}",
    ),
    _Line(
        "write-ahead log",
        lambda it: f"{it.wal_gb:,.1f} GB, {_span(it.wal_mb_a_second, lambda rate: f'{rate:,.0f}')} MB/s",
        "bytes a user as measured at {largest}, over the time of the pages",
    ),
    _Line("requests to S3", lambda it: f"{it.requests:,.0f}", "the whole snapshot once for each page in flight"),
    _Line(
        "Lambda",
        lambda it: _span(it.lambda_dollars, _dollars),
        "with the memory of template.yaml, or what is needed if that is more",
    ),
    _Line("Step Functions", lambda it: _dollars(it.transition_dollars), "two transitions a page, five for each 500"),
    _Line("S3", lambda it: _dollars(it.s3_dollars), "the requests"),
    _Line("dollars", lambda it: _span(it.dollars, _dollars), "without the database"),
)
