"""Normalises text: different spellings of a word in Unicode become one. Topics, keywords and queries use it.

The SQL function "profileSearchPlain" does the same, and also removes joiners and upper case.
"""

import re
import unicodedata

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""Ranges of invisible characters: soft hyphens, direction marks, variation selectors, fillers, byte order marks."""

JOINERS = "\u200c\u200d"

# Scripts in which a joiner shapes letters: Arabic and related ones, India's and Sri Lanka's, Burmese, Khmer, Mongolian.
_SHAPED = "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ua840-\ua8ff\ua960-\uabff\ufb50-\ufdff\ufe70-\ufefc"
_UNSEEN = re.compile(f"[{INVISIBLE}]+")
_JOINER_INSIDE = re.compile(f"(?<=[{_SHAPED}])([{JOINERS}])[{JOINERS}]*(?=[{_SHAPED}])|[{JOINERS}]+")
# Malayalam letters that were written with a joiner before they had a character of their own.
_CHILLU = dict(zip("\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15", "\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f", strict=True))
# The last s of a Greek word, by the rule that "profileSearchPlain" has; Python asks for any letter before it.
_LAST_SIGMA = re.compile("([\u0370-\u03ff\u1f00-\u1fff])\u03c3(?![\u0370-\u03ff\u1f00-\u1fff])")
_OLD_CHILLU = re.compile("([\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15])\u0d4d\u200d")


def plain(text: str) -> str:
    """NFKC without invisible characters; joiners stay, one at a place, inside words of scripts that need them."""
    text = unicodedata.normalize("NFKC", text)
    if text.isascii():
        return text
    text = _OLD_CHILLU.sub(lambda found: _CHILLU[found[1]], _UNSEEN.sub("", text))
    return unicodedata.normalize("NFKC", _JOINER_INSIDE.sub(lambda found: found[1] or "", text))


def lower(text: str) -> str:
    """`plain` in lower case, without the combining dot that Python makes of a capital \u0130."""
    lowered = plain(text).replace("\u03a3", "\u03c3").lower().replace("i\u0307", "i")
    return _LAST_SIGMA.sub("\\1\u03c2", unicodedata.normalize("NFKC", lowered))
