"""Duration of mp3 and ADTS sound by its frames: headers may be wrong, and junk may lie between frames."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sitejobs.media.reading import RangedFile

SCANNED_WHOLE: Final = 16 << 20
"""Most bytes of a file that is walked frame by frame; 180 s of mp3 at its highest rate are 7 MB."""
SAMPLES: Final = 4
SAMPLE_BYTES: Final = 64 << 10
MAX_TRIES: Final = 400_000
"""Most false frame starts that are tried; after that the rest is estimated from what was measured."""

_FRAMES_TO_KNOW: Final = 4
"""Frames in a row that identify sound: no other content has them by chance."""
_LONGEST_FRAME: Final = 8192

_MP3_RATES: Final = {  # kbit/s by MPEG version 1 or later ones, and layer
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_SAMPLING: Final = (44100, 48000, 32000)
_ADTS_SAMPLING: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_HEADERS: Final = (b"Xing", b"Info", b"VBRI")
_TAGS: Final = (b"TAG", b"APETAGEX", b"ID3", b"LYRICS")


@dataclass(frozen=True)
class Frame:
    """`key`: what all frames of one stream share."""

    length: int
    seconds: float
    key: tuple[int, ...]


@dataclass(frozen=True)
class Walked:
    """The sum of all frames in some bytes; `left`: bytes that were not walked."""

    seconds: float = 0.0
    bytes: int = 0
    left: int = 0

    @property
    def whole_seconds(self) -> float:
        """Seconds with those of `left`, estimated at the same rate."""
        return self.seconds + (self.seconds * self.left / self.bytes if self.bytes else 0)


@dataclass(frozen=True)
class _Codec:
    """`looks_like` finds possible frame starts; `frame` parses one, None: it is no frame."""

    looks_like: re.Pattern[bytes]
    frame: Callable[[bytes, int], Frame | None]


def sound_duration_ms(file: RangedFile, size: int, codec: str, told_ms: float | None) -> float | None:
    """Milliseconds of mp3 or ADTS ("aac") sound; MediaInfo's `told_ms` if no frame is found.

    A file of up to `SCANNED_WHOLE` bytes is walked whole; a larger one is measured by samples. The header's duration
    counts unless it is much shorter than what was measured.
    """
    start = after_id3(file)
    start = start if start < size else 0
    told = (told_ms or 0) if codec == "mp3" and _has_header(file.at(start, 4096)) else 0
    if size - start > SCANNED_WHOLE:
        measured = 1000 * sampled(file, start, size, lambda data: walk(data, codec))
        return told if told * 2 >= measured and told else measured or told_ms
    found = walk(file.at(start, size - start), codec)
    measured = 1000 * found.whole_seconds
    return longer_of(told, measured) or told_ms


def longer_of(told: float, measured: float) -> float:
    """The told duration, unless the measured one is longer by 1 % and 100 ms: encoders count a frame more or less."""
    return measured if measured > told * 1.01 + 100 else told


def begins_with_frames(data: bytes) -> str | None:
    """The codec of consecutive frames near the beginning, perhaps after a partial one; None: there are none."""
    for name, codec in _CODECS.items():
        for match in codec.looks_like.finditer(data, 0, _LONGEST_FRAME):
            if _run(data, match.start(), codec) >= _FRAMES_TO_KNOW:
                return name
    return None


def after_id3(file: RangedFile) -> int:
    """The offset of the content after ID3v2 tags, 16 at most."""
    position = 0
    for _ in range(16):
        head = file.at(position, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        length = 0
        for byte in head[6:10]:
            length = length << 7 | byte & 0x7F
        position += 10 + length + (10 if head[5] & 0x10 else 0)
    return position


def walk(data: bytes, codec: str) -> Walked:
    """The sum of all frames. Tags and junk between frames are searched, not skipped by their length: a tag may claim
    bytes that are sound."""
    kind = _CODECS[codec]
    seconds, sound, position, tries = 0.0, 0, 0, 0
    key: tuple[int, ...] | None = None
    while position < len(data):
        frame = kind.frame(data, position)
        if frame is None or frame.key != key:
            found, tries = _next(data, position, kind, key, tries)
            if found is None:
                break
            if tries > MAX_TRIES:
                return Walked(seconds, sound, len(data) - position)
            position = found
            frame = kind.frame(data, position)
            assert frame is not None
            key = frame.key
        if not (codec == "mp3" and _is_header(data, position)):
            seconds += frame.seconds
        sound += min(frame.length, len(data) - position)
        position += frame.length
    return Walked(seconds, sound)


def _next(data: bytes, position: int, kind: _Codec, key: tuple[int, ...] | None, tries: int) -> tuple[int | None, int]:
    """Offset of the next frame (one of the same key, or the first of two consecutive ones), and the tries so far."""
    for match in kind.looks_like.finditer(data, position):
        at = match.start()
        frame = kind.frame(data, at)
        if frame is not None and (frame.key == key or _run(data, at, kind) >= 2):
            return at, tries
        tries += 1
        if tries > MAX_TRIES:
            return at, tries
    return None, tries


def _run(data: bytes, position: int, kind: _Codec) -> int:
    """Number of consecutive frames, `_FRAMES_TO_KNOW` at most; the end of the data or a tag counts as all of them."""
    first = kind.frame(data, position)
    frame, count = first, 0
    while first is not None and frame is not None and frame.key == first.key and count < _FRAMES_TO_KNOW:
        count, position = count + 1, position + frame.length
        if position >= len(data) or data.startswith(_TAGS, position):
            return _FRAMES_TO_KNOW
        frame = kind.frame(data, position)
    return count


def sampled(file: RangedFile, start: int, size: int, measure: Callable[[bytes], Walked]) -> float:
    """Seconds of a large file, by the mean rate of `SAMPLES` places."""
    seconds = looked_at = 0.0
    for sample in range(SAMPLES):
        place = start + (size - start - SAMPLE_BYTES) * sample // (SAMPLES - 1)
        found = measure(file.at(place, SAMPLE_BYTES))
        seconds, looked_at = seconds + found.seconds, looked_at + found.bytes
    return seconds * (size - start) / looked_at if looked_at else 0.0


def _has_header(head: bytes) -> bool:
    return any(mark in head for mark in _HEADERS)


def _is_header(data: bytes, at: int) -> bool:
    """Whether an mp3 frame holds the duration of the file instead of sound."""
    mark = data[at + 36 : at + 40]
    if mark in _HEADERS:
        return True
    return data[at + 21 : at + 25] in _HEADERS or data[at + 13 : at + 17] in _HEADERS


def _mp3_frame(data: bytes, at: int) -> Frame | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    second, third = data[at + 1], data[at + 2]
    version, layer, rate_index, sampling_index = second >> 3 & 3, 4 - (second >> 1 & 3), third >> 4, third >> 2 & 3
    if version == 1 or layer == 4 or rate_index in (0, 15) or sampling_index == 3:
        return None
    bits = _MP3_RATES[1 if version == 3 else 2, layer][rate_index] * 1000
    sampling = _MP3_SAMPLING[sampling_index] // {3: 1, 2: 2, 0: 4}[version]
    padding = third >> 1 & 1
    if layer == 1:
        length, samples = (12 * bits // sampling + padding) * 4, 384
    else:
        samples = 1152 if layer == 2 or version == 3 else 576
        length = samples // 8 * bits // sampling + padding
    return Frame(length, samples / sampling, (second & 0xFE, third & 0x0C, data[at + 3] >> 6 == 3))


def _adts_frame(data: bytes, at: int) -> Frame | None:
    if at + 7 > len(data) or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    third, fourth = data[at + 2], data[at + 3]
    sampling = third >> 2 & 15
    length = (fourth & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if sampling >= len(_ADTS_SAMPLING) or length < 7:
        return None
    seconds = 1024 * ((data[at + 6] & 3) + 1) / _ADTS_SAMPLING[sampling]
    return Frame(length, seconds, (third & 0xFD, fourth >> 6))


_CODECS: Final = {
    "mp3": _Codec(re.compile(rb"\xff(?=[\xe2-\xe7\xf2-\xff][\x10-\xef])"), _mp3_frame),
    "aac": _Codec(re.compile(rb"\xff(?=[\xf0\xf1\xf8\xf9])"), _adts_frame),
}
