"""HEIC and AVIF taken apart: size, turn, EXIF and XMP of the picture that is shown, from the boxes before its data."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sitejobs.media.picture import MAX_METADATA, TURNS, Picture, file_of
from sitejobs.media.reading import RangedFile

_MAX_BOXES: Final = 10_000
_MAX_META: Final = 8 << 20
_META_DATA: Final = (b"Exif", b"mime")
_NO_TYPE: Final = b"skip"
# Memory that decoding takes, measured: the decoder's own, and that of a pixel with up to 8 bits a sample or more.
_DECODER_BYTES: Final = 32 << 20
_BYTES_A_PIXEL: Final = 12
_BYTES_A_DEEP_PIXEL: Final = 24

_TURNED_AS: Final = {turn: number for number, turn in TURNS.items()}


@dataclass
class _Meta:
    """A parsed `meta` box: its parts by item number, its properties in the file's order."""

    primary: int = 0
    types: dict[int, bytes] = field(default_factory=dict)
    type_places: list[int] = field(default_factory=list)
    """Where in the file the types of metadata items stand."""
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    associations: dict[int, list[int]] = field(default_factory=dict)
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    data: bytes = b""


def read_heif(file: RangedFile, size: int, whole: bool, name: str) -> Picture | None:
    """The structure of a HEIC or AVIF picture; None if its boxes do not tell it, as in some sequences.

    Raises
    ------
    ValueError : the picture's data extends past the file's end.
    """
    try:
        meta = _meta_of(file, size)
        known = None if meta is None else _shown(meta)
    except (struct.error, IndexError):
        return None
    if meta is None or known is None:
        return None
    (width, height, orientation), bits = known
    if not whole:
        return Picture(width, height, orientation)
    if any(start + length > size for parts in meta.places.values() for start, length in parts):
        raise ValueError(f"the {name} file ends before its content does")
    metadata = {kind: _item(file, meta, kind) for kind in _META_DATA}
    return Picture(
        width,
        height,
        orientation,
        exif=metadata[b"Exif"],
        xmp=metadata[b"mime"],
        drawn=file_of(*_without_metadata(file.at(0, size), meta)),
        memory=_DECODER_BYTES + width * height * (_BYTES_A_DEEP_PIXEL if bits > 8 else _BYTES_A_PIXEL),
    )


def _without_metadata(data: bytes, meta: _Meta) -> Iterator[memoryview | bytes]:
    """The file with its metadata items renamed to a type that decoders ignore; no offset changes."""
    view, last = memoryview(data), 0
    for place in sorted(meta.type_places):
        yield view[last:place]
        yield _NO_TYPE
        last = place + len(_NO_TYPE)
    yield view[last:]


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the content and end of each box."""
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1:
            length, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        stop = end if length == 0 else start + length
        if stop > end or stop < start + head:
            return
        yield kind, start + head, stop
        start = stop


def _meta_of(file: RangedFile, size: int) -> _Meta | None:
    position = 0
    for _ in range(_MAX_BOXES):
        head = file.at(position, 16)
        if len(head) < 8:
            return None
        length, kind = struct.unpack_from(">I4s", head)
        begin = 8
        if length == 1 and len(head) == 16:
            length, begin = struct.unpack_from(">Q", head, 8)[0], 16
        stop = position + length if length else size
        if kind == b"meta":
            if stop - position > _MAX_META or stop > size:
                return None
            return _parsed(file.at(position + begin, stop - position - begin), position + begin)
        if stop <= position:
            return None
        position = stop
    return None


def _parsed(data: bytes, offset: int) -> _Meta:
    meta = _Meta()
    for kind, start, end in _boxes(data, 4, len(data)):
        if kind == b"pitm":
            meta.primary = struct.unpack_from(">H" if data[start] == 0 else ">I", data, start + 4)[0]
        elif kind == b"iinf":
            _types(meta, data, start, end, offset)
        elif kind == b"iloc":
            _places(meta, data, start)
        elif kind == b"iprp":
            for inner, inner_start, inner_end in _boxes(data, start, end):
                if inner == b"ipco":
                    meta.properties = [(name, data[at:stop]) for name, at, stop in _boxes(data, inner_start, inner_end)]
                elif inner == b"ipma":
                    _associations(meta, data, inner_start)
        elif kind == b"idat":
            meta.data = data[start:end]
    return meta


def _types(meta: _Meta, data: bytes, start: int, end: int, offset: int) -> None:
    for kind, at, _ in _boxes(data, start + (6 if data[start] == 0 else 8), end):
        if kind == b"infe" and data[at] >= 2:
            wide = data[at] > 2
            [number] = struct.unpack_from(">I" if wide else ">H", data, at + 4)
            place = at + (10 if wide else 8)
            meta.types[number] = data[place : place + 4]
            if meta.types[number] in _META_DATA:
                meta.type_places.append(offset + place)


def _places(meta: _Meta, data: bytes, start: int) -> None:
    """Byte ranges of the items' data; items in other files or derived from other items are left out."""
    version, sizes = data[start], data[start + 4 : start + 6]
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    at = start + 6

    def number(length: int) -> int:
        nonlocal at
        if at + length > len(data):
            raise IndexError
        at += length
        return int.from_bytes(data[at - length : at], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        other = number(2)
        base = number(base_size)
        parts = []
        for _ in range(number(2)):
            number(index_size)
            parts.append((base + number(offset_size), number(length_size)))
        if method == 0 and other == 0:
            meta.places[item] = parts


def _associations(meta: _Meta, data: bytes, start: int) -> None:
    version, wide = data[start], data[start + 3] & 1
    [count] = struct.unpack_from(">I", data, start + 4)
    at = start + 8
    for _ in range(min(count, _MAX_BOXES)):
        [item] = struct.unpack_from(">I" if version else ">H", data, at)
        at += 4 if version else 2
        many = data[at]
        at += 1
        numbers = struct.unpack_from(f">{many}H" if wide else f">{many}B", data, at)
        at += many * (2 if wide else 1)
        meta.associations.setdefault(item, []).extend(one & (0x7FFF if wide else 0x7F) for one in numbers)


def _shown(meta: _Meta) -> tuple[tuple[int, int, int], int] | None:
    """Size as stored and orientation of the primary picture, and its bits a sample."""
    width = height = rotation = 0
    mirrored, bits = False, 8
    for place in meta.associations.get(meta.primary, []):
        kind, data = meta.properties[place - 1] if 0 < place <= len(meta.properties) else (b"", b"")
        if kind == b"ispe":
            width, height = struct.unpack_from(">II", data, 4)
        elif kind == b"pixi":
            bits = max(data[5:], default=8)
        elif kind == b"clap":
            across, over, down, under = struct.unpack_from(">IIII", data)
            cropped = (across // over if over else 0, down // under if under else 0)
            width, height = (min(whole, part or whole) for whole, part in zip((width, height), cropped, strict=True))
        elif kind == b"irot":
            rotation = (rotation - 90 * (data[0] & 3)) % 360
        elif kind == b"imir":
            # Swapping top and bottom is swapping left and right, then turning by 180 degrees.
            rotation = (-rotation if data[0] & 1 else 180 - rotation) % 360
            mirrored = not mirrored
    if not width or not height:
        return None
    return (width, height, _TURNED_AS[rotation, mirrored]), bits


def _item(file: RangedFile, meta: _Meta, kind: bytes) -> bytes:
    """The data of the first metadata item of a type."""
    for number, name in meta.types.items():
        if name == kind and number in meta.places:
            parts = meta.places[number]
            return b"".join(file.at(start, min(length, MAX_METADATA)) for start, length in parts[:_MAX_BOXES])[
                :MAX_METADATA
            ]
    return b""
