"""What a page's slots hold, as columns: of each card what is one user's own, and what is equal for all."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.feed import cards
from sitejobs.feed.feeds import Page
from sitejobs.feed.inputs import Person, Question
from sitejobs.feed.public_posts import Post
from sitejobs.feed.scoring import MICRO, boost, millionths, recency

Key = tuple[str, int]
"""Kind and id of a card."""

_KINDS = {"post": 0, "suggestion": 1, "question": 2}


@dataclass(frozen=True)
class Items:
    """One entry a filled slot, by user and segment.

    Attributes
    ----------
    lengths : number of cards of each segment.
    presentations, kinds, ids : of each card.
    score : 0 for a question.
    match : of suggestions; the other columns are of posts.
    """

    lengths: list[int]
    presentations: list[str]
    kinds: NDArray[np.int8]
    ids: NDArray[np.int64]
    score: NDArray[np.float64]
    match: NDArray[np.float64]
    affinity: NDArray[np.float64]
    recency: NDArray[np.float64]
    quality: NDArray[np.float64]
    trending: NDArray[np.float64]

    def of(self, kind: str) -> NDArray[np.bool_]:
        """Which entries are of this kind."""
        found: NDArray[np.bool_] = self.kinds == _KINDS[kind]
        return found

    def shown(self, kind: str) -> list[int]:
        """Ids of the cards of this kind, each once."""
        found: list[int] = np.unique(self.ids[self.of(kind)]).tolist()
        return found


def items_of(page: Page) -> Items:
    """The cards of all feeds of a page."""
    segments = [segment for feed in page.feeds for segment in feed.segments]
    slots = [slot for segment in segments for slot in segment]
    kinds = np.array([_KINDS[slot.kind] for slot in slots], np.int8)
    places = np.array([slot.place for slot in slots], np.int64)
    owners = np.repeat(np.arange(len(page.feeds)), [sum(map(len, feed.segments)) for feed in page.feeds])
    columns = {name: np.zeros(len(slots)) for name in ("score", "match", "affinity", "recency", "quality", "trending")}
    ids = np.zeros(len(slots), np.int64)

    def at(kind: str, lists: list[Any]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """The slots of a kind, and where their candidates are when the users' lists are joined."""
        of_kind = kinds == _KINDS[kind]
        starts = np.cumsum([0, *map(len, lists)])
        return of_kind, starts[owners[of_kind]] + places[of_kind]

    ranked = [feed.ranked for feed in page.feeds]
    of_kind, found = at("post", [each.posts for each in ranked])
    posts = _joined([each.posts for each in ranked], np.int64)[found]
    ids[of_kind] = np.array([post.id for post in page.inputs.posts], np.int64)[posts]
    columns["score"][of_kind] = _joined([each.scores for each in ranked], np.int64)[found] / MICRO
    columns["affinity"][of_kind] = _joined([each.affinities for each in ranked], np.int64)[found] / MICRO
    for name, parts in _parts(page).items():
        columns[name][of_kind] = parts[posts]
    of_kind, found = at("suggestion", [feed.suggestions.ids for feed in page.feeds])
    ids[of_kind] = _joined([feed.suggestions.ids for feed in page.feeds], np.int64)[found]
    match = _joined([feed.suggestions.scores for feed in page.feeds], np.float64)[found]
    columns["match"][of_kind] = np.rint(match * MICRO) / MICRO
    columns["score"][of_kind] = np.rint(match * page.rules.weights.suggestion * MICRO) / MICRO
    of_kind, found = at("question", [feed.questions for feed in page.feeds])
    ids[of_kind] = _joined([[question.id for question in feed.questions] for feed in page.feeds], np.int64)[found]
    return Items([len(segment) for segment in segments], [slot.presentation for slot in slots], kinds, ids, **columns)


def _joined(lists: list[Any], kind: type[Any]) -> NDArray[Any]:
    if lists and isinstance(lists[0], np.ndarray):
        return np.concatenate(lists)
    return np.array(list(itertools.chain.from_iterable(lists)), kind)


def _parts(page: Page) -> dict[str, NDArray[np.float64]]:
    """The parts of each post's score that are equal for all."""
    parts = {
        "recency": recency(page.figures.age_hours),
        "quality": page.figures.quality,
        "trending": boost(page.figures.popularity, page.rules),
    }
    return {name: millionths(values) / MICRO for name, values in parts.items()}


# What is equal for all, as JSON without the closing brace ----------------------------------------------------


def post_cards(page: Page, shown: Sequence[int]) -> dict[Key, str]:
    """The cards of these posts."""
    posts = {post.id: post for post in page.inputs.posts}
    return {("post", id_): post_card(posts[id_]) for id_ in shown}


def question_cards(page: Page, shown: Sequence[int]) -> dict[Key, str]:
    """The cards of these questions."""
    questions = {question.id: question for question in page.inputs.questions}
    return {("question", id_): _question(questions[id_]) for id_ in shown}


def suggestion_card(person: Person) -> str:
    """The card of a suggested user."""
    return cards.suggestion_json(person.id, person.name, person.avatar, person.bio)


def post_card(post: Post) -> str:
    """The card of this post."""
    author = cards.author_json(post.author, post.name, post.avatar)
    return cards.post_json(post.id, author, post.text, post.media[0] if post.media else None, _iso(post.created))


def _question(question: Question) -> str:
    return cards.question_json(question.id, question.quiz, question.prompt, question.options, _iso(question.updated))


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
