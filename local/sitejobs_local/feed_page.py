"""A feed's segment as one page of HTML: whatever a text holds is shown as text, and nothing is fetched or run."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Any

Card = dict[str, Any]

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --dim: #595959; --line: #767676; --soft: #f3f3f3;
    --accent: #a3174f; }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #161616; --dim: #b5b5b5; --line: #909090;
    --soft: #242424; --accent: #ff8fb8; } }
body { margin: 0; font: 16px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 40rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.1rem; }
header, footer { color: var(--dim); font-size: .875rem; }
article { border: 1px solid var(--line); border-radius: 12px; padding: .9rem; margin: .8rem 0; min-width: 0;
    overflow-wrap: anywhere; }
article.highlight { border: 2px solid var(--accent); }
section { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(9rem, 100%), 1fr)); gap: .8rem; }
section article { margin: 0; }
section + section { margin-top: .8rem; }
.who { display: flex; gap: .6rem; align-items: center; font-weight: 600; min-width: 0; }
.who bdi { min-width: 0; }
.avatar { flex: none; width: 2.2rem; height: 2.2rem; border-radius: 50%; background: var(--soft);
    display: grid; place-items: center; }
p { margin: .5rem 0; unicode-bidi: plaintext; }
.option { display: inline-block; border: 1px solid var(--line); border-radius: 99px; padding: .1rem .7rem;
    margin: .2rem; }
"""
WORDS = {
    "highlight": "highlighted post",
    "post": "post",
    "suggestion": "suggestion",
    "grid": "suggestion",
    "question": "question",
}


def policy() -> str:
    """The page's Content-Security-Policy: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def page(user_id: int, cards: Sequence[Card], note: str) -> str:
    """The page of a user's cards; `note` says when they were computed."""
    body = "\n".join(_blocks(cards))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy())}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Feed of user {user_id}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Feed of user {user_id}</h1>
<header>{escape(note)}</header>
{body}
</main>
</body>
</html>
"""


def _blocks(cards: Sequence[Card]) -> Iterator[str]:
    for is_grid, group in groupby(cards, key=lambda card: card["presentation"] == "grid"):
        articles = [_article(card) for card in group]
        yield "<section>" + "\n".join(articles) + "</section>" if is_grid else "\n".join(articles)


def _article(card: Card) -> str:
    presentation = card["presentation"]
    kind = presentation if presentation in WORDS else "post"
    parts = [f'<article class="{kind}">', _who(card), _text(card), _options(card)]
    parts.append(f"<footer>{escape(' · '.join(meta(card)))}</footer></article>")
    return "".join(parts)


def _who(card: Card) -> str:
    author = card.get("author")
    if not author:
        return ""
    name = author.get("name") or "(no name)"
    return (
        f'<div class="who"><span class="avatar" aria-hidden="true">{escape(_initial(name))}</span>'
        f"<bdi>{escape(name)}</bdi></div>"
    )


def _initial(name: str) -> str:
    """The first letter, whatever stands before it, such as a mark that turns the line around."""
    return next((letter for letter in name if letter.isalnum()), "?").upper()[:1]


def _text(card: Card) -> str:
    return f"<p>{escape(card['preview'])}</p>" if card.get("preview") else ""


def _options(card: Card) -> str:
    return "".join(f'<bdi class="option">{escape(str(option["label"]))}</bdi>' for option in card.get("options") or ())


def meta(card: Card) -> list[str]:
    """What a card says of itself beside its text: what it is, when, with which media, and its score."""
    said = [WORDS.get(card["presentation"], "post")]
    if card["kind"] == "post" and card.get("createdAt"):
        said.append(str(card["createdAt"])[:16].replace("T", " "))
    if card.get("mediaType"):
        said.append(str(card["mediaType"]).lower())
    parts = ", ".join(f"{name} {value:.2f}" for name, value in card["parts"].items())
    if parts:
        said.append(f"{card['score']:.3f} ({parts})")
    return said
