"""Pictures as SVG inside a page: narrow, so that they stay legible on a phone, and drawn with the page's classes."""

from collections.abc import Iterator, Sequence
from html import escape

from sitejobs_local.quality import words
from sitejobs_local.quality.words import CHANCE, NEW, OLD, PRICED, Json, number, rankings_of

WIDTH = 360
_LEFT, _RIGHT = 96, 44
_ROW = 26
_CLASSES = {NEW: "new", PRICED: "new", OLD: "old", "popularity": "other", CHANCE: "other"}


def reliability(figures: Json) -> str:
    """Chances against what came true: on the line where they hold; the larger the mark, the more decisions."""
    size, left, top = 280, 48, 12
    parts = [f'<path class="line" d="M{left} {top}V{top + size}H{left + size}"/>']
    parts.append(f'<path class="dashed" d="M{left} {top + size}L{left + size} {top}"/>')
    for step in (0, 0.5, 1):
        at, height = left + size * step, top + size * (1 - step)
        parts.append(_text(at, top + size + 18, f"{step:g}", "middle"))
        parts.append(_text(left - 8, height + 4, f"{step:g}", "end"))
    for outcome, kind in (("like", "old"), ("match", "new")):
        found = figures[outcome]["calibration"]["reliability"]
        most = max((count for _, count, _, _ in found), default=1)
        for _, count, chance, rate in found:
            x, y, reach = left + size * chance, top + size * (1 - rate), 4 + 7 * (count / most) ** 0.5
            # Circles and squares, so that colour alone tells nothing.
            if outcome == "match":
                parts.append(f'<circle class="{kind} mark" cx="{x:.1f}" cy="{y:.1f}" r="{reach:.1f}"/>')
            else:
                corner = f'x="{x - reach:.1f}" y="{y - reach:.1f}" width="{2 * reach:.1f}" height="{2 * reach:.1f}"'
                parts.append(f'<rect class="{kind} mark" {corner}/>')
    parts.append(_text(left + 8, top + 10, "came true", "start"))
    parts.append(_text(left + size / 2, top + size + 36, "chance by v2", "middle"))
    parts.append(_text(left, top + size + 58, "● matches", "start", "new text"))
    parts.append(_text(left + 100, top + size + 58, "■ likes", "start", "old text"))
    told = "; ".join(
        f"{title}: "
        + ", ".join(f"{chance:.2f} came true {rate:.2f}" for _, _, chance, rate in _points(figures, outcome))
        for outcome, title in words.OUTCOMES.items()
    )
    return _svg(top + size + 66, "Chances and what came true", told, parts)


def bars(outcome: Json, key: str, title: str) -> str:
    """A figure of each ranking from 0 to 1, with its interval."""
    rows = [(name, outcome["rankings"][name][key]) for name in rankings_of(outcome)]
    parts: list[str] = []
    told = []
    for at, (name, values) in enumerate(rows):
        mean, low, high = values
        told.append(f"{name} {number(mean)}")
        parts += _bar(at * _ROW, name, mean, number(mean), _CLASSES[name])
        if low is not None and high is not None:
            line = f"M{_at(low):.1f} {at * _ROW + 12}H{_at(high):.1f}"
            parts.append(f'<path class="halo" d="{line}"/><path class="whisker" d="{line}"/>')
    return _svg(len(rows) * _ROW + 2, title, ", ".join(told), parts)


def spreads(exposure: Json) -> str:
    """Shares never shown and of the most shown, and Gini, of v2 and v1."""
    parts: list[str] = []
    told, top = [], 0
    for key, title in words.SPREADS.items():
        parts.append(_text(0, top + 14, title, "start"))
        for at, name in enumerate(name for name in (NEW, OLD) if name in exposure):
            value = exposure[name][key]
            shown = number(value) if key == "gini" else words.percent(value)
            told.append(f"{title} {name} {shown}")
            parts += _bar(top + 20 + at * _ROW, name, value, shown, _CLASSES[name])
        top += 20 + len(exposure) * _ROW + 10
    return _svg(top, "Who is shown", ", ".join(told), parts)


def gains(groups: Sequence[Json], title: str) -> str:
    """v2 - v1 of each group that can be compared, with its interval; a line at no difference."""
    compared = [group for group in groups if group["difference"] and group["difference"][0] is not None]
    reach = max([abs(value) for group in compared for value in group["difference"]] or [0.1])
    middle, half = 238.0, 112.0
    parts = [f'<path class="dashed" d="M{middle} 0V{len(compared) * 38 + 4}"/>']
    for at, group in enumerate(compared):
        mean, low, high = (middle + half * value / reach for value in group["difference"])
        y = at * 38 + 20
        kind = "bad" if group["difference"][2] < 0 else "new"
        parts.append(_text(0, y - 1, words.group_name(group), "start"))
        parts.append(_text(0, y + 13, f"{group['difference'][0]:+.3f}", "start", f"{kind} text"))
        parts.append(f'<path class="whisker" d="M{low:.1f} {y}H{high:.1f}"/>')
        parts.append(f'<circle class="{kind}" cx="{mean:.1f}" cy="{y}" r="5"/>')
    told = ", ".join(f"{words.group_name(group)} {words.interval(group['difference'])}" for group in compared)
    return _svg(len(compared) * 38 + 6, title, told or "no group has viewers enough", parts)


def _points(figures: Json, outcome: str) -> list[tuple[int, int, float, float]]:
    points: list[tuple[int, int, float, float]] = figures[outcome]["calibration"]["reliability"]
    return points


def _bar(top: float, name: str, value: float | None, shown: str, kind: str) -> Iterator[str]:
    yield _text(_LEFT - 8, top + 16, name, "end")
    yield f'<rect class="{kind}" x="{_LEFT}" y="{top + 3}" width="{_at(value or 0) - _LEFT:.1f}" height="18"/>'
    yield _text(WIDTH, top + 16, shown, "end")


def _at(share: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT - 8) * min(max(share, 0.0), 1.0)


def _text(x: float, y: float, content: str, anchor: str, kind: str = "") -> str:
    of_class = f' class="{kind}"' if kind else ""
    return f'<text{of_class} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def _svg(height: float, title: str, told: str, parts: Sequence[str]) -> str:
    """A picture that says the same in words to those who do not see it."""
    label = escape(f"{title}: {told}", quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
