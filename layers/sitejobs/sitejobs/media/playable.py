"""Whether browsers play or show a file, by container and codecs. (READY says only that it keeps the rules.)

True: current Chrome, Firefox and Safari all play it, without special hardware. Sources:
containers and codecs: https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Containers
https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Video_codecs (HEVC: only with hardware that decodes it;
AV1 in Safari, too: its newer machines have it)
https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Audio_codecs (ALAC, AC-3: Safari alone)
images: https://developer.mozilla.org/docs/Web/Media/Guides/Formats/Image_types (HEIC, JPEG XL, TIFF: Safari alone)
Theora: removed from Chrome 123 and Firefox 130, https://chromestatus.com/feature/5158654475239424
"""

from typing import Any, Final

from sitejobs.media.attributes import IMAGE

_IMAGES: Final = {"jpeg", "png", "gif", "webp", "avif", "bmp", "ico", "svg"}
_ISO: Final = ({"h264", "av1", "vp9"}, {"aac", "mp3", "opus", "flac"})
# Container -> codecs of moving pictures, codecs of sound.
_CONTAINERS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "mp4": _ISO,
    "m4a": _ISO,
    "mov": _ISO,
    "webm": ({"vp8", "vp9", "av1"}, {"opus", "vorbis"}),
    "ogg": (set(), {"opus", "vorbis", "flac"}),
    "mp3": (set(), {"mp3"}),
    "aac": (set(), {"aac"}),
    "flac": (set(), {"flac"}),
    "wav": (set(), {"pcm", "pcm_alaw", "pcm_mulaw"}),
}
# Profiles that Chrome plays, but the system decoders used by Firefox and Safari do not.
_OTHER_PROFILES: Final = {
    "h264": ("High 10", "4:2:2", "4:4:4"),
    "vp9": ("1", "3"),
    "av1": ("High", "Professional"),
}


def is_playable(found: dict[str, Any]) -> bool:
    """Whether browsers play the whole file; `found` has its format, kind and codecs."""
    if found["kind"] == IMAGE:
        return found["format"] in _IMAGES
    if found["format"] not in _CONTAINERS:
        return False
    pictures, sounds = _CONTAINERS[found["format"]]
    video, audio = found.get("videoCodec"), found.get("audioCodec")
    if any(other in str(found.get("videoProfile")) for other in _OTHER_PROFILES.get(str(video), ())):
        return False
    return (video is None or video in pictures) and (audio is None or audio in sounds) and bool(video or audio)
