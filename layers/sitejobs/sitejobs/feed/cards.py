"""A feed's cards as JSON text, put together from parts that are equal for many feeds.

Ids are texts, because JavaScript rounds numbers beyond 2^53.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import regex

PREVIEW = 150
"""Longest preview, in characters."""

_NAME, _URL = 80, 1000
_READ = 10_000  # characters of a text that a preview is made of; runs of blanks become one
_LONGEST_CLUSTER = 50  # code points of one visible character; longer clusters are cut
_CUT = "…"
_BLANKS = regex.compile(r"[\s\p{Cc}]+")
_CLUSTER = regex.compile(r"\X")

PHASE1_CARDS = 2
PHASE1_BYTES = 8191
_PHASE1_FIELDS = ("kind", "id", "author", "preview", "mediaType")  # and the presentation, which is the slot's
# Escaped, because inside <script> they could end the script or, in old browsers, a line of it.
_INERT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def preview(text: str | None, limit: int = PREVIEW) -> str | None:
    """The text in one line, cut between visible characters; None if nothing is visible."""
    read = (text or "")[:_READ]
    line = _BLANKS.sub(" ", read).strip()
    if len(line) > limit or len(read) == _READ:
        ends = [cluster.end() for cluster in _CLUSTER.finditer(line[: limit + _LONGEST_CLUSTER])]
        line = line[: max((end for end in ends if end <= limit - len(_CUT)), default=0)].rstrip() + _CUT
    return line or None


def address(url: str | None) -> str | None:
    """The address, or None if it is empty or longer than _URL characters."""
    return url if url and len(url) <= _URL else None


@lru_cache(maxsize=100_000)
def author_json(user: int, name: str | None, avatar: str | None) -> str:
    """The author of a card."""
    return to_json({"id": str(user), "name": preview(name, _NAME), "avatar": address(avatar)})


@lru_cache(maxsize=100_000)
def suggestion_json(user: int, name: str | None, avatar: str | None, bio: str | None) -> str:
    """The part of a suggestion's card that is equal for all viewers, without the closing brace."""
    author = author_json(user, name, avatar)
    return (
        f'{{"kind":"suggestion","id":"{user}","author":{author},"preview":{to_json(preview(bio))},'
        f'"mediaType":null,"createdAt":null'
    )


def post_json(post: int, author: str, text: str | None, media_type: str | None, created: str | None) -> str:
    """The part of a post's card that is equal for all viewers, without the closing brace."""
    return (
        f'{{"kind":"post","id":"{post}","author":{author},"preview":{to_json(preview(text))},'
        f'"mediaType":{to_json(media_type)},"createdAt":{to_json(created)}'
    )


def question_json(question: int, quiz: int, prompt: str, options: Sequence[Any], created: str | None) -> str:
    """The part of a question's card before the slot's. `options`: objects with `value` and `label`, in order."""
    return (
        f'{{"kind":"question","id":"{question}","author":null,"preview":{to_json(preview(prompt))},'
        f'"mediaType":null,"createdAt":{to_json(created)},"quizId":"{quiz}","options":{to_json(options)}'
    )


def phase1(cards: Sequence[tuple[str, str]]) -> str:
    """The main fields of the first PHASE1_CARDS cards, at most PHASE1_BYTES, safe inside <script>.

    `cards`: the shared part of each, without the closing brace, and its presentation.
    """
    first = [(*_phase1_parts(shared), presentation) for shared, presentation in cards[:PHASE1_CARDS]]
    fields = [f'{{{whole},"presentation":"{presentation}"}}' for whole, _, presentation in first]
    without = [f'{{{short},"presentation":"{presentation}"}}' for _, short, presentation in first]
    for shown in (fields, without, without[:1]):
        text = f"[{','.join(shown)}]"
        if len(text.encode()) <= PHASE1_BYTES:
            return text
    return "[]"


@lru_cache(maxsize=10_000)
def _phase1_parts(shared: str) -> tuple[str, str]:
    """The card's fields for `phase1` as JSON without braces: with the author's avatar, and without it."""
    card = json.loads(shared + "}")
    fields = {name: card[name] for name in _PHASE1_FIELDS}
    without = {**fields, "author": card["author"] and {**card["author"], "avatar": None}}
    return inert(to_json(fields))[1:-1], inert(to_json(without))[1:-1]


def inert(text: str) -> str:
    """The same JSON, escaped so that it is safe inside <script>."""
    return text.translate(_INERT)


def to_json(value: Any) -> str:
    """Compact JSON, non-ASCII characters unescaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
