"""The parser's process: a hostile file fails, and the next one is parsed."""

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pillow_heif
import pytest
from PIL import Image

from sitejobs.media import parser_frames, parser_host
from sitejobs.media.extraction import Unreadable
from sitejobs.media.parser_host import FILES_A_PROCESS, Limits, ParserHost
from tests.local.processes import alive, eventually
from tests.media.sources import FILES, Bytes, content, extracted
from tests.skips import Lacking, skip_unless

pillow_heif.register_heif_opener()

MUTATED_EACH = 12
_ENDED = (Unreadable, parser_host._DiedIdle)
"""A parser that exited after a read, and one that exited before any."""
MUTATED = sorted(path.name for path in FILES.iterdir() if 0 < path.stat().st_size < 60_000)


@pytest.fixture
def host() -> Iterator[ParserHost]:
    with ParserHost(Limits(seconds=2, memory_mb=128, read_bytes=1 << 20, max_pixels=60_000_000)) as host:
        yield host


def solid(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (1, 2, 3)).save(buffer, "PNG")
    return buffer.getvalue()


def the_next_file_is_read(host: ParserHost) -> None:
    assert extracted(host, content("plain.jpg")).width == 60


def code_of(host: ParserHost, source: Bytes, size: int | None = None) -> str:
    with pytest.raises(Unreadable) as caught:
        host.extract(source, len(source.data) if size is None else size)
    return caught.value.code


def test_one_process_serves_many_files_and_then_makes_room(host: ParserHost) -> None:
    the_next_file_is_read(host)
    first = host.pid
    for _ in range(FILES_A_PROCESS - 1):
        the_next_file_is_read(host)
        assert host.pid == first
    the_next_file_is_read(host)
    assert host.pid != first


def test_a_hang_ends_with_its_file(host: ParserHost) -> None:
    the_next_file_is_read(host)
    stuck = host.pid
    assert stuck is not None
    source = Bytes(content("moov-first.mp4"), meanwhile=lambda: os.kill(stuck, signal.SIGSTOP))
    assert code_of(host, source) == "parser-timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(stuck, 0)
    the_next_file_is_read(host)


def test_a_crash_ends_with_its_file(host: ParserHost) -> None:
    the_next_file_is_read(host)
    stuck = host.pid
    assert stuck is not None
    source = Bytes(content("moov-first.mp4"), meanwhile=lambda: os.kill(stuck, signal.SIGSEGV))
    assert code_of(host, source) == "parser-crashed"
    the_next_file_is_read(host)


def test_a_process_that_died_idle_is_no_files_fault(host: ParserHost) -> None:
    the_next_file_is_read(host)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    the_next_file_is_read(host)


on_linux = skip_unless(sys.platform == "linux", Lacking.LINUX)


@on_linux  # macOS limits no address space
def test_a_file_that_wants_too_much_memory_fails_alone() -> None:
    with ParserHost(Limits(memory_mb=32)) as host:
        the_next_file_is_read(host)
        assert code_of(host, Bytes(content("plain.jpg") + bytes(20 << 20))) in ("parser-memory", "parser-crashed")
        the_next_file_is_read(host)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG", "GIF", "AVIF", "HEIF"])
def test_an_image_that_memory_has_no_room_for_is_measured_and_has_no_placeholder(form: str) -> None:
    buffer = io.BytesIO()
    settings = {"progressive": True, "quality": 95, "subsampling": 0} if form == "JPEG" else {}
    Image.new("RGB", (3_000, 2_500), (1, 2, 3)).save(buffer, form, **settings)
    with ParserHost(Limits(memory_mb=24)) as host:
        kept = host.extract(Bytes(content("plain.jpg")), len(content("plain.jpg")))
        process = host.pid
        found = extracted(host, buffer.getvalue())
        assert (found.width, found.height, found.placeholder, found.dominantColor) == (3_000, 2_500, None, None)
        assert extracted(host, content("plain.jpg")) == kept
        assert host.pid == process


def test_a_file_that_wants_too_many_bytes_fails_alone(host: ParserHost) -> None:
    # A sound of headerless frames is walked to its end.
    assert code_of(host, Bytes(content("cbr.mp3") * 100)) == "too-many-reads"
    the_next_file_is_read(host)


def test_an_image_over_the_pixel_limit_is_not_decoded() -> None:
    with ParserHost(Limits(memory_mb=128, max_pixels=1_000_000)) as host:
        found = extracted(host, solid(7_000, 7_000))
    assert (found.width, found.placeholder) == (7_000, None)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ([0, 100], True), ([99, 1], True), ([0, 101], False), ([99, 2], False), ([100, 1], False), ([-1, 1], False),
        ([0, 0], False), ([1 << 62, 1], False), (["0", 1], False), ([True, 1], False), ([0], False), ("all", False),
    ],
)  # fmt: skip
def test_a_parser_that_was_taken_over_reads_nothing_beyond_its_file(asked: object, served: bool) -> None:
    """The test plays the parser: it asks for bytes and exits."""
    ours, theirs = socket.socketpair()
    source = Bytes(bytes(200))
    with ours, ParserHost() as host:
        parser_frames.send_json(theirs, {"read": asked})
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(_ENDED):
            host._serve(ours, source, 100)
        theirs.close()
    assert source.reads == ([tuple(asked)] if served and isinstance(asked, list) else [])


def test_what_the_source_raises_comes_through(host: ParserHost) -> None:
    def away() -> None:
        raise ConnectionError("the bucket is away")

    with pytest.raises(ConnectionError):
        host.extract(Bytes(content("plain.jpg"), meanwhile=away), 100)
    the_next_file_is_read(host)


@on_linux  # reads /proc
def test_it_knows_no_credentials_and_holds_no_files_but_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: ParserHost
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRETKEY")
    monkeypatch.setenv("DATABASE_URL", "postgresql://SECRETLOGIN")
    with (tmp_path / "secret").open("w"):
        the_next_file_is_read(host)
        process = Path(f"/proc/{host.pid}")
        assert b"SECRET" not in (process / "environ").read_bytes()
        links = {str(link.readlink()) for link in (process / "fd").iterdir()}
    assert not any("secret" in link for link in links)
    status = (process / "status").read_text()
    assert "NoNewPrivs:\t1" in status


@on_linux  # on macOS it ends only when it asks for bytes
def test_it_ends_with_its_keeper() -> None:
    program = (
        "import os, signal; from sitejobs.media.parser_host import ParserHost; h = ParserHost(); h._ready();"
        "print(h.pid, flush=True); os.kill(h.pid, signal.SIGSTOP); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    pid = int(done.stdout)
    assert eventually(lambda: not alive(pid))


def mutated(data: bytes, random: Random) -> bytes:
    """A file with some of its bytes changed, moved or cut."""
    changed = bytearray(data)
    for _ in range(random.choice([1, 3, 10, 40])):
        at = random.randrange(min(len(changed), 2_000)) if random.random() < 0.7 else random.randrange(len(changed))
        kind = random.random()
        if kind < 0.5:
            changed[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
        elif kind < 0.7:
            changed[at : at + 4] = random.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
        elif kind < 0.85:
            del changed[at : at + random.randrange(1, 64)]
        else:
            changed[at:at] = changed[at : at + random.randrange(1, 64)]
        if not changed:
            return b"\0"
    return bytes(changed)


def test_mutated_files_are_read_or_refused_and_harm_nobody(parser: ParserHost) -> None:
    """Every outcome is a known one, values stay within bounds, and the parser goes on."""
    random = Random(20260601)
    outcomes: dict[str, int] = {}
    for name in MUTATED:
        for _ in range(MUTATED_EACH):
            data = mutated(content(name), random)
            try:
                found = extracted(parser, data)
                outcome = "read"
                assert all(side is None or 0 < side <= 1_000_000 for side in (found.width, found.height))
                assert found.durationMs is None or 0 < found.durationMs <= 7 * 24 * 3600 * 1000
            except Unreadable as error:
                outcome = error.code
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert sum(outcomes.values()) > 300
    assert set(outcomes) <= {
        "read", "not-media", "damaged", "truncated", "no-tracks", "parser-memory", "parser-crashed",
    }  # fmt: skip
    assert outcomes["read"] > 100
    assert outcomes["damaged"] > 50
    the_next_file_is_read(parser)
