"""The rules for uploads, at the limits and beyond."""

from dataclasses import replace

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.media.attributes import Attributes
from sitejobs.media.rules import Claim, broken_rules, read_rules

IMAGE = Attributes(format="jpeg", kind="IMAGE", mimeType="image/jpeg", sizeBytes=1000, width=100, height=50)
VIDEO = replace(IMAGE, format="mp4", kind="VIDEO", mimeType="video/mp4", durationMs=1000)
AUDIO = Attributes(format="mp3", kind="AUDIO", mimeType="audio/mpeg", sizeBytes=1000, durationMs=1000)
MB = 1 << 20


def codes(found: Attributes, mime: str | None = None, **environment: str) -> list[str]:
    return [reason.code for reason in broken_rules(found, Claim(found.kind or "", mime), read_rules(environment))]


@pytest.mark.parametrize("good", [IMAGE, VIDEO, AUDIO], ids=lambda found: found.kind)
def test_what_keeps_the_rules_is_good(good: Attributes) -> None:
    assert codes(good, good.mimeType) == []


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (replace(VIDEO, durationMs=180_000), []),
        (replace(VIDEO, durationMs=180_001), ["duration"]),
        (replace(AUDIO, durationMs=180_001), ["duration"]),
        (replace(IMAGE, durationMs=180_001), ["duration"]),
        (replace(VIDEO, durationMs=None), ["duration-unknown"]),
        (replace(AUDIO, durationMs=None), ["duration-unknown"]),
        (replace(VIDEO, width=3840, height=2160), []),
        (replace(VIDEO, width=2160, height=3840), []),
        (replace(VIDEO, width=3841, height=10), ["dimensions"]),
        (replace(VIDEO, width=10, height=3841), ["dimensions"]),
        (replace(VIDEO, width=2161, height=2161), ["dimensions"]),
        (replace(IMAGE, width=4032, height=3024), []),
        (replace(IMAGE, width=8064, height=6048), []),
        (replace(IMAGE, width=12_000, height=100), []),
        (replace(IMAGE, width=10_000, height=5_000), []),
        (replace(IMAGE, width=10_000, height=5_001), ["dimensions"]),
        (replace(IMAGE, storedWidth=10_000, storedHeight=5_001), ["dimensions"]),
        (replace(VIDEO, storedWidth=5000, storedHeight=10), ["dimensions"]),
        (replace(IMAGE, width=None), ["dimensions-unknown"]),
        (replace(IMAGE, sizeBytes=25 * MB), []),
        (replace(IMAGE, sizeBytes=25 * MB + 1), ["size"]),
        (replace(VIDEO, sizeBytes=500 * MB + 1), ["size"]),
        (replace(AUDIO, sizeBytes=50 * MB + 1), ["size"]),
        (replace(IMAGE, format="bmp"), ["format"]),
    ],
)
def test_a_rule_holds_to_its_limit(found: Attributes, wanted: list[str]) -> None:
    assert codes(found) == wanted


@pytest.mark.parametrize(
    ("claimed", "found", "same"),
    [
        (None, IMAGE, True),
        ("", IMAGE, True),
        ("application/octet-stream", IMAGE, True),
        ("IMAGE/JPG; q=1", IMAGE, True),
        ("image/png", IMAGE, False),
        ("video/x-m4v", VIDEO, True),
        ("video/quicktime", VIDEO, True),
        ("video/3gpp", VIDEO, True),
        ("video/mov", VIDEO, True),
        ("video/m4v", VIDEO, True),
        ("application/mp4", VIDEO, True),
        ('VIDEO/MP4; codecs="avc1.42E01E, mp4a.40.2"', VIDEO, True),
        ("video/*", VIDEO, True),
        ("audio/*", VIDEO, False),
        ("audio/mp4", VIDEO, False),
        ("video/webm", VIDEO, False),
        ("video/mp4", replace(AUDIO, format="mp4", mimeType="audio/mp4"), True),
        ("video/3gpp", replace(AUDIO, format="mp4", mimeType="audio/mp4"), True),
        ("audio/x-m4b", replace(AUDIO, format="m4a", mimeType="audio/mp4"), True),
        ("audio/m4b", replace(AUDIO, format="m4a", mimeType="audio/mp4"), True),
        ("video/webm;codecs=opus", replace(AUDIO, format="webm", mimeType="audio/webm"), True),
        ("video/x-matroska", replace(VIDEO, format="webm", mimeType="video/webm"), True),
        ("video/webm", replace(VIDEO, format="mkv", mimeType="video/x-matroska"), True),
        ("video/mp4", replace(VIDEO, format="mov", mimeType="video/quicktime"), True),
        ("audio/opus", replace(AUDIO, format="ogg", mimeType="audio/ogg"), True),
        ("audio/x-mpeg", AUDIO, True),
        ("audio/mpg", AUDIO, True),
        ("audio/aac", AUDIO, False),
        ("image/heif", replace(IMAGE, format="heic", mimeType="image/heic"), True),
        ("image/pjpeg", IMAGE, True),
        ("audio/mp3", AUDIO, True),
        ("audio/wav", AUDIO, False),
        ("text/html", AUDIO, False),
    ],
)
def test_other_names_of_the_same_type_are_the_same(claimed: str | None, found: Attributes, same: bool) -> None:
    assert codes(found, claimed) == ([] if same else ["mime-type"])


def test_the_reason_tells_what_was_claimed_what_was_found_and_what_would_do() -> None:
    [reason] = broken_rules(VIDEO, Claim("VIDEO", "application/pdf"), read_rules({}))
    assert reason.detail == (
        "the content is video/mp4, the record says application/pdf; these would do:"
        " video/mp4, video/quicktime, video/x-m4v"
    )


def test_a_format_that_was_not_looked_into_is_told_alone_and_by_name() -> None:
    found = Attributes(format="nef", kind="IMAGE", mimeType="image/x-nikon-nef", sizeBytes=90 * MB)
    [reason] = broken_rules(found, Claim("VIDEO", "text/html"), read_rules({}))
    assert reason.code == "format"
    assert "nef (Nikon camera raw)" in reason.detail


def test_a_reason_repeats_no_text_of_others() -> None:
    reasons = broken_rules(IMAGE, Claim("SECRET", "text/SECRET"), read_rules({}))
    assert [reason.code for reason in reasons] == ["type", "mime-type"]
    assert "SECRET" not in str(reasons).upper().replace("'SECRET'", "")


def test_every_rule_is_a_setting() -> None:
    assert codes(replace(VIDEO, durationMs=2001), MEDIA_MAX_SECONDS="2") == ["duration"]
    assert codes(VIDEO, MEDIA_MAX_WIDTH="99", MEDIA_MAX_HEIGHT="99") == ["dimensions"]
    assert codes(IMAGE, MEDIA_MAX_WIDTH="99", MEDIA_MAX_HEIGHT="99") == []
    assert codes(IMAGE, MEDIA_MAX_IMAGE_PIXELS="4999") == ["dimensions"]
    for kind, setting in ((IMAGE, "IMAGE"), (VIDEO, "VIDEO"), (AUDIO, "AUDIO")):
        assert codes(replace(kind, sizeBytes=MB + 1), **{f"MEDIA_MAX_{setting}_MB": "1"}) == ["size"]
    assert codes(IMAGE, MEDIA_FORMATS="png, mp4") == ["format"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEDIA_MAX_SECONDS", "x"),
        ("MEDIA_MAX_WIDTH", "0"),
        ("MEDIA_MAX_IMAGE_PIXELS", "50M"),
        ("MEDIA_FORMATS", "jpeg,exe"),
        ("MEDIA_PARSER_MEMORY_MB", "1"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=f"environment variable {name} must be .* not '{value}'"):
        read_rules({name: value})


def test_an_empty_setting_has_its_default() -> None:
    assert read_rules({"MEDIA_MAX_SECONDS": ""}) == read_rules({})
