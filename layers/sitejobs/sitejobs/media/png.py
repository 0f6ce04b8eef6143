"""PNG taken apart: its size, animation, EXIF and XMP, and a file of the pixels without metadata."""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from sitejobs.media.picture import (
    MAX_FRAMES,
    MAX_METADATA,
    TIFF_HEADS,
    Animation,
    Picture,
    exif_of,
    file_of,
    frame_ms,
    orientation_of,
    unpacked,
)
from sitejobs.media.reading import RangedFile

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_SUM_BYTES: Final = 4
_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_XMP: Final = b"XML:com.adobe.xmp"
_PROFILES: Final = (b"Raw profile type exif", b"Raw profile type APP1")
# Samples of a pixel by colour type.
_SAMPLES: Final = {0: 1, 2: 4, 3: 1, 4: 4, 6: 4}
# Bytes of a transparent colour by colour type; a palette has any number.
_TRANSPARENCY: Final = {0: 2, 2: 6}


@dataclass
class _Walk:
    kept: list[bytes] = field(default_factory=lambda: [_SIGNATURE])
    colours: int = 0
    pixels: list[bytes] = field(default_factory=list)
    ended: bool = False
    told_frames: int = 0
    frames: int = 0
    milliseconds: float = 0.0
    exif: bytes | None = None
    profile: bytes = b""
    xmp: bytes = b""


def read_png(file: RangedFile, size: int, whole: bool) -> Picture:
    """The structure of a PNG; unless `whole`, only its size. ValueError: it has no head."""
    head = file.at(len(_SIGNATURE), 8 + 13)
    if head[4:8] != b"IHDR" or len(head) < 21:
        raise ValueError("the png has no head")
    width, height, depth, colours = struct.unpack_from(">IIBB", head, 8)
    if not whole:
        return Picture(width, height)
    walk = _Walk(colours=colours)
    for kind, data, missing, sum_is_right in _chunks(file, size):
        if kind == b"IEND":
            walk.ended = True
            break
        if kind == b"fdAT" and missing:
            raise ValueError("a frame of the png is cut off")
        _chunk(walk, kind, data, sum_is_right)
    if not walk.ended and walk.frames < walk.told_frames:
        raise ValueError("frames of the png are missing")
    pixels = b"".join(walk.pixels)
    moving = walk.told_frames and walk.frames
    return Picture(
        width,
        height,
        # Browsers turn a PNG by its eXIf chunk, and by no other metadata.
        orientation_of(exif_of(walk.exif)) if walk.exif and walk.exif.startswith(TIFF_HEADS) else 1,
        animation=Animation(width, height, walk.frames if moving else 1, round(walk.milliseconds) if moving else 0),
        exif=walk.exif or walk.profile,
        xmp=walk.xmp,
        drawn=_drawn(walk, pixels),
        # Browsers show pixels even if the checksum at their end is wrong.
        mended=lambda: _drawn(walk, pixels[:-_SUM_BYTES]),
        memory=width * height * (2 if depth == 16 and colours == 0 else _SAMPLES.get(colours, 4)),
    )


def _chunks(file: RangedFile, size: int) -> Iterator[tuple[bytes, bytes, int, bool]]:
    """Of each chunk: kind, data, number of missing bytes, and whether its checksum is right."""
    position = len(_SIGNATURE)
    for _ in range(MAX_FRAMES):
        head = file.at(position, 8)
        if len(head) < 8:
            return
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        data = file.at(position + 8, min(length, size))
        told = file.at(position + 8 + length, 4)
        yield kind, data, length - len(data), told == zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")
        position += 12 + length


def _chunk(walk: _Walk, kind: bytes, data: bytes, sum_is_right: bool) -> None:
    if kind == b"IDAT":
        # Decoders accept pixels with a wrong checksum, and a truncated last chunk.
        walk.pixels.append(data)
    elif kind in (b"IHDR", b"PLTE"):
        if not sum_is_right:
            raise ValueError("the head of the png is broken")
        walk.kept += [_packed(kind, data)]
    elif not sum_is_right:
        return  # ignored
    elif kind == b"tRNS" and len(data) == _TRANSPARENCY.get(walk.colours, len(data)):
        walk.kept += [_packed(kind, data)]
    elif kind == b"acTL" and not walk.pixels:
        walk.told_frames = int.from_bytes(data[:4], "big")
    elif kind == b"fcTL" and len(data) >= 26:
        numerator, denominator = struct.unpack_from(">HH", data, 20)
        walk.milliseconds += frame_ms(1000 * numerator / (denominator or 100))
        walk.frames += 1
    elif kind == b"eXIf" and walk.exif is None and not walk.pixels:
        walk.exif = data[:MAX_METADATA]
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        _text(walk, kind, data)


def _packed(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")


def _drawn(walk: _Walk, pixels: bytes) -> IO[bytes]:
    return file_of(*walk.kept, _packed(b"IDAT", pixels), _END)


def _text(walk: _Walk, kind: bytes, data: bytes) -> None:
    """Keep the two texts that may tell the capture time; all others are ignored, damaged or not."""
    keyword, _, rest = data.partition(b"\0")
    if keyword == _XMP and not walk.xmp:
        walk.xmp = _text_of(kind, rest)
    elif keyword in _PROFILES and not walk.profile:
        # ImageMagick's: a name, a length, then hexadecimal digits.
        found = re.fullmatch(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)", _text_of(kind, rest)[:MAX_METADATA])
        digits = b"".join(found[1].split()).decode() if found else ""
        walk.profile = bytes.fromhex(digits[: len(digits) // 2 * 2])


def _text_of(kind: bytes, rest: bytes) -> bytes:
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return unpacked(rest[1:])
    packed = rest[:1] == b"\1"
    text = rest[2:].split(b"\0", 2)[-1]  # behind the language and the translated keyword
    return unpacked(text) if packed else text
