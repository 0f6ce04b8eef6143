"""Frames counted without decoding: animations (gif, png, webp), and sound whose length no header tells (mp3, ADTS)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sitejobs.media.reading import RangedFile

MAX_FRAMES = 200_000
SCANNED_WHOLE = 16 << 20
"""Bytes of sound that are walked frame by frame: more than 180 s at the highest rate have."""
SAMPLES = 4
SAMPLE_BYTES = 64 << 10

_MP3_RATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2
}
_MP3_SAMPLING = (44100, 48000, 32000)
_ADTS_SAMPLING = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True)
class Animation:
    """Size in pixels as stored, frames, and their time in ms (0: none is told)."""

    width: int
    height: int
    frames: int
    duration_ms: int


def gif_animation(file: RangedFile) -> Animation:
    """Walk the blocks of a gif. ValueError when they are broken."""
    head = file.at(0, 13)
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames = duration = 0
    while frames < MAX_FRAMES:
        kind = file.at(position, 1)
        if kind == b"!":
            block = file.at(position, 8)
            if block[1:3] == b"\xf9\x04":
                duration += struct.unpack_from("<H", block, 4)[0] * 10
            position = _after_blocks(file, position + 2)
        elif kind == b",":
            flags = file.at(position + 9, 1)[0]
            position = _after_blocks(file, position + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
            frames += 1
        else:
            break  # the end, or what somebody appended
    return Animation(width, height, frames, duration)


def _after_blocks(file: RangedFile, position: int) -> int:
    """Behind a chain of data blocks, each with its length before it."""
    while True:
        length = file.at(position, 1)
        if not length:
            raise ValueError("the gif ends within a block")
        position += 1 + length[0]
        if not length[0]:
            return position


def png_animation(file: RangedFile) -> Animation:
    """Walk the chunks of a png, animated or not."""
    width, height = struct.unpack(">II", file.at(16, 8))
    frames, duration, told = 0, 0.0, False
    for kind, start, length in _chunks(file, 8, "big"):
        if kind == b"acTL":
            told = True
        elif kind == b"fcTL" and length >= 26:
            numerator, denominator = struct.unpack(">HH", file.at(start + 20, 4))
            duration += 1000 * numerator / (denominator or 100)
            frames += 1
        elif kind == b"IEND":
            break
    return Animation(width, height, frames if told and frames else 1, round(duration) if told else 0)


def webp_animation(file: RangedFile) -> Animation:
    """Size, frames and time of a webp, from its chunks."""
    width = height = frames = duration = 0
    for kind, start, length in _chunks(file, 12, "little"):
        if kind == b"VP8X":
            packed = file.at(start + 4, 6)
            width = int.from_bytes(packed[:3], "little") + 1
            height = int.from_bytes(packed[3:], "little") + 1
        elif kind == b"ANMF" and length >= 16:
            duration += int.from_bytes(file.at(start + 12, 3), "little")
            frames += 1
        elif kind == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack("<HH", file.at(start + 6, 4)))
        elif kind == b"VP8L" and not width:
            bits = int.from_bytes(file.at(start + 1, 4), "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return Animation(width, height, frames or 1, duration)


def _chunks(file: RangedFile, position: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the data and length of each chunk of a png ("big") or a RIFF file ("little")."""
    for _ in range(MAX_FRAMES):
        head = file.at(position, 8)
        if len(head) < 8:
            return
        if order == "big":
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            yield kind, position + 8, length
            position += 12 + length
        else:
            kind, length = head[:4], int.from_bytes(head[4:], "little")
            yield kind, position + 8, length
            position += 8 + length + length % 2


@dataclass(frozen=True)
class _Frame:
    length: int
    seconds: float


def sound_duration_ms(file: RangedFile, size: int, codec: str) -> int | None:
    """Length of mp3 or ADTS ("aac") sound whose header does not tell it; None when there is no frame, or a header.

    A file up to `SCANNED_WHOLE` bytes is walked frame by frame; of a larger one a few places give the mean rate.
    """
    start = _after_id3(file)
    first = _frame(file.at(start, 8), codec)
    if first is None:
        return None
    if codec == "mp3" and any(mark in file.at(start, first.length) for mark in (b"Xing", b"Info", b"VBRI")):
        return None
    if size - start <= SCANNED_WHOLE:
        return round(1000 * _walk(file, start, size, codec)[0]) or None
    seconds = walked = 0.0
    for sample in range(SAMPLES):
        place = start + (size - start - SAMPLE_BYTES) * sample // (SAMPLES - 1)
        found = _next_frame(file, place, codec)
        if found is not None:
            more, length = _walk(file, found, min(size, found + SAMPLE_BYTES // 2), codec)
            seconds, walked = seconds + more, walked + length
    return round(1000 * seconds * (size - start) / walked) if walked else None


def _walk(file: RangedFile, position: int, end: int, codec: str) -> tuple[float, int]:
    """Seconds and bytes of the frames from `position` on that begin before `end`."""
    seconds, length = 0.0, 0
    while position < end:
        frame = _frame(file.at(position, 8), codec)
        if frame is None:
            break
        seconds, length, position = seconds + frame.seconds, length + frame.length, position + frame.length
    return seconds, length


def _next_frame(file: RangedFile, position: int, codec: str) -> int | None:
    """Where the next two frames that follow one another begin."""
    data = file.at(position, SAMPLE_BYTES)
    for offset in range(len(data) // 2):
        if data[offset] == 0xFF and (frame := _frame(data[offset : offset + 8], codec)) is not None:
            after = offset + frame.length
            if after + 8 <= len(data) and _frame(data[after : after + 8], codec) is not None:
                return position + offset
    return None


def _after_id3(file: RangedFile) -> int:
    head = file.at(0, 10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length + (10 if head[5] & 0x10 else 0)


def _frame(head: bytes, codec: str) -> _Frame | None:
    if len(head) < 8 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return _adts_frame(head) if codec == "aac" else _mp3_frame(head)


def _adts_frame(head: bytes) -> _Frame | None:
    sampling = head[2] >> 2 & 15
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if head[1] & 0xF6 != 0xF0 or sampling >= len(_ADTS_SAMPLING) or length < 7:
        return None
    return _Frame(length, 1024 * ((head[6] & 3) + 1) / _ADTS_SAMPLING[sampling])


def _mp3_frame(head: bytes) -> _Frame | None:
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate_index, sampling_index, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer != 1 or rate_index in (0, 15) or sampling_index == 3:
        return None
    bits = _MP3_RATES[3 if version == 3 else 2][rate_index] * 1000
    sampling = _MP3_SAMPLING[sampling_index] // {3: 1, 2: 2, 0: 4}[version]
    samples = 1152 if version == 3 else 576
    return _Frame(samples // 8 * bits // sampling + padding, samples / sampling)
