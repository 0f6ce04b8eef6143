"""What the index takes out of a profile's texts: a place's parts, and the keywords of lists."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sitejobs.search.profiles import BLANKS
from sitejobs.writing import JOINERS, lower

MAX_KEYWORDS = 50
SHORTEST_KEYWORD = 3
LONGEST_KEYWORD = 100
"""A longer run of letters is no word that anybody looks for."""

_JOINER = re.compile(f"[{JOINERS}]")


class Place(NamedTuple):
    """Where somebody lives, as far as they said."""

    city: str | None = None
    state: str | None = None
    country: str | None = None


def place_of(location: str | None) -> Place:
    """The parts of "City, State, Country": a longer tail joins the country, of two parts the second is the country."""
    parts = [part for part in (part.strip(BLANKS) for part in (location or "").split(",")) if part]
    if len(parts) < 2:
        return Place(parts[0] if parts else None)
    if len(parts) == 2:
        return Place(parts[0], None, parts[1])
    return Place(parts[0], parts[1], ", ".join(parts[2:]))


def keywords_of(texts: Iterable[str]) -> list[str]:
    """Words of at least 3 letters in any script, in order of appearance, lower case, each once, at most 50."""
    found: dict[str, str] = {}
    for text in texts:
        for word in _words(lower(text)):
            if SHORTEST_KEYWORD <= len(word) <= LONGEST_KEYWORD:
                # Joiners are often left out: the same letters are one keyword, as they stand there first.
                found.setdefault(_JOINER.sub("", word), word)
                if len(found) == MAX_KEYWORDS:
                    return list(found.values())
    return list(found.values())


def _words(text: str) -> Iterator[str]:
    """Runs of letters; marks and joiners belong to the letter that they follow, those around a character do not."""
    if text.isascii():
        yield from re.findall(r"[a-z]+", text)
        return
    start: int | None = None
    for at, character in enumerate(text):
        # "Lu", "Ll", "Lo" and so on are letters; "Mn" and "Mc" marks, "Me" such as a keycap's.
        kind = unicodedata.category(character)
        belongs = kind[0] == "L" or (start is not None and (kind in ("Mn", "Mc") or character in JOINERS))
        if belongs and start is None:
            start = at
        elif not belongs and start is not None:
            yield text[start:at]
            start = None
    if start is not None:
        yield text[start:]
