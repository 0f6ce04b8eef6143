"""Every attribute that is extracted: name, type, unit, which kinds have it, where it comes from.

Nothing else leaves the parser: places, serial numbers and names in a file are never stored, returned or logged. Texts
have a fixed vocabulary or a narrow pattern.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

IMAGE, VIDEO, AUDIO = "IMAGE", "VIDEO", "AUDIO"
KINDS = (IMAGE, VIDEO, AUDIO)

MAX_PIXELS_A_SIDE = 1_000_000
MAX_DURATION_MS = 7 * 24 * 3600 * 1000
MAX_BIT_RATE = 10_000_000_000
EARLIEST_YEAR = 1826
"""Year of the oldest surviving photograph."""

_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .:@+/-]{0,39}")
_LANGUAGE = re.compile(
    r"([a-z]{2,3})(-[a-z]{4}(?![a-z0-9]))?(-(?:[a-z]{2}|[0-9]{3})(?![a-z0-9]))?(?:$|-)", re.IGNORECASE
)
_ZERO_TIMES = {"1904-01-01T00:00:00", "1970-01-01T00:00:00"}
"""Zero of QuickTime's and of Unix's clock: the time was never set."""
_CODE = re.compile(r"[a-z0-9_.+ -]{1,32}", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{1,2048}={0,2}")


def _attribute(unit: str, kinds: tuple[str, ...], source: str, meaning: str) -> Any:
    return field(default=None, metadata={"unit": unit, "kinds": kinds, "source": source, "meaning": meaning})


@dataclass(frozen=True)
class Attributes:
    """What a file is. None: the file does not say, or the kind has no such thing."""

    format: str | None = _attribute("", KINDS, "first bytes", "the container, by content: jpeg, mp4, mp3")
    kind: str | None = _attribute("", KINDS, "first bytes, tracks", "IMAGE, VIDEO or AUDIO, by content")
    mimeType: str | None = _attribute("", KINDS, "first bytes, tracks", "the MIME type, by content")
    sizeBytes: int | None = _attribute("bytes", KINDS, "the bucket", "size of the object")
    durationMs: int | None = _attribute(
        "ms", KINDS, "MediaInfo; tracks, frames, pages", "length; of an image that of its animation"
    )
    width: int | None = _attribute("pixels", (IMAGE, VIDEO), "Pillow, MediaInfo", "width as displayed")
    height: int | None = _attribute("pixels", (IMAGE, VIDEO), "Pillow, MediaInfo", "height as displayed")
    storedWidth: int | None = _attribute("pixels", (IMAGE, VIDEO), "Pillow, MediaInfo", "width as stored")
    storedHeight: int | None = _attribute("pixels", (IMAGE, VIDEO), "Pillow, MediaInfo", "height as stored")
    rotation: int | None = _attribute(
        "degrees", (IMAGE, VIDEO), "EXIF, track matrix", "clockwise turn from stored to displayed: 0, 90, 180 or 270"
    )
    mirrored: bool | None = _attribute("", (IMAGE, VIDEO), "EXIF, track matrix", "mirrored before it is turned")
    aspectRatio: float | None = _attribute("", (IMAGE, VIDEO), "size as displayed", "width / height")
    hasVideo: bool | None = _attribute("", KINDS, "MediaInfo", "has a moving picture")
    hasAudio: bool | None = _attribute("", KINDS, "MediaInfo", "has sound")
    videoCodec: str | None = _attribute("", (VIDEO,), "MediaInfo", "h264, hevc, av1, vp9, ...")
    videoProfile: str | None = _attribute("", (VIDEO,), "MediaInfo", "the codec's profile, e.g. Main 10")
    bitDepth: int | None = _attribute("bits", (VIDEO,), "MediaInfo", "bits of a colour sample")
    frameRate: float | None = _attribute("frames/s", (VIDEO,), "MediaInfo", "mean frame rate")
    bitRate: int | None = _attribute("bit/s", (VIDEO, AUDIO), "size and duration", "mean rate of the file")
    hdrFormat: str | None = _attribute(
        "", (VIDEO,), "MediaInfo", "HDR10, HDR10+, Dolby Vision or HLG; none: standard range"
    )
    audioCodec: str | None = _attribute("", (VIDEO, AUDIO), "MediaInfo", "aac, mp3, opus, ...")
    channels: int | None = _attribute("", (VIDEO, AUDIO), "MediaInfo", "channels of the first sound track")
    sampleRate: int | None = _attribute("Hz", (VIDEO, AUDIO), "MediaInfo", "samples a second")
    language: str | None = _attribute("", (VIDEO, AUDIO), "MediaInfo", "of the first sound track: fr, pt-BR, zh-Hant")
    animated: bool | None = _attribute("", (IMAGE,), "frames", "more than one frame")
    frameCount: int | None = _attribute("", (IMAGE,), "frames", "frames of the animation; 1: a still")
    capturedAt: str | None = _attribute(
        "", (IMAGE, VIDEO), "EXIF, MediaInfo", "when it was taken, by the camera's clock; of most videos UTC"
    )
    playable: bool | None = _attribute(
        "", KINDS, "container, codecs", "whether today's browsers play or show it, by container and codecs"
    )
    placeholder: str | None = _attribute(
        "", (IMAGE,), "Pillow", "16 pixels wide or high, WebP in base64: shown until the image is there"
    )
    dominantColor: str | None = _attribute("", (IMAGE,), "Pillow", "the most frequent colour, #rrggbb")

    def to_json(self) -> dict[str, Any]:
        """What is known, by name."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}


def attributes_from_json(value: Mapping[str, Any]) -> Attributes:
    """Attributes as the parser's process gave them: unknown names, wrong types and absurd values are dropped."""
    return Attributes(**{name: check(value[name]) for name, check in _CHECKS.items() if name in value})


def whole(value: Any, low: int, high: int) -> int | None:
    """A whole number within bounds; None for anything else: text, NaN, infinite, negative, absurd."""
    known = number(value, low, high)
    return None if known is None else round(known)


def number(value: Any, low: float, high: float) -> float | None:
    """A finite number within bounds, None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        known = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return known if math.isfinite(known) and low <= known <= high else None


def moment(value: Any) -> str | None:
    """A date and time as ISO text without a zone; None if it is invalid, or implausible for a camera."""
    if not isinstance(value, str):
        return None
    text = value.strip().removesuffix(" UTC").removesuffix("Z")[:19].replace("T", " ")
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y:%m:%d %H:%M:%S"):
        try:
            known = datetime.strptime(text, pattern)  # noqa: DTZ007 - cameras know no zone
        except ValueError:
            continue
        told = known.isoformat()
        return told if EARLIEST_YEAR <= known.year < 2100 and told not in _ZERO_TIMES else None
    return None


def language(value: Any) -> str | None:
    """A language tag cut after language, script and region: pt-BR, zh-Hant-TW."""
    found = _LANGUAGE.match(value) if isinstance(value, str) and len(value) <= 40 else None
    if found is None:
        return None
    name, script, region = (part or "" for part in found.groups())
    return name.lower() + script.title() + region.upper()


def _text(pattern: re.Pattern[str]) -> Any:
    return lambda value: value if isinstance(value, str) and pattern.fullmatch(value) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _within(low: int, high: int) -> Any:
    return lambda value: whole(value, low, high)


_side = _within(1, MAX_PIXELS_A_SIDE)
_CHECKS: dict[str, Any] = {
    "format": _text(_CODE),
    "kind": lambda value: value if value in KINDS else None,
    "mimeType": _text(re.compile(r"(image|video|audio|application)/[a-z0-9.+-]{1,40}")),
    "sizeBytes": _within(0, 2**53),
    "durationMs": _within(1, MAX_DURATION_MS),
    "width": _side,
    "height": _side,
    "storedWidth": _side,
    "storedHeight": _side,
    "rotation": lambda value: value if value in (0, 90, 180, 270) else None,
    "mirrored": _flag,
    "aspectRatio": lambda value: number(value, 1e-6, 1e6),
    "hasVideo": _flag,
    "hasAudio": _flag,
    "videoCodec": _text(_CODE),
    "videoProfile": _text(_PROFILE),
    "bitDepth": _within(1, 64),
    "frameRate": lambda value: number(value, 0.001, 10_000),
    "bitRate": _within(1, MAX_BIT_RATE),
    "hdrFormat": lambda value: value if value in ("HDR10", "HDR10+", "Dolby Vision", "HLG") else None,
    "audioCodec": _text(_CODE),
    "channels": _within(1, 255),
    "sampleRate": _within(1, 10_000_000),
    "language": language,
    "animated": _flag,
    "frameCount": _within(1, 1_000_000_000),
    "capturedAt": moment,
    "playable": _flag,
    "placeholder": _text(_BASE64),
    "dominantColor": _text(_COLOUR),
}
