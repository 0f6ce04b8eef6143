"""Duration of a Matroska or WebM file, and whether its end is missing: MediaInfo may be wrong about both.

Browsers record WebM as a stream, with neither a duration nor a segment size: the last cluster has the time. Joined
files, and parts after a restart of the clock, are added up: browsers play one after the other.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from sitejobs.media.clocks import Mark, joined_seconds, windows
from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import SCANNED_WHOLE

TAIL_BYTES = 1 << 20
TOLD_BYTES, THOROUGH_BYTES = 8 << 20, 32 << 20
"""Bytes of the end searched for a cluster, at most: with a duration in the header, and without one. A recording may be
one cluster of many megabytes."""
MAX_PARTS = 16
"""Most joined files of a large one whose ends are read; the rest is estimated from them."""
MAX_CLUSTERS = 100_000
"""Most clusters of a file that is read whole; real files have one every few seconds or kilobytes."""
WINDOW_BYTES = 1 << 20
"""About the bytes of a recording's cluster."""
_CLUSTER = b"\x1f\x43\xb6\x75"
_CLUSTERS = re.compile(re.escape(_CLUSTER))
_SEGMENT = b"\x18\x53\x80\x67"
_TIMESTAMP, _SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
_BEFORE_TIME = (0xEC, 0xBF, 0xA7, 0xAB)
"""Void, CRC-32, Position and PrevSize: elements that may precede a cluster's timestamp."""
_TIMESTAMP_SCALE = b"\x2a\xd7\xb1"
_DEFAULT_SCALE_NS = 1_000_000


@dataclass(frozen=True)
class Segment:
    """`end`: where it ends by its own size, None: unknown; `truncated`: that is past the file's end."""

    end: int | None
    truncated: bool
    scale_ns: int


def segment_of(file: RangedFile, size: int, start: int = 0) -> Segment:
    """Read the segment's head at `start`. ValueError: there is none."""
    head = file.at(start, 4096)
    header_size, header_length = _size(head, 4)
    at = 4 + header_length + (header_size or 0)
    if head[at : at + 4] != _SEGMENT:
        raise ValueError("no segment follows the header")
    length, width = _size(head, at + 4)
    end = None if length is None else start + at + 4 + width + length
    scale = _DEFAULT_SCALE_NS
    found = head.find(_TIMESTAMP_SCALE, at)
    if found >= 0:
        bytes_, width = _size(head, found + 3)
        scale = int.from_bytes(head[found + 3 + width : found + 3 + width + (bytes_ or 0)], "big") or scale
    return Segment(end, end is not None and end > size, scale)


def played_ms(file: RangedFile, size: int, first: Segment, *, thorough: bool) -> float | None:
    """Milliseconds to the last block, joined files added up; None if no block was found."""
    if size <= SCANNED_WHOLE:
        return _played(file.at(0, size)) * first.scale_ns / 1e6 or None
    total, start, segment = 0.0, 0, first
    for _ in range(MAX_PARTS):
        end = size if segment.end is None else min(segment.end, size)
        total += _last_timestamp_ms(file, start, end, first.scale_ns, thorough=thorough and end == size) or 0
        if segment.end is None:
            places = [list(_clusters(data, place)) for place, data in windows(file, size, WINDOW_BYTES)]
            return max(total, (joined_seconds(places, size) or 0) * first.scale_ns / 1e6) or None
        try:
            start, segment = end, segment_of(file, size, end)
        except (ValueError, IndexError):
            return total or None
    return total * size / start


def _played(data: bytes) -> int:
    """The sum of the highest times of all runs of clusters with rising times."""
    known = list(islice(_clusters(data), MAX_CLUSTERS))
    end = known[-1][0] if len(known) == MAX_CLUSTERS else len(data)
    marks = [*known, (end, -1.0)]
    total = sum(
        _latest_block(data[at:following], 0) or 0 for (at, now), (following, then) in pairwise(marks) if then <= now
    )
    return total * len(data) // end if end else 0


def _clusters(data: bytes, place: int = 0) -> Iterator[Mark]:
    """Offset and start time of each cluster."""
    for match in _CLUSTERS.finditer(data):
        time = _time_of(data, match.start())
        if time is not None:
            yield place + match.start(), time


def _time_of(data: bytes, at: int) -> int | None:
    """The time at the head of the cluster at `at`; None when it is no cluster."""
    try:
        position = at + 4 + _size(data, at + 4)[1]
        for _ in range(4):
            length, width = _size(data, position + 1)
            body = position + 1 + width
            if data[position] == _TIMESTAMP and length is not None and length <= 8:
                return int.from_bytes(data[body : body + length], "big")
            if length is None or data[position] not in _BEFORE_TIME:
                return None
            position = body + length
    except (IndexError, ValueError):
        pass
    return None


def _last_timestamp_ms(file: RangedFile, begin: int, end: int, scale_ns: int, *, thorough: bool) -> int | None:
    """Time of the last block before `end`, from the clusters there."""
    searched, span = b"", TAIL_BYTES
    while span <= (THOROUGH_BYTES if thorough else TOLD_BYTES):
        start = max(begin, end - span)
        searched = file.at(start, end - start - len(searched)) + searched
        at = searched.rfind(_CLUSTER)
        while at >= 0:
            latest = _latest_block(searched, at)
            if latest is not None:
                return round(latest * scale_ns / 1e6)
            at = searched.rfind(_CLUSTER, 0, at)
        if start == begin:
            break
        span *= 2
    return None


def _latest_block(data: bytes, at: int) -> int | None:
    """The highest time within the cluster at `at`; None when it is no cluster."""
    base: int | None = None
    latest: int | None = None
    try:
        position = at + 4 + _size(data, at + 4)[1]
        while position < len(data) - 8:
            kind = data[position]
            length, width = _size(data, position + 1)
            body = position + 1 + width
            if length is None or (base is None and kind not in (_TIMESTAMP, *_BEFORE_TIME)):
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
    """An element's size (None: unknown), and the bytes of the size field."""
    first = data[at]
    if not first:
        raise ValueError("no size")
    width = 9 - first.bit_length()
    value = int.from_bytes(data[at : at + width], "big") & (1 << 7 * width) - 1
    return (None if value == (1 << 7 * width) - 1 else value), width
