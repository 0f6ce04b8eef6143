"""Attributes of films and sound: MediaInfo's fields, translated to our vocabulary."""

import json
from fractions import Fraction
from typing import Any, Final

from pymediainfo import MediaInfo

from sitejobs.aliases import JsonObject
from sitejobs.media.attributes import AUDIO, moment, number
from sitejobs.media.boxes import Movie
from sitejobs.media.formats import Format
from sitejobs.media.reading import RangedFile

# MediaInfo's names -> those that ffmpeg and most programs use. Anything else is `other`: codec names in a file are
# free text.
_VIDEO_CODECS: Final = {
    "AVC": "h264", "HEVC": "hevc", "AV1": "av1", "VP8": "vp8", "VP9": "vp9", "MPEG-4 Visual": "mpeg4",
    "MPEG Video": "mpeg2video", "JPEG": "mjpeg", "V_MJPEG": "mjpeg", "PNG": "png",
    "ProRes": "prores", "Theora": "theora", "H.263": "h263",
    "VC-1": "vc1", "VVC": "vvc", "FFV1": "ffv1", "DV": "dvvideo", "YUV": "rawvideo", "RGB": "rawvideo",
}  # fmt: skip
_AUDIO_CODECS: Final = {
    "AAC": "aac", "AAC LC": "aac", "MPEG Audio": "mp3", "Opus": "opus", "Vorbis": "vorbis", "FLAC": "flac",
    "PCM": "pcm", "AC-3": "ac3", "E-AC-3": "eac3", "ALAC": "alac", "DTS": "dts", "AMR": "amr", "USAC": "aac",
    "WMA": "wma", "Speex": "speex", "ADPCM": "adpcm", "MLP FBA": "truehd", "A-Law": "pcm_alaw", "U-Law": "pcm_mulaw",
}  # fmt: skip
# An MP4's cover or a sound's picture is no moving picture.
_NOT_MOVING: Final = {"JPEG", "PNG", "GIF", "BMP", "WebP", "V_MJPEG", "V_PNG", "V_MS/VFW/FOURCC / MJPG"}
_MAX_TRACKS: Final = 64


def media_info(file: RangedFile) -> list[JsonObject]:
    """MediaInfo's tracks of a file, the general one first; empty if it does not know the file."""
    file.seek(0)
    # By default it read 520 MB of a 1.2 GB film.
    text = MediaInfo.parse(file, parse_speed=0, output="JSON", encoding_errors="replace")
    parsed = json.loads(text, strict=False)
    tracks = (parsed.get("media") or {}).get("track") or []
    return [track for track in tracks[:_MAX_TRACKS] if isinstance(track, dict)]


def is_truncated(tracks: list[JsonObject]) -> bool:
    """Whether the container should go on where the file ends."""
    extra = tracks[0].get("extra") if tracks else None
    return isinstance(extra, dict) and extra.get("IsTruncated") == "Yes"


def track_attributes(tracks: list[JsonObject], movie: Movie, form: Format) -> JsonObject:
    """Attributes of a film or sound from its tracks; `movie`: what its boxes say, if it has boxes."""
    general = tracks[0] if tracks else {}
    video = _moving(tracks, movie, form)
    audio = next((track for track in tracks if track.get("@type") == "Audio"), None)
    found: JsonObject = {
        "hasVideo": video is not None,
        "hasAudio": audio is not None,
        "durationMs": _duration(general, form, video, audio),
    }
    if video is not None:
        found |= _picture(video, _turn(video, movie)) | {"capturedAt": _captured(general, video)}
    if audio is not None:
        codec = _audio_codec(audio)
        found |= {
            "audioCodec": codec,
            "channels": audio.get("Channels"),
            # Opus always plays at this rate; its header has the source's.
            "sampleRate": 48_000 if codec == "opus" else _first(audio.get("SamplingRate")),
            "language": audio.get("Language"),
        }
    return found


def _moving(tracks: list[JsonObject], movie: Movie, form: Format) -> JsonObject | None:
    """The first picture that moves: covers and the pictures of chapters do not."""
    videos = [
        track
        for track in tracks
        if track.get("@type") == "Video" and str(track.get("ID")) not in movie.chapter_tracks and _moves(track)
    ]
    if form.kind == AUDIO:
        videos = [track for track in videos if track.get("Format") not in _NOT_MOVING]
    return next(iter(videos), None)


def _turn(video: JsonObject, movie: Movie) -> tuple[int, bool]:
    """Clockwise degrees, and whether it is mirrored, by the track's matrix: MediaInfo takes mirroring for a turn."""
    for track in movie.played("vide"):
        if str(track.number) == str(video.get("ID")):
            return track.turn
    return round(number(video.get("Rotation"), 0, 360) or 0) % 360, False


def image_size(tracks: list[JsonObject]) -> JsonObject:
    """Size of an image that is too large to be opened."""
    for track in tracks:
        if track.get("@type") in ("Image", "Video"):
            sides = {"storedWidth": track.get("Width"), "storedHeight": track.get("Height")}
            return sides | {"width": track.get("Width"), "height": track.get("Height")}
    return {}


def _moves(video: JsonObject) -> bool:
    frames = number(video.get("FrameCount"), 0, 1e12)
    return video.get("Format") not in _NOT_MOVING or (frames is not None and frames > 1)


def _duration(general: JsonObject, form: Format, *tracks: JsonObject | None) -> float | None:
    """Milliseconds by the container or, if it tells none, by its longest track.

    A transport stream's clock starts before the first picture and ends after the last: there the tracks count.
    """
    whole = number(general.get("Duration"), 0, 1e9)
    parts = [part for track in tracks if track is not None and (part := number(track.get("Duration"), 0, 1e9))]
    known = parts if parts and form.name == "ts" else [part for part in ([whole] if whole else parts) if part]
    return max(known) * 1000 if known else None


def _picture(video: JsonObject, turn: tuple[int, bool]) -> JsonObject:
    width, height = number(video.get("Width"), 1, 1e6), number(video.get("Height"), 1, 1e6)
    rotation, mirrored = turn
    shown = _stretched(width, height, number(video.get("PixelAspectRatio"), 0.01, 100) or 1.0)
    if rotation in (90, 270):
        shown = shown[1], shown[0]
    return {
        "storedWidth": width,
        "storedHeight": height,
        "width": shown[0],
        "height": shown[1],
        "rotation": rotation if rotation in (0, 90, 180, 270) else None,
        "mirrored": mirrored,
        "aspectRatio": shown[0] / shown[1] if shown[0] and shown[1] else None,
        "videoCodec": _VIDEO_CODECS.get(str(video.get("Format")), "other"),
        "videoProfile": video.get("Format_Profile"),
        "bitDepth": video.get("BitDepth"),
        "frameRate": video.get("FrameRate"),
        "hdrFormat": _hdr(video),
    }


def _stretched(width: float | None, height: float | None, shape: float) -> tuple[float | None, float | None]:
    """Size with square pixels: as browsers do, the side that is too short grows, and none shrinks."""
    # MediaInfo rounds to three places: 0.909 stands for 10/11.
    near = Fraction(shape).limit_denominator(100)
    exact = near if abs(near - shape) < 0.0006 else Fraction(shape)
    if abs(shape - 1) <= 0.01 or width is None or height is None:
        return width, height
    return (round(width * exact), height) if exact > 1 else (width, round(height / exact))


def _hdr(video: JsonObject) -> str | None:
    told = f"{video.get('HDR_Format')} {video.get('HDR_Format_Compatibility')}"
    if "Dolby Vision" in told:
        return "Dolby Vision"
    if "SMPTE ST 2094" in told or "HDR10+" in told:
        return "HDR10+"
    if video.get("transfer_characteristics") == "PQ":
        return "HDR10"
    return "HLG" if video.get("transfer_characteristics") == "HLG" else None


def _audio_codec(audio: JsonObject) -> str:
    profile = str(audio.get("Format_Profile"))
    if profile in ("A-Law", "U-Law"):
        return _AUDIO_CODECS[profile]
    name = _AUDIO_CODECS.get(str(audio.get("Format")), "other")
    return {"Layer 2": "mp2", "Layer 1": "mp1"}.get(profile, name) if name == "mp3" else name


def _captured(general: JsonObject, video: JsonObject) -> str | None:
    """Capture time by the camera's clock if QuickTime tells it, else when the container was written, in UTC."""
    extra = general.get("extra")
    own = moment(extra.get("com_apple_quicktime_creationdate")) if isinstance(extra, dict) else None
    if own is not None:
        return own
    for track in (general, video):
        for name in ("Recorded_Date", "Encoded_Date", "Tagged_Date"):
            known = moment(track.get(name))
            if known is not None:
                return known
    return None


def _first(value: Any) -> Any:
    """The first of `44100 / 22050`, the rates of layered AAC: the one that is heard."""
    return value.split(" /")[0] if isinstance(value, str) else value
