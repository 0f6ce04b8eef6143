"""One file's attributes, whatever it is: recognised by its first bytes, then read by what knows that format.

This runs in the parser's process, and knows neither bucket nor database.
"""

from dataclasses import dataclass
from typing import Any, Final

from sitejobs.media.attributes import AUDIO, IMAGE, VIDEO, Attributes, attributes_from_json
from sitejobs.media.formats import HEAD_BYTES, Format, recognise
from sitejobs.media.frames import sound_duration_ms
from sitejobs.media.images import image_attributes
from sitejobs.media.matroska import last_timestamp_ms, segment_of
from sitejobs.media.reading import RangedFile
from sitejobs.media.tracks import image_size, is_truncated, media_info, track_attributes

_ISO_FILES: Final = {"mp4", "m4a", "mov"}
_MATROSKA: Final = {"mkv", "webm"}
_ID3_BYTES: Final = 10


class Unreadable(Exception):  # noqa: N818 - says what the file is
    """The file cannot be understood. `code` is a word, the text a sentence of ours: nothing of the file is in it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Depth:
    """How far to look: pixels of an image that is decoded, bytes of an image that is opened."""

    max_pixels: int = 50_000_000
    max_image_bytes: int = 48 << 20


def extract(file: RangedFile, size: int, depth: Depth) -> Attributes:
    """Everything that is known of a file.

    Raises
    ------
    Unreadable : empty, no media, damaged or cut off.
    """
    if size == 0:
        raise Unreadable("empty", "the object has no bytes")
    form = _format_of(file)
    if form is None:
        raise Unreadable("not-media", "the content is of no known media format")
    found: dict[str, Any] = {"format": form.name, "mimeType": form.mime, "kind": form.kind or VIDEO, "sizeBytes": size}
    if form.parsed:
        found |= _image(file, form, size, depth) if form.kind == IMAGE else _film_or_sound(file, form, size)
    return attributes_from_json(found)


def _format_of(file: RangedFile) -> Format | None:
    head = file.at(0, HEAD_BYTES)
    if head[:3] == b"ID3" and len(head) >= _ID3_BYTES:
        length = 0
        for byte in head[6:_ID3_BYTES]:
            length = length << 7 | byte & 0x7F
        behind = recognise(file.at(_ID3_BYTES + length, HEAD_BYTES))
        if behind is not None and behind.name in ("aac", "flac"):
            return behind
    return recognise(head)


def _image(file: RangedFile, form: Format, size: int, depth: Depth) -> dict[str, Any]:
    still = {"hasVideo": False, "hasAudio": False}
    if size > depth.max_image_bytes:
        return still | image_size(media_info(file))
    try:
        return still | image_attributes(file, form.name, depth.max_pixels)
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's plugins raise whatever they stumble over; none of its words are passed on, they may quote the file.
        raise Unreadable("damaged", f"the {form.name} image cannot be read") from error


def _film_or_sound(file: RangedFile, form: Format, size: int) -> dict[str, Any]:
    tracks = media_info(file)
    found = track_attributes(tracks)
    if form.name in _ISO_FILES and is_truncated(tracks):
        raise Unreadable("truncated", f"the {form.name} file ends before its content does")
    if not found["hasVideo"] and not found["hasAudio"]:
        raise Unreadable("no-tracks", f"the {form.name} file has neither picture nor sound that can be read")
    if form.name in _MATROSKA:
        found |= _matroska(file, form, size, found)
    elif form.name in ("mp3", "aac"):
        duration = sound_duration_ms(file, size, form.name)
        found |= {} if duration is None else {"durationMs": duration}
    kind = form.kind or (VIDEO if found["hasVideo"] else AUDIO)
    duration_ms = found.get("durationMs")
    return found | {
        "kind": kind,
        "mimeType": form.mime if kind == VIDEO or form.sound_mime is None else form.sound_mime,
        "bitRate": size * 8000 / duration_ms if duration_ms else None,
    }


def _matroska(file: RangedFile, form: Format, size: int, found: dict[str, Any]) -> dict[str, Any]:
    try:
        segment = segment_of(file, size)
    except (ValueError, IndexError):
        raise Unreadable("damaged", f"the {form.name} file has no segment") from None
    if segment.truncated:
        raise Unreadable("truncated", f"the {form.name} file ends before its content does")
    if found.get("durationMs"):
        return {}
    return {"durationMs": last_timestamp_ms(file, size, segment.scale_ns)}
