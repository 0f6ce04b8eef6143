"""The figures as tables that fit into 80 columns."""

from typing import TYPE_CHECKING

from sitejobs_local.quality import words
from sitejobs_local.quality.words import CHANCE, NEW, OLD, PRICED, Json, Report, number
from sitejobs_local.tables import plain, print_plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(console: "Console", report: Report) -> None:
    """Print everything."""
    figures = report.figures
    source = report.job if report.run is None else f"run {report.run} of {report.job}"
    _say(console, f"{source}, {report.at}")
    _say(console, words.asked(figures))
    console.print()
    _say(console, words.headline(figures))
    _say(console, words.verdict(report))
    for reason in report.reasons:
        _say(console, f"  {reason}")
    for outcome, title in words.OUTCOMES.items():
        console.print()
        print_plain(console, _rankings(figures[outcome], title))
    console.print()
    print_plain(console, _chances(figures))
    _say(console, words.judged(figures))
    console.print()
    print_plain(console, _reliability(figures))
    for outcome, title in words.OUTCOMES.items():
        if figures[outcome]["groups"]:
            console.print()
            print_plain(console, _groups(figures[outcome], title))
    if figures["exposure"]:
        console.print()
        print_plain(console, _exposure(figures["exposure"]))


def _say(console: "Console", text: str) -> None:
    console.print(text, markup=False, highlight=False)


def _rankings(outcome: Json, title: str) -> "Table":
    rankings, differences = outcome["rankings"], outcome["differences"]
    names = words.rankings_of(outcome)
    table = plain(f"{title}: {words.share(outcome)}", "", *names, "v2 - v1 (95 %)")
    for key, name in words.FIGURES.items():
        gain = words.interval(differences[OLD].get(key))
        table.add_row(name, *(number(rankings[ranking][key][0]) for ranking in names), gain)
    return table


def _chances(figures: Json) -> "Table":
    names = ("log-loss", "of one chance", "Brier", "of one chance", "calibration error")
    table = plain("chances of v2, beside one chance for all", "", *names)
    for outcome, title in words.OUTCOMES.items():
        found = figures[outcome]["calibration"]
        keys = ("logLoss", "constantLogLoss", "brier", "constantBrier", "error")
        table.add_row(title, *(number(found[key]) for key in keys))
    return table


def _reliability(figures: Json) -> "Table":
    columns = [f"{title}: {name}" for title in words.OUTCOMES.values() for name in ("asked", "true")]
    table = plain("what came true of each tenth of chances", "chance", *columns)
    rows: dict[str, dict[str, tuple[str, str]]] = {}
    for outcome in words.OUTCOMES:
        for tenth, count, _, rate in figures[outcome]["calibration"]["reliability"]:
            rows.setdefault(words.tenth(tenth), {})[outcome] = (f"{count:,}", number(rate, 2))
    for name in sorted(rows):
        table.add_row(name, *(cell for outcome in words.OUTCOMES for cell in rows[name].get(outcome, ("", ""))))
    return table


def _groups(outcome: Json, title: str) -> "Table":
    rankings = [name for name in words.RANKINGS if name in outcome["rankings"] and name not in (PRICED, CHANCE)]
    table = plain(f"{title} by group of the viewer: AUC", "group", "viewers", *rankings, "v2 - v1 (95 % of all)")
    for group in outcome["groups"]:
        found = [number(group["rankings"].get(name, [None])[0]) for name in rankings]
        gain = words.interval(group["difference"])
        table.add_row(words.group_name(group), f"{group['viewers']:,}", *found, gain)
    return table


def _exposure(exposure: Json) -> "Table":
    table = plain("who is shown among the first twenty", "", *(name for name in (NEW, OLD) if name in exposure))
    for key, name in words.SPREADS.items():
        shown = number if key == "gini" else words.percent
        table.add_row(name, *(shown(exposure[ranking][key]) for ranking in (NEW, OLD) if ranking in exposure))
    return table
