"""The tables of docs/benchmarks.md, in Markdown."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from benchmarks.figures import Figures, RunFigures, SizeFigures
from benchmarks.projection import Projection, functions, project
from sitejobs_local.cost.prices import prices
from sitejobs_local.cost.ranges import Range
from tools.docs import table

LAMBDA_SECONDS, LAMBDA_MB = 900, 10_240
"""The most that a function can be given: time, and memory or /tmp."""
WORK_STORAGE_MB = 2048
"""The default of the stack's parameter WorkStorage."""
PROJECTED = ((1_000_000, 100), (10_000_000, 1000))
"""Users, and pages in flight."""


def machine_table(figures: Figures) -> str:
    """What it was measured on."""
    return table(("machine", ""), [*figures.machine.items(), ("seed of the sites", str(figures.seed))])


def whole_table(figures: Figures) -> str:
    """Whole runs beside the raw COPY and the plain screening, and how they grow."""
    head = (
        "users", "rows", "whole run", "x raw", "pauseMs=0", "x raw", "raw COPY", "brute force", "pairs looked at",
        "a worker's peak",
    )  # fmt: skip
    growth = [
        f"From {before.users:,} to {after.users:,} users: {after.whole_seconds / before.whole_seconds:.1f} x the time"
        f" ({after.unpaused_seconds / before.unpaused_seconds:.1f} x without pauses)."
        for before, after in _tenfold(figures.sizes)
    ]
    return "\n".join([table(head, [_whole_row(size) for size in figures.sizes]), *[f"\n{line}" for line in growth]])


def changed_table(figures: Figures) -> str:
    """Runs for one user, and incremental ones."""
    head = ("users", "one user: execution", "one user: command", "nothing changed", "changed", "written", "run")
    rows = [
        (
            f"{size.users:,}",
            _seconds(size.user.execution),
            _seconds(size.user.command),
            _seconds(size.changes.nothing.seconds),
            f"{size.changes.users:,} users",
            f"{size.changes.viewers:,} viewers, {size.changes.some.rows:,} rows",
            _seconds(size.changes.some.seconds),
        )
        for size in figures.sizes
    ]
    return table(head, rows)


def parts_table(figures: Figures) -> str:
    """What the projection is made of."""
    head = (
        "users", "site made in", "population read", "snapshot", "snapshot a user", "page, search and rows",
        "candidate put on a segment", "segments a page needs", "pairs scored", "Plan's peak", "stored row", "raw rows",
    )  # fmt: skip
    rows = [
        (
            f"{size.users:,}",
            _seconds(size.load_seconds),
            _seconds(size.parts.read_seconds),
            _seconds(size.parts.snapshot_seconds),
            f"{size.parts.snapshot_bytes / size.users:,.0f} bytes",
            f"{size.parts.page_seconds * 1000:,.0f} ms",
            f"{size.parts.segment_seconds * 1e6:.1f} us",
            _percent(size.parts.touched),
            _percent(size.parts.scored),
            f"{size.plan_peak_kb / 1024:,.0f} MB",
            f"{size.row_bytes:.0f} bytes",
            f"{size.rows / size.raw_seconds / 1e6:.2f} M/s",
        )
        for size in figures.sizes
    ]
    return table(head, rows)


def projection_table(figures: Figures) -> str:
    """Millions of users on AWS."""
    found = [project(figures.sizes, users, concurrency) for users, concurrency in PROJECTED]
    projections = [projection for projection in found if projection is not None]
    if not projections:
        return "There is no projection: it takes two sizes at least to see how the parts grow."
    head = ("a whole run", *(f"{projection.users:,} users" for projection in projections), "how it is known")
    rows = [(what, *(show(each) for each in projections), how) for what, show, how in _LINES]
    return table(head, rows)


def price_table(figures: Figures) -> str:
    """The prices that were taken."""
    listed = prices()
    rows = [
        (price.what, f"{price.dollars:.10f}".rstrip("0").rstrip("."), price.unit, price.source)
        for price in (listed[name] for name in ("gb_second", "request", "transition", "get"))
    ]
    return table((f"{listed.region}, {listed.date}", "dollars", "for a", "source"), rows)


PARTS: dict[str, Callable[[Figures], str]] = {
    "machine": machine_table,
    "whole runs": whole_table,
    "small runs": changed_table,
    "parts": parts_table,
    "projection": projection_table,
    "prices": price_table,
}
"""The marked parts of the page, and what makes them."""


def _whole_row(size: SizeFigures) -> tuple[str, ...]:
    parts = size.parts
    extrapolated = (
        "" if parts.plain_viewers == parts.viewers else f" (extrapolated from {parts.plain_viewers:,} viewers)"
    )
    return (
        f"{size.users:,}",
        f"{size.rows:,}",
        _seconds(size.whole_seconds) + _spread(size.whole),
        f"{size.whole_seconds / size.raw_seconds:.2f}",
        _seconds(size.unpaused_seconds) + _spread(size.unpaused),
        f"{size.unpaused_seconds / size.raw_seconds:.2f}",
        _seconds(size.raw_seconds),
        _seconds(parts.plain_seconds) + extrapolated,
        _percent(parts.looked_at),
        f"{size.batch_peak_kb / 1024:,.0f} MB",
    )


def _tenfold(sizes: Sequence[SizeFigures]) -> list[tuple[SizeFigures, SizeFigures]]:
    """Pairs of a site and one ten times larger; neighbours when there is no such pair."""
    pairs = [(one, two) for one in sizes for two in sizes if two.users == 10 * one.users]
    return pairs or list(pairwise(sizes))


def _seconds(value: float) -> str:
    if value < 100:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    return f"{value:,.0f} s"


def _spread(runs: Sequence[RunFigures]) -> str:
    """The fastest and the slowest, where there are several."""
    if len(runs) == 1:
        return ""
    seconds = [run.seconds for run in runs]
    return f" ({min(seconds):.2f} to {max(seconds):.2f})"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share >= 0.001 else f"{share * 100:.3f} %"


def _span(value: Range, show: Callable[[float], str]) -> str:
    low, high = show(value.low), show(value.high)
    return low if low == high else f"{low} to {high}"


def _time(seconds: float) -> str:
    if seconds < 600:
        return _seconds(seconds)
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _limited(text: str, value: float, given: float, limit: float, unit: str) -> str:
    """Says where the template's setting, or what Lambda allows, is not enough."""
    if value > limit:
        return f"{text}: beyond Lambda's limit of {limit:,.0f} {unit}"
    return f"{text}: more than the {given:,.0f} {unit} of template.yaml" if value > given else text


def _megabytes(value: float) -> str:
    return f"{value:,.0f} MB"


_BATCH, _PLAN = functions()
_LINES: tuple[tuple[str, Callable[[Projection], str], str], ...] = (
    ("pages in flight", lambda it: f"{it.concurrency:,}", "chosen; each has a connection to the database or its proxy"),
    ("pages", lambda it: f"{it.pages:,}", "users / batchSize"),
    (
        "processor time of a page", lambda it: _span(it.page_cpu, _seconds),
        "extrapolated: low as a power of the users, high along a line and with segments made anew",
    ),
    (
        "a page's call of Lambda",
        lambda it: _limited(
            _span(it.page_seconds, _seconds), it.page_seconds.high, _BATCH.timeout, LAMBDA_SECONDS, "s"
        ),
        "that, its rows at the speed of the raw COPY, and pauseMs",
    ),
    (
        "Plan's snapshot",
        lambda it: _limited(_time(it.plan_seconds), it.plan_seconds, _PLAN.timeout, LAMBDA_SECONDS, "s"),
        "extrapolated along a line",
    ),
    (
        "all pages, were the database never in the way", lambda it: _span(it.lambda_seconds, _time),
        "pages x a page's call / pages in flight",
    ),
    ("the run", lambda it: _span(it.run_seconds, _time), "Plan, and the slower one of Lambda and the database"),
    (
        "memory of a page's Lambda",
        lambda it: _limited(_megabytes(it.batch_mb), it.batch_mb, _BATCH.memory, LAMBDA_MB, "MB"),
        "extrapolated along a line up to the segments kept ready; bounds measured for 10 million",
    ),
    (
        "memory of Plan's Lambda",
        lambda it: _limited(_megabytes(it.plan_mb), it.plan_mb, _PLAN.memory, LAMBDA_MB, "MB"),
        "extrapolated along a line",
    ),
    (
        "/tmp of either, at most",
        lambda it: _limited(_megabytes(it.storage_mb), it.storage_mb, WORK_STORAGE_MB, LAMBDA_MB, "MB"),
        "bytes a user as measured",
    ),
    ("rows written", lambda it: f"{it.rows / 1e6:,.0f} M", "rows a user as measured"),
    ("database, size of the rows", lambda it: f"{it.database_gb:,.0f} GB", "bytes a row as measured, with indexes"),
    (
        "database, rows a second meanwhile",
        lambda it: _span(it.database_rows_a_second, lambda rows: f"{rows / 1000:,.0f} k/s"),
        "rows / time of the run",
    ),
    (
        "database, time for the rows",
        lambda it: f"{_time(it.database_seconds)} at {it.rows_a_second / 1000:,.0f} k/s",
        "the speed of the raw COPY here, one connection; indexes larger than memory are slower",
    ),
    (
        "Lambda", lambda it: _span(it.lambda_dollars, lambda value: f"${value:,.2f}"),
        "with the memory of template.yaml, or what is needed if that is more",
    ),
    ("Step Functions", lambda it: f"${it.transition_dollars:,.2f}", "two transitions a page, five a chapter of 500"),
    ("S3", lambda it: f"${it.get_dollars:,.2f}", "the whole snapshot once for each page in flight"),
    ("dollars", lambda it: _span(it.dollars, lambda value: f"${value:,.2f}"), "without the database"),
)  # fmt: skip
