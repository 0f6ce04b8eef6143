"""JPEG taken apart: its size, EXIF and XMP, and a file of the pixels without metadata."""

import random
import re
from dataclasses import dataclass, field
from typing import Final

from sitejobs.media.picture import TIFF_HEADS, Picture, exif_of, file_of, orientation_of
from sitejobs.media.reading import RangedFile

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_EXIF: Final = b"Exif\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_SOI, _EOI, _SOS, _TEM, _APP1, _COMMENT = 0xD8, 0xD9, 0xDA, 0x01, 0xE1, 0xFE
_FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = {0xC2, 0xC6, 0xCA, 0xCE}
_APPLICATIONS: Final = range(0xE0, 0xF0)
_NEXT_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_GARBAGE: Final = 4096
"""Most bytes skipped between segments, as decoders do."""
_MAX_SEGMENTS: Final = 10_000
_BAND: Final = 64


@dataclass
class _Walk:
    """What a walk along the markers has found so far."""

    position: int = len(_START)
    ended: bool = False
    kept: list[bytes] = field(default_factory=lambda: [_START])
    size: tuple[int, int] | None = None
    progressive: bool = False
    missing: dict[int, bytearray] = field(default_factory=dict)
    """Missing bits by component, a byte for each coefficient; 0: complete."""
    exif: bytes | None = None
    xmp: bytes = b""


def read_jpeg(file: RangedFile, size: int, whole: bool) -> Picture:
    """The structure of a JPEG; unless `whole`, only what precedes its first scan.

    Raises
    ------
    ValueError : it has no picture, or ends before all of its scans have begun.
    """
    walk = _Walk()
    if not _to_scan(file, walk) or walk.size is None:
        raise ValueError("the jpeg has no scan")
    width, height = walk.size
    exif = walk.exif or b""
    # Browsers use the first EXIF segment only, if it begins with a TIFF header.
    orientation = orientation_of(exif_of(exif)) if exif[6:].startswith(TIFF_HEADS) else 1
    if not whole:
        return Picture(width, height, orientation, exif=exif, xmp=walk.xmp)
    _scans(file, file.at(0, size), walk)
    return Picture(
        width,
        height,
        orientation,
        exif=exif,
        xmp=walk.xmp,
        drawn=file_of(*walk.kept, _END),
        trials=() if walk.ended else tuple(file_of(*walk.kept, _ending(seed), _END) for seed in (1, 2)),
        # A progressive picture keeps two bytes a coefficient; any other is decoded as it is read.
        memory=width * height * (2 * len(walk.missing) if walk.progressive else 1),
    )


def _to_scan(file: RangedFile, walk: _Walk) -> bool:
    """Walk to the data of the next scan; False when the picture or the file ends before it."""
    for _ in range(_MAX_SEGMENTS):
        found = _NEXT_MARKER.search(file.at(walk.position, _GARBAGE))
        if found is None:
            return False
        marker, start = found[0][-1], walk.position + found.end()
        if marker == _EOI:
            walk.ended = True
            return False
        if marker in (_SOI, _TEM):
            walk.position = start
            continue
        length = int.from_bytes(file.at(start, 2), "big")
        data = file.at(start + 2, max(0, length - 2))
        if length < 2 or len(data) < length - 2:
            return False
        walk.position = start + length
        _segment(walk, marker, data)
        if marker == _SOS:
            return True
    return False


def _segment(walk: _Walk, marker: int, data: bytes) -> None:
    if marker in _FRAMES and len(data) >= 6:
        walk.size = (int.from_bytes(data[3:5], "big"), int.from_bytes(data[1:3], "big"))
        walk.progressive = marker in _PROGRESSIVE
        walk.missing = {component: bytearray(b"\1" * _BAND) for component in data[6::3]}
    elif marker == _SOS:
        _scan(walk, data)
    elif marker == _APP1 and data.startswith(_EXIF) and walk.exif is None:
        walk.exif = data
    elif marker == _APP1 and data.startswith(_XMP) and not walk.xmp:
        walk.xmp = data[len(_XMP) :]
    if marker != _COMMENT and (marker not in _APPLICATIONS or _tells_colours(marker, data)):
        walk.kept += [b"\xff", bytes([marker]), (len(data) + 2).to_bytes(2, "big"), data]


def _tells_colours(marker: int, data: bytes) -> bool:
    """JFIF's and Adobe's segments tell how colours are stored."""
    jfif = marker == 0xE0 and data.startswith(b"JFIF\0") and len(data) >= 14
    return jfif or (marker == 0xEE and data.startswith(b"Adobe") and len(data) >= 12)


def _scan(walk: _Walk, data: bytes) -> None:
    count = data[0] if data else 0
    if len(data) < 4 + 2 * count:
        raise ValueError("a scan without a head")
    first, last, bits = (data[1 + 2 * count], min(data[2 + 2 * count], _BAND - 1), data[3 + 2 * count] & 15)
    if not walk.progressive:
        first, last, bits = 0, _BAND - 1, 0
    for component in data[1 : 1 + 2 * count : 2]:
        if component in walk.missing and first <= last:
            walk.missing[component][first : last + 1] = bytes([bits]) * (last + 1 - first)


def _scans(file: RangedFile, data: bytes, walk: _Walk) -> None:
    """Walk the scans up to the picture's end, or to the file's."""
    more = True
    while more:
        found = _NEXT_MARKER.search(data, walk.position)
        if found is None:
            walk.kept.append(data[walk.position :].rstrip(b"\xff"))
            break
        walk.kept.append(data[walk.position : found.start()])
        walk.position = found.start()
        more = _to_scan(file, walk)
    if not walk.ended and any(map(any, walk.missing.values())):
        raise ValueError("the jpeg ends before its last scan")


def _ending(seed: int) -> bytes:
    """Random data in place of the missing end: each seed changes the pixels, if any are missing."""
    return random.Random(seed).randbytes(_GARBAGE).replace(b"\xff", b"\0")  # noqa: S311 - no secret
