"""GIF taken apart: its size, its animation, and a file of only its first frame."""

import struct
from dataclasses import dataclass
from typing import IO, Final

from sitejobs.media.picture import MAX_FRAMES, Animation, Picture, file_of, frame_ms
from sitejobs.media.reading import RangedFile

_HEAD: Final = 13
_EXTENSION, _FRAME = 0x21, 0x2C
_CONTROL, _APPLICATION = b"\xf9", b"\xff"
_XMP: Final = b"XMP DataXMP"
_END: Final = b"\0;"


@dataclass
class _Walk:
    """What a walk along the blocks has found so far; `control`: the control extension of the next frame."""

    data: bytes
    position: int
    control: bytes = b""
    frames: int = 0
    milliseconds: float = 0.0
    first: bytes = b""
    size: tuple[int, int] = (0, 0)
    xmp: bytes = b""
    cut: bytes | None = None
    """The last frame, when the file ends within it."""


def read_gif(file: RangedFile, size: int, whole: bool) -> Picture:
    """The structure of a GIF; unless `whole`, only its size. ValueError: it has no frame."""
    head = file.at(0, _HEAD)
    width, height, flags = struct.unpack_from("<HHB", head, 6)
    if not whole:
        return Picture(width, height)
    data = file.at(0, size)
    start = _HEAD + _table(flags)
    walk = _Walk(data, start)
    while walk.frames < MAX_FRAMES and walk.position < size and data[walk.position] in (_EXTENSION, _FRAME):
        if data[walk.position] == _EXTENSION:
            _extension(walk)
        else:
            _frame(walk)
    if not walk.frames:
        raise ValueError("the gif has no frame")
    # Browsers enlarge the canvas for a first frame that goes beyond it.
    width, height = max(width, walk.size[0]), max(height, walk.size[1])
    canvas = head[:6] + struct.pack("<HH", width, height) + data[10:start]
    return Picture(
        width,
        height,
        animation=Animation(width, height, walk.frames, round(walk.milliseconds)),
        xmp=walk.xmp,
        drawn=file_of(canvas, walk.first, _END),
        trials=() if walk.cut is None else (_alone(head, data[10:start], walk.cut),),
        memory=4 * width * height,
    )


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _extension(walk: _Walk) -> None:
    start = walk.position
    kind = walk.data[start + 1 : start + 2]
    walk.position = _after_blocks(walk.data, start + 2)
    if kind == _CONTROL and walk.position - start >= 8:
        walk.control = walk.data[start : start + 8]
    elif kind == _APPLICATION and walk.data[start + 3 : start + 14] == _XMP:
        walk.xmp = walk.data[start + 14 : walk.position]


def _frame(walk: _Walk) -> None:
    start, data = walk.position, walk.data
    left, top, width, height, flags = struct.unpack_from("<HHHHB", data, start + 1)
    blocks = start + 11 + _table(flags)
    walk.position = _after_blocks(data, blocks)
    frame = data[start : walk.position]
    if walk.position > len(data):
        walk.cut = frame = data[start:blocks] + _mended(data, blocks)
    if not walk.frames:
        walk.first, walk.size = walk.control + frame, (left + width, top + height)
    walk.frames += 1
    walk.milliseconds += frame_ms(int.from_bytes(walk.control[4:6], "little") * 10)
    walk.control = b""


def _after_blocks(data: bytes, position: int) -> int:
    """The offset after a chain of data blocks; past the end of the data if that cuts the chain off."""
    size = len(data)
    while position < size:
        length = data[position]
        position += 1 + length
        if not length:
            return position
    return size + 1


def _mended(data: bytes, position: int) -> bytes:
    """The blocks from `position` on, a truncated last one with its actual length."""
    parts = []
    while position < len(data):
        block = data[position + 1 : position + 1 + data[position]]
        parts.append(bytes([len(block)]) + block)
        position += 1 + data[position]
    return b"".join(part for part in parts if len(part) > 1)


def _alone(head: bytes, table: bytes, frame: bytes) -> IO[bytes]:
    """A GIF of this frame alone, as large as the frame."""
    width, height = struct.unpack_from("<HH", frame, 5)
    placed = frame[:1] + b"\0\0\0\0" + frame[5:]
    return file_of(head[:6], struct.pack("<HH", width, height), table, placed, _END)
