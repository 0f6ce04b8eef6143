"""Images: size, orientation, animation, capture date, placeholder and main colour, with Pillow and pillow-heif."""

import base64
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, Final, cast

import pillow_heif
from PIL import Image, ImageFile

from sitejobs.media.gif import read_gif
from sitejobs.media.heif import read_heif
from sitejobs.media.jpeg import read_jpeg
from sitejobs.media.picture import TURNS, Animation, Picture, exif_of, orientation_of, taken_at
from sitejobs.media.png import read_png
from sitejobs.media.reading import RangedFile, held
from sitejobs.media.webp import read_webp

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
# Our own limit is checked before anything is decoded; Pillow's would raise an error.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False

PLACEHOLDER_SIDE: Final = 16
_SMALL_SIDE: Final = 64
_COLOURS: Final = 8
_SPARING_PIXELS: Final = 4_000_000
"""Pixels above which an image is reduced before it is converted, by leaving pixels out."""
_SPARED_SIDE: Final = 1024
_STRIP: Final = 256
_BYTES_A_PIXEL: Final = 8
_COPIES: Final = 3
"""Copies of a file in memory while it is decoded."""

_PILLOW: Final = {
    "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP", "heic": "HEIF", "avif": "AVIF", "tiff": "TIFF",
    "bmp": "BMP",
}  # fmt: skip
_READERS: Final[dict[str, Callable[[RangedFile, int, bool], Picture | None]]] = {
    "jpeg": read_jpeg,
    "png": read_png,
    "gif": read_gif,
    "webp": read_webp,
    "heic": partial(read_heif, name="heic"),
    "avif": partial(read_heif, name="avif"),
}


@dataclass(frozen=True)
class Depth:
    """Limits of an image: bytes of one that is read whole, pixels and bytes of memory of one that is decoded."""

    max_bytes: int = 48 << 20
    max_pixels: int = 50_000_000
    memory: int = 512 << 20


def image_attributes(file: RangedFile, size: int, name: str, depth: Depth) -> dict[str, Any]:
    """Attributes of an image of a known format; empty if it is too large to read and its header tells no size.

    An image beyond `depth` is not decoded: it has no placeholder.

    Raises
    ------
    Exception : of any class; the image is damaged.
    """
    whole = size <= depth.max_bytes
    if not whole:
        known = _READERS[name](file, size, False) if name in _READERS else None
        return {} if known is None else _size(known)
    source = held(file, size)
    picture = _READERS[name](source, size, True) if name in _READERS else None
    if picture is None:
        picture = _opened(source, name)
    found = _size(picture)
    found["capturedAt"] = taken_at(exif_of(picture.exif), picture.xmp)
    frames = picture.animation
    if picture.width * picture.height <= depth.max_pixels and picture.memory + _COPIES * size <= depth.memory:
        try:
            looks, counted = _decoded(picture, source, name)
            _check_trials(picture, name, depth)
            found |= looks
            frames = frames or counted
        except MemoryError:
            pass  # our own limit: the image may be good
    return found | _animated(frames or Animation(picture.width, picture.height, 1, 0))


def _decoded(picture: Picture, source: RangedFile, name: str) -> tuple[dict[str, Any], Animation]:
    """Placeholder and colour, and the frames that the decoder counts."""
    # libheif turns the picture itself.
    orientation = 1 if name == "heic" else picture.orientation
    drawn = cast(IO[bytes], source) if picture.drawn is None else picture.drawn
    try:
        return _looked_at(drawn, name, orientation)
    except OSError:
        if picture.mended is None:
            raise
        return _looked_at(picture.mended(), name, orientation)


def _looked_at(file: IO[bytes], name: str, orientation: int) -> tuple[dict[str, Any], Animation]:
    file.seek(0)
    with Image.open(file, formats=[_PILLOW[name]]) as image:
        return _looks(image, orientation), _frames_of(image)


def _opened(file: RangedFile, name: str) -> Picture:
    """An image without a reader of its own, as Pillow describes it."""
    file.seek(0)
    with Image.open(cast(IO[bytes], file), formats=[_PILLOW[name]]) as image:
        width, height = image.size
        exif = b""
        if name == "tiff":
            exif = file.at(0, 1 << 20)
        orientation = orientation_of(exif_of(exif)) if name == "tiff" else 1
    return Picture(width, height, orientation, exif=exif, memory=width * height * _BYTES_A_PIXEL)


def _check_trials(picture: Picture, name: str, depth: Depth) -> None:
    """Refuse a picture if its missing end held pixels. Raises ValueError, or what the decoder raises."""
    spare = 4 * picture.width * picture.height + picture.memory > depth.memory
    if len({_sum_of(trial, name, spare) for trial in picture.trials}) > 1:
        raise ValueError("some of the picture is missing")


def _sum_of(file: IO[bytes], name: str, spare: bool) -> int:
    """A checksum of a picture's pixels; with `spare`, of a reduced copy that takes less memory."""
    with Image.open(file, formats=[_PILLOW[name]]) as image:
        if spare:
            image.draft("RGB", (_SMALL_SIDE * 2, _SMALL_SIDE * 2))
        image.load()
        width, height = image.size
        known = 0
        for top in range(0, height, _STRIP):
            known = zlib.crc32(image.crop((0, top, width, min(top + _STRIP, height))).tobytes(), known)
    return known


def _size(picture: Picture) -> dict[str, Any]:
    rotation, mirrored = TURNS[picture.orientation]
    width, height = picture.width, picture.height
    shown = (height, width) if rotation in (90, 270) else (width, height)
    return {
        "storedWidth": width,
        "storedHeight": height,
        "width": shown[0],
        "height": shown[1],
        "rotation": rotation,
        "mirrored": mirrored,
        "aspectRatio": shown[0] / shown[1] if shown[1] else None,
    }


def _frames_of(image: Image.Image) -> Animation:
    width, height = image.size
    frames = int(getattr(image, "n_frames", 1)) if image.format == "AVIF" else 1
    return Animation(width, height, frames, 0)


def _animated(animation: Animation) -> dict[str, Any]:
    moving = animation.frames > 1
    duration = animation.duration_ms if moving else None
    return {"animated": moving, "frameCount": animation.frames, "durationMs": duration or None}


def _looks(image: Image.Image, orientation: int) -> dict[str, Any]:
    """Placeholder and main colour. This is the only step that decodes, so it also finds damaged data."""
    image.draft("RGB", (_SMALL_SIDE * 2, _SMALL_SIDE * 2))
    image.load()
    small = _reduced(_eight_bits(image))
    small = _turned(small, orientation)
    return {"placeholder": _placeholder(small), "dominantColor": _dominant(small)}


def _eight_bits(image: Image.Image) -> Image.Image:
    """16 bits of grey scaled to eight: Pillow would clip values above 255."""
    if not image.mode.startswith("I;16"):
        return image
    small = image.resize(_fitting(image.size, _SPARED_SIDE), Image.Resampling.NEAREST)
    high = 0 if image.mode == "I;16B" else 1
    return Image.frombytes("L", small.size, small.tobytes()[high::2])


def _reduced(image: Image.Image) -> Image.Image:
    """A small copy in RGB or RGBA. Large images are reduced before the conversion: memory has no room for two."""
    transparent = _is_transparent(image)
    plain = image.mode in ("RGB", "L", "CMYK", "YCbCr") and "transparency" not in image.info
    if plain:
        image = image.resize(_fitting(image.size, _SMALL_SIDE), Image.Resampling.BOX)
    elif image.width * image.height > _SPARING_PIXELS:
        info = image.info
        image = image.resize(_fitting(image.size, _SPARED_SIDE), Image.Resampling.NEAREST)
        image.info = info
    image = image.convert("RGBA" if transparent else "RGB")
    return image.resize(_fitting(image.size, _SMALL_SIDE), Image.Resampling.BOX)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size reduced to fit a square of `side`, no side under one pixel."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    rotation, mirrored = TURNS[orientation]
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turn = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
    return image.transpose(turn[rotation]) if rotation else image


def _placeholder(image: Image.Image) -> str:
    """16 pixels on the longer side, WebP in base64. Measured: 84 bytes of WebP in 0.1 ms."""
    tiny = image.copy()
    tiny.thumbnail((PLACEHOLDER_SIDE, PLACEHOLDER_SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    tiny.save(buffer, "WEBP", quality=40, method=4)
    return base64.b64encode(buffer.getvalue()).decode()


def _dominant(image: Image.Image) -> str | None:
    """The most frequent of `_COLOURS` colours of the opaque pixels; None if no pixel is opaque."""
    if image.mode == "RGBA":
        raw = image.tobytes()
        opaque = [tuple(raw[at : at + 3]) for at in range(0, len(raw), 4) if raw[at + 3] >= 128]
        if not opaque:
            return None
        image = Image.new("RGB", (len(opaque), 1))
        image.putdata(opaque)
    reduced = image.quantize(_COLOURS, Image.Quantize.MEDIANCUT)
    counts = cast(list[tuple[int, int]] | None, reduced.getcolors())
    palette = reduced.getpalette()
    if not counts or not palette:
        return None
    index = max(counts, key=lambda entry: (entry[0], -entry[1]))[1]
    return "#" + "".join(f"{part:02x}" for part in palette[3 * index : 3 * index + 3])
