"""Make the small media files of the tests, of all formats and defects: `python -m tests.media.make_files`.

Needs ffmpeg and exiftool on PATH. The files are kept beside this one; a test makes them anew and looks for the same in
them.
"""

import io
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image

FILES = Path(__file__).parent / "files"

_VIDEO = ["-f", "lavfi", "-i", "testsrc=size=96x64:rate=25:duration=2"]
_SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=2"]
_NOISE = ["-f", "lavfi", "-i", "anoisesrc=d=3:c=pink:r=44100:a=0.5:seed=1"]
_EXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-threads", "1"]
_H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "fast"]
_AAC = ["-c:a", "aac", "-b:a", "64k"]
_HDR10 = "hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
_MASTER = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"

FFMPEG: dict[str, list[str]] = {
    "moov-last.mp4": [*_VIDEO, *_SOUND, *_H264, *_AAC, "-shortest"],
    "moov-first.mp4": [*_VIDEO, *_SOUND, *_H264, *_AAC, "-movflags", "+faststart"],
    "fragmented.mp4": [*_VIDEO, *_SOUND, *_H264, *_AAC, "-movflags", "frag_keyframe+empty_moov", "-g", "10"],
    "silent.mp4": [*_VIDEO, *_H264],
    "hdr10.mp4": [
        *_VIDEO, "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", "-x265-params", _HDR10 + _MASTER,
    ],
    "hlg.mp4": [
        *_VIDEO, "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", "-x265-params",
        "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc:log-level=none",
    ],
    "long.mp4": [
        "-f", "lavfi", "-i", "color=c=red:size=32x32:rate=1:duration=200", *_H264,
    ],
    "wide-pixels.mp4": [*_VIDEO, *_H264, "-vf", "setsar=2/1"],
    "spoken.mov": [
        *_VIDEO, *_SOUND, *_H264, *_AAC, "-metadata:s:a:0", "language=deu",
        "-metadata", "creation_time=2024-05-06T07:08:09Z",
    ],
    "sound.mkv": [*_VIDEO, *_SOUND, *_H264, "-c:a", "libopus", "-b:a", "48k", "-metadata:s:a:0", "language=fre"],
    "vp9.webm": [*_VIDEO, *_SOUND, "-c:v", "libvpx-vp9", "-b:v", "100k", "-c:a", "libopus", "-b:a", "48k"],
    "vp8.webm": [*_VIDEO, *_SOUND, "-c:v", "libvpx", "-b:v", "100k", "-c:a", "libvorbis"],
    "mpeg4.avi": [*_VIDEO, *_SOUND, "-c:v", "mpeg4", "-c:a", "libmp3lame", "-b:a", "64k"],
    "h264.ts": [*_VIDEO, *_SOUND, *_H264, *_AAC, "-f", "mpegts"],
    "cbr.mp3": [*_NOISE, "-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0"],
    "vbr-header.mp3": [*_NOISE, "-c:a", "libmp3lame", "-q:a", "4"],
    "vbr-headless.mp3": [
        "-f", "lavfi", "-i", "aevalsrc='if(lt(t,3),0,random(0))':d=6:s=44100",
        "-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0", "-id3v2_version", "0",
    ],
    "sound.m4a": [*_SOUND, *_AAC, "-ac", "2"],
    "sound.aac": [*_SOUND, *_AAC, "-f", "adts"],
    "vorbis.ogg": [*_SOUND, "-c:a", "libvorbis", "-ac", "2"],
    "sound.opus": [*_SOUND, "-c:a", "libopus", "-b:a", "32k"],
    "sound.flac": [*_SOUND, "-c:a", "flac"],
    "sound.wav": [*_SOUND, "-c:a", "pcm_s16le", "-t", "0.5"],
}  # fmt: skip


def ffmpeg(target: Path, arguments: list[str]) -> None:
    """Run ffmpeg; the same arguments give the same bytes."""
    command = ["ffmpeg", "-y", "-loglevel", "error", *arguments, *_EXACT, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def picture(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A picture whose corners differ: red left, a blue and a green stripe right."""
    image = Image.new("RGB", size, (200, 30, 40))
    width, height = size
    image.paste((20, 40, 220), (width * 2 // 3, 0, width, height // 2))
    image.paste((30, 180, 60), (width * 2 // 3, height // 2, width, height))
    return image


def frames(count: int = 5) -> list[Image.Image]:
    """Frames of an animation: a white square that moves."""
    made = []
    for at in range(count):
        image = picture()
        image.paste((255, 255, 255), (at * 8, 10, at * 8 + 8, 18))
        made.append(image)
    return made


def animated(path: Path, **settings: Any) -> None:
    first, *rest = frames()
    first.save(path, save_all=True, append_images=rest, duration=[100, 200, 100, 200, 100], loop=0, **settings)


def private_exif() -> Image.Exif:
    """Personal data that a camera or phone stores, in every field that there is for it."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "SECRETMAKE", "SECRETMODEL"
    exif[0x013B], exif[0x8298], exif[0x010E], exif[0x0131] = "SECRETARTIST", "SECRETCOPY", "SECRETTEXT", "SECRETSOFT"
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9011] = "2023:07:08 09:10:11", "+02:00"
    details[0xA430], details[0xA431], details[0xA435], details[0x9286] = (
        "SECRETOWNER", "SECRETSERIAL", "SECRETLENSSERIAL", b"ASCII\0\0\0SECRETCOMMENT",
    )  # fmt: skip
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (47.0, 22.0, 7.125), "E", (8.0, 32.0, 30.5)
    return exif


def images(folder: Path) -> None:
    """Still and animated pictures, each orientation included."""
    picture().save(folder / "plain.jpg", quality=80)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture().save(folder / f"orientation-{orientation}.jpg", quality=80, exif=exif)
    picture().save(folder / "private.jpg", quality=80, exif=private_exif())
    picture().save(folder / "plain.png")
    picture().convert("RGBA").resize((30, 20)).save(folder / "alpha.png")
    animated(folder / "animated.png")
    picture().save(folder / "still.gif")
    animated(folder / "animated.gif")
    picture().save(folder / "lossy.webp", quality=70)
    picture().save(folder / "lossless.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(folder / "turned.webp", exif=exif)
    animated(folder / "animated.webp")
    picture((64, 48)).save(folder / "plain.avif", quality=60)
    animated(folder / "animated.avif")
    heif = pillow_heif.from_pillow(picture((64, 48)))
    heif.save(folder / "plain.heic", quality=60)
    picture().save(folder / "plain.tiff")
    picture().save(folder / "plain.bmp")
    picture((4000, 100)).save(folder / "wide.png")


def huge_png(width: int, height: int) -> bytes:
    """A png whose header claims a size, with almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb_png() -> bytes:
    """A small picture with a compressed text that unpacks to 256 MB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    buffer = io.BytesIO()
    picture((8, 8)).save(buffer, "PNG")
    plain = buffer.getvalue()
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(256)) + packer.flush()
    return plain[:33] + chunk(b"zTXt", b"k\0\0" + packed) + plain[33:]


def troubled(folder: Path) -> None:
    """Damaged, truncated and mislabelled files."""
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_bytes(b"This is only a text that somebody named a film.\n" * 20)
    (folder / "drawing.svg").write_bytes(b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>\n')
    (folder / "page.html.jpg").write_bytes(b"<!DOCTYPE html><html><script>alert(1)</script></html>")
    (folder / "huge.png").write_bytes(huge_png(50_000, 50_000))
    (folder / "bomb.png").write_bytes(text_bomb_png())
    gif = (folder / "still.gif").read_bytes()
    (folder / "polyglot-zip.gif").write_bytes(gif + b"PK\x03\x04" + b"\0" * 26 + b"evil.php")
    (folder / "polyglot-script.gif").write_bytes(b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//" + b"\0" * 60)
    jpeg = (folder / "plain.jpg").read_bytes()
    (folder / "polyglot-php.jpg").write_bytes(jpeg[:2] + b"\xff\xfe\x00\x20<?php system($_GET[1]); ?>    " + jpeg[2:])
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    png = (folder / "plain.png").read_bytes()
    (folder / "truncated.png").write_bytes(png[: len(png) * 2 // 3])
    for name in ("moov-first.mp4", "moov-last.mp4"):
        whole = (folder / name).read_bytes()
        (folder / f"truncated-{name}").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "picture.mp4").write_bytes(png)
    (folder / "program.jpg").write_bytes(b"\x7fELF" + bytes(200))


def _exiftool(target: Path, *arguments: str) -> None:
    subprocess.run(["exiftool", "-q", "-overwrite_original", *arguments, str(target)], check=True)


def tagged(folder: Path) -> None:
    """Rotated films, and films and sounds with personal data."""
    for degrees in (90, 180, 270):
        ffmpeg(
            folder / f"turned-{degrees}.mp4",
            ["-i", str(folder / "silent.mp4"), "-c", "copy", "-metadata:s:v:0", f"rotate={degrees}"],
        )
    secrets = ["title", "artist", "author", "comment", "copyright", "location", "description", "encoder", "album"]
    given = [part for name in secrets for part in ("-metadata", f"{name}=SECRET{name.upper()}")]
    owner = ["-metadata", "com.apple.quicktime.location.ISO6709=+47.3769+008.5417+408/"]
    device = [
        part
        for name in ("make", "model", "software", "author")
        for part in ("-metadata", f"com.apple.quicktime.{name}=SECRET{name.upper()}")
    ]
    tags = ["-movflags", "use_metadata_tags", *given, *owner, *device, "-metadata:s:v:0", "handler_name=SECRETHANDLER"]
    ffmpeg(folder / "private.mp4", ["-i", str(folder / "moov-first.mp4"), "-c", "copy", *tags])
    ffmpeg(folder / "private.mov", ["-i", str(folder / "spoken.mov"), "-c", "copy", *tags])
    ffmpeg(
        folder / "private.mkv",
        ["-i", str(folder / "sound.mkv"), "-c", "copy", *given, "-metadata:s:v:0", "title=SECRETTRACK"],
    )
    ffmpeg(folder / "private.mp3", ["-i", str(folder / "vbr-header.mp3"), "-c", "copy", *given])
    ffmpeg(folder / "private.flac", ["-i", str(folder / "sound.flac"), "-c", "copy", *given])
    secret = ["-XMP:Creator=SECRETXMP", "-XMP:GPSLatitude=47.37", "-IPTC:By-line=SECRETIPTC", "-XMP:Location=SECRETXMP"]
    _exiftool(folder / "private.jpg", *secret)
    for name in ("png", "webp", "heic"):
        shutil.copy(folder / f"{'lossy' if name == 'webp' else 'plain'}.{name}", folder / f"private.{name}")
        _exiftool(
            folder / f"private.{name}",
            "-Artist=SECRETARTIST",
            "-OwnerName=SECRETOWNER",
            "-SerialNumber=SECRETSERIAL",
            "-GPSLatitude=47.37",
            "-GPSLatitudeRef=N",
            "-XMP:Creator=SECRETXMP",
        )
    # As browsers record: no duration, no index, no segment size.
    streamed = [*_VIDEO, *_SOUND, "-c:v", "libvpx", "-b:v", "100k", "-c:a", "libopus", *_EXACT, "-f", "webm", "-"]
    made = subprocess.run(["ffmpeg", "-loglevel", "error", *streamed], check=True, capture_output=True)
    (folder / "recorded.webm").write_bytes(made.stdout)
    cover = ["-i", str(folder / "vbr-header.mp3"), "-i", str(folder / "plain.jpg"), "-map", "0", "-map", "1"]
    ffmpeg(folder / "cover.mp3", [*cover, "-c", "copy", "-disposition:v:0", "attached_pic"])


STEPS: list[Callable[[Path], None]] = [images, tagged, troubled]


def main(folder: Path = FILES) -> int:
    """Make all files; returns the exit status."""
    for program in ("ffmpeg", "exiftool"):
        if shutil.which(program) is None:
            print(f"{program} was not found: install it", file=sys.stderr)
            return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in FFMPEG.items():
        ffmpeg(folder / name, arguments)
    for step in STEPS:
        step(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
