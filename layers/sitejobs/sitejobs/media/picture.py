"""What the readers of all image formats share: a picture's structure, EXIF and XMP."""

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
"""Most bytes read of one piece of metadata, unpacked. The rest is ignored; the picture is still good."""
SHORTEST_MS: Final = 20
"""A frame with a shorter time is shown for `INSTEAD_MS`, as browsers do."""
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
    """Size in pixels as stored, number of frames, and their duration in ms (0: unknown)."""

    width: int
    height: int
    frames: int
    duration_ms: int


@dataclass(frozen=True)
class Picture:
    """An image taken apart without decoding it.

    `width` and `height` are as stored; `orientation` is how browsers turn it, in EXIF's numbers. `drawn` is a file of
    the pixels without metadata, so that broken metadata cannot stop a decoder; None: decode the file itself.
    """

    width: int
    height: int
    orientation: int = 1
    animation: Animation | None = None
    exif: bytes = b""
    xmp: bytes = b""
    drawn: IO[bytes] | None = None
    mended: Callable[[], IO[bytes]] | None = None
    """Makes a second file to decode if `drawn` fails."""
    trials: tuple[IO[bytes], ...] = ()
    """Set if the file's end is missing. They decode to the same image if no pixel was lost."""
    memory: int = 0
    """Approximate bytes of memory that decoding takes."""


def frame_ms(milliseconds: float) -> float:
    """How long a browser shows a frame."""
    return milliseconds if milliseconds >= SHORTEST_MS else INSTEAD_MS


def unpacked(data: bytes) -> bytes:
    """Up to MAX_METADATA bytes of compressed metadata; empty if it is broken."""
    try:
        return zlib.decompressobj().decompress(data, MAX_METADATA)
    except zlib.error:
        return b""


def exif_of(data: bytes) -> Image.Exif:
    """EXIF from a piece of metadata, whatever precedes its TIFF header; empty if there is none."""
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
    """EXIF orientation 1 to 8; 1 if it is missing or invalid."""
    known = exif.get(_ORIENTATION, 1)
    return known if known in TURNS else 1


def taken_at(exif: Image.Exif, xmp: bytes) -> str | None:
    """Capture time by the camera's clock: EXIF's original, digitised or changed time, else XMP's."""
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
        # XMP writes a property as an attribute or as an element.
        for found in re.finditer(rf"{name}\s*(?:=\s*[\"']|>\s*)([0-9T:.+Z -]{{10,40}})", text):
            known = moment(_whole_moment(found[1]))
            if known is not None:
                return known
    return None


def _whole_moment(text: str) -> str:
    """A full date and time: XMP may omit the seconds, or the time of day."""
    date, _, time = text.strip().partition("T")
    clock = re.match(r"\d\d:\d\d(:\d\d)?", time)
    hours = clock[0] if clock else "00:00:00"
    return f"{date} {hours}" if len(hours) > 5 else f"{date} {hours}:00"


def file_of(*parts: bytes | memoryview) -> IO[bytes]:
    """An in-memory file of these parts."""
    return io.BytesIO(b"".join(parts))
