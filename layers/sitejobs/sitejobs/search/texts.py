"""What the index derives from a profile's texts: the parts of a place, and keywords of the lists."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sitejobs.search.profiles import BLANKS
from sitejobs.writing import JOINERS, lower

MAX_KEYWORDS = 50
SHORTEST_KEYWORD = 3
LONGEST_KEYWORD = 100
"""Letters of a keyword, at most: longer runs of letters are no words."""

_JOINER = re.compile(f"[{JOINERS}]")


class Place(NamedTuple):
    """Where a user lives; None for what the profile does not say."""

    city: str | None = None
    state: str | None = None
    country: str | None = None


def place_of(location: str | None) -> Place:
    """Split "City, State, Country". Of two parts the second is the country; parts after the third belong to it, too."""
    parts = [part for part in (part.strip(BLANKS) for part in (location or "").split(",")) if part]
    if len(parts) < 2:
        return Place(parts[0] if parts else None)
    if len(parts) == 2:
        return Place(parts[0], None, parts[1])
    return Place(parts[0], parts[1], ", ".join(parts[2:]))


def keywords_of(texts: Iterable[str]) -> list[str]:
    """The first 50 distinct words of 3 to 100 letters, in any script, in lower case and in order of appearance."""
    found: dict[str, str] = {}
    for text in texts:
        for word in _words(lower(text)):
            if SHORTEST_KEYWORD <= len(word) <= LONGEST_KEYWORD:
                # Joiners are often left out, so words that differ by them alone are one keyword, in its first form.
                found.setdefault(_JOINER.sub("", word), word)
                if len(found) == MAX_KEYWORDS:
                    return list(found.values())
    return list(found.values())


def _words(text: str) -> Iterator[str]:
    """Runs of letters. Marks and joiners belong to the letter that they follow; enclosing marks do not."""
    if text.isascii():
        yield from re.findall(r"[a-z]+", text)
        return
    start: int | None = None
    for at, character in enumerate(text):
        # "Lu", "Ll", "Lo" and so on are letters, "Mn" and "Mc" marks; "Me" encloses, as a keycap does.
        kind = unicodedata.category(character)
        belongs = kind[0] == "L" or (start is not None and (kind in ("Mn", "Mc") or character in JOINERS))
        if belongs and start is None:
            start = at
        elif not belongs and start is not None:
            yield text[start:at]
            start = None
    if start is not None:
        yield text[start:]
