"""Topics of a text: its hashtags, then its most telling words. They depend on the text alone."""

from collections import Counter
from collections.abc import Iterator
from functools import cache

import budoux
import regex

from sitejobs.feed.stop_words import normalised, stop_words
from sitejobs.writing import JOINERS

LONGEST_TEXT = 10_000
"""Characters of a text that are read."""

LONGEST_TOPIC = 40
"""Characters of a topic, at most: no other post would have a longer word."""

_NAMES = "com|org|net|info|io|me|app|dev|co|tv|ly|gl|be|example|de|fr|uk|us|ru|ua|jp|cn|br|in|it|es|nl|eu"
# Every repetition is limited or possessive, so that the time is linear in the text's length.
_IGNORED = regex.compile(
    rf"""
      [a-z]{{2,12}}+://\S*+                                               # addresses,
    | (?<!\w)www\.\S*+
    | [\w.+-]{{0,64}}+@[\w.-]*+                                           # e-mail and mentions,
    | (?<![\w.-])(?:[\w-]{{1,63}}+\.){{1,8}}(?:{_NAMES})\b(?:[/?\#]\S*+)?  # sites, if it cannot be a missing blank,
    | (?<![\w.-])(?:[\w-]{{1,63}}+\.){{1,8}}\w{{2,63}}+/\S*+
    | &\#?+\w{{1,31}}+;                                                  # and characters written as in HTML.
    """,
    regex.VERBOSE,
)
# A normalised text holds only joiners that a word needs. Enclosing marks (Me), such as a keycap's, belong to no word.
_HASHTAG = regex.compile(r"#([\p{L}\p{N}_][[\p{L}\p{M}\p{N}_\u200c\u200d]--\p{Me}]*)", regex.VERSION1)
_JOINER = regex.compile(f"[{JOINERS}]")
_LETTER = regex.compile(r"\p{L}")

# Scripts without blanks are matched in runs, all others in words, which may hold hyphens, apostrophes and joiners.
_RUN_OR_WORD = regex.compile(
    r"""
      (?P<han>[\p{Han}々]+)
    | (?P<katakana>[\p{Katakana}ー]+)
    | (?P<hiragana>\p{Hiragana}+)
    | (?P<thai>\p{Thai}+)
    | (?P<word>(?<part>(?![\p{M}\u200c\u200d])
        [[\p{L}\p{M}\p{N}\u200c\u200d]--[\p{Me}\p{Han}々\p{Katakana}ー\p{Hiragana}\p{Thai}]]+(?<![\u200c\u200d]))
      (?:['-](?&part))*)
    """,
    regex.VERBOSE | regex.VERSION1,
)
# "l'amour", "dell'arte", "O'Malley": the part before the apostrophe is dropped.
_ELISION = regex.compile(r"^\p{L}{1,4}'(?=\p{L}{3})")
_SHORTEST = {"han": 2, "katakana": 2, "thai": 3, "word": 3}
_SHORTEST_HANGUL = 2
_HANGUL = regex.compile(r"^\p{Hangul}+$")


def topics_of(text: str, limit: int) -> list[str]:
    """At most `limit` topics of a text in any language: lower case, without blanks, each once.

    Hashtags come first, in the order of the text. Other words follow, the most frequent first, then the longer, which
    are rarer, then the earlier. Stop words of the text's language, addresses, mentions, numbers and very short words
    are left out; a hashtag may be any word.
    """
    text = _IGNORED.sub(" ", normalised(text[:LONGEST_TEXT]))
    hashtags = (tag.strip(f"_{JOINERS}") for tag in _HASHTAG.findall(text))
    found = {tag: None for tag in hashtags if 2 <= len(tag) <= LONGEST_TOPIC and _LETTER.search(tag)}
    words = list(_words(_HASHTAG.sub(" ", text)))
    ignored = stop_words([form for _, word in words for form in (word, _core(word))])
    counts = Counter(_core(word) for kind, word in words if _tells(kind, word, ignored))
    # Counter keeps the order of first occurrence, and sorting is stable.
    found |= dict.fromkeys(sorted(counts, key=lambda word: (-counts[word], -len(word))))
    # Joiners are often left out: words that differ by them alone are one topic, as first written.
    kept: dict[str, str] = {}
    for word in found:
        kept.setdefault(_JOINER.sub("", word), word)
    return list(kept.values())[:limit]


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Words with their kind, a named group of _RUN_OR_WORD. Hiragana is grammar; it only tells that Han is Japanese."""
    japanese = regex.search(r"[\p{Hiragana}\p{Katakana}]", text) is not None
    for match in _RUN_OR_WORD.finditer(text):
        kind, found = match.lastgroup, match.group()
        if match["word"] is not None:
            yield "word", found
        elif kind == "thai" or (kind == "han" and not japanese):
            yield from ((kind, part) for part in _splitter(kind).parse(found))
        elif kind != "hiragana":
            # Japanese writes content words in Han or Katakana, and grammar in Hiragana.
            yield str(kind), found


def _tells(kind: str, word: str, ignored: frozenset[str]) -> bool:
    """Whether a word can be a topic."""
    core = _core(word)
    parts = core.split("-")
    shortest = _SHORTEST_HANGUL if _HANGUL.match(core) else _SHORTEST[kind]
    return (
        shortest <= len(core) <= LONGEST_TOPIC
        and len(_LETTER.findall(core)) >= 2
        and ignored.isdisjoint((word, core))
        and not ignored.issuperset(parts)
    )


def _core(word: str) -> str:
    """A word without a possessive ending or an elided article."""
    return str(_ELISION.sub("", word.removesuffix("'s")))


@cache
def _splitter(kind: str) -> budoux.Parser:
    """The word splitter of a script without blanks. The models are small and read once."""
    return budoux.load_default_thai_parser() if kind == "thai" else budoux.load_default_simplified_chinese_parser()
