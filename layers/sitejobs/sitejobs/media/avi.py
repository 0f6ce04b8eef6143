"""Duration of AVI by its headers. Joined files are added up: programs play all of them."""

import re
from typing import Final

from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import SCANNED_WHOLE, longer_of

MAX_PIECES: Final = 200
_HEADER_BYTES: Final = 16 << 10
_BEGINNING: Final = re.compile(rb"RIFF.{4}AVI LIST", re.DOTALL)
_STREAM: Final = b"strh"


def avi_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """The told duration, or that of all pieces if it is longer."""
    told = told_ms or 0.0
    return longer_of(told, sum(_told_ms(file.at(at, _HEADER_BYTES)) for at in _beginnings(file, size))) or None


def _beginnings(file: RangedFile, size: int) -> list[int]:
    """Offsets of the pieces: a small file is searched whole, in a large one each piece's size leads to the next."""
    if size <= SCANNED_WHOLE:
        return [match.start() for match in _BEGINNING.finditer(file.at(0, size))][:MAX_PIECES]
    found, at = [], 0
    for _ in range(MAX_PIECES):
        head = file.at(at, 16)
        if head[:4] != b"RIFF":
            break
        if _BEGINNING.match(head):
            found.append(at)
        length = int.from_bytes(head[4:8], "little")
        at += 8 + length + length % 2
    return found


def _told_ms(header: bytes) -> float:
    """Milliseconds of a piece's longest stream, by the stream headers."""
    longest, at = 0.0, header.find(_STREAM)
    while 0 <= at <= len(header) - 44:
        scale, rate, length = (
            int.from_bytes(header[place : place + 4], "little") for place in (at + 28, at + 32, at + 40)
        )
        longest = max(longest, 1000 * length * scale / rate if rate else 0.0)
        at = header.find(_STREAM, at + 1)
    return longest
