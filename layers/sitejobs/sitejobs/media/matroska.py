"""What a Matroska or WebM file says beside MediaInfo's answer: its true length, and whether its end is missing.

Browsers record WebM as a stream: no duration in the header, no size of the segment. Its last cluster tells the time.
"""

import struct
from dataclasses import dataclass

from sitejobs.media.reading import RangedFile

TAIL_BYTES = 1 << 20
THOROUGH_BYTES = 32 << 20
"""Of the end, where the header tells no length: a recording may be one cluster of many megabytes."""
_CLUSTER = b"\x1f\x43\xb6\x75"
_SEGMENT = b"\x18\x53\x80\x67"
_TIMESTAMP, _SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_TIMESTAMP_SCALE = b"\x2a\xd7\xb1"
_DEFAULT_SCALE_NS = 1_000_000


@dataclass(frozen=True)
class Segment:
    """`truncated`: it says it goes on where the file has ended."""

    truncated: bool
    scale_ns: int


def segment_of(file: RangedFile, size: int) -> Segment:
    """Look at the head. ValueError when it is none."""
    head = file.at(0, 4096)
    header_size, header_length = _size(head, 4)
    at = 4 + header_length + (header_size or 0)
    if head[at : at + 4] != _SEGMENT:
        raise ValueError("no segment follows the header")
    length, width = _size(head, at + 4)
    truncated = length is not None and at + 4 + width + length > size
    scale = _DEFAULT_SCALE_NS
    found = head.find(_TIMESTAMP_SCALE, at)
    if found >= 0:
        bytes_, width = _size(head, found + 3)
        scale = int.from_bytes(head[found + 3 + width : found + 3 + width + (bytes_ or 0)], "big") or scale
    return Segment(truncated, scale)


def last_timestamp_ms(file: RangedFile, size: int, scale_ns: int, *, thorough: bool) -> int | None:
    """Time of the last block, from the clusters at the end; None when there is none within the bytes looked at."""
    searched, span = b"", TAIL_BYTES
    while span <= (THOROUGH_BYTES if thorough else TAIL_BYTES):
        start = max(0, size - span)
        searched = file.at(start, size - start - len(searched)) + searched
        at = searched.rfind(_CLUSTER)
        while at >= 0:
            latest = _latest_block(searched, at)
            if latest is not None:
                return round(latest * scale_ns / 1e6)
            at = searched.rfind(_CLUSTER, 0, at)
        if not start:
            break
        span *= 2
    return None


def _latest_block(data: bytes, at: int) -> int | None:
    """The highest time within the cluster at `at`; None when it is no cluster."""
    try:
        _, width = _size(data, at + 4)
        position, base, latest = at + 4 + width, None, None
        while position < len(data) - 8:
            kind = data[position]
            length, width = _size(data, position + 1)
            body = position + 1 + width
            if length is None or (base is None and kind not in (_TIMESTAMP, 0xEC, 0xBF, 0xA7, 0xAB)):
                break
            if kind == _TIMESTAMP:
                base = int.from_bytes(data[body : body + length], "big")
                latest = base
            elif kind in (_SIMPLE_BLOCK, _BLOCK_GROUP) and base is not None and latest is not None:
                block = body if kind == _SIMPLE_BLOCK else _block_in_group(data, body)
                _, track_width = _size(data, block)
                latest = max(latest, base + struct.unpack_from(">h", data, block + track_width)[0])
            position = body + length
    except (IndexError, struct.error, ValueError):
        pass
    return latest


def _block_in_group(data: bytes, at: int) -> int:
    if data[at] != _BLOCK:
        raise ValueError("the group does not begin with its block")
    return at + 1 + _size(data, at + 1)[1]


def _size(data: bytes, at: int) -> tuple[int | None, int]:
    """An element's size (None: unknown) and the bytes that it takes."""
    first = data[at]
    if not first:
        raise ValueError("no size")
    width = 9 - first.bit_length()
    value = int.from_bytes(data[at : at + width], "big") & (1 << 7 * width) - 1
    return (None if value == (1 << 7 * width) - 1 else value), width
