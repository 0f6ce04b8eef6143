"""Tables that read well in 80 columns, in pipes and in logs: no frames, numbers whole, long texts below their row."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

GAP: Final = 2
LAST: Final = 24
"""Columns that a long last cell gets at least, before gaps become narrow."""
BESIDE: Final = 40
"""Columns that a terminal must have left for a row's notes to stand beside it."""


def plain(title: str, first: str, *others: str, texts: Collection[str] = ()) -> "Table":
    """A table without frames. `first` and those of `texts` hold words, the others numbers, which are never folded."""
    from rich.table import Table

    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=None, padding=(0, GAP, 0, 0), pad_edge=False
    )
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="left" if name in texts else "right", no_wrap=name not in texts, overflow="fold")
    return table


def print_plain(console: "Console", table: "Table", spare: str = "") -> None:
    """Print a table, with narrow gaps and then without its column `spare` if it would be wider than the terminal."""
    from rich.measure import Measurement

    def too_wide() -> bool:
        return Measurement.get(console, console.options.update(max_width=1000), table).maximum > console.width

    if too_wide():
        table.padding = (0, 1, 0, 0)
    if too_wide():
        table.columns = [column for column in table.columns if column.header != spare]
    console.print(table)


@dataclass(frozen=True)
class Row:
    """Cells, a style for each that has one, and what else is to be said of them."""

    cells: Sequence[str]
    notes: str = ""
    styles: dict[int, str] = field(default_factory=dict)


def print_rows(
    console: "Console", names: Sequence[str], rows: Iterable[Row], *, numbers: Collection[str] = (), notes: str = "why"
) -> None:
    """Print a line for each row. Its notes stand beside it, named `notes`, if the terminal has room; else below it.

    Columns are as wide as their longest cell. The last is folded if it does not fit.
    """
    from rich.cells import cell_len

    rows = list(rows)
    widths = [max(map(cell_len, column)) for column in zip(names, *(row.cells for row in rows), strict=True)]
    least = sum(widths[:-1]) + min(widths[-1], LAST)
    gap = GAP if least + GAP * (len(widths) - 1) <= console.width else 1
    room = console.width - sum(width + gap for width in widths[:-1])
    wide = room - widths[-1] - gap >= BESIDE and any(row.notes for row in rows)
    widths[-1] = min(widths[-1], max(room, 1))
    right = [name in numbers for name in names]
    for row in [Row(names, notes if wide else "", dict.fromkeys(range(len(names)), "bold")), *rows]:
        console.print(_line(row, widths, right, gap, with_notes=wide))
        if row.notes and not wide:
            console.print(_indented(row.notes, console.width))


def _line(row: Row, widths: Sequence[int], right: Sequence[bool], gap: int, *, with_notes: bool) -> "Table":
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, gap, 0, 0))
    for width, to_right in zip(widths, right, strict=True):
        line.add_column(width=width, justify="right" if to_right else "left", overflow="fold")
    cells = [Text(cell, style=row.styles.get(at, "")) for at, cell in enumerate(row.cells)]
    if with_notes:
        line.add_column(overflow="fold")
        cells.append(Text(row.notes))
    line.add_row(*cells)
    return line


def _indented(notes: str, width: int) -> "Text":
    from textwrap import fill

    from rich.text import Text

    indent = " " * 4
    folded = "\n".join(
        fill(line, max(width, 20), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        for line in notes.splitlines()
    )
    return Text(folded, style="dim")
