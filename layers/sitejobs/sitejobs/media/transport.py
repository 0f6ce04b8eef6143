"""Duration of MPEG-TS by its clock, which restarts in joined files and in cut broadcasts."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from sitejobs.media.clocks import Mark, joined_seconds, windows
from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import MAX_TRIES, SCANNED_WHOLE, longer_of

WINDOW_BYTES: Final = 512 << 10
_PACKETS: Final = (188, 192, 204)
_SYNC: Final = 0x47
_LONGEST_STEP_S: Final = 10.0
"""Longest step within one piece. The clock is told ten times a second: a longer step begins another piece."""


def ts_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """The told duration, or that of all pieces if it is longer."""
    if size <= SCANNED_WHOLE:
        measured = max(map(_seconds, _clocks(file.at(0, size), 0).values()), default=0.0)
    else:
        places = [_clocks(data, place) for place, data in windows(file, size, WINDOW_BYTES)]
        streams = {stream for clocks in places for stream in clocks}
        lengths = (joined_seconds([clocks.get(stream, []) for clocks in places], size) for stream in streams)
        measured = max((seconds or 0.0 for seconds in lengths), default=0.0)
    return longer_of(told_ms or 0, 1000 * measured) or None


def _seconds(marks: list[Mark]) -> float:
    """Sum of the steps. A step back or far ahead begins another piece and counts as long as the one before."""
    total = usual = 0.0
    for (_, now), (_, then) in pairwise(marks):
        usual = then - now if 0 <= then - now <= _LONGEST_STEP_S else usual
        total += usual
    return total


def _clocks(data: bytes, place: int) -> dict[int, list[Mark]]:
    """The clock of each stream that has one, by the stream's number."""
    clocks: dict[int, list[Mark]] = defaultdict(list)
    for at in _packets(data):
        # Only a packet with an adaptation field that holds a clock tells the time.
        if data[at + 3] & 0x20 and data[at + 4] >= 7 and data[at + 5] & 0x10:
            stream = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
            clocks[stream].append((place + at, (int.from_bytes(data[at + 6 : at + 11], "big") >> 7) / 90_000))
    return clocks


def _packets(data: bytes) -> Iterator[int]:
    """Offsets of the packets; bytes between them are skipped."""
    at, size, end, tries = 0, 0, len(data) - 2 * max(_PACKETS), 0
    while at < end and tries < MAX_TRIES:
        if not size or data[at] != _SYNC:
            tries += 1
            at = data.find(b"G", at, end)
            if at < 0:
                return
            size = next((size for size in _PACKETS if data[at + size] == data[at + 2 * size] == _SYNC), 0)
        if size:
            yield at
        at += size or 1
