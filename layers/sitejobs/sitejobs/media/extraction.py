"""All attributes of one file: the first bytes tell its format, then that format's reader takes over.

Runs in the parser's process; it knows neither the bucket nor the database.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

from sitejobs.media.attributes import AUDIO, IMAGE, VIDEO, Attributes, attributes_from_json
from sitejobs.media.avi import avi_duration_ms
from sitejobs.media.boxes import Movie, movie_of
from sitejobs.media.flac import flac_duration_ms
from sitejobs.media.formats import FORMATS, HEAD_BYTES, Format
from sitejobs.media.images import Depth, image_attributes
from sitejobs.media.matroska import played_ms, segment_of
from sitejobs.media.ogg import has_only_a_cover, ogg_duration_ms
from sitejobs.media.playable import is_playable
from sitejobs.media.reading import RangedFile
from sitejobs.media.recognition import recognise
from sitejobs.media.sound_frames import after_id3, begins_with_frames, sound_duration_ms
from sitejobs.media.tracks import image_size, is_truncated, media_info, track_attributes
from sitejobs.media.transport import ts_duration_ms
from sitejobs.media.wav import wav_duration_ms

_ISO_FILES: Final = {"mp4", "m4a", "mov"}
_SEQUENCES: Final = {"avif", "heic"}
"""Image formats that store an animation as a video track."""
_MATROSKA: Final = {"mkv", "webm"}
_MEASURED: Final[dict[str, Callable[[RangedFile, int, float | None], float | None]]] = {
    "mp3": lambda file, size, told: sound_duration_ms(file, size, "mp3", told),
    "aac": lambda file, size, told: sound_duration_ms(file, size, "aac", told),
    "flac": flac_duration_ms,
    "ogg": ogg_duration_ms,
    "wav": wav_duration_ms,
    "avi": avi_duration_ms,
    "ts": ts_duration_ms,
}
"""Formats whose header may understate the duration, and the function that measures it."""
_EDIT_MS: Final = 500
"""Milliseconds. A shorter cut of an edit list is encoder delay; some browsers play longer cuts, so these count."""
_SEARCHED_BYTES: Final = 32 << 10


class Unreadable(Exception):
    """The file cannot be understood. `code` is one word, `detail` a sentence; neither quotes the file."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def extract(file: RangedFile, size: int, depth: Depth, formats: Collection[str] | None = None) -> Attributes:
    """All attributes of a file. If its format is not among `formats` (None: all), the content is not parsed.

    Raises
    ------
    Unreadable : the file is empty, no media, damaged or cut off.
    """
    if size == 0:
        raise Unreadable("empty", "the object has no bytes")
    form = _format_of(file)
    if form is None:
        raise Unreadable("not-media", "the content is of no known media format")
    found: dict[str, Any] = {"format": form.name, "mimeType": form.mime, "kind": form.kind or VIDEO, "sizeBytes": size}
    if form.parsed and (formats is None or form.name in formats):
        found |= _image(file, form, size, depth) if form.kind == IMAGE else _film_or_sound(file, form, size)
        if form.name in _SEQUENCES and found.get("animated"):
            found["durationMs"] = 1000 * movie_of(file, size).media_seconds or None
    return attributes_from_json(found | {"playable": is_playable(found)})


def _format_of(file: RangedFile) -> Format | None:
    """The format by the first bytes. Sound is also recognised after tags, zero bytes or a partial frame."""
    head = file.at(0, HEAD_BYTES)
    if head[:3] == b"ID3":
        behind = recognise(file.at(after_id3(file), HEAD_BYTES))
        return behind if behind is not None and behind.name in ("aac", "flac") else recognise(head)
    form = recognise(head)
    if form is not None:
        return form
    data = file.at(0, _SEARCHED_BYTES)
    frames = begins_with_frames(data) or begins_with_frames(data.lstrip(b"\0"))
    return None if frames is None else FORMATS[frames]


def _image(file: RangedFile, form: Format, size: int, depth: Depth) -> dict[str, Any]:
    still = {"hasVideo": False, "hasAudio": False}
    try:
        return still | (image_attributes(file, size, form.name, depth) or image_size(media_info(file)))
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's plugins raise errors of any class. Their text is not passed on: it may quote the file.
        raise Unreadable("damaged", f"the {form.name} image cannot be read") from error


def _film_or_sound(file: RangedFile, form: Format, size: int) -> dict[str, Any]:
    tracks = media_info(file)
    if form.name == "ogg" and has_only_a_cover(file, size):
        tracks = [track for track in tracks if track.get("@type") != "Video"]
    movie = movie_of(file, size) if form.name in _ISO_FILES else Movie()
    found = track_attributes(tracks, movie, form)
    if form.name in _ISO_FILES and is_truncated(tracks):
        raise Unreadable("truncated", f"the {form.name} file ends before its content does")
    if not found["hasVideo"] and not found["hasAudio"]:
        raise Unreadable("no-tracks", f"the {form.name} file has neither picture nor sound that can be read")
    found["durationMs"] = duration_ms = _duration(file, form, size, movie, found.get("durationMs"))
    kind = form.kind or (VIDEO if found["hasVideo"] else AUDIO)
    return found | {
        "kind": kind,
        "mimeType": form.mime if kind == VIDEO or form.sound_mime is None else form.sound_mime,
        "bitRate": size * 8000 / duration_ms if duration_ms else None,
    }


def _duration(file: RangedFile, form: Format, size: int, movie: Movie, told_ms: float | None) -> float | None:
    """The longer of the header's and the measured duration: a false header must not get past the rule on lengths."""
    if form.name in _MATROSKA:
        return _matroska(file, form, size, told_ms)
    if form.name in _MEASURED:
        return _MEASURED[form.name](file, size, told_ms)
    media_ms = movie.media_seconds * 1000
    return media_ms if media_ms > (told_ms or 0) + (_EDIT_MS if told_ms else 0) else told_ms


def _matroska(file: RangedFile, form: Format, size: int, told_ms: float | None) -> float | None:
    try:
        segment = segment_of(file, size)
    except (ValueError, IndexError):
        raise Unreadable("damaged", f"the {form.name} file has no segment") from None
    if segment.truncated:
        raise Unreadable("truncated", f"the {form.name} file ends before its content does")
    last_ms = played_ms(file, size, segment, thorough=not told_ms)
    return last_ms if last_ms is not None and last_ms > (told_ms or 0) + (_EDIT_MS if told_ms else 0) else told_ms
