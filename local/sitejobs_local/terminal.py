"""Texts of a site's people in a terminal: they are shown and never obeyed."""

import re
from typing import Final

_CONTROLS: Final = re.compile(
    "["
    r"\x00-\x09\x0b-\x1f\x7f-\x9f"  # control characters, escape sequences among them; the end of a line stays
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of what follows
    r"\u2028\u2029\ufff9-\ufffb"  # ends of lines and paragraphs that are no line feed, annotations
    "]"
)


def escaped(text: str) -> str:
    """JSON with each such character as its number: a program reads the same, and a terminal obeys none."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def harmless(text: str, *, but: str = "") -> str:
    """The text with each character that a terminal would obey replaced, save those of `but`."""
    return _CONTROLS.sub(lambda found: found[0] if found[0] in but else "\N{REPLACEMENT CHARACTER}", text)
