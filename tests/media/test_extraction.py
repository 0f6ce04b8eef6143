"""The attributes of each file of the set, and the errors of files that cannot be read."""

import io
from dataclasses import fields

import pytest
from PIL import Image, ImageOps

from sitejobs.media.attributes import Attributes, attributes_from_json
from sitejobs.media.extraction import Unreadable
from sitejobs.media.parser_host import ParserHost
from tests.media.sources import FILES, content, extracted

UNREADABLE = {
    "empty.mp4": "empty",
    "text.mp4": "not-media",
    "page.html.jpg": "not-media",
    "program.jpg": "not-media",
    "polyglot-script.gif": "damaged",
    "truncated.jpg": "damaged",
    "truncated.png": "damaged",
    "truncated-moov-first.mp4": "truncated",
    "truncated-moov-last.mp4": "truncated",
}
FORMATS = {"opus": "ogg", "jpg": "jpeg"}
READABLE = sorted(path.name for path in FILES.iterdir() if path.name not in UNREADABLE)


@pytest.mark.parametrize(("name", "code"), UNREADABLE.items())
def test_a_file_that_cannot_be_read_says_why(parser: ParserHost, name: str, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        extracted(parser, content(name))
    assert caught.value.code == code


@pytest.mark.parametrize("name", READABLE)
def test_the_content_decides_the_format(parser: ParserHost, name: str) -> None:
    found = extracted(parser, content(name))
    ending = name.rpartition(".")[2]
    wanted = "png" if name == "picture.mp4" else FORMATS.get(ending, ending)
    assert found.format == wanted
    assert found.sizeBytes == len(content(name))
    again = attributes_from_json(found.to_json())
    assert again == found


@pytest.mark.parametrize("name", ["moov-first.mp4", "animated.gif", "vbr-header.mp3", "plain.heic", "vp9.webm"])
def test_a_name_changes_nothing(parser: ParserHost, name: str) -> None:
    """The parser gets no file name: both calls are the same."""
    assert extracted(parser, content(name)) == extracted(parser, content(name))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_and_looks_are_as_displayed(parser: ParserHost, orientation: int) -> None:
    data = content(f"orientation-{orientation}.jpg")
    found = extracted(parser, data)
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (found.width, found.height) == shown.size
    assert (found.storedWidth, found.storedHeight) == (60, 40)
    assert found.aspectRatio == pytest.approx(shown.size[0] / shown.size[1])
    turned: Image.Image = Image.open(io.BytesIO(content("plain.jpg")))
    if found.mirrored:
        turned = ImageOps.mirror(turned)
    turned = turned.rotate(-(found.rotation or 0), expand=True)
    assert turned.size == shown.size
    for corner in ((2, 2), (shown.width - 3, 2), (2, shown.height - 3), (shown.width - 3, shown.height - 3)):
        assert near(turned.getpixel(corner), shown.getpixel(corner))
    tiny = placeholder_of(found)
    for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
        there = ((tiny.width - 1) * corner[0], (tiny.height - 1) * corner[1])
        wanted = ((shown.width - 1) * corner[0], (shown.height - 1) * corner[1])
        assert near(tiny.getpixel(there), shown.getpixel(wanted), 90)


def near(one: object, other: object, tolerance: int = 30) -> bool:
    assert isinstance(one, tuple)
    assert isinstance(other, tuple)
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def placeholder_of(found: Attributes) -> Image.Image:
    import base64

    assert found.placeholder is not None
    image = Image.open(io.BytesIO(base64.b64decode(found.placeholder)))
    assert image.format == "WEBP"
    assert max(image.size) == 16
    assert len(found.placeholder) < 400
    return image.convert("RGB")


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png", "plain.heic", "plain.avif", "lossy.webp", "still.gif"])
def test_the_main_colour_is_the_most_frequent_one(parser: ParserHost, name: str) -> None:
    colour = extracted(parser, content(name)).dominantColor
    assert colour is not None
    parts = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
    assert near(parts, (200, 30, 40), 6)


def test_the_colour_of_what_nobody_sees_does_not_count(parser: ParserHost) -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((10, 20, 250, 255), (0, 0, 10, 10))
    assert extracted(parser, saved(image)).dominantColor == "#0a14fa"
    assert extracted(parser, saved(Image.new("RGBA", (40, 40), (0, 255, 0, 0)))).dominantColor is None


def saved(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"], ids=lambda mode: mode.replace(";", "-"))
def test_every_kind_of_pixel_has_its_looks(parser: ParserHost, mode: str) -> None:
    image = Image.linear_gradient("L").resize((50, 30))
    found = extracted(parser, saved(image.convert(mode) if mode != "I;16" else image.convert("I").convert("I;16")))
    assert placeholder_of(found).size[0] == 16
    assert found.dominantColor is not None


@pytest.mark.parametrize("name", ["animated.gif", "animated.png", "animated.webp", "animated.avif"])
def test_animations_have_frames_and_a_length(parser: ParserHost, name: str) -> None:
    found = extracted(parser, content(name))
    assert (found.animated, found.frameCount) == (True, 5)
    assert found.durationMs == 700


@pytest.mark.parametrize("name", ["still.gif", "plain.png", "lossless.webp", "plain.jpg", "plain.heic"])
def test_stills_have_none(parser: ParserHost, name: str) -> None:
    found = extracted(parser, content(name))
    assert (found.animated, found.frameCount, found.durationMs) == (False, 1, None)


def test_an_image_says_it_has_neither_moving_picture_nor_sound(parser: ParserHost) -> None:
    found = extracted(parser, content("plain.jpg"))
    assert (found.kind, found.hasVideo, found.hasAudio) == ("IMAGE", False, False)


def test_a_huge_image_is_measured_and_not_decoded(parser: ParserHost) -> None:
    found = extracted(parser, content("huge.png"))
    assert (found.width, found.height, found.placeholder) == (50_000, 50_000, None)


def test_a_sound_with_a_cover_is_a_sound(parser: ParserHost) -> None:
    found = extracted(parser, content("cover.mp3"))
    assert (found.kind, found.hasVideo, found.mimeType) == ("AUDIO", False, "audio/mpeg")


def test_a_sound_without_any_header_is_measured_frame_by_frame(parser: ParserHost) -> None:
    # ffprobe and MediaInfo take the bit rate of the silence at the beginning for all of it: 9.9 s.
    assert extracted(parser, content("vbr-headless.mp3")).durationMs == pytest.approx(6_000, abs=60)
    assert extracted(parser, content("sound.aac")).durationMs == pytest.approx(2_000, abs=60)


def test_what_a_browser_records_has_its_length(parser: ParserHost) -> None:
    # No header, no index, no size: the duration comes from the last cluster's blocks.
    assert extracted(parser, content("recorded.webm")).durationMs == pytest.approx(2_000, abs=60)


def test_a_truncated_matroska_file_is_noticed(parser: ParserHost) -> None:
    whole = content("sound.mkv")
    with pytest.raises(Unreadable) as caught:
        extracted(parser, whole[: len(whole) * 2 // 3])
    assert caught.value.code == "truncated"


def test_pixels_that_are_not_square_are_stretched(parser: ParserHost) -> None:
    found = extracted(parser, content("wide-pixels.mp4"))
    assert (found.width, found.height, found.storedWidth, found.storedHeight) == (192, 64, 96, 64)


@pytest.mark.parametrize(("name", "hdr"), [("hdr10.mp4", "HDR10"), ("hlg.mp4", "HLG"), ("silent.mp4", None)])
def test_high_dynamic_range_is_told(parser: ParserHost, name: str, hdr: str | None) -> None:
    found = extracted(parser, content(name))
    assert found.hdrFormat == hdr
    assert found.bitDepth == (10 if hdr else 8)


def test_when_it_was_taken(parser: ParserHost) -> None:
    assert extracted(parser, content("private.jpg")).capturedAt == "2023-07-08T09:10:11"
    assert extracted(parser, content("spoken.mov")).capturedAt == "2024-05-06T07:08:09"
    assert extracted(parser, content("moov-first.mp4")).capturedAt is None


NUMBERS = [item.name for item in fields(Attributes) if str(item.type).startswith(("int", "float"))]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 10**18, "x", "nan", "1e999", None, True, [], {}])
def test_absurd_values_do_not_get_through(value: object) -> None:
    assert len(NUMBERS) > 10
    assert attributes_from_json(dict.fromkeys(NUMBERS, value)).to_json() == {}


def test_unknown_names_and_long_texts_do_not_get_through() -> None:
    given = {"owner": "SECRET", "videoCodec": "x" * 100, "videoProfile": "Jane's \n film", "language": "SECRET NAME"}
    assert attributes_from_json(given).to_json() == {}
