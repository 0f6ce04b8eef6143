"""What the readers of the image formats have in common: a picture's anatomy, and the metadata they pass on."""

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final

from PIL import Image

from sitejobs.media.attributes import moment

MAX_FRAMES: Final = 200_000
MAX_METADATA: Final = 1 << 20
"""Bytes of one piece of metadata, unpacked: what goes beyond is not looked at, and no fault of the picture's."""
SHORTEST_MS: Final = 20
"""Browsers show a frame that asks for less than this for `INSTEAD_MS`."""
INSTEAD_MS: Final = 100

TIFF_HEADS: Final = (b"II*\0", b"MM\0*")
"""What EXIF begins with."""

# EXIF orientation -> clockwise turn, mirrored.
TURNS: Final = {
    1: (0, False), 2: (0, True), 3: (180, False), 4: (180, True),
    5: (270, True), 6: (90, False), 7: (90, True), 8: (270, False),
}  # fmt: skip

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_TAKEN, _DIGITISED, _CHANGED = 0x9003, 0x9004, 0x0132
_TIFF: Final = re.compile(b"|".join(map(re.escape, TIFF_HEADS)))
_TIFF_WITHIN: Final = 64
_XMP_DATES: Final = ("exif:DateTimeOriginal", "xmp:CreateDate", "photoshop:DateCreated")


@dataclass(frozen=True)
class Animation:
    """Size in pixels as stored, frames, and their time in ms (0: none is told)."""

    width: int
    height: int
    frames: int
    duration_ms: int


@dataclass(frozen=True)
class Picture:
    """An image taken apart without decoding it.

    `width` and `height` are as stored; `orientation` is how browsers turn it, as EXIF numbers it. `drawn` is a file of
    nothing but what is drawn, so that no metadata can keep a decoder from it; None: the file itself will do.
    """

    width: int
    height: int
    orientation: int = 1
    animation: Animation | None = None
    exif: bytes = b""
    xmp: bytes = b""
    drawn: IO[bytes] | None = None
    mended: Callable[[], IO[bytes]] | None = None
    """Makes a file to be tried when `drawn` cannot be decoded."""
    trials: tuple[IO[bytes], ...] = ()
    """Of a picture whose end is missing: if all that is drawn is there, these are decoded, and look the same."""
    memory: int = 0
    """Bytes that decoding takes, about."""


def frame_ms(milliseconds: float) -> float:
    """How long a browser shows a frame."""
    return milliseconds if milliseconds >= SHORTEST_MS else INSTEAD_MS


def unpacked(data: bytes) -> bytes:
    """The beginning of compressed metadata; nothing when it is broken."""
    try:
        return zlib.decompressobj().decompress(data, MAX_METADATA)
    except zlib.error:
        return b""


def exif_of(data: bytes) -> Image.Exif:
    """The EXIF of a piece of metadata, whatever stands before its TIFF header; an empty one when there is none."""
    exif = Image.Exif()
    found = _TIFF.search(data[:_TIFF_WITHIN])
    if found is not None:
        try:
            exif.load(data[found.start() : MAX_METADATA])
            exif.get(_ORIENTATION)
        except Exception:
            return Image.Exif()
    return exif


def orientation_of(exif: Image.Exif) -> int:
    """1 to 8; 1 when it says none of them."""
    known = exif.get(_ORIENTATION, 1)
    return known if known in TURNS else 1


def taken_at(exif: Image.Exif, xmp: bytes) -> str | None:
    """When it was taken, by the camera's clock: taken, digitised, changed, then what XMP says."""
    details: dict[int, Any] = {}
    try:
        details = exif.get_ifd(_EXIF_IFD)
    except Exception:
        details = {}
    for value in (details.get(_TAKEN), details.get(_DIGITISED), exif.get(_CHANGED)):
        known = moment(_as_text(value))
        if known is not None:
            return known
    return _taken_by_xmp(xmp)


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else None


def _taken_by_xmp(xmp: bytes) -> str | None:
    text = xmp[:MAX_METADATA].decode("utf-8", "replace")
    for name in _XMP_DATES:
        # As an attribute or as an element, which XMP takes for the same.
        for found in re.finditer(rf"{name}\s*(?:=\s*[\"']|>\s*)([0-9T:.+Z -]{{10,40}})", text):
            known = moment(_whole_moment(found[1]))
            if known is not None:
                return known
    return None


def _whole_moment(text: str) -> str:
    """XMP leaves out what it does not know: the seconds, or the time of the day."""
    date, _, time = text.strip().partition("T")
    clock = re.match(r"\d\d:\d\d(:\d\d)?", time)
    hours = clock[0] if clock else "00:00:00"
    return f"{date} {hours}" if len(hours) > 5 else f"{date} {hours}:00"


def file_of(*parts: bytes | memoryview) -> IO[bytes]:
    """A file of these parts."""
    return io.BytesIO(b"".join(parts))
