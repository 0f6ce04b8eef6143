"""The tables of docs/benchmarks.md, in Markdown."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from benchmarks.figures import Figures, RunFigures, SizeFigures
from sitejobs_local.cost.prices import prices
from tools.docs import table


def machine_table(figures: Figures) -> str:
    """What it was measured on."""
    return table(("machine", ""), [*figures.machine.items(), ("seed of the sites", str(figures.seed))])


def whole_table(figures: Figures) -> str:
    """Whole runs beside the raw COPY and the plain screening, and how they grow."""
    head = (
        "users", "rows", "whole run", "as scheduled", "processor of the functions", "of the server", "write-ahead log",
        "tables", "raw COPY", "brute force", "pairs looked at", "a worker's peak",
    )  # fmt: skip
    growth = [
        f"From {before.users:,} to {after.users:,} users: {after.whole_seconds / before.whole_seconds:.1f} x the time."
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
    """What one thread takes for the parts of a run."""
    head = (
        "users", "site made in", "population read", "snapshot", "snapshot a user", "Plan's peak",
        "page, search and rows", "candidate put on a segment", "candidates on a page's segments", "pairs scored",
        "a viewer's tables", "a viewer's write-ahead log",
    )  # fmt: skip
    return table(head, [_parts_row(size) for size in figures.sizes])


def _parts_row(size: SizeFigures) -> tuple[str, ...]:
    parts, run = size.parts, size.scheduled
    search = run.search
    return (
        f"{size.users:,}",
        _seconds(size.load_seconds),
        _seconds(parts.read_seconds),
        _seconds(parts.snapshot_seconds),
        f"{parts.snapshot_bytes / size.users:,.0f} bytes",
        f"{size.plan_peak_kb / 1024:,.0f} MB",
        f"{search.page_seconds * 1000:,.0f} ms",
        f"{search.segment_seconds * 1e6:.1f} us",
        f"{search.touched:,.0f}",
        _percent(search.scored),
        f"{run.table_bytes / run.viewers:,.0f} bytes",
        f"{run.wal_bytes / run.viewers:,.0f} bytes",
    )


def price_table(figures: Figures) -> str:
    """The prices that were taken."""
    listed = prices()
    rows = [
        (price.what, f"{price.dollars:.10f}".rstrip("0").rstrip("."), price.unit, price.source)
        for price in (listed[name] for name in ("gb_second", "request", "transition", "get", "put"))
    ]
    return table((f"{listed.region}, {listed.date}", "dollars", "for a", "source"), rows)


PARTS: dict[str, Callable[[Figures], str]] = {
    "machine": machine_table,
    "whole runs": whole_table,
    "small runs": changed_table,
    "parts": parts_table,
    "prices": price_table,
}
"""The marked parts of the page, and what makes them."""


def _whole_row(size: SizeFigures) -> tuple[str, ...]:
    parts, run = size.parts, size.scheduled
    extrapolated = (
        "" if parts.plain_viewers == parts.viewers else f" (extrapolated from {parts.plain_viewers:,} viewers)"
    )
    phases = run.phases.values()
    return (
        f"{size.users:,}",
        f"{size.rows:,}",
        _seconds(size.whole_seconds) + _spread(size.whole),
        _seconds(run.seconds),
        _seconds(sum(phase.functions for phase in phases)),
        _seconds(sum(phase.server for phase in phases)),
        f"{run.wal_bytes / 1e6:,.0f} MB",
        f"{run.table_bytes / 1e6:,.0f} MB",
        _seconds(size.raw_seconds),
        _seconds(parts.plain_seconds) + extrapolated,
        _percent(run.search.looked_at),
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
