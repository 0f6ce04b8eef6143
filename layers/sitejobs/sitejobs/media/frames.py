"""Frames of animations counted without decoding: gif, png, webp."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sitejobs.media.reading import RangedFile

MAX_FRAMES = 200_000


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
