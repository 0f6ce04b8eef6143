"""Cards: texts as a user sees them, and JSON that stays inside its script."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sitejobs.feed import cards

# Every text that a database can hold: without NUL and surrogates.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
NASTY = st.sampled_from(
    ["</script>", "<!--", "-->", "<script>", "]]>", "\u2028", "\u2029", "&lt;", "\\", '"', "\\u003c"]
)
TEXTS = st.one_of(st.none(), st.text(CHARACTERS, max_size=400), st.lists(NASTY, max_size=60).map("".join))
FAMILY = "👨‍👩‍👧‍👦"


class Scripts(HTMLParser):
    """A page's scripts and its other contents, as a browser parses it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.inside.append(data)


def post(name: str | None, avatar: str | None, text: str | None) -> tuple[str, str]:
    author = cards.author_json(2, name, avatar)
    return cards.post_json(1, author, text, "IMAGE", "2026-01-01T00:00:00.000Z"), "highlight"


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=4))
@example([("<" * 300, "<" * 1000, "<" * 300)] * 2)
@example([("\x01" * 80, '"' * 1000, "\\" * 300)] * 2)
@example([("😀" * 300, "😀" * 1000, FAMILY * 100)] * 2)
@example([("\ue000" * 80, "&" * 1000, "\u2028x" * 300)] * 2)
def test_the_first_cards_are_small_and_inert_inside_a_script(given_cards: list[tuple[str | None, ...]]) -> None:
    items = [post(*each) for each in given_cards]
    text = cards.phase1(items)
    assert len(text.encode()) < 8192
    assert not set("<>&\u2028\u2029") & set(text)
    page = Scripts()
    page.feed(f"<script>{text}</script>")
    page.close()
    assert (page.tags, "".join(page.inside)) == (["script"], text)
    shown = json.loads(text)
    assert [card["preview"] for card in shown] == [json.loads(item + "}")["preview"] for item, _ in items[: len(shown)]]
    assert len(shown) == min(len(items), 2)


def test_addresses_are_left_out_before_the_text_is() -> None:
    long = post("&" * 80, "&" * 1000, "&" * 150)
    assert [card["author"]["avatar"] for card in json.loads(cards.phase1([long]))] == ["&" * 1000]
    shown = json.loads(cards.phase1([long, long]))
    assert [(card["author"]["avatar"], len(card["preview"])) for card in shown] == [(None, 150)] * 2


@settings(deadline=None)
@given(TEXTS, st.integers(1, 200))
@example("a\u0301" * 200, 150)
@example(FAMILY * 100, 150)
@example("🇩🇪" * 100, 150)
@example("a" + "\u0301" * 5000, 150)
@example(" \n\t" * 5000 + "x", 150)
def test_a_preview_is_the_beginning_of_the_text_in_whole_characters(text: str | None, limit: int) -> None:
    shown = cards.preview(text, limit)
    line = regex.sub(r"[\s\p{Cc}]+", " ", text or "").strip()
    if shown is None:
        assert not line or len(text or "") > 1000
        return
    assert 0 < len(shown) <= limit
    assert shown == shown.strip()
    if shown == line:
        return
    assert shown.endswith("…")
    kept = shown[:-1]
    assert line.startswith(kept)
    rest = line[len(kept) :].lstrip()
    assert not kept or [*regex.findall(r"\X", kept + line[len(kept) :])][: len(regex.findall(r"\X", kept))] == [
        *regex.findall(r"\X", kept)
    ], "no character is cut in two"
    assert rest or len(text or "") >= 10_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, None),
        ("  \n ", None),
        ("one\n\n two\x07three", "one two three"),
        ("x" * 150, "x" * 150),
        ("x" * 151, "x" * 149 + "…"),
        (FAMILY * 22, FAMILY * 21 + "…"),
        ("word " * 40, ("word " * 30)[:149].strip() + "…"),
    ],
)
def test_previews(text: str | None, shown: str | None) -> None:
    assert cards.preview(text) == shown
