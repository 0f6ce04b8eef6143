"""Duration of Ogg by its pages. A file may be a chain of several, each with its own clock."""

from dataclasses import dataclass, field
from typing import Final

from sitejobs.media.reading import RangedFile
from sitejobs.media.sound_frames import SCANNED_WHOLE, Walked, longer_of, sampled

MAX_PAGES: Final = 300_000
"""Most pages read of a file; real pages have a few kilobytes."""
_MARK: Final = b"OggS"
_HEADER_BYTES: Final = 27
_BEGINS: Final = 2
_NO_TIME: Final = (1 << 64) - 1


@dataclass(frozen=True)
class _Clock:
    """How a stream counts time: units a second, units before its start; `shift`: bits that Theora counts frames in."""

    rate: float
    skipped: int = 0
    shift: int = 0
    pictures: bool = False

    def seconds(self, position: int) -> float:
        units = position if not self.shift else (position >> self.shift) + (position & (1 << self.shift) - 1)
        return max(0.0, (units - self.skipped) / self.rate)


@dataclass
class _Link:
    """One file of a chain: its streams' clocks, and the latest and earliest time of each."""

    clocks: dict[int, _Clock] = field(default_factory=dict)
    latest: dict[int, float] = field(default_factory=dict)
    earliest: dict[int, float] = field(default_factory=dict)

    def seconds(self) -> float:
        return max((time - self._start(serial) for serial, time in self.latest.items()), default=0.0)

    def _start(self, serial: int) -> float:
        # A recorded broadcast begins at the broadcast's own time; a page holds a second or two.
        first = self.earliest[serial]
        return first if first > 10 else 0.0


def ogg_duration_ms(file: RangedFile, size: int, told_ms: float | None) -> float | None:
    """The told duration, or that of all files of the chain if it is longer."""
    told = told_ms or 0
    if size > SCANNED_WHOLE:
        clocks = _clocks(file.at(0, 64 << 10))
        measured = 1000 * sampled(file, 0, size, lambda data: _rate(data, clocks))
        return told if told * 2 >= measured and told else measured or None
    return longer_of(told, 1000 * sum(link.seconds() for link in _links(file.at(0, size)))) or None


def has_only_a_cover(file: RangedFile, size: int) -> bool:
    """Whether the video stream is a single frame: some programs store a cover so."""
    links = _links(file.at(0, size)) if size <= SCANNED_WHOLE else []
    frames = [
        link.latest.get(serial, 0.0) * clock.rate
        for link in links
        for serial, clock in link.clocks.items()
        if clock.pictures
    ]
    return bool(frames) and max(frames) < 1.5


def _links(data: bytes) -> list[_Link]:
    links: list[_Link] = []
    beginning = False
    for at, serial, granule, begins, body in _pages(data):
        if begins:
            if not beginning:
                links.append(_Link())
            clock = _clock(data[body : body + 80])
            if clock is not None and at >= 0:
                links[-1].clocks[serial] = clock
        elif links and serial in links[-1].clocks and granule not in (0, _NO_TIME):
            time = links[-1].clocks[serial].seconds(granule)
            links[-1].earliest.setdefault(serial, time)
            links[-1].latest[serial] = max(time, links[-1].latest.get(serial, 0.0))
        beginning = begins
    return links


def _clocks(data: bytes) -> dict[int, _Clock]:
    known = _links(data)
    return known[0].clocks if known else {}


def _rate(data: bytes, clocks: dict[int, _Clock]) -> Walked:
    """Seconds and bytes between the first and the last page in `data`."""
    first: tuple[int, float] | None = None
    last: tuple[int, float] | None = None
    for at, serial, granule, _, _ in _pages(data):
        if serial in clocks and granule not in (0, _NO_TIME):
            last = (at, clocks[serial].seconds(granule))
            first = first or last
    if first is None or last is None or last[0] <= first[0] or last[1] <= first[1]:
        return Walked()
    return Walked(last[1] - first[1], last[0] - first[0])


def _pages(data: bytes) -> list[tuple[int, int, int, bool, int]]:
    """Of every page: offset, stream, time, whether its stream begins there, and offset of the content."""
    pages: list[tuple[int, int, int, bool, int]] = []
    at = data.find(_MARK)
    while at >= 0 and at + _HEADER_BYTES <= len(data) and len(pages) < MAX_PAGES:
        head = data[at : at + _HEADER_BYTES]
        lacing = data[at + _HEADER_BYTES : at + _HEADER_BYTES + head[26]]
        body = at + _HEADER_BYTES + len(lacing)
        if head[4]:  # an unknown version: no page
            at = data.find(_MARK, at + 1)
            continue
        granule, serial = int.from_bytes(head[6:14], "little"), int.from_bytes(head[14:18], "little")
        pages.append((at, serial, granule, bool(head[5] & _BEGINS), body))
        following = body + sum(lacing)
        at = following if data.startswith(_MARK, following) else data.find(_MARK, at + 1)
    return pages


def _clock(head: bytes) -> _Clock | None:
    """A stream's clock, by its first packet."""
    if head[:7] == b"\x01vorbis":
        return _of_rate(int.from_bytes(head[12:16], "little"))
    if head[:8] == b"OpusHead":
        return _Clock(48_000, int.from_bytes(head[10:12], "little"))
    if head[:5] == b"\x7fFLAC":
        return _of_rate(int.from_bytes(head[27:30], "big") >> 4)
    if head[:8] == b"Speex   ":
        return _of_rate(int.from_bytes(head[36:40], "little"))
    if head[:7] == b"\x80theora" and len(head) >= 42:
        numerator, denominator = int.from_bytes(head[22:26], "big"), int.from_bytes(head[26:30], "big")
        shift = (head[40] & 3) << 3 | head[41] >> 5
        return _Clock(numerator / denominator, 0, shift, pictures=True) if numerator and denominator else None
    return None


def _of_rate(rate: int) -> _Clock | None:
    return _Clock(rate) if rate else None
