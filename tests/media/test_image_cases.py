"""Pictures that browsers show whole in spite of their metadata, and truncated ones, with the right values."""

import base64
import io
import struct
import zlib
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageStat

from sitejobs.media.attributes import Attributes
from sitejobs.media.extraction import Unreadable
from sitejobs.media.parser_host import Limits, ParserHost
from tests.media.make_files import picture
from tests.media.sources import Bytes, extracted

pillow_heif.register_heif_opener()

CASES = Path(__file__).parent / "cases"

# Size as displayed and frames by Chromium, capture time by exiftool.
RIGHT: dict[str, tuple[tuple[int, int], int, str | None]] = {
    "eoi-missing.jpg": ((60, 40), 1, None),
    "xmp-orientation6.jpg": ((60, 40), 1, None),
    "exif-garbage.png": ((60, 40), 1, None),
    "exif-str-bytes.png": ((60, 40), 1, None),
    "raw-profile-exif-garbage.png": ((60, 40), 1, None),
    "badcrc-text.png": ((60, 40), 1, None),
    "ztxt-1.5mb.png": ((60, 40), 1, None),
    "iccp-1.5mb.png": ((60, 40), 1, None),
    "exif-garbage.webp": ((64, 48), 1, None),
    "exif-orientation6.webp": ((60, 40), 1, None),
    "heic-exif-text.heic": ((64, 48), 1, None),
    "gif-cut-1.gif": ((64, 48), 5, None),
    "gray16-dark.png": ((64, 64), 1, None),
    "date-digitized-only.jpg": ((60, 40), 1, "2020-02-03T04:05:06"),
    "date-modify-only.jpg": ((60, 40), 1, "2020-02-03T04:05:06"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_picture_that_browsers_show_whole_is_read(parser: ParserHost, name: str) -> None:
    found = extracted(parser, (CASES / name).read_bytes())
    assert ((found.width, found.height), found.frameCount, found.capturedAt) == RIGHT[name]
    assert (found.rotation, found.mirrored) == (0, False)
    assert found.placeholder is not None


def saved(image: Image.Image, form: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def detailed(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture in which no two blocks are equal."""
    return ImageChops.add(picture(size), Image.effect_noise(size, 80).convert("RGB"), 2)


def is_refused(parser: ParserHost, data: bytes) -> bool:
    try:
        extracted(parser, data)
    except Unreadable as error:
        assert error.code == "damaged"
        return True
    return False


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_jpeg_may_lack_its_end_but_nothing_that_is_drawn(parser: ParserHost, progressive: bool) -> None:
    whole = saved(detailed(), "JPEG", quality=80, progressive=progressive)
    assert whole.endswith(b"\xff\xd9")
    for read in (whole, whole[:-1], whole[:-2], whole + b"trailing", whole + bytes(300)):
        assert not is_refused(parser, read)
    for share in (0.5, 0.75, 0.9, 0.97):
        assert is_refused(parser, whole[: int(len(whole) * share)])


def test_a_progressive_jpeg_that_lacks_whole_scans_is_cut_off(parser: ParserHost) -> None:
    whole = saved(detailed(), "JPEG", quality=80, progressive=True)
    scans = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xda"]
    tables = [at for at in range(len(whole) - 1) if whole[at : at + 2] == b"\xff\xc4"]
    assert len(scans) > 5
    last = max(at for at in tables if at < scans[-1])
    assert is_refused(parser, whole[:last])


def test_a_gif_may_lack_its_end_but_no_part_of_a_frame(parser: ParserHost) -> None:
    first, *rest = [detailed().quantize() for _ in range(4)]
    whole = saved(first, "GIF", save_all=True, append_images=rest, duration=100)
    frames = extracted(parser, whole).frameCount
    assert frames == 4
    for read in (whole[:-1], whole[:-2], whole + b"trailing"):
        assert extracted(parser, read).frameCount == 4
    for share in (0.9, 0.97):
        assert is_refused(parser, whole[: int(len(whole) * share)])


def chunk(kind: bytes, data: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)


HEAD = 33  # signature and IHDR
TURNED = Image.Exif()
TURNED[0x0112] = 6
TIFF = TURNED.tobytes().removeprefix(b"Exif\0\0")
PROFILE = b"\nexif\n%8d\n" % (6 + len(TIFF)) + (b"Exif\0\0" + TIFF).hex().encode()
ANCILLARY = {
    "text": chunk(b"tEXt", b"a\0b", 1),
    "compressed text": chunk(b"zTXt", b"a\0\0broken"),
    "bomb": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(80 << 20))),
    "profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3 << 20))),
    "gamma": chunk(b"gAMA", b"\0", 1),
    "transparency": chunk(b"tRNS", b"\0"),
    "time": chunk(b"tIME", b"", 7),
    "exif": chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff"),
}


@pytest.mark.parametrize("added", ANCILLARY.values(), ids=ANCILLARY)
def test_no_other_chunk_of_a_png_makes_it_damaged(parser: ParserHost, added: bytes) -> None:
    whole = saved(picture(), "PNG")
    found = extracted(parser, whole[:HEAD] + added + whole[HEAD:])
    assert (found.width, found.height, found.dominantColor) == (60, 40, "#c81e28")


def test_a_png_may_lack_its_end_and_checksums_but_no_row(parser: ParserHost) -> None:
    whole = saved(detailed(), "PNG")
    end = len(whole) - 12
    wrong = bytearray(whole)
    wrong[end - 1] ^= 1
    packed = bytearray(whole)
    packed[end - 6] ^= 1
    for read in (
        whole[:end],
        whole[:-4],
        whole[: end - 4],
        whole[: end - 8],
        bytes(wrong),
        bytes(packed),
        whole + b"x",
    ):
        assert not is_refused(parser, read)
    for cut in (end - 30, len(whole) // 2):
        assert is_refused(parser, whole[:cut])
    head = bytearray(whole)
    head[HEAD - 1] ^= 1
    assert is_refused(parser, bytes(head))


def test_a_png_turns_as_its_exif_chunk_says_and_as_nothing_else(parser: ParserHost) -> None:
    """As Chromium shows each of them."""
    whole = saved(picture(), "PNG")
    end = len(whole) - 12
    profile = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE))
    for added, turns in (
        (chunk(b"eXIf", TIFF), True),
        (chunk(b"eXIf", TIFF, 1), False),
        (chunk(b"eXIf", b"Exif\0\0" + TIFF), False),
        (chunk(b"eXIf", b"none") + chunk(b"eXIf", TIFF), False),
        (profile, False),
    ):
        found = extracted(parser, whole[:HEAD] + added + whole[HEAD:])
        assert (found.rotation, found.width) == ((90, 40) if turns else (0, 60))
    assert extracted(parser, whole[:end] + chunk(b"eXIf", TIFF) + whole[end:]).rotation == 0


def segment(data: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def test_a_jpeg_turns_as_its_first_exif_segment_says(parser: ParserHost) -> None:
    """As Chromium shows each of them."""
    whole = saved(picture(), "JPEG")
    xmp = segment(b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>')
    for added, turns in (
        (segment(b"Exif\0\0" + TIFF), True),
        (xmp + segment(b"Exif\0\0" + TIFF), True),
        (xmp, False),
        (segment(b"Exif\0\0none") + segment(b"Exif\0\0" + TIFF), False),
        (segment(b"Exif\0\0Exif\0\0" + TIFF), False),
    ):
        found = extracted(parser, whole[:2] + added + whole[2:])
        assert (found.rotation, found.width) == ((90, 40) if turns else (0, 60))


@pytest.mark.parametrize("form", ["HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_or_avif_has_its_size_as_stored_and_its_turn(parser: ParserHost, form: str, orientation: int) -> None:
    turned = Image.Exif()
    turned[0x0112] = orientation
    image = picture((96, 64))
    jpeg = extracted(parser, saved(image, "JPEG", exif=turned.tobytes()))
    # Both encoders convert EXIF's orientation to irot and imir.
    image.info["exif"] = turned.tobytes()
    found = extracted(parser, saved(image, form, exif=turned.tobytes(), quality=90))
    for name in ("width", "height", "storedWidth", "storedHeight", "rotation", "mirrored"):
        assert getattr(found, name) == getattr(jpeg, name), name
    ours, theirs = shown(found), shown(jpeg)
    assert ours.size == theirs.size
    assert ImageStat.Stat(ImageChops.difference(ours, theirs).convert("L")).mean[0] < 12


def shown(found: Attributes) -> Image.Image:
    assert found.placeholder is not None
    return Image.open(io.BytesIO(base64.b64decode(found.placeholder))).convert("RGB")


def test_grey_of_sixteen_bits_is_grey(parser: ParserHost) -> None:
    for level in (0x0040, 0x4000, 0x8000, 0xC0FF):
        image = Image.frombytes("I;16", (40, 30), struct.pack("<H", level) * 1200)
        assert extracted(parser, saved(image, "PNG")).dominantColor == f"#{level >> 8:02x}" + f"{level >> 8:02x}" * 2


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_when_it_was_taken_is_what_the_first_good_field_says(parser: ParserHost, form: str) -> None:
    def taken(changed: str = "", **details: str) -> str | None:
        exif = Image.Exif()
        exif[0x0131] = "camera"
        if changed:
            exif[0x0132] = changed
        inner = exif.get_ifd(0x8769)
        for name, value in details.items():
            inner[{"original": 0x9003, "digitised": 0x9004, "offset": 0x9011}[name]] = value
        return extracted(parser, saved(picture(), form, exif=exif)).capturedAt

    other = "2001:01:01 01:01:01"
    assert taken(other, original="2020:02:03 04:05:06", digitised=other) == "2020-02-03T04:05:06"
    assert taken(other, original="0000:00:00 00:00:00", digitised="2020:02:03 04:05:06") == "2020-02-03T04:05:06"
    assert taken("2020:02:03 04:05:06", original="    :  :     :  :  ", digitised="") == "2020-02-03T04:05:06"
    assert taken(original="1965:12:31 23:59:59") == "1965-12-31T23:59:59"
    # The camera's local time, without the offset.
    assert taken(original="2020:02:03 04:05:06", offset="+09:00") == "2020-02-03T04:05:06"
    assert taken() is None


@pytest.mark.parametrize(
    ("xmp", "wanted"),
    [
        ('<rdf:Description exif:DateTimeOriginal="2020-02-03T04:05:06+02:00"/>', "2020-02-03T04:05:06"),
        ("<xmp:CreateDate>2020-02-03T04:05:06.78Z</xmp:CreateDate>", "2020-02-03T04:05:06"),
        ("<photoshop:DateCreated>2020-02-03T04:05</photoshop:DateCreated>", "2020-02-03T04:05:00"),
        ("<xmp:CreateDate>0000-00-00T00:00:00</xmp:CreateDate>", None),
        ("<xmp:ModifyDate>2020-02-03T04:05:06</xmp:ModifyDate>", None),
    ],
)
def test_when_it_was_taken_may_stand_in_xmp(parser: ParserHost, xmp: str, wanted: str | None) -> None:
    for form in ("JPEG", "PNG", "WEBP", "HEIF", "AVIF"):
        if form == "PNG":
            whole = saved(picture(), "PNG")
            text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode())
            data = whole[:HEAD] + text + whole[HEAD:]
        else:
            data = saved(picture(), form, xmp=xmp.encode())
        assert extracted(parser, data).capturedAt == wanted, form


def test_frames_that_ask_for_no_time_have_what_browsers_give_them(parser: ParserHost) -> None:
    first, *rest = [detailed().quantize() for _ in range(4)]
    for form in ("GIF", "WEBP", "PNG"):
        made = saved(
            first.convert("RGB"), form, save_all=True, append_images=[r.convert("RGB") for r in rest], duration=0
        )
        found = extracted(parser, made)
        assert (found.frameCount, found.durationMs) == (4, 400), form


def test_a_gif_of_comments_takes_no_time(parser: ParserHost) -> None:
    whole = saved(picture(), "GIF")
    at = whole.index(b",")
    found = extracted(parser, whole[:at] + b"!\xfe" + b"\1x" * 3_000_000 + b"\0" + whole[at:])
    assert (found.width, found.frameCount) == (60, 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF"])
def test_a_picture_that_is_too_large_is_measured_by_its_head(form: str) -> None:
    data = saved(detailed((400, 300)), form)
    with ParserHost(Limits(max_image_bytes=1000)) as host:
        source = Bytes(data + bytes(3 << 20))
        found = host.extract(source, len(source.data))
        assert (found.width, found.height, found.placeholder) == (400, 300, None)
        assert host.cost.bytes < 200_000
