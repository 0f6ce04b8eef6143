"""Duration of joined files: players play all of them, and the clock restarts with each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from sitejobs.media.reading import RangedFile

WINDOWS: Final = 8
"""Windows of a large file in which its clock is read."""

Mark = tuple[int, float]
"""An offset within the file, and the clock there."""


def windows(file: RangedFile, size: int, length: int) -> Iterator[tuple[int, bytes]]:
    """`WINDOWS` offsets of a large file, evenly spread, each with `length` bytes from there."""
    for window in range(WINDOWS):
        place = (size - length) * window // (WINDOWS - 1)
        yield place, file.at(place, length)


def joined_seconds(places: Sequence[Sequence[Mark]], size: int) -> float | None:
    """Duration by the clock's mean rise a byte, within windows or from one to the next, whichever is larger.

    None if the clock never falls back: then its last value is the duration.
    """
    within = [step for marks in places for step in _steps(marks)]
    between = _steps([marks[0] for marks in places if marks])
    if all(time > 0 for _, time in (*within, *between)):
        return None
    return size * max(_rate(within), _rate(between))


def _steps(marks: Sequence[Mark]) -> list[Mark]:
    """Bytes and seconds from each mark to the next."""
    return [(then[0] - now[0], then[1] - now[1]) for now, then in pairwise(marks)]


def _rate(steps: list[Mark]) -> float:
    rises = [(taken, time) for taken, time in steps if time > 0]
    return sum(time for _, time in rises) / sum(taken for taken, _ in rises) if rises else 0.0
