"""Families of MIME types: a container has many names, and a claim may use any of them."""

import mimetypes
from typing import Final

# A family begins with its image or video name, if it has one; names that phones, browsers and operating systems send
# follow. Its `audio/` names hold only for content without a moving picture.
_FAMILIES: Final[dict[str, str]] = {
    "jpeg": "image/jpeg image/jpg image/pjpeg image/jfif image/x-jpeg image/x-jpg image/x-citrix-jpeg",
    "png": "image/png image/x-png image/apng image/vnd.mozilla.apng image/x-citrix-png",
    "gif": "image/gif image/x-gif",
    "webp": "image/webp image/x-webp",
    "heic": "image/heic image/heif image/heic-sequence image/heif-sequence image/x-heic image/x-heif",
    "avif": "image/avif image/avif-sequence image/x-avif",
    "tiff": "image/tiff image/tif image/x-tiff image/x-tif",
    "bmp": "image/bmp image/x-bmp image/x-ms-bmp image/vnd.ms-bmp image/x-windows-bmp",
    "mp4": (
        "video/mp4 video/quicktime video/x-m4v video/m4v video/3gpp video/3gp video/3gpp2 video/3g2 video/mov"
        " video/x-quicktime video/x-mp4 video/mp4v-es video/h264 application/mp4 application/x-mp4"
        " audio/mp4 audio/m4a audio/x-m4a audio/m4b audio/x-m4b audio/m4p audio/x-m4p audio/x-mp4 audio/mp4a-latm"
        " audio/quicktime audio/3gpp audio/3gp audio/3gpp2 audio/aac-mp4"
    ),
    "webm": (
        "video/webm video/x-matroska video/matroska video/x-matroska-3d video/mkv video/x-mkv video/x-webm"
        " application/x-matroska audio/webm audio/x-matroska audio/matroska audio/mka audio/x-mka"
    ),
    "avi": "video/x-msvideo video/avi video/vnd.avi video/msvideo video/x-avi application/x-troff-msvideo",
    "ts": (
        "video/mp2t video/mpeg2 video/m2ts video/mts video/x-mpegts video/vnd.dlna.mpeg-tts video/avchd-stream"
        " application/x-mpegts audio/mp2t"
    ),
    "ogg": (
        "video/ogg video/x-ogg video/ogv video/theora application/ogg application/x-ogg audio/ogg audio/x-ogg audio/oga"
        " audio/opus audio/x-opus+ogg audio/vorbis audio/x-vorbis audio/x-vorbis+ogg audio/speex audio/x-speex"
        " audio/x-speex+ogg audio/x-flac+ogg"
    ),
    "mp3": (
        "audio/mpeg audio/mp3 audio/x-mp3 audio/mpeg3 audio/x-mpeg audio/x-mpeg-3 audio/x-mpeg3 audio/mpg audio/x-mpg"
        " audio/x-mpegaudio audio/mpeg-3 audio/mpa audio/mp2 audio/x-mp2"
    ),
    "aac": "audio/aac audio/aacp audio/x-aac audio/x-aacp audio/x-hx-aac-adts audio/vnd.dlna.adts audio/adts",
    "flac": "audio/flac audio/x-flac audio/x-native-flac application/x-flac",
    "wav": "audio/wav audio/wave audio/x-wav audio/vnd.wave audio/x-wave audio/x-pn-wav",
}
_NAMES: Final = {family: tuple(names.split()) for family, names in _FAMILIES.items()}
_FAMILY_OF: Final = {name: family for family, names in _NAMES.items() for name in names}
_NO_CLAIM: Final = {"", "application/octet-stream", "binary/octet-stream", "application/binary", "application/unknown"}
_OGG_SOUND: Final = "audio/ogg"
"""Old programs claim it for films, too: for long Ogg had no other type."""

# Python's own table, not the machine's mime.types.
_WELL_KNOWN: Final = frozenset(name for table in mimetypes.MimeTypes(filenames=()).types_map for name in table.values())


def normal(claimed: str | None) -> str:
    """A claim without its parameters, in lower case."""
    return (claimed or "").partition(";")[0].strip().lower()


def is_claim_of(claimed: str, found: str) -> bool:
    """Whether a claim, as `normal` returns it, fits content of the type `found`."""
    if claimed in _NO_CLAIM or claimed == found or claimed == found.partition("/")[0] + "/*":
        return True
    family = _FAMILY_OF.get(claimed)
    if family is None or family != _FAMILY_OF.get(found):
        return False
    # An audio claim does not fit a film. A video claim fits sound: programs go by the container's file extension.
    return not (claimed.startswith("audio/") and found.startswith("video/") and claimed != _OGG_SOUND)


def would_do(found: str) -> tuple[str, ...]:
    """Up to three claims that fit content of the type `found`, its own name first."""
    same = [name for name in _NAMES.get(_FAMILY_OF.get(found, ""), ()) if name != found and is_claim_of(name, found)]
    own_kind = [name for name in same if name.partition("/")[0] == found.partition("/")[0]]
    return (found, *own_kind[:2])


def shown(claimed: str) -> str:
    """The claim, if it is a well-known type: other people's text is not repeated."""
    if claimed in _FAMILY_OF or claimed in _NO_CLAIM or claimed in _WELL_KNOWN:
        return claimed
    return "a type that is not known"
