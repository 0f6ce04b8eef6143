"""Words that say nothing of a text's subject, in the language that the text is in.

The lists are stopwordsiso's: 58 languages as plain data, where PostgreSQL's text search has about 25 and none of
Hebrew, Persian, Chinese, Japanese, Korean or Thai. All of them together would drop telling words ("hat" is German for
"has"), so a text's own words choose one list for each script.
"""

from collections.abc import Collection
from functools import cache

import regex
import stopwordsiso

from sitejobs.writing import lower

# Languages by the script they are written in, those of more people first: of equal guesses the first one holds.
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

# Vowel points and the stretching stroke of Arabic and Hebrew: the same word is written with and without them.
_POINTS = regex.compile(r"[\u0591-\u05bd\u05bf\u05c1\u05c2\u0640\u064b-\u065f\u0670]")


def normalised(text: str) -> str:
    """One form for all ways to write the same: `writing.lower`, straight apostrophes, no vowel points."""
    # NFKC takes Thai's "am" apart, which no keyboard does.
    return str(_POINTS.sub("", lower(_POINTS.sub("", text)))).replace("\u2019", "'").replace("\u0e4d\u0e32", "\u0e33")


def stop_words(words: Collection[str]) -> frozenset[str]:
    """The stop words of the languages that normalised words are in: one a script, that of most hits."""
    present = frozenset(words)
    found: frozenset[str] = frozenset()
    for languages in LANGUAGES:
        found |= max((present & _listed(language) for language in languages), key=len)
    return found


@cache
def _listed(language: str) -> frozenset[str]:
    return frozenset(normalised(word) for word in stopwordsiso.stopwords(language))
