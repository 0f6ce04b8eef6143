"""AVI measured by its headers: several files may have been joined, and programs play all of them."""

import re
from typing import Final

from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import SCANNED_WHOLE, longer_of

MAX_PIECES: Final = 200
_HEADER_BYTES: Final = 16 << 10
_BEGINNING: Final = re.compile(rb"RIFF.{4}AVI LIST", re.DOTALL)
_STREAM: Final = b"strh"


def avi_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """The length that is told, or that of all pieces when it is more."""
    told = told_ms or 0.0
    return longer_of(told, sum(_told_ms(file.at(at, _HEADER_BYTES)) for at in _beginnings(file, size))) or None


def _beginnings(file: RangedFile, size: int) -> list[int]:
    """Where files begin: anywhere in a small one, of a large one where the last piece says that it ends."""
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
    """The longest stream of a piece, by its own header."""
    longest, at = 0.0, header.find(_STREAM)
    while 0 <= at <= len(header) - 44:
        scale, rate, length = (
            int.from_bytes(header[place : place + 4], "little") for place in (at + 28, at + 32, at + 40)
        )
        longest = max(longest, 1000 * length * scale / rate if rate else 0.0)
        at = header.find(_STREAM, at + 1)
    return longest
