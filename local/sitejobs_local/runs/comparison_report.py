"""What a dry run found, as a person reads it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def comparison_table(found: Mapping[str, Any], noun: str) -> "Table":
    """The new lists beside the stored ones, a line a figure."""
    from rich.table import Table

    table = Table(title="compared with what is stored", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for words, figure in _figures(found, noun):
        table.add_row(words, figure)
    return table


def _figures(found: Mapping[str, Any], noun: str) -> list[tuple[str, str]]:
    rows, shift = found["rows"], found["rankShift"]
    return [
        (f"{noun} compared", f"{found['lists']:,}"),
        ("  whose list would change", f"{found['changed']:,}"),
        ("  who would get their first list", f"{found['appearing']:,}"),
        ("  who would lose theirs", f"{found['vanishing']:,}"),
        ("entries stored", f"{rows['stored']:,}"),
        ("  leaving", f"{rows['leaving']:,}"),
        ("  entering", f"{rows['entering']:,}"),
        ("rows that a run would write", f"{rows['written']:,}"),
        ("first 10 that stay (overlap@10)", _share(found["overlapAt10"])),
        (f"{noun} with another first entry", f"{found['otherFirst']:,}"),
        (f"{noun} of whose first 10 most leave", f"{found['mostlyOther']:,}"),
        ("ranks of entries that stay, mean shift", "-" if shift["mean"] is None else f"{shift['mean']:.1f}"),
        (
            "  none, up to 5, up to 20, more",
            " / ".join(f"{shift[key]:,}" for key in ("none", "upTo5", "upTo20", "more")),
        ),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
