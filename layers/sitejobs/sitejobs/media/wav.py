"""Duration of WAV by its chunks: a streamed file tells no size, and files may have been joined."""

from typing import Final

from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import longer_of

MAX_CHUNKS: Final = 200
_RIFFS: Final = (b"RIFF", b"RF64", b"BW64")
_UNKNOWN: Final = (0, 0xFFFFFFFF)
_PLAIN: Final = (1, 3, 6, 7)
"""PCM, floating point, A-law and mu-law: their rate follows from what a sample takes."""
_BLOCKS: Final = (2, 0x11)
"""Microsoft's and IMA's ADPCM: their rate follows from the samples of a block."""
_EXTENSIBLE: Final = 0xFFFE


def wav_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """Milliseconds of all data chunks; `told_ms` if it is longer and the rate is known from the header only."""
    seconds, rate, exact = 0.0, 0.0, True
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
            rate, known = _bytes_a_second(head[8:])
            exact &= known
        elif kind == b"data":
            left = size - at - 8
            length = long_size if length == 0xFFFFFFFF and long_size else length
            length = left if length in _UNKNOWN or length > left else length
            seconds += length / rate if rate else 0
        at += 8 + length + length % 2
    if exact and seconds:
        return 1000 * seconds
    return longer_of(told_ms or 0, 1000 * seconds) or None


def _bytes_a_second(form: bytes) -> tuple[float, bool]:
    """Bytes a second, and whether they follow from the samples' format (True) or only from the header (False)."""
    if len(form) < 16:
        return 0.0, False
    code, channels = int.from_bytes(form[:2], "little"), int.from_bytes(form[2:4], "little")
    sampling, told = int.from_bytes(form[4:8], "little"), int.from_bytes(form[8:12], "little")
    block, bits = int.from_bytes(form[12:14], "little"), int.from_bytes(form[14:16], "little")
    extra = int.from_bytes(form[16:18], "little")
    if code == _EXTENSIBLE and len(form) >= 26:
        code = int.from_bytes(form[24:26], "little")
    if code in _PLAIN and channels and bits and sampling:
        return sampling * channels * -(-bits // 8), True
    samples = int.from_bytes(form[18:20], "little") if code in _BLOCKS and extra >= 2 else 0
    return (sampling * block / samples, True) if samples and block else (told, False)
