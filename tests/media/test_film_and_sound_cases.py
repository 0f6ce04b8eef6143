"""Films and sounds with wrong headers, and the right values of each."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sitejobs.media.attributes import language, moment
from sitejobs.media.matroska import played_ms, segment_of
from sitejobs.media.parser_host import Limits, ParserHost
from sitejobs.media.playable import is_playable
from sitejobs.media.reading import RangedFile
from sitejobs.media.recognition import recognise
from sitejobs.media.rules import Claim, broken_rules, read_rules
from tests.media.sources import Bytes, content, extracted

CASES = Path(__file__).parent / "cases"
RULES = read_rules({})


def case(name: str) -> bytes:
    return (CASES / name).read_bytes()


@dataclass(frozen=True)
class Right:
    """The attributes to find, the duration within `near` ms, and the broken rules."""

    found: dict[str, Any]
    ms: int | None = None
    near: int = 60
    reasons: tuple[str, ...] = ()
    claim: tuple[str, str | None] | None = None


RIGHT = {
    "mp3-190s-one-junk-byte.mp3": Right({"format": "mp3", "playable": True}, 190_150, reasons=("duration",)),
    "aac-190s-id3-inside.aac": Right({"format": "aac", "playable": True}, 190_208, reasons=("duration",)),
    "xing-0-frames.mp3": Right({"format": "mp3"}, 5_000),
    "mp3-leading-zeros.mp3": Right({"format": "mp3"}, 10_000),
    "flac-streamed.flac": Right({"format": "flac", "playable": True}, 5_000),
    "ws-2.5.wav": Right({"format": "wav", "playable": True}, 2_500),
    "rf64.wav": Right({"format": "wav"}, 5_000),
    "mp4-200s-mvhd-tkhd-elst-say-2s.mp4": Right({"format": "mp4"}, 200_000, reasons=("duration",)),
    "animated-300s.avif": Right({"format": "avif", "frameCount": 5}, 300_000, reasons=("duration",)),
    "avchd.m2ts": Right({"format": "ts", "width": 96, "height": 64, "playable": False}, 2_000),
    "sar-narrow.mp4": Right({"width": 96, "height": 70, "storedWidth": 96, "storedHeight": 64}, 2_000),
    "mirrored.mp4": Right({"rotation": 0, "mirrored": True, "width": 96, "height": 64}, 2_000),
    "chapters.m4a": Right({"kind": "AUDIO", "hasVideo": False, "width": None, "videoCodec": None}, 6_000),
    "cover-first.mkv": Right({"width": 96, "height": 64, "videoCodec": "h264", "playable": False}, 2_000),
    "video.3gp": Right(
        {"format": "mp4", "kind": "VIDEO", "playable": False}, 2_000, claim=("VIDEO", "video/3gpp")
    ),
    "mp42-brand.mov": Right({"format": "mp4", "playable": True}, 2_000, claim=("VIDEO", "video/quicktime")),
    # QuickTime's date, by the camera's clock, takes precedence over the container's.
    "creationdate.mov": Right({"capturedAt": "1968-05-06T07:08:09", "playable": True}, 1_000),
    "zh-hant-opus-24k.mkv": Right({"sampleRate": 48_000, "language": "zh-Hant", "audioCodec": "opus"}, 1_000),
    "wma.wma": Right({"format": "asf", "kind": "AUDIO"}, reasons=("format",), claim=("AUDIO", "audio/x-ms-wma")),
    "aiff.aiff": Right({"format": "aiff", "kind": "AUDIO"}, reasons=("format",)),
    "caf.caf": Right({"format": "caf", "kind": "AUDIO"}, reasons=("format",)),
    "mpg.mpg": Right({"format": "mpg", "kind": "VIDEO"}, reasons=("format",)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_case_has_its_right_values(parser: ParserHost, name: str) -> None:
    found, right = extracted(parser, case(name)), RIGHT[name]
    assert {key: getattr(found, key) for key in right.found} == right.found
    assert found.durationMs is None if right.ms is None else found.durationMs == pytest.approx(right.ms, abs=right.near)
    claim = Claim(*(right.claim or (found.kind or "", found.mimeType)))
    assert tuple(reason.code for reason in broken_rules(found, claim, RULES)) == right.reasons


def id3(length: int = 300) -> bytes:
    return b"ID3\x04\0\0" + bytes([0, 0, length >> 7, length & 0x7F]) + b"\0" * length


MP3, XING, ADTS, FLAC = "cbr.mp3", "vbr-header.mp3", "sound.aac", "sound.flac"


def lying_xing(frames: int) -> bytes:
    data = bytearray(content(XING))
    at = data.find(b"Xing") if b"Xing" in data else data.find(b"Info")
    assert data[at + 7] & 1
    data[at + 8 : at + 12] = frames.to_bytes(4, "big")
    return bytes(data)


def lying_flac(samples: int) -> bytes:
    data = bytearray(content(FLAC))
    data[21] = data[21] & 0xF0
    data[22:26] = samples.to_bytes(4, "big")
    return bytes(data)


def wav_saying(size: int) -> bytes:
    data = bytearray(content("sound.wav"))
    at = data.find(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", size)
    return bytes(data)


def mp4_saying(ms: int, *boxes: bytes) -> bytes:
    """A film whose boxes claim a duration of `ms`."""
    data = bytearray(content("long.mp4"))
    for kind in boxes:
        at = data.find(kind)
        scale = int.from_bytes(data[at + 16 : at + 20], "big")
        # mvhd and mdhd: units a second, duration in units.
        data[at + 20 : at + 24] = (scale * ms // 1000).to_bytes(4, "big")
    return bytes(data)


def mkv_saying(seconds: float) -> bytes:
    data = bytearray(content("sound.mkv"))
    at = data.find(b"\x44\x89\x88")
    data[at + 3 : at + 11] = struct.pack(">d", seconds * 1000)
    return bytes(data)


JUNK = bytes(range(256)) * 8
LENGTHS: dict[str, tuple[bytes, int]] = {
    "two mp3 with tags": (id3() + content(MP3) + id3() + content(MP3), 6_000),
    "two mp3, the first with ID3v1": (content(MP3) + b"TAG" + b"\0" * 125 + content(MP3), 6_000),
    "two mp3, an APE tag between": (content(MP3) + b"APETAGEX" + JUNK + content(MP3), 6_000),
    "two mp3 with Xing": (content(XING) + content(XING), 6_000),
    "mp3, a tag in front that claims the rest": (content(MP3) + id3()[:6] + b"\x7f\x7f\x7f\x7f" + content(MP3), 6_000),
    "mp3 of two rates": (content(MP3) + case("xing-0-frames.mp3"), 8_000),
    "mp3, a Xing header that says 10 frames": (lying_xing(10), 3_000),
    "mp3, junk in the middle": (content(MP3)[:5_000] + JUNK + content(MP3)[5_000:], 3_000),
    "mp3, beginning within a frame": (content(MP3)[77:], 3_000),
    "mp3 behind two tags": (id3() + id3() + content(MP3), 3_000),
    "mp3 behind a tag and zeros": (id3() + b"\0" * 3_000 + content(MP3), 3_000),
    "two ADTS": (content(ADTS) + content(ADTS), 4_000),
    "ADTS, zeros between": (content(ADTS) + b"\0" * 9_999 + content(ADTS), 4_000),
    "ADTS behind zeros": (b"\0" * 500 + content(ADTS), 2_000),
    "two FLAC": (content(FLAC) + content(FLAC), 4_000),
    "FLAC that says one sample": (lying_flac(1), 2_000),
    "FLAC that says none": (lying_flac(0), 2_000),
    "three Ogg in a chain": (content("vorbis.ogg") * 3, 6_000),
    "two Opus in a chain": (content("sound.opus") * 2, 4_000),
    "Ogg of two codecs in a chain": (content("sound.opus") + content("vorbis.ogg"), 4_000),
    "two WAV": (content("sound.wav") * 2, 1_000),
    "WAV that says 0 bytes": (wav_saying(0), 500),
    "WAV that says FFFFFFFF": (wav_saying(0xFFFFFFFF), 500),
    "mp4 whose header says 1 s": (mp4_saying(1_000, b"mvhd"), 200_000),
    "mp4 whose header and media say 1 s": (mp4_saying(1_000, b"mvhd", b"mdhd"), 200_000),
    "mkv whose header says 0.1 s": (mkv_saying(0.1), 2_000),
    # Chromium plays all of these: twice the time by the clock, twice the frames. Of two joined mp4 it plays one.
    "two mkv": (content("sound.mkv") * 2, 4_000),
    "two webm, recorded": (content("recorded.webm") * 2, 4_000),
    "three webm": (content("vp8.webm") * 3, 6_000),
    "webm and junk": (content("vp8.webm") + JUNK, 2_000),
    "webm that ends where a cluster begins": (content("recorded.webm") + b"\x1f\x43\xb6\x75", 2_000),
    "two mp4": (content("moov-first.mp4") * 2, 2_000),
    "two fragmented mp4": (content("fragmented.mp4") * 2, 4_160),
    # ffmpeg plays all of these; no browser plays any.
    "two avi": (content("mpeg4.avi") * 2, 4_000),
    "two ts": (content("h264.ts") * 2, 4_000),
    "ts, a part of it lost": (content("h264.ts")[:18_800] + JUNK[:100] + content("h264.ts")[18_900:], 2_000),
}


def wav(code: int, *, told: int, block: int, bits: int, extra: bytes = b"", data: int = 8_000) -> bytes:
    form = struct.pack("<HHIIHHH", code, 1, 8_000, told, block, bits, len(extra)) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", data) + bytes(data)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("data", "wanted", "codec"),
    [
        (wav(1, told=8_000_000, block=1, bits=8), 1_000, "pcm"),
        (wav(6, told=8_000, block=1, bits=8), 1_000, "pcm_alaw"),
        (wav(7, told=8_000, block=1, bits=8), 1_000, "pcm_mulaw"),
        # Blocks of 505 samples in 256 bytes.
        (wav(0x11, told=2_900, block=256, bits=4, extra=struct.pack("<H", 505)), 8_000 / 256 * 505 / 8, "adpcm"),
    ],
    ids=["a rate that is a lie", "A-law", "mu-law", "ADPCM"],
)
def test_a_wav_plays_as_fast_as_its_samples_say(parser: ParserHost, data: bytes, wanted: float, codec: str) -> None:
    found = extracted(parser, data)
    assert found.audioCodec == codec
    assert found.durationMs == pytest.approx(wanted, abs=5)


def ogg_page(serial: int, kind: int, granule: int, body: bytes) -> bytes:
    head = struct.pack("<4sBBQIIIB", b"OggS", 0, kind, granule, serial, 0, 0, 1)
    return head + bytes([len(body)]) + body


def test_a_cover_that_a_program_keeps_as_theora_is_none_that_moves(parser: ParserHost) -> None:
    """The first page of a Theora stream, and one of a single frame, before a sound."""
    head = b"\x80theora\x03\x02\x01" + struct.pack(">HH", 4, 3) + bytes([0, 0, 60, 0, 0, 40, 0, 0])
    head += struct.pack(">II", 25, 1) + bytes([0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0xC0, 0xC0])
    sound = content("vorbis.ogg")
    first = 27 + sound[26] + sum(sound[27 : 27 + sound[26]])
    picture = ogg_page(77, 2, 0, head)
    still = sound[:first] + picture + ogg_page(77, 0, 1 << 6, bytes(9)) + sound[first:]
    assert extracted(parser, still).kind == "AUDIO"
    moving = sound[:first] + picture + ogg_page(77, 0, 50 << 6, bytes(9)) + sound[first:]
    assert extracted(parser, moving).kind == "VIDEO"


LANGUAGES = {
    "fr": "fr", "pt-BR": "pt-BR", "zh-Hant": "zh-Hant", "ZH-hant-tw": "zh-Hant-TW", "es-419": "es-419", "deu": "deu",
    "de-CH-1996": "de-CH", "SECRET NAME": None, "x": None, "": None,
}  # fmt: skip


@pytest.mark.parametrize("given", LANGUAGES)
def test_language_tags_are_kept_as_far_as_script_and_region(given: str) -> None:
    assert language(given) == LANGUAGES[given]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("1950-05-06 07:08:09", "1950-05-06T07:08:09"),
        ("1904-01-01 00:00:00 UTC", None),
        ("1970-01-01 00:00:00 UTC", None),
        ("1970-01-02 00:00:00 UTC", "1970-01-02T00:00:00"),
        ("2019-05-06T07:08:09+0200", "2019-05-06T07:08:09"),
        ("1700-01-01 00:00:00", None),
    ],
)
def test_times_before_1970_are_told_and_clocks_that_nobody_set_are_not(given: str, wanted: str | None) -> None:
    assert moment(given) == wanted


@pytest.mark.parametrize("name", LENGTHS)
def test_no_header_and_no_junk_makes_a_sound_shorter(parser: ParserHost, name: str) -> None:
    data, wanted = LENGTHS[name]
    # Each piece has some frames that encoders add before and after the sound.
    assert extracted(parser, data).durationMs == pytest.approx(wanted, abs=150)


HOSTILE = {
    "mp3": content(MP3) + b"\xff\xfb\x90" * (5 << 20),
    "flac": content(FLAC) + b"\xff\xf8\x79\x18" * (15 << 18),
    "ogg": content("vorbis.ogg") + b"OggS\0" * (3 << 20),
    "ts": content("h264.ts") + b"G\0\0\0\0" * (3 << 20),
    "webm": content("recorded.webm") + b"\x1f\x43\xb6\x75\x83\xe7\x81\0" * (15 << 17),
    "avi": content("mpeg4.avi") + b"RIFF0000AVI LIST" * (15 << 16),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_only_looks_like_frames_takes_no_long_time(parser: ParserHost, name: str) -> None:
    """Trying each would take half a minute; the parser has 20 seconds."""
    found = extracted(parser, HOSTILE[name])
    assert found.format == name
    assert found.durationMs is not None
    assert found.durationMs > 1_900


def test_a_large_sound_whose_header_lies_is_measured_by_its_rate(parser: ParserHost) -> None:
    data = lying_xing(10) + content(MP3) * 800
    assert len(data) > 16 << 20
    source = Bytes(data)
    found = parser.extract(source, len(data))
    assert found.durationMs == pytest.approx(800 * 3_000, rel=0.1)
    assert sum(length for _, length in source.reads) < 2 << 20


LARGE: dict[str, tuple[bytes, int]] = {
    name: (content(name) * times, 2_000 * times)
    for name in ("vp8.webm", "recorded.webm", "h264.ts")
    for times in ((17 << 20) // len(content(name)),)
}
LARGE["mpeg4.avi"] = (content("mpeg4.avi") + b"RIFF" + struct.pack("<I", 17 << 20) + bytes(17 << 20), 2_000)
LARGE["mpeg4.avi"] = (LARGE["mpeg4.avi"][0] + content("mpeg4.avi"), 4_000)


@pytest.mark.parametrize("name", LARGE)
def test_large_files_that_were_joined_are_measured_at_a_few_places(parser: ParserHost, name: str) -> None:
    data, wanted = LARGE[name]
    source = Bytes(data)
    found = parser.extract(source, len(data))
    assert found.durationMs == pytest.approx(wanted, rel=0.15)
    # MediaInfo itself reads these to their end: measuring adds little.
    assert sum(length for _, length in source.reads) < len(data) * 1.05


def void(length: int) -> bytes:
    return b"\xec" + (length | 1 << 56).to_bytes(8, "big") + bytes(length)


def test_the_last_cluster_may_be_a_large_one() -> None:
    cluster = b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7 + b"\xe7\x82" + (5_000).to_bytes(2, "big")
    data = content("recorded.webm") + void(12 << 20) + cluster + void(5 << 20)
    source = Bytes(data)
    file = RangedFile(source, len(data))
    assert played_ms(file, len(data), segment_of(file, len(data)), thorough=False) == 5_000


@pytest.mark.parametrize(
    ("codec", "profile", "wanted"),
    [
        ("h264", "High", True), ("h264", None, True), ("h264", "Constrained Baseline", True),
        ("h264", "High 10", False), ("h264", "High 4:2:2", False), ("h264", "High 4:4:4 Predictive", False),
        ("vp9", "0", True), ("vp9", "1", False), ("vp9", "2", True), ("av1", "Main", True), ("av1", "High", False),
        ("hevc", "Main", False),
    ],
)  # fmt: skip
def test_profiles_that_only_one_browser_plays_are_not_playable(codec: str, profile: str | None, wanted: bool) -> None:
    found = {"kind": "VIDEO", "format": "mp4", "videoCodec": codec, "videoProfile": profile, "audioCodec": "aac"}
    assert is_playable(found) is wanted


HEADS = {
    "flv": b"FLV\x01\x05\0\0\0\x09", "mxf": b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d", "rm": b".RMF\0\0\0\x12",
    "midi": b"MThd\0\0\0\x06\0\x01", "psd": b"8BPS\0\x01" + bytes(20), "ico": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0"
    + struct.pack("<II", 100, 22), "pdf": b"%PDF-1.7\n", "amr": b"#!AMR\n\x3c", "jxl": b"\xff\x0a\xfa\x1f",
    "cr3": b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "cr2": b"II*\0\x10\0\0\0CR\x02\0", "raf": b"FUJIFILMCCD-RAW 0201",
    "rw2": b"IIU\0\x18\0\0\0", "orf": b"IIRO\x08\0\0\0", "bmp": b"BM\x36\0\0\0\0\0\0\0\x36", "svg": b"<svg xmlns=''>",
    "tiff": b"II*\0\x08\0\0\0\0\0", "au": b".snd\0\0\0\x18", "jp2": b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 ",
    "wv": b"wvpk\x10\0\0\0", "ape": b"MAC \x96\x0f\0\0", "ac3": b"\x0b\x77\x12\x34", "swf": b"CWS\x0a\0\0\0\0",
    "ivf": b"DKIF\0\0\x20\0VP80", "h264": b"\0\0\0\x01\x67\x42\0\x1e", "avif": b"\0\0\0\x1cftypavif\0\0\0\0mif1",
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_a_format_is_known_by_its_first_bytes(name: str) -> None:
    form = recognise(HEADS[name] + bytes(100))
    assert form is not None
    assert form.name == name


def raw_picture(maker: bytes, tags: tuple[int, ...]) -> bytes:
    """The head of a TIFF with these tags."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, 0) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(8) + maker


@pytest.mark.parametrize(
    ("name", "maker", "tags"),
    [
        ("nef", b"NIKON CORPORATION", (0xFE, 0x10F, 0x14A)),
        ("arw", b"SONY", (0xFE, 0x10F, 0x14A)),
        ("dng", b"Apple", (0xFE, 0x10F, 0x14A, 0xC612)),
        ("tiff", b"NIKON SCAN", (0xFE, 0x10F)),
    ],
)
def test_raw_pictures_are_told_from_tiff(name: str, maker: bytes, tags: tuple[int, ...]) -> None:
    form = recognise(raw_picture(maker, tags))
    assert form is not None
    assert form.name == name


@pytest.mark.parametrize(("size", "first"), [(188, 0), (188, 77), (192, 4), (192, 100), (204, 0)])
def test_a_transport_stream_may_begin_anywhere(size: int, first: int) -> None:
    data = bytearray(io.BytesIO(b"\x01" * 4096).getvalue())
    for at in range(first, len(data), size):
        data[at] = 0x47
    form = recognise(bytes(data))
    assert form is not None
    assert form.name == "ts"


@pytest.mark.parametrize(
    "text", [b"<!DOCTYPE html><html>", b"PK\x03\x04" + bytes(99), b"MZ\x90\0", b"\xff\xfeT\0e\0x\0t\0"]
)
def test_what_is_no_media_is_none(parser: ParserHost, text: bytes) -> None:
    from sitejobs.media.extraction import Unreadable

    with pytest.raises(Unreadable):
        extracted(parser, text + bytes(3000))


def test_a_format_that_is_not_allowed_is_not_looked_into() -> None:
    damaged = content("plain.tiff")[:40]
    with ParserHost(Limits(formats=("jpeg",))) as host:
        source = Bytes(damaged)
        found = host.extract(source, len(damaged))
    assert (found.format, found.width, len(source.reads)) == ("tiff", None, 1)


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "turn"),
    [
        (1, 0, 0, 1, (0, False)), (0, 1, -1, 0, (90, False)), (-1, 0, 0, -1, (180, False)), (0, -1, 1, 0, (270, False)),
        (-1, 0, 0, 1, (0, True)), (1, 0, 0, -1, (180, True)), (0, 1, 1, 0, (270, True)), (0, -1, -1, 0, (90, True)),
    ],
)  # fmt: skip
def test_a_films_matrix_is_mirrored_and_then_turned(
    parser: ParserHost, a: int, b: int, c: int, d: int, turn: tuple[int, bool]
) -> None:
    data = bytearray(content("silent.mp4"))
    at = data.find(b"tkhd") + 4 + 40
    for place, value in ((0, a), (4, b), (12, c), (16, d)):
        data[at + place : at + place + 4] = struct.pack(">i", value << 16)
    found = extracted(parser, bytes(data))
    assert (found.rotation, found.mirrored) == turn
    assert (found.width, found.height) == ((64, 96) if turn[0] in (90, 270) else (96, 64))
