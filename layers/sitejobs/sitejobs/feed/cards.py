"""A feed's items as JSON text: put together from parts that many feeds share, and the few that are inside a page.

Ids are texts: a browser reads numbers beyond 2^53 as others.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import regex

PREVIEW = 150
"""Characters of a preview at most."""

_NAME, _URL = 80, 1000
_READ = 10_000  # characters looked at: blanks fold into one
_LONGEST_CLUSTER = 50  # characters that a person sees as one: longer ones are cut
_CUT = "…"
_BLANKS = regex.compile(r"[\s\p{Cc}]+")
_CLUSTER = regex.compile(r"\X")

PHASE1_CARDS = 2
PHASE1_BYTES = 8191
_PHASE1_FIELDS = ("kind", "id", "author", "preview", "mediaType", "presentation")
# None of these may stand as itself in a script: they could end it or, in old browsers, a line of it.
_INERT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def preview(text: str | None, limit: int = PREVIEW) -> str | None:
    """The text in one line, cut where a person would see no broken character; None if there is nothing to see."""
    read = (text or "")[:_READ]
    line = _BLANKS.sub(" ", read).strip()
    if len(line) > limit or len(read) == _READ:
        ends = [cluster.end() for cluster in _CLUSTER.finditer(line[: limit + _LONGEST_CLUSTER])]
        line = line[: max((end for end in ends if end <= limit - len(_CUT)), default=0)].rstrip() + _CUT
    return line or None


def address(url: str | None) -> str | None:
    """A picture's address, unless it is too long for one."""
    return url if url and len(url) <= _URL else None


@lru_cache(maxsize=100_000)
def author_json(user: int, name: str | None, avatar: str | None) -> str:
    """Who stands behind a card."""
    return to_json({"id": str(user), "name": preview(name, _NAME), "avatar": address(avatar)})


@lru_cache(maxsize=100_000)
def suggestion_json(user: int, name: str | None, avatar: str | None, bio: str | None) -> str:
    """What a suggestion shows whoever sees it, open at its end."""
    author = author_json(user, name, avatar)
    return (
        f'{{"kind":"suggestion","id":"{user}","author":{author},"preview":{to_json(preview(bio))},'
        f'"mediaType":null,"createdAt":null'
    )


def post_json(post: int, author: str, text: str | None, media_type: str | None, created: str | None) -> str:
    """What a post shows whoever sees it, open at its end."""
    return (
        f'{{"kind":"post","id":"{post}","author":{author},"preview":{to_json(preview(text))},'
        f'"mediaType":{to_json(media_type)},"createdAt":{to_json(created)}'
    )


def question_json(question: int, quiz: int, prompt: str, options: Sequence[Any], created: str | None) -> str:
    """What a question shows, open at its end. `options`: objects with `value` and `label`, in their order."""
    return (
        f'{{"kind":"question","id":"{question}","author":null,"preview":{to_json(preview(prompt))},'
        f'"mediaType":null,"createdAt":{to_json(created)},"quizId":"{quiz}","options":{to_json(options)}'
    )


def closed(card: str, presentation: str, score: float, parts: str) -> str:
    """A card as one user sees it. `parts`: JSON of what the score is made of."""
    return f'{card},"presentation":"{presentation}","score":{score!r},"parts":{parts}}}'


def phase1(items: Sequence[str]) -> str:
    """The first cards' few fields, under 8 KB, to stand inside a script of a page: no text in it can leave it."""
    cards = [json.loads(item) for item in items[:PHASE1_CARDS]]
    fields = [{name: card[name] for name in _PHASE1_FIELDS} for card in cards]
    without = [{**card, "author": card["author"] and {**card["author"], "avatar": None}} for card in fields]
    for shown in (fields, without, without[:1]):
        text = inert(to_json(shown))
        if len(text.encode()) <= PHASE1_BYTES:
            return text
    return "[]"


def inert(text: str) -> str:
    """JSON that stays what it is inside <script>."""
    return text.translate(_INERT)


def to_json(value: Any) -> str:
    """Compact JSON in UTF-8's characters."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
