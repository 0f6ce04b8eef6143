"""Which format a file is, by its first bytes: never by its name or by what somebody claims."""

from dataclasses import dataclass

from sitejobs.media.attributes import AUDIO, IMAGE, VIDEO

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Format:
    """A container. `kind` None: its tracks decide between VIDEO and AUDIO; `parsed`: we look inside."""

    name: str
    kind: str | None
    mime: str
    sound_mime: str | None = None
    parsed: bool = True


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("jpeg", IMAGE, "image/jpeg"),
        Format("png", IMAGE, "image/png"),
        Format("gif", IMAGE, "image/gif"),
        Format("webp", IMAGE, "image/webp"),
        Format("heic", IMAGE, "image/heic"),
        Format("avif", IMAGE, "image/avif"),
        Format("tiff", IMAGE, "image/tiff"),
        Format("bmp", IMAGE, "image/bmp"),
        Format("svg", IMAGE, "image/svg+xml", parsed=False),
        Format("mp4", None, "video/mp4", "audio/mp4"),
        Format("m4a", AUDIO, "audio/mp4", "audio/mp4"),
        Format("mov", None, "video/quicktime", "audio/quicktime"),
        Format("mkv", None, "video/x-matroska", "audio/x-matroska"),
        Format("webm", None, "video/webm", "audio/webm"),
        Format("avi", VIDEO, "video/x-msvideo"),
        Format("ts", None, "video/mp2t", "audio/mp2t"),
        Format("flv", None, "video/x-flv", parsed=False),
        Format("asf", None, "video/x-ms-asf", parsed=False),
        Format("mp3", AUDIO, "audio/mpeg"),
        Format("aac", AUDIO, "audio/aac"),
        Format("ogg", None, "video/ogg", "audio/ogg"),
        Format("flac", AUDIO, "audio/flac"),
        Format("wav", AUDIO, "audio/wav"),
    )
}

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"FLV\x01", "flv"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),
)
_RIFF = {b"WEBP": "webp", b"AVI ": "avi", b"WAVE": "wav"}
_EBML = b"\x1a\x45\xdf\xa3"
_TS_PACKET = 188
_OLD_QUICKTIME = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def recognise(head: bytes) -> Format | None:
    """The format of a file that begins so; None when it is no known media format.

    Parameters
    ----------
    head : the first `HEAD_BYTES` bytes, or all there are.
    """
    name = _name(head)
    return None if name is None else FORMATS[name]


def _name(head: bytes) -> str | None:
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[:4] == _EBML:
        return "webm" if b"webm" in head[:64] else "mkv" if b"matroska" in head[:64] else None
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if _is_svg(head):
        return "svg"
    if head[:1] == b"G" and len(head) > _TS_PACKET * 2 and head[_TS_PACKET] == head[_TS_PACKET * 2] == 0x47:
        return "ts"
    if head[4:8] in _OLD_QUICKTIME:
        return "mov"
    return _of_sound(head)


def _of_brands(head: bytes) -> str:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[at : at + 4] for at in range(16, size, 4))}
    if major in _AVIF_BRANDS or (major in _HEIC_BRANDS and brands & _AVIF_BRANDS):
        return "avif"
    if major in _HEIC_BRANDS:
        return "heic"
    if major == b"qt  ":
        return "mov"
    return "m4a" if major in (b"M4A ", b"M4B ", b"M4P ") else "mp4"


def _is_svg(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text)


def _of_sound(head: bytes) -> str | None:
    """ID3 stands before mp3, AAC and now and then flac; frames of mp3 and ADTS begin with eleven set bits."""
    if head[:3] == b"ID3" and len(head) >= 10:
        return "mp3"
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    if head[1] & 0xE0 == 0xE0 and head[1] & 0x06 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C:
        return "mp3"
    return None
