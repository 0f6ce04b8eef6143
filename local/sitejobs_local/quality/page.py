"""Figures as one page of HTML: pictures with the numbers below them; nothing is fetched or run."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from sitejobs_local.quality import pictures, words
from sitejobs_local.quality.words import CHANCE, NEW, OLD, Json, Report, number

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --dim: #595959; --line: #767676; --soft: #f3f3f3;
    --new: #0b5cad; --old: #a34700; --other: #6b6b6b; --bad: #b3001b; }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #161616; --dim: #b5b5b5; --line: #909090;
    --soft: #242424; --new: #7cb8ff; --old: #ffb070; --other: #a8a8a8; --bad: #ff8b94; } }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin-top: 2rem; } h3 { font-size: 1rem; }
header, figcaption { color: var(--dim); font-size: .9rem; }
.headline { font-size: 1.25rem; font-weight: 600; }
.verdict { border-left: 4px solid var(--new); padding: .4rem .8rem; background: var(--soft); }
.verdict.no { border-color: var(--bad); }
.pictures { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); }
figure { margin: 0; max-width: 28rem; }
svg { width: 100%; height: auto; font: 13px system-ui, sans-serif; fill: var(--ink); overflow: visible; }
svg .new { fill: var(--new); } svg .old { fill: var(--old); } svg .other { fill: var(--other); }
svg .bad { fill: var(--bad); } svg .mark { fill-opacity: .75; } svg .text { font-weight: 600; }
svg .line { fill: none; stroke: var(--line); }
svg .dashed { fill: none; stroke: var(--line); stroke-dasharray: 4 4; }
svg .whisker { fill: none; stroke: var(--ink); stroke-width: 2; }
svg .halo { fill: none; stroke: var(--paper); stroke-width: 6; }
.scroll { overflow-x: auto; } .scroll:focus-visible, summary:focus-visible { outline: 3px solid var(--new); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem; }
"""


def policy() -> str:
    """The page's Content-Security-Policy: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def page(report: Report) -> str:
    """The whole page."""
    figures = report.figures
    source = report.job if report.run is None else f"run {report.run} of {report.job}"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in report.reasons)
    verdict = "verdict" if report.active else "verdict no"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy())}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quality of matches</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Quality of matches</h1>
<header>{escape(source)}, {escape(report.at)}. {escape(words.asked(figures))}.</header>
<p class="headline">{escape(words.headline(figures))}</p>
<div class="{verdict}">{escape(words.verdict(report))}{f"<ul>{reasons}</ul>" if reasons else ""}</div>
{"".join(_outcome(figures[outcome], outcome) for outcome in words.OUTCOMES)}
{_chances(figures)}
{_groups(figures)}
{_exposure(figures["exposure"])}
{_words()}
</main>
</body>
</html>
"""


def _outcome(outcome: Json, name: str) -> str:
    title = words.OUTCOMES[name]
    rankings = [name for name in outcome["rankings"] if name != CHANCE]
    names = [*rankings, CHANCE]
    rows = [
        [
            name,
            *(number(outcome["rankings"][ranking][key][0]) for ranking in names),
            words.interval(outcome["differences"][OLD].get(key)),
            words.interval(outcome["differences"].get("popularity", {}).get(key)),
        ]
        for key, name in words.FIGURES.items()
    ]
    columns = ("figure", *names, "v2 - v1 (95 %)", "v2 - popularity (95 %)")
    drawn = (
        _figure(pictures.bars(outcome, "auc", f"AUC within a viewer, {title}"), "AUC within a viewer; 0.5 is chance"),
        _figure(
            pictures.bars(outcome, "precision3", f"First three, {title}"),
            f"share of the first three shown who {words.BECOMES[name]}",
        ),
    )
    return f"""<section>
<h2>{title.capitalize()}</h2>
<p>{words.share(outcome)}.</p>
<div class="pictures">{"".join(drawn)}</div>
{_table(f"All figures of {title}", columns, rows)}
</section>"""


def _chances(figures: Json) -> str:
    rows = [
        [title, words.tenth(tenth), f"{count:,}", number(chance, 2), number(rate, 2)]
        for outcome, title in words.OUTCOMES.items()
        for tenth, count, chance, rate in figures[outcome]["calibration"]["reliability"]
    ]
    losses = [
        [title, *(number(figures[outcome]["calibration"][key]) for key in _LOSSES)]
        for outcome, title in words.OUTCOMES.items()
    ]
    caption = (
        "On the dashed line chances hold: what is said to happen 3 of 10 times does. Larger marks: more decisions."
    )
    return f"""<section>
<h2>Whether chances hold</h2>
<p>{escape(words.judged(figures))}</p>
<div class="pictures">{_figure(pictures.reliability(figures), caption)}</div>
{_table("Losses", ("", *_LOSSES.values()), losses)}
{_table("Every tenth", ("", "chance", "asked", "mean chance", "came true"), rows)}
</section>"""


_LOSSES = {
    "logLoss": "log-loss",
    "constantLogLoss": "log-loss of one chance for all",
    "brier": "Brier",
    "constantBrier": "Brier of one chance for all",
    "error": "calibration error",
    "limit": "error that luck explains",
}


def _groups(figures: Json) -> str:
    drawn, tables = [], []
    for outcome, title in words.OUTCOMES.items():
        groups = figures[outcome]["groups"]
        if not groups:
            continue
        drawn.append(
            _figure(
                pictures.gains(groups, f"v2 - v1 by group, {title}"), f"{title}: gain of v2 over v1 in AUC, by group"
            )
        )
        names = [name for name in figures[outcome]["rankings"] if name != CHANCE]
        columns = ("group", "viewers", "decisions", "rate", *names, "v2 - v1", "log-loss", "calibration error")
        tables.append(_table(f"Groups: {title}", columns, [_group(group, names) for group in groups]))
    if not drawn:
        return ""
    return f"""<section>
<h2>Groups of viewers</h2>
<p>Lines are intervals, all together at 95 %. A group falls when its whole line lies left of 0.</p>
<div class="pictures">{"".join(drawn)}</div>
{"".join(tables)}
</section>"""


def _group(group: Json, names: Sequence[str]) -> list[str]:
    auc = [number(group["rankings"].get(name, [None])[0]) for name in names]
    return [
        words.group_name(group),
        f"{group['viewers']:,}",
        f"{group['decisions']:,}",
        words.percent(group["rate"]),
        *auc,
        words.interval(group["difference"]),
        number(group["logLoss"]),
        number(group["calibrationError"]),
    ]


def _exposure(exposure: Json) -> str:
    if not exposure:
        return ""
    names = [name for name in (NEW, OLD) if name in exposure]
    rows = [[title, *(number(exposure[name][key]) for name in names)] for key, title in words.SPREADS.items()]
    caption = "The first twenty places of everybody's list, in a sample of people who can all be shown to each other."
    return f"""<section>
<h2>Who is shown</h2>
<div class="pictures">{_figure(pictures.spreads(exposure), caption)}</div>
{_table("Exposure", ("", *names), rows)}
</section>"""


def _words() -> str:
    said = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in words.EXPLAINED.items())
    return f"<section><h2>The figures</h2><dl>{said}</dl></section>"


def _figure(drawn: str, caption: str) -> str:
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(title: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that opens on demand, and scrolls by itself where it is wider than the screen, by keys too."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in others) + "</tr>"
        for first, *others in rows
    )
    return (
        f"<details><summary>{escape(title)}</summary>"
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )
