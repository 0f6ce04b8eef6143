"""What a dry run finds: new lists beside the stored ones, as counts that add up over pages."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final

from sitejobs.aliases import JsonObject

KEY: Final = "compared"
"""Where a page's result, a run's context and its summary hold the counts."""

FIRST: Final = 10
"""Places of a list that its reader sees first: overlap@10 is told of these."""

NEAR, FAR = 5, 20
"""Largest shifts in rank, in places, that are counted as near and as far."""

NAMES: Final = (
    "lists",
    "same",
    "appearing",
    "vanishing",
    "stored",
    "new",
    "staying",
    "first",
    "firstStaying",
    "otherFirst",
    "mostlyOther",
    "shifts",
    "noShift",
    "nearShift",
    "farShift",
    "written",
)
"""The counts, in the order in which a page hands them on: 500 results share a payload, so they carry no names."""


def compare(stored: Sequence[Hashable], new: Sequence[Hashable]) -> Counter[str]:
    """Compare the stored list of one user with the new one, both best first and without repetitions."""
    counts = Counter(lists=1, stored=len(stored), new=len(new), same=int(list(stored) == list(new)))
    counts.update(appearing=int(not stored and bool(new)), vanishing=int(not new and bool(stored)))
    place = {item: rank for rank, item in enumerate(stored)}
    shifts = [abs(place[item] - rank) for rank, item in enumerate(new) if item in place]
    none, near, far = (sum(shift <= most for shift in shifts) for most in (0, NEAR, FAR))
    counts.update(staying=len(shifts), shifts=sum(shifts), noShift=none, nearShift=near - none, farShift=far - near)
    if stored and new:
        size = max(len(stored[:FIRST]), len(new[:FIRST]))
        staying = len(set(stored[:FIRST]) & set(new[:FIRST]))
        counts.update(first=size, firstStaying=staying)
        counts.update(otherFirst=int(stored[0] != new[0]), mostlyOther=int(staying * 2 < size))
    return counts


def result(counts: Mapping[str, int]) -> JsonObject:
    """What a page's result says of its counts; nothing in a run that writes."""
    return {KEY: [counts.get(name, 0) for name in NAMES]} if counts else {}


def added(context: JsonObject, results: Iterable[JsonObject]) -> JsonObject:
    """The run's context with the counts of more pages."""
    total: Counter[str] = Counter(context.get(KEY))
    for page in results:
        total.update(dict(zip(NAMES, map(int, page.get(KEY, ())), strict=False)))
    return {**context, KEY: total}


def told(context: JsonObject) -> JsonObject:
    """The context of a dry run at its end: its message says what was found, for lists of runs."""
    return {**context, "message": "; ".join(filter(None, (_sentence(context[KEY]), context.get("message"))))}


def summary(context: JsonObject) -> JsonObject:
    """What a run's summary says of a comparison; nothing in a run that writes."""
    return {KEY: described(context[KEY])} if KEY in context else {}


def described(counts: Mapping[str, int]) -> JsonObject:
    """The counts of a whole run for its summary. A share of nothing is null."""
    total = {name: int(counts.get(name, 0)) for name in NAMES}
    more = total["staying"] - total["noShift"] - total["nearShift"] - total["farShift"]
    return {
        "lists": total["lists"],
        "changed": total["lists"] - total["same"],
        "appearing": total["appearing"],
        "vanishing": total["vanishing"],
        "rows": {
            "stored": total["stored"],
            "new": total["new"],
            "entering": total["new"] - total["staying"],
            "leaving": total["stored"] - total["staying"],
            "written": total["written"],
        },
        "overlapAt10": _share(total["firstStaying"], total["first"]),
        "otherFirst": total["otherFirst"],
        "mostlyOther": total["mostlyOther"],
        "rankShift": {
            "mean": _share(total["shifts"], total["staying"]),
            "none": total["noShift"],
            f"upTo{NEAR}": total["nearShift"],
            f"upTo{FAR}": total["farShift"],
            "more": more,
        },
    }


def _sentence(counts: Mapping[str, int]) -> str:
    """The comparison in one sentence, for the run's message."""
    found = described(counts)
    if not found["lists"]:
        return "dry run, nothing was written: there was nothing to compare"
    told = f"dry run, nothing was written: {found['changed']:,} of {found['lists']:,} lists would change"
    overlap, shift = found["overlapAt10"], found["rankShift"]["mean"]
    if overlap is not None:
        told += f"; of the first {FIRST} places {overlap:.0%} stay"
    return told + (f", ranks move by {shift:.1f} on average" if shift is not None else "")


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
