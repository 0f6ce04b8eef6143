"""Duration of FLAC by its frames: a streamed file tells none, and another file may follow in the same one."""

import re
from itertools import islice, pairwise
from typing import Final

from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import MAX_TRIES, SCANNED_WHOLE, Walked, after_id3, longer_of, sampled

MAX_PIECES: Final = 1_000
"""Most joined files that are measured one by one."""
_SAMPLING: Final = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
_BLOCKS: Final = (0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
_MARK: Final = b"fLaC"
_START: Final = re.compile(rb"fLaC[\0\x80]\0\0\x22")
_SYNC: Final = re.compile(rb"\xff[\xf8\xf9]")
_HEADER_BYTES: Final = 16


def flac_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """The told duration, or the frames' if it is longer; a large file is measured by samples."""
    start = after_id3(file)
    rate = _stream_rate(file.at(start, 64))
    told = told_ms or 0
    if size - start > SCANNED_WHOLE:
        measured = 1000 * sampled(file, start, size, lambda data: _walk(data, rate))
        return told if told * 2 >= measured and told else measured or None
    return longer_of(told, 1000 * _walk(file.at(start, size - start), rate).whole_seconds) or None


def _walk(data: bytes, rate: int) -> Walked:
    """All frames, piece by piece where files were joined."""
    starts = [match.start() for match in _START.finditer(data)]
    ends = [0, *[start for start in starts if start], len(data)]
    pieces = [_piece(data[at:end], rate) for at, end in pairwise(ends[:MAX_PIECES])]
    seconds, looked_at = sum(piece.seconds for piece in pieces), sum(piece.bytes for piece in pieces)
    return Walked(seconds, looked_at if seconds else 0, len(data) - looked_at)


def _piece(data: bytes, rate: int) -> Walked:
    rate, position = (_stream_rate(data), _after_metadata(data)) if data[:4] == _MARK else (rate, 0)
    seconds, key = 0.0, None
    places = [match.start() for match in islice(_SYNC.finditer(data, position), MAX_TRIES)]
    for place in places:
        known = _frame(data[place : place + _HEADER_BYTES], rate)
        if known is not None and key in (None, known[1]):
            seconds, key = seconds + known[0], known[1]
    return Walked(seconds, places[-1] if len(places) == MAX_TRIES else len(data))


def _stream_rate(data: bytes) -> int:
    return int.from_bytes(data[18:21], "big") >> 4 if data[:4] == _MARK else 0


def _after_metadata(data: bytes) -> int:
    position = 4
    while position + 4 <= len(data):
        last, length = data[position] & 0x80, int.from_bytes(data[position + 1 : position + 4], "big")
        position += 4 + length
        if last:
            break
    return position if position < len(data) else 4


def _frame(head: bytes, stream_rate: int) -> tuple[float, tuple[int, int]] | None:
    """Seconds of a frame, and the key that all frames of a stream share; None if the header's CRC is wrong."""
    if len(head) < 7 or head[3] & 1:
        return None
    block_code, rate_code = head[2] >> 4, head[2] & 15
    if block_code == 0 or rate_code == 15 or head[3] >> 4 > 10:
        return None
    # The number of the frame or sample, coded like UTF-8.
    position = 4 + max(1, 8 - (~head[4] & 0xFF).bit_length())
    samples = _BLOCKS[block_code]
    if block_code in (6, 7):
        width = block_code - 5
        samples = int.from_bytes(head[position : position + width], "big") + 1
        position += width
    rate = _SAMPLING[rate_code] if rate_code < 12 else 0
    if rate_code >= 12:
        width, unit = {12: (1, 1000), 13: (2, 1), 14: (2, 10)}[rate_code]
        rate = int.from_bytes(head[position : position + width], "big") * unit
        position += width
    rate = rate or stream_rate
    if position >= len(head) or not rate or _crc8(head[:position]) != head[position]:
        return None
    return samples / rate, (head[1], rate_code)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def _crc8_of(value: int) -> int:
    for _ in range(8):
        value = (value << 1 ^ 0x07 if value & 0x80 else value << 1) & 0xFF
    return value


_CRC8: Final = tuple(map(_crc8_of, range(256)))
