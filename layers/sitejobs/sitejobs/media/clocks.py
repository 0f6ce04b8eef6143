"""Files of which several were joined: players go on through all of them, and the clock begins again with each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from sitejobs.media.reading import RangedFile

WINDOWS: Final = 8
"""Places of a large file that are looked at for its clock."""

Mark = tuple[int, float]
"""A place within the file, and the time there in seconds."""


def windows(file: RangedFile, size: int, length: int) -> Iterator[tuple[int, bytes]]:
    """Places of a large file, evenly spread, each with `length` bytes from there."""
    for window in range(WINDOWS):
        place = (size - length) * window // (WINDOWS - 1)
        yield place, file.at(place, length)


def joined_seconds(places: Sequence[Sequence[Mark]], size: int) -> float | None:
    """Length by the mean rate at which the clock rises, within places or from one to the next, whichever says more.

    None when it never falls back: then the file's end tells.
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
