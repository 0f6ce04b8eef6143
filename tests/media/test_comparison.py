"""Compares every attribute with ffprobe, exiftool and Pillow on the whole set; `KNOWN` lists the differences."""

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sitejobs.aliases import JsonObject
from sitejobs.media.attributes import Attributes
from sitejobs.media.parser_host import ParserHost
from tests.media.make_files import FFMPEG, ffmpeg, images
from tests.media.sources import FILES, content, extracted
from tests.media.test_extraction import UNREADABLE
from tests.skips import Lacking, program

PROBED = sorted(
    path.name
    for path in FILES.iterdir()
    if path.name not in UNREADABLE
    and path.suffix.lstrip(".") in {"mp4", "mov", "mkv", "webm", "avi", "ts", "mp3", "m4a", "aac", "ogg", "opus",
                                    "flac", "wav"}
    and path.name != "picture.mp4"
)  # fmt: skip
PICTURES = sorted(
    path.name
    for path in FILES.iterdir()
    if path.name not in UNREADABLE and path.suffix in {".jpg", ".png", ".gif", ".webp", ".heic", ".avif", ".tiff"}
)

KNOWN: dict[tuple[str, str], str] = {
    ("vbr-headless.mp3", "durationMs"): "ffprobe takes its first frames' rate for all: 9.9 s instead of 6",
    ("recorded.webm", "durationMs"): "ffprobe tells none; ours is the last block's time",
    ("sound.mkv", "frameRate"): "a Matroska file whose stream does not say that its rate is constant has none",
    ("private.mkv", "frameRate"): "a Matroska file whose stream does not say that its rate is constant has none",
    ("h264.ts", "frameRate"): "neither has such a transport stream",
    ("mpeg4.avi", "bitDepth"): "MediaInfo tells none of MPEG-4 Visual in AVI",
    ("vp8.webm", "bitDepth"): "MediaInfo tells none of VP8: it is always 8",
    ("recorded.webm", "bitDepth"): "MediaInfo tells none of VP8: it is always 8",
    ("mpeg4.avi", "videoProfile"): "MediaInfo tells none of MPEG-4 Visual in AVI",
    ("vp8.webm", "videoProfile"): "VP8 has no profiles that matter; ffprobe says 0",
    ("recorded.webm", "videoProfile"): "VP8 has no profiles that matter; ffprobe says 0",
    ("animated.avif", "mimeType"): "exiftool takes the brand of an AVIF sequence for MP4",
    ("turned.webp", "rotation"): "exiftool tells what the EXIF says; browsers turn no WebP",
    ("turned.webp", "width"): "exiftool tells what the EXIF says; browsers turn no WebP",
    ("turned.webp", "height"): "exiftool tells what the EXIF says; browsers turn no WebP",
    ("plain.heic", "storedHeight"): "exiftool tells the coded size; what lies beyond the crop is never shown",
    ("plain.heic", "height"): "exiftool tells the coded size; what lies beyond the crop is never shown",
    ("private.heic", "storedHeight"): "exiftool tells the coded size; what lies beyond the crop is never shown",
    ("private.heic", "height"): "exiftool tells the coded size; what lies beyond the crop is never shown",
}
"""Differences, each with its reason."""


@cache
def probed(name: str) -> JsonObject:
    command = [
        program(Lacking.FFPROBE),
        "-v",
        "error",
        "-show_streams",
        "-show_format",
        "-of",
        "json",
        str(FILES / name),
    ]
    result: JsonObject = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


@cache
def exif(name: str) -> JsonObject:
    command = [program(Lacking.EXIFTOOL), "-json", "-n", str(FILES / name)]
    [result] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return dict(result)


def stream(name: str, kind: str) -> JsonObject | None:
    for one in probed(name)["streams"]:
        if one["codec_type"] == kind and not one["disposition"].get("attached_pic"):
            return dict(one)
    return None


def differing(name: str, found: Attributes, wanted: JsonObject) -> dict[str, tuple[Any, Any]]:
    """Attributes that differ from what is wanted, except known differences."""
    wrong = {}
    for attribute, value in wanted.items():
        ours = getattr(found, attribute)
        known = (name, attribute) in KNOWN
        if _same(attribute, ours, value) == known:
            wrong[attribute] = (ours, value)
    return wrong


def _same(attribute: str, ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    if attribute == "durationMs":
        return bool(abs(ours - theirs) <= 60)
    if attribute == "bitRate":
        return bool(abs(ours - theirs) <= 0.02 * theirs)
    if isinstance(theirs, float):
        return bool(abs(ours - theirs) <= 0.01 * theirs)
    return bool(ours == theirs)


@pytest.mark.parametrize("name", PROBED)
def test_films_and_sounds_are_as_ffprobe_sees_them(parser: ParserHost, name: str) -> None:
    found = extracted(parser, content(name))
    video, audio, told = stream(name, "video"), stream(name, "audio"), probed(name)["format"]
    duration = float(told["duration"]) * 1000 if "duration" in told else None
    wanted: JsonObject = {
        "hasVideo": video is not None,
        "hasAudio": audio is not None,
        "kind": "VIDEO" if video else "AUDIO",
        "durationMs": duration,
    }
    if (name, "durationMs") not in KNOWN:
        wanted["bitRate"] = float(told["bit_rate"])
    wanted |= of_picture(video) if video else {}
    wanted |= of_sound(audio) if audio else {}
    assert differing(name, found, wanted) == {}


def of_picture(video: JsonObject) -> JsonObject:
    matrix = next((side for side in video.get("side_data_list", ()) if "rotation" in side), {"rotation": 0})
    # ffprobe's is counter-clockwise.
    rotation = -int(matrix["rotation"]) % 360
    shape = Fraction(video.get("sample_aspect_ratio", "1:1").replace(":", "/"))
    stored = (video["width"], video["height"])
    shown = (round(stored[0] * shape), stored[1])
    shown = shown[::-1] if rotation in (90, 270) else shown
    profile = video.get("profile")
    return {
        "storedWidth": stored[0],
        "storedHeight": stored[1],
        "width": shown[0],
        "height": shown[1],
        "aspectRatio": shown[0] / shown[1],
        "rotation": rotation,
        "videoCodec": video["codec_name"],
        "videoProfile": profile.removeprefix("Profile ") if profile else None,
        "bitDepth": 10 if "10" in video["pix_fmt"] else 8,
        "frameRate": float(Fraction(video["avg_frame_rate"])),
        "hdrFormat": {"smpte2084": "HDR10", "arib-std-b67": "HLG"}.get(video.get("color_transfer", "")),
    }


def of_sound(audio: JsonObject) -> JsonObject:
    languages = {"fre": "fr", "ger": "de", "deu": "de", None: None, "und": None}
    return {
        "audioCodec": "pcm" if audio["codec_name"].startswith("pcm") else audio["codec_name"],
        "channels": audio["channels"],
        "sampleRate": int(audio["sample_rate"]),
        "language": languages[audio.get("tags", {}).get("language")],
    }


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_exiftool_sees_them(parser: ParserHost, name: str) -> None:
    found, told = extracted(parser, content(name)), exif(name)
    turned = told.get("Orientation", 1) in (5, 6, 7, 8)
    stored = (told["ImageWidth"], told["ImageHeight"])
    wanted: JsonObject = {
        "storedWidth": stored[0],
        "storedHeight": stored[1],
        "width": stored[turned],
        "height": stored[not turned],
        "rotation": {3: 180, 4: 180, 5: 270, 6: 90, 7: 90, 8: 270}.get(told.get("Orientation", 1), 0),
        "mirrored": told.get("Orientation", 1) in (2, 4, 5, 7),
        "mimeType": told["MIMEType"].replace("image/apng", "image/png"),
        "capturedAt": told["DateTimeOriginal"].replace(":", "-", 2).replace(" ", "T")
        if "DateTimeOriginal" in told
        else None,
    }
    frames = told.get("FrameCount", told.get("AnimationFrames"))
    if frames is not None:
        wanted["frameCount"] = frames
    assert differing(name, found, wanted) == {}


def test_every_known_difference_is_of_a_file_that_is_compared() -> None:
    assert {name for name, _ in KNOWN} <= set(PROBED) | set(PICTURES)
    assert len(PROBED) > 30
    assert len(PICTURES) > 25


def test_the_files_made_anew_are_the_same_to_us(parser: ParserHost, tmp_path: Path) -> None:
    """The bytes need not be equal: versions of an encoder differ."""
    program(Lacking.FFMPEG)
    program(Lacking.EXIFTOOL)
    images(tmp_path)
    for name in ("moov-first.mp4", "silent.mp4", "spoken.mov", "vbr-header.mp3"):
        ffmpeg(tmp_path / name, FFMPEG[name])
    made = sorted(path.name for path in tmp_path.iterdir())
    assert len(made) > 20
    for name in made:
        ours, kept = extracted(parser, (tmp_path / name).read_bytes()), extracted(parser, content(name))
        varying = {"sizeBytes": None, "bitRate": None, "placeholder": None, "dominantColor": None}
        assert replace(ours, **varying) == replace(kept, **varying), name
