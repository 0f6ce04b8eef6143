"""WebP taken apart: its size, animation, EXIF and XMP."""

import struct
from collections.abc import Iterator

from sitejobs.media.picture import MAX_FRAMES, MAX_METADATA, Animation, Picture, frame_ms
from sitejobs.media.reading import RangedFile

_BYTES_A_PIXEL = 22
"""Memory of decoding, measured: the decoder's two canvases, its frame, ours and a copy."""


def read_webp(file: RangedFile, size: int, whole: bool) -> Picture:
    """The structure of a WebP; unless `whole`, only its size. ValueError: it has none, or the file is cut off."""
    width = height = frames = 0
    duration = 0.0
    exif = xmp = b""
    for kind, start, length in _chunks(file, size, cut_off=not whole):
        if kind == b"VP8X":
            packed = file.at(start + 4, 6)
            width, height = (int.from_bytes(packed[at : at + 3], "little") + 1 for at in (0, 3))
        elif kind == b"ANMF" and length >= 16:
            duration += frame_ms(int.from_bytes(file.at(start + 12, 3), "little"))
            frames += 1
        elif kind == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack("<HH", file.at(start + 6, 4)))
        elif kind == b"VP8L" and not width:
            bits = int.from_bytes(file.at(start + 1, 4), "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF" and not exif:
            exif = file.at(start, min(length, MAX_METADATA))
        elif kind == b"XMP " and not xmp:
            xmp = file.at(start, min(length, MAX_METADATA))
        if width and not whole:
            break
    if not width or not height:
        raise ValueError("the webp has no picture")
    animation = Animation(width, height, frames or 1, round(duration))
    # Browsers turn no WebP, whatever its EXIF says.
    return Picture(width, height, animation=animation, exif=exif, xmp=xmp, memory=width * height * _BYTES_A_PIXEL)


def _chunks(file: RangedFile, size: int, *, cut_off: bool) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the data and length of each chunk. ValueError when one ends behind the file, unless `cut_off`."""
    position, end = 12, 8 + int.from_bytes(file.at(4, 4), "little")
    if end > size and not cut_off:
        raise ValueError("the webp ends before its content does")
    for _ in range(MAX_FRAMES):
        head = file.at(position, 8)
        if len(head) < 8 or position >= end:
            return
        length = int.from_bytes(head[4:], "little")
        yield head[:4], position + 8, length
        position += 8 + length + length % 2
