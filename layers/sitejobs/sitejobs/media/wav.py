"""WAV measured by its chunks: a streamed file tells no size, and several may have been joined."""

from typing import Final

from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import longer_of

MAX_CHUNKS: Final = 200
_RIFFS: Final = (b"RIFF", b"RF64", b"BW64")
_UNKNOWN: Final = (0, 0xFFFFFFFF)
_PLAIN: Final = (1, 3, 6, 7)
"""PCM, floating point, A-law and mu-law: their rate follows from what a sample takes."""


def wav_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """The length that is told if the file can hold it, or that of all its data when it is more."""
    seconds = rate = 0.0
    at, long_size = 12, 0
    for _ in range(MAX_CHUNKS):
        head = file.at(at, 48)
        if len(head) < 8:
            break
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if kind in _RIFFS and head[8:12] == b"WAVE":
            at += 12
            continue
        if kind == b"ds64":
            long_size = int.from_bytes(head[16:24], "little")
        elif kind == b"fmt ":
            rate = _bytes_a_second(head[8:])
        elif kind == b"data":
            left = size - at - 8
            length = long_size if length == 0xFFFFFFFF and long_size else length
            length = left if length in _UNKNOWN or length > left else length
            seconds += length / rate if rate else 0
        at += 8 + length + length % 2
    told = told_ms if told_ms and told_ms / 1000 <= seconds * 1.5 + 1 else 0
    return longer_of(told, 1000 * seconds) or told_ms


def _bytes_a_second(form: bytes) -> float:
    """By the samples where they are plain; as told where they are packed."""
    if len(form) < 16:
        return 0.0
    code, channels = int.from_bytes(form[:2], "little"), int.from_bytes(form[2:4], "little")
    sampling, told = int.from_bytes(form[4:8], "little"), int.from_bytes(form[8:12], "little")
    bits = int.from_bytes(form[14:16], "little")
    if code == 0xFFFE and len(form) >= 26:
        code = int.from_bytes(form[24:26], "little")
    return sampling * channels * -(-bits // 8) if code in _PLAIN and channels and bits else told
