"""The tracks of an MP4, QuickTime, HEIF or AVIF file by their own boxes: its header may be wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sitejobs.media.reading import RangedFile

MAX_BOXES: Final = 400
"""Most boxes read of one level. A fragmented film has thousands: its last ones are found from the file's end."""
MAX_TABLE_BYTES: Final = 4 << 20
TAIL_BYTES: Final = 1 << 20

_Box = tuple[bytes, int, int]
"""Kind, start and end of the content."""
_PLAYED: Final = (b"vide", b"soun", b"pict")


@dataclass(frozen=True)
class Track:
    """A track. `handler`: vide, soun or pict (frames of an image); `seconds`: its media without edit lists; `turn`:
    clockwise degrees, and whether it is mirrored first."""

    number: int
    handler: str
    scale: int
    seconds: float
    samples: int
    turn: tuple[int, bool]


@dataclass(frozen=True)
class Movie:
    """Tracks, the header's duration, and the end of the last fragment, both in seconds."""

    tracks: tuple[Track, ...] = ()
    told_seconds: float = 0.0
    fragments_end: float = 0.0
    chapter_tracks: frozenset[str] = frozenset()
    """Numbers of the tracks that hold chapter titles or chapter pictures."""

    def played(self, *handlers: str) -> list[Track]:
        """Tracks that are seen or heard: chapters, times and subtitles are not."""
        return [track for track in self.tracks if track.handler in (handlers or ("vide", "soun", "pict"))]

    @property
    def media_seconds(self) -> float:
        """Seconds of the longest track without edit lists, or the end of the last fragment."""
        return max(
            [track.seconds for track in self.played() if str(track.number) not in self.chapter_tracks]
            + [self.fragments_end]
        )


def movie_of(file: RangedFile, size: int) -> Movie:
    """The movie's header; an empty one when there is none or it is broken."""
    try:
        return _movie(file, size)
    except (IndexError, ValueError):
        return Movie()


def _movie(file: RangedFile, size: int) -> Movie:
    moov = next(((start, end) for kind, start, end in _boxes(file, 0, size) if kind == b"moov"), None)
    if moov is None:
        return Movie()
    tracks: list[Track] = []
    chapters: set[str] = set()
    told, matrix, in_fragments = 0.0, None, False
    for kind, start, end in _boxes(file, *moov):
        if kind == b"mvhd":
            scale, length, after = _times(file, start)
            told, matrix = length / scale, _matrix(file.at(after + 16, 36))
        elif kind == b"trak":
            track = _track(file, start, end, matrix)
            tracks += [] if track is None else [track]
            chapters |= _chapters(file, start, end)
        in_fragments |= kind == b"mvex"
    fragments_end = _end_of_fragments(file, size, {track.number: track for track in tracks}) if in_fragments else 0.0
    return Movie(tuple(tracks), told, fragments_end, frozenset(chapters))


def _track(file: RangedFile, start: int, end: int, movie_matrix: list[float] | None) -> Track | None:
    number, handler, scale, told, counted, samples, turn = 0, b"", 0, 0, 0, 0, (0, False)
    for kind, at, to in _boxes(file, start, end):
        if kind == b"tkhd":
            long = file.at(at, 1) == b"\1"
            number = int.from_bytes(file.at(at + (20 if long else 12), 4), "big")
            turn = _turn(_matrix(file.at(at + (52 if long else 40), 36)), movie_matrix)
        elif kind == b"mdia":
            for inner, inner_at, inner_to in _boxes(file, at, to):
                if inner == b"mdhd":
                    scale, told, _ = _times(file, inner_at)
                elif inner == b"hdlr":
                    handler = file.at(inner_at + 8, 4)
                elif inner == b"minf":
                    counted, samples = _sample_times(file, inner_at, inner_to)
    if not scale or handler not in _PLAYED:
        return None
    return Track(number, handler.decode("ascii"), scale, max(told, counted) / scale, samples, turn)


def _chapters(file: RangedFile, start: int, end: int) -> set[str]:
    """Numbers of the tracks that this one refers to for its chapters."""
    for kind, at, to in _boxes(file, start, end):
        if kind == b"tref":
            for reference, inner, inner_to in _boxes(file, at, to):
                if reference == b"chap":
                    data = file.at(inner, min(inner_to - inner, 4096))
                    return {str(int.from_bytes(data[i : i + 4], "big")) for i in range(0, len(data) - 3, 4)}
    return set()


def _sample_times(file: RangedFile, start: int, end: int) -> tuple[int, int]:
    """Duration and number of the samples, by the stts table."""
    for kind, at, to in _boxes(file, start, end):
        if kind == b"stbl":
            table = next(((a, b) for inner, a, b in _boxes(file, at, to) if inner == b"stts"), None)
            if table is None or table[1] - table[0] > MAX_TABLE_BYTES:
                return 0, 0
            data = file.at(table[0] + 8, table[1] - table[0] - 8)
            pairs = [
                (int.from_bytes(data[i : i + 4], "big"), int.from_bytes(data[i + 4 : i + 8], "big"))
                for i in range(0, len(data) - 7, 8)
            ]
            # Old cameras sometimes write a negative time: it counts as 0.
            return sum(count * (0 if time >= 1 << 31 else time) for count, time in pairs), sum(n for n, _ in pairs)
    return 0, 0


def _end_of_fragments(file: RangedFile, size: int, tracks: dict[int, Track]) -> float:
    """The latest time in the fragments at the file's end, in seconds."""
    start = max(0, size - TAIL_BYTES)
    tail = file.at(start, size - start)
    latest, at = 0.0, tail.rfind(b"moof")
    for _ in range(len(tracks) * 2):
        if at < 4:
            break
        length = int.from_bytes(tail[at - 4 : at], "big")
        for kind, inner, to in _boxes(file, start + at + 4, min(size, start + at - 4 + length)):
            if kind == b"traf":
                latest = max(latest, _fragment_end(file, inner, to, tracks))
        at = tail.rfind(b"moof", 0, at)
    return latest


def _fragment_end(file: RangedFile, start: int, end: int, tracks: dict[int, Track]) -> float:
    track, base, usual, total = None, 0, 0, 0
    for kind, at, to in _boxes(file, start, end):
        flags = int.from_bytes(file.at(at + 1, 3), "big")
        if kind == b"tfhd":
            track = tracks.get(int.from_bytes(file.at(at + 4, 4), "big"))
            place = at + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
            usual = int.from_bytes(file.at(place, 4), "big") if flags & 8 else 0
        elif kind == b"tfdt":
            base = int.from_bytes(file.at(at + 4, 8 if file.at(at, 1) == b"\1" else 4), "big")
        elif kind == b"trun":
            total += _run_length(file.at(at, min(to - at, MAX_TABLE_BYTES)), flags, usual)
    return (base + total) / track.scale if track is not None else 0.0


def _run_length(data: bytes, flags: int, usual: int) -> int:
    count = int.from_bytes(data[4:8], "big")
    if not flags & 0x100:
        return count * usual
    place = 8 + (4 if flags & 1 else 0) + (4 if flags & 4 else 0)
    width = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    return sum(
        int.from_bytes(data[i : i + 4], "big") for i in range(place, min(place + width * count, len(data)), width)
    )


def _boxes(file: RangedFile, start: int, end: int) -> Iterator[_Box]:
    for _ in range(MAX_BOXES):
        head = file.at(start, 16)
        if start + 8 > end or len(head) < 8:
            return
        length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), start + 16
        stop = end if length == 0 else start + length
        if stop < body:
            return
        yield kind, body, min(stop, end)
        start = stop


def _times(file: RangedFile, at: int) -> tuple[int, int, int]:
    """Of an mvhd or mdhd: units a second, duration in units (0: unknown), and where the next field begins."""
    data = file.at(at, 32)
    if data[0] == 1:
        scale, length, after = int.from_bytes(data[20:24], "big"), int.from_bytes(data[24:32], "big"), at + 32
        length = 0 if length == (1 << 64) - 1 else length
    else:
        scale, length, after = int.from_bytes(data[12:16], "big"), int.from_bytes(data[16:20], "big"), at + 20
        length = 0 if length == (1 << 32) - 1 else length
    return max(1, scale), length, after


def _matrix(data: bytes) -> list[float] | None:
    """a, b, c, d of the matrix: x' = ax + cy, y' = bx + dy, y downwards."""
    if len(data) < 36:
        return None
    a, b, c, d = (int.from_bytes(data[at : at + 4], "big", signed=True) / 65536 for at in (0, 4, 12, 16))
    return [a, b, c, d]


def _turn(matrix: list[float] | None, movie: list[float] | None) -> tuple[int, bool]:
    """Clockwise degrees, and whether it is mirrored first. Anything but a quarter turn counts as 0 degrees."""
    a, b, c, d = _product(matrix or [1, 0, 0, 1], movie or [1, 0, 0, 1])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    for degrees, (cosine, sine) in ((0, (1, 0)), (90, (0, 1)), (180, (-1, 0)), (270, (0, -1))):
        # The matrix may also scale: only its direction counts.
        if a * cosine + b * sine > 0.99 * (a * a + b * b) ** 0.5 > 0:
            return degrees, mirrored
    return 0, mirrored


def _product(first: list[float], then: list[float]) -> tuple[float, float, float, float]:
    a, b, c, d = first
    e, f, g, h = then
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h
