"""The format of a file by its first bytes; its name and its claimed type do not count."""

import re
from dataclasses import replace
from typing import Final, Literal

from sitejobs.media.attributes import AUDIO
from sitejobs.media.formats import FORMATS, Format

_HEIC_BRANDS: Final = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2", b"MiHE",
}  # fmt: skip
_AVIF_BRANDS: Final = {b"avif", b"avis"}
_BRANDS: Final = {
    b"qt  ": "mov", b"mqt ": "mov", b"M4A ": "m4a", b"M4B ": "m4a", b"M4P ": "m4a", b"F4A ": "m4a", b"F4B ": "m4a",
    b"crx ": "cr3", b"jp2 ": "jp2", b"jpx ": "jp2", b"jpm ": "jp2", b"jph ": "jp2", b"mjp2": "mj2", b"mj2s": "mj2",
    b"jxl ": "jxl",
}  # fmt: skip
_STARTS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"),
    (b"OggS", "ogg"), (b"fLaC", "flac"), (b"FLV\x01", "flv"), (b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (b"\xff\x0a", "jxl"), (b"\0\0\0\x0cJXL \r\n", "jxl"), (b"\xffO\xffQ\0", "jp2"), (b"II\xbc", "jxr"),
    (b"8BPS\0", "psd"), (b"gimp xcf", "xcf"), (b"\x76\x2f\x31\x01", "exr"), (b"#?RADIANCE", "hdr"),
    (b"#?RGBE", "hdr"), (b"DDS |\0\0\0", "dds"), (b"qoif\0", "qoi"), (b"icns\0", "icns"),
    (b"\xd7\xcd\xc6\x9a", "wmf"), (b"%PDF-", "pdf"), (b"%!PS", "eps"), (b"\xc5\xd0\xd3\xc6", "eps"),
    (b"AT&TFORM", "djvu"), (b"IIRO", "orf"), (b"IIRS", "orf"), (b"MMOR", "orf"), (b"IIU\0", "rw2"),
    (b"FUJIFILMCCD-RAW", "raf"), (b"FOVb", "x3f"), (b"II\x1a\0\0\0HEAPCCDR", "crw"),
    (b"\0\0\x01\xba", "mpg"), (b"\0\0\x01\xb3", "mpg"), (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
    (b".RMF\0", "rm"), (b".ra\xfd", "ra"), (b"\xb7\xd8\0 7I\xda\x11", "wtv"), (b"\x1f\x07\0", "dv"),
    (b"DKIF\0\0", "ivf"), (b"nut/multimedia", "nut"), (b"YUV4MPEG2 ", "y4m"),
    (b"caff\0\x01", "caf"), (b"#!AMR", "amr"), (b".snd\0", "au"), (b"MThd\0\0\0\x06", "midi"),
    (b"wvpk", "wv"), (b"TTA1", "tta"), (b"TTA2", "tta"), (b"MPCK", "mpc"), (b"MP+\x07", "mpc"),
    (b"MP+\x17", "mpc"), (b"tBaK", "tak"),
    (b"DSD \x1c\0\0\0", "dsf"), (b"FRM8\0", "dff"), (b"riff\x2e\x91\xcf\x11", "w64"),
    (b"Creative Voice File", "voc"), (b"\x7f\xfe\x80\x01", "dts"), (b"\xfe\x7f\x01\x80", "dts"),
    (b"Extended Module: ", "xm"), (b"IMPM", "xm"),
)  # fmt: skip
_RIFF: Final = {b"WEBP": "webp", b"AVI ": "avi", b"WAVE": "wav", b"RMID": "midi", b"QLCM": "qcp", b"ACON": "ico"}
_IFF: Final = {b"AIFF": "aiff", b"AIFC": "aiff", b"8SVX": "8svx"}
_CHUNKED: Final = {b"RIFF": _RIFF, b"RF64": _RIFF, b"BW64": _RIFF, b"RIFX": {}, b"FORM": _IFF}
_RAW_MAKERS: Final = ((b"NIKON", "nef"), (b"SONY", "arw"), (b"PENTAX", "pef"))
_DNG_VERSION_TAG: Final = 0xC612
_EBML: Final = b"\x1a\x45\xdf\xa3"
_TS_PACKETS: Final = (188, 192, 204)
"""Bytes of a packet: broadcast, camcorder and Blu-ray (with a timestamp), with error correction."""
_TS_SYNC: Final = b"G"
_TS_SYNCS: Final = 5
_NO_BRANDS: Final = {
    b"moov": "mov", b"mdat": "mov", b"wide": "mov", b"free": "mov", b"skip": "mov", b"pnot": "mov",
    b"moof": "mp4", b"styp": "mp4",
}  # fmt: skip
"""First boxes of files without a brand: old QuickTime, and fragments of a streamed MP4."""
_ASF_SOUND: Final = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")
_ASF_PICTURE: Final = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_BMP: Final = re.compile(rb"BM.{4}\0{4}", re.DOTALL)
_EMF: Final = re.compile(rb"\x01\0\0\0.{36} EMF", re.DOTALL)
_ICON: Final = re.compile(rb"\0\0[\x01\x02]\0[\x01-\xff]\0.{3}\0.{4}.{4}[\x16-\xff]", re.DOTALL)
_PNM: Final = re.compile(rb"P[1-7]\s(?:#[^\n]*\n|\s)*(?:\d+\s|WIDTH )")
_APE: Final = re.compile(rb"MAC .\x0f", re.DOTALL)
_SWF: Final = re.compile(rb"[FCZ]WS[\x03-\x32]")
_RAW_H264: Final = re.compile(rb"\0?\0\0\x01(?:[\x27\x47\x67]|\x09[\x10-\xf0]\0)")
_RAW_HEVC: Final = re.compile(rb"\0?\0\0\x01[\x40\x42\x46]\x01")


def recognise(head: bytes) -> Format | None:
    """The format of a file that begins with `head`; None: no known media format."""
    name = _name(head)
    if name is None:
        return None
    form = FORMATS[name]
    return replace(form, kind=AUDIO, mime=form.sound_mime or form.mime) if _is_wma(name, head) else form


def _name(head: bytes) -> str | None:
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _of_tiff(head)
    if head[:4] in _CHUNKED:
        return _CHUNKED[head[:4]].get(head[8:12])
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[:4] == _EBML:
        return "webm" if b"webm" in head[:64] else "mkv" if b"matroska" in head[:64] else None
    if head[4:8] in _NO_BRANDS:
        return _NO_BRANDS[head[4:8]]
    return _of_patterns(head) or ("ts" if _is_ts(head) else _of_sound(head))


def _of_patterns(head: bytes) -> str | None:
    patterns = (
        (_BMP, "bmp"),
        (_EMF, "emf"),
        (_ICON, "ico"),
        (_PNM, "pnm"),
        (_SWF, "swf"),
        (_RAW_HEVC, "hevc"),
        (_RAW_H264, "h264"),
        (_APE, "ape"),
    )
    if _is_svg(head):
        return "svg"
    return next((name for pattern, name in patterns if pattern.match(head)), None)


def _of_tiff(head: bytes) -> str:
    """The format of a TIFF: cameras store raw pictures in it, told apart by the maker and by DNG's tag."""
    if head[8:10] == b"CR":
        return "cr2"
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    first = int.from_bytes(head[4:8], order)
    count = int.from_bytes(head[first : first + 2], order)
    tags = {
        int.from_bytes(head[at : at + 2], order)
        for at in range(first + 2, min(first + 2 + 12 * count, len(head) - 1), 12)
    }
    if _DNG_VERSION_TAG in tags:
        return "dng"
    # Only the first directory of a raw picture has subdirectories (tag 0x014A).
    makers = _RAW_MAKERS if 0x014A in tags else ()
    return next((name for maker, name in makers if maker in head.upper()), "tiff")


def _of_brands(head: bytes) -> str:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[at : at + 4] for at in range(16, size, 4))}
    if major in _AVIF_BRANDS or (major in _HEIC_BRANDS and brands & _AVIF_BRANDS):
        return "avif"
    if major in _HEIC_BRANDS:
        return "heic"
    return _BRANDS.get(major, "mp4")


def _is_svg(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith(b"<svg") or (text.startswith((b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text)


def _is_wma(name: str, head: bytes) -> bool:
    return name == "asf" and _ASF_SOUND in head and _ASF_PICTURE not in head


def _is_ts(head: bytes) -> bool:
    """Whether every packet begins with the sync byte; a recording may begin within a packet."""
    for size in _TS_PACKETS:
        for match in re.finditer(_TS_SYNC, head[:size]):
            marks = head[match.start() :: size]
            if len(marks) >= _TS_SYNCS and marks.count(_TS_SYNC) == len(marks):
                return True
    return len(head) > 188 * 2 and all(head[at : at + 1] == _TS_SYNC for at in (0, 188, 188 * 2))


def _of_sound(head: bytes) -> str | None:
    """The codec of bare sound. ID3 tags count as mp3; frames of mp3 and ADTS begin with eleven set bits."""
    if head[:3] == b"ID3" and len(head) >= 10:
        return "mp3"
    if head[:2] == b"\x0b\x77":
        return "ac3"
    if head[:1] == b"\x56" and len(head) > 1 and head[1] & 0xE0 == 0xE0:
        return "latm"
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    if head[1] & 0xE0 == 0xE0 and head[1] & 0x06 and head[2] & 0xF0 != 0xF0 and head[2] & 0x0C != 0x0C:
        return "mp3"
    return None
