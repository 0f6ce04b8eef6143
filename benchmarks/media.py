"""What it costs to find out what an upload is: bytes and requests of large files, rate of small ones.

    python -m benchmarks media [--files 1000]

Needs ffmpeg and ffprobe; makes about 2.5 GB of files in a temporary folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.upload_site import KINDS
from sitejobs.media.extraction import Unreadable, extract
from sitejobs.media.images import Depth
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.reading import RangedFile
from tests.media.sources import FILES

SMALL = [name for name, _, _ in KINDS]

_HD_NOISE = ["-f", "lavfi", "-i", "nullsrc=s=1280x720:r=25,geq=random(1)*255:128:128,loop=loop=-1:size=8"]
LARGE: dict[str, tuple[str, list[str]]] = {
    "1 GB mp4, index last": (
        "last.mp4",
        [*_HD_NOISE, "-f", "lavfi", "-i", "sine", "-c:v", "mjpeg", "-q:v", "12", "-c:a", "aac", "-fs", "1000M"],
    ),
    "1 GB mp4, high bit rate": ("high.mp4", [*_HD_NOISE, "-c:v", "mjpeg", "-q:v", "2", "-fs", "1000M"]),
    "1 GB mkv": (
        "film.mkv",
        [*_HD_NOISE, "-f", "lavfi", "-i", "sine", "-c:v", "mjpeg", "-q:v", "4", "-c:a", "libopus", "-fs", "1000M"],
    ),
}


@dataclass
class FileSource:
    """A file's bytes; `times`: how often it is repeated, one after the other."""

    descriptor: int
    length: int
    times: int = 1

    def read(self, start: int, length: int) -> bytes:
        parts = []
        while length:
            within = start % self.length
            part = os.pread(self.descriptor, min(length, self.length - within), within)
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return b"".join(parts)

    @property
    def size(self) -> int:
        return self.length * self.times


@contextmanager
def source_of(path: Path, times: int = 1) -> Iterator[FileSource]:
    """A file as the parser reads it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield FileSource(descriptor, path.stat().st_size, times)
    finally:
        os.close(descriptor)


def large_files(folder: Path) -> None:
    """A line a large file: what was read of it."""
    print(f"{'file':<26}{'MB':>8}{'requests':>10}{'KB read':>10}{'of it':>9}{'ms':>8}   found")
    with ParserHost() as host:
        for name, (file, arguments) in LARGE.items():
            path = folder / file
            command = ["ffmpeg", "-y", "-loglevel", "error", *arguments, str(path)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
            with source_of(path) as source:
                measure(host, name, source)
            path.unlink()
        sound = folder / "sound.mp3"
        made = ["-f", "lavfi", "-i", "anoisesrc=d=60", "-c:a", "libmp3lame", "-b:a", "320k", "-write_xing", "0"]
        command = ["ffmpeg", "-y", "-loglevel", "error", *made, "-id3v2_version", "0", str(sound)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        with source_of(sound, 125) as source:
            measure(host, "300 MB mp3, no header", source)


def measure(host: ParserHost, name: str, source: FileSource) -> None:
    started = time.perf_counter()
    try:
        found = host.extract(source, source.size)
        pixels = f" {found.width} x {found.height}" if found.width else ""
        told = f"{found.format}{pixels}, {(found.durationMs or 0) / 1000:,.1f} s"
    except Unreadable as error:
        told = error.code
    elapsed = time.perf_counter() - started
    cost, size = host.cost, source.size
    print(
        f"{name:<26}{size / 2**20:>8,.0f}{cost.requests:>10}{cost.bytes / 1024:>10,.0f}{cost.bytes / size:>9.3%}"
        f"{elapsed * 1000:>8.0f}   {told}"
    )


def small_files(count: int) -> None:
    """Files a second: ours with its process, the parser bare, and ffprobe started for each."""
    paths = [FILES / SMALL[at % len(SMALL)] for at in range(count)]
    data = {path: path.read_bytes() for path in set(paths)}

    with ParserHost() as host, _sources(data) as sources:

        def ours(path: Path) -> None:
            host.extract(sources[path], sources[path].size)

        def bare(path: Path) -> None:
            extract(RangedFile(sources[path], sources[path].size), sources[path].size, Depth())

        ours(paths[0])
        rates = {"in its process": rate(ours, paths), "the parser bare": rate(bare, paths)}
    rates["ffprobe a file"] = rate(ffprobe, paths[: max(1, count // 5)])
    for name, files in rates.items():
        print(f"{name:<26}{files:>8,.0f} files/s{files / rates['ffprobe a file']:>8.1f} x ffprobe")


@contextmanager
def _sources(data: dict[Path, bytes]) -> Iterator[dict[Path, FileSource]]:
    opened = {path: FileSource(os.open(path, os.O_RDONLY), len(content)) for path, content in data.items()}
    try:
        yield opened
    finally:
        for source in opened.values():
            os.close(source.descriptor)


def ffprobe(path: Path) -> None:
    command = ["ffprobe", "-v", "quiet", "-show_streams", "-show_format", "-of", "json", str(path)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def rate(work: Callable[[Path], None], paths: Sequence[Path]) -> float:
    started = time.perf_counter()
    for path in paths:
        work(path)
    return len(paths) / (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000, help="small files")
    parser.add_argument("--only", choices=["large", "small"], help="one of the two parts")
    given = parser.parse_args(arguments)
    if given.only in (None, "large"):
        with tempfile.TemporaryDirectory() as folder:
            large_files(Path(folder))
    if given.only in (None, "small"):
        small_files(given.files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
