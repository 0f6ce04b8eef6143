"""The rules for uploads. All rules that a file breaks are reported, not only the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import Field, field_validator

from sitejobs.errors import InvalidInput
from sitejobs.media import mime_types
from sitejobs.media.attributes import AUDIO, IMAGE, KINDS, VIDEO, Attributes
from sitejobs.media.formats import FORMATS
from sitejobs.variables import Variables, read_environment

DEFAULT_FORMATS: Final = "jpeg,png,gif,webp,heic,avif,mp4,mov,webm,mkv,avi,ts,mp3,m4a,aac,ogg,flac,wav"


@dataclass(frozen=True)
class Reason:
    """Why an upload was refused: a code for programs, a sentence for people. Neither quotes the file."""

    code: str
    detail: str

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "detail": self.detail}


@dataclass(frozen=True)
class Claim:
    """What the site's record says the object is."""

    type: str
    mime_type: str | None = None


class Rules(Variables):
    """The rules and the parser's limits, as the function's environment sets them."""

    max_seconds: int = Field(
        default=180, alias="MEDIA_MAX_SECONDS", ge=1, le=604_800, description="length at most, in seconds"
    )
    max_width: int = Field(
        default=3840,
        alias="MEDIA_MAX_WIDTH",
        ge=1,
        le=1_000_000,
        description="pixels of a film at most at the longer side, either way up",
    )
    max_height: int = Field(
        default=2160,
        alias="MEDIA_MAX_HEIGHT",
        ge=1,
        le=1_000_000,
        description="pixels of a film at most at the shorter side",
    )
    max_image_pixels: int = Field(
        default=50_000_000,
        alias="MEDIA_MAX_IMAGE_PIXELS",
        ge=1,
        le=1_000_000_000,
        description="pixels of an image at most, width times height",
    )
    max_image_mb: int = Field(
        default=25, alias="MEDIA_MAX_IMAGE_MB", ge=1, le=100_000, description="size of an image at most, in MB"
    )
    max_video_mb: int = Field(
        default=500, alias="MEDIA_MAX_VIDEO_MB", ge=1, le=100_000, description="size of a video at most, in MB"
    )
    max_audio_mb: int = Field(
        default=50, alias="MEDIA_MAX_AUDIO_MB", ge=1, le=100_000, description="size of a sound at most, in MB"
    )
    formats: str = Field(
        default=DEFAULT_FORMATS,
        alias="MEDIA_FORMATS",
        description="formats that are allowed",
        json_schema_extra={"takes": f"names out of {', '.join(FORMATS)}, comma separated"},
    )
    parser_seconds: int = Field(
        default=20,
        alias="MEDIA_PARSER_SECONDS",
        ge=1,
        le=600,
        description="time that one upload may take to be understood, in seconds",
    )
    parser_memory_mb: int = Field(
        default=512,
        alias="MEDIA_PARSER_MEMORY_MB",
        ge=64,
        le=8192,
        description="memory that one upload may take, in MB; the functions have 1,024",
    )
    parser_read_mb: int = Field(
        default=64, alias="MEDIA_PARSER_READ_MB", ge=1, le=10_000, description="MB of one upload that may be read"
    )
    parser_max_pixels: int = Field(
        default=50_000_000,
        alias="MEDIA_PARSER_MAX_PIXELS",
        ge=10_000,
        le=1_000_000_000,
        description="pixels of an image that is decoded, for its placeholder and colour",
    )

    @field_validator("formats")
    @classmethod
    def _known_formats(cls, value: str) -> str:
        if not {name.strip() for name in value.split(",")} <= set(FORMATS):
            raise ValueError(value)
        return value

    @property
    def allowed(self) -> list[str]:
        """Names of the allowed formats."""
        return [name.strip() for name in self.formats.split(",")]

    def max_bytes(self, kind: str) -> int:
        """The size limit of a kind."""
        limits = {IMAGE: self.max_image_mb, VIDEO: self.max_video_mb, AUDIO: self.max_audio_mb}
        return limits.get(kind, self.max_video_mb) << 20


def read_rules(environment: Mapping[str, str]) -> Rules:
    """The rules of an environment; a variable that is not set or empty has its default.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    rules = read_environment(Rules, environment)
    if rules.parser_read_mb * 3 < rules.max_image_mb * 4:
        raise InvalidInput(
            f"environment variable MEDIA_PARSER_READ_MB: {rules.parser_read_mb}, at least a third more than"
            f" MEDIA_MAX_IMAGE_MB ({rules.max_image_mb}) is needed: an image is read whole"
        )
    return rules


def broken_rules(found: Attributes, claim: Claim, rules: Rules) -> list[Reason]:
    """Every rule that a readable file breaks. A file that was not parsed breaks the format rule only."""
    form = _format(found, claim, rules)
    if form is not None and found.hasVideo is None:
        return [form]
    checks = (_format, _type, _mime_type, _size, _dimensions, _duration)
    return [reason for check in checks if (reason := check(found, claim, rules)) is not None]


def _format(found: Attributes, claim: Claim, rules: Rules) -> Reason | None:
    if found.format in rules.allowed:
        return None
    known = FORMATS.get(found.format or "")
    name = known.shown if known is not None else found.format
    return Reason("format", f"the format {name} is not allowed: {', '.join(rules.allowed)} are")


def _type(found: Attributes, claim: Claim, rules: Rules) -> Reason | None:
    if found.kind == claim.type:
        return None
    return Reason("type", f"the content is {found.kind}, the record says {_shown(claim.type, KINDS)}")


def _mime_type(found: Attributes, claim: Claim, rules: Rules) -> Reason | None:
    claimed, content = mime_types.normal(claim.mime_type), found.mimeType or ""
    if mime_types.is_claim_of(claimed, content):
        return None
    fitting = ", ".join(mime_types.would_do(content))
    return Reason(
        "mime-type", f"the content is {content}, the record says {mime_types.shown(claimed)}; these would do: {fitting}"
    )


def _shown(claimed: str, known: tuple[str, ...]) -> str:
    """The claim, if it is a known word: other people's text is not repeated."""
    return claimed if claimed in known else "something else"


def _size(found: Attributes, claim: Claim, rules: Rules) -> Reason | None:
    limit = rules.max_bytes(found.kind or "")
    if found.sizeBytes is None or found.sizeBytes <= limit:
        return None
    return Reason("size", f"{found.sizeBytes:,} bytes, {limit:,} are allowed for {found.kind}")


def _dimensions(found: Attributes, claim: Claim, rules: Rules) -> Reason | None:
    if found.kind not in (IMAGE, VIDEO):
        return None
    shown = (found.width or 0, found.height or 0)
    stored = (found.storedWidth or 0, found.storedHeight or 0)
    for size in (shown, stored):
        too_large = _too_many_pixels(size, rules) if found.kind == IMAGE else _too_wide_or_high(size, rules)
        if too_large is not None:
            return Reason("dimensions", too_large)
    if found.width is None or found.height is None:
        return None if found.format == "svg" else Reason("dimensions-unknown", "the file does not tell its size")
    return None


def _too_many_pixels(size: tuple[int, int], rules: Rules) -> str | None:
    pixels = size[0] * size[1]
    if pixels <= rules.max_image_pixels:
        return None
    return f"{size[0]} x {size[1]} are {pixels:,} pixels, {rules.max_image_pixels:,} are allowed for IMAGE"


def _too_wide_or_high(size: tuple[int, int], rules: Rules) -> str | None:
    long, short = sorted((rules.max_width, rules.max_height), reverse=True)
    if max(size) <= long and min(size) <= short:
        return None
    return f"{size[0]} x {size[1]} pixels, {long} x {short} are allowed, either way up"


def _duration(found: Attributes, claim: Claim, rules: Rules) -> Reason | None:
    if found.durationMs is None:
        if found.kind == IMAGE:
            return None
        return Reason("duration-unknown", "the file does not tell how long it is")
    if found.durationMs <= rules.max_seconds * 1000:
        return None
    return Reason("duration", f"{found.durationMs / 1000:,.1f} s, {rules.max_seconds} s are allowed")
