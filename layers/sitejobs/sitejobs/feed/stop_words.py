"""Stop words of the language that a text is in.

The lists are stopwordsiso's: 58 languages as plain data. PostgreSQL's text search has about 25, without Hebrew,
Persian, Chinese, Japanese, Korean and Thai. All lists together would drop telling words ("hat" is German for "has"),
so the text's own words choose one list for each script.
"""

from collections.abc import Collection
from functools import cache

import regex
import stopwordsiso

from sitejobs.writing import lower

# Languages by script, the ones with more speakers first: of equally good guesses the first one wins.
LANGUAGES: tuple[tuple[str, ...], ...] = (
    (
        *("en", "es", "fr", "pt", "de", "it", "id", "nl", "pl", "tr", "vi", "ro", "cs", "sv", "hu", "da", "fi", "no"),
        *("sk", "ca", "hr", "ms", "sl", "lt", "lv", "et", "tl", "sw", "gl", "eu", "af", "ga"),
    ),
    ("ru", "uk", "bg"),
    ("ar", "fa", "ur"),
    ("hi", "mr"),
    ("ja", "zh"),
    *(("bn",), ("gu",), ("el",), ("he",), ("hy",), ("ko",), ("th",)),
)

# Vowel points of Arabic and Hebrew, and Arabic's tatweel: optional in writing.
_POINTS = regex.compile(r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u0640\u064b-\u065f\u0670]")


def normalised(text: str) -> str:
    """`writing.lower` with straight apostrophes and without vowel points."""
    # NFKC splits Thai's sara am in two, which is joined again.
    return str(_POINTS.sub("", lower(_POINTS.sub("", text)))).replace("\u2019", "'").replace("\u0e4d\u0e32", "\u0e33")


def stop_words(words: Collection[str]) -> frozenset[str]:
    """Stop words of the languages that normalised words are in: in each script the language with most hits."""
    present = frozenset(words)
    found: frozenset[str] = frozenset()
    for languages in LANGUAGES:
        found |= max((present & _listed(language) for language in languages), key=len)
    return found


@cache
def _listed(language: str) -> frozenset[str]:
    return frozenset(normalised(word) for word in stopwordsiso.stopwords(language))
