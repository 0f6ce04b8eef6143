"""Makes the feeds of a page of users from their inputs."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sitejobs.feed import cards
from sitejobs.feed.filling import Placed, fill
from sitejobs.feed.inputs import Inputs, Person, Post, Question
from sitejobs.feed.media import content_type
from sitejobs.feed.rules import Rules
from sitejobs.feed.scoring import MICRO, PostFigures, boost, millionths, recency, score
from sitejobs.feed.suggestions import Suggestions, candidates_of, suggest

FIRST_MATCHES, SPARE = 6, 4
"""Profiles read at first: of FIRST_MATCHES matches, and of as many others as a feed usually suggests, + SPARE."""

ReadPeople = Callable[[Iterable[int]], Mapping[int, Person]]


class Item(NamedTuple):
    """A card in a feed. `shared`: what is equal for all who see it; parts that its score has not are None."""

    presentation: str
    id: int
    score: float
    match: float | None
    affinity: float | None
    recency: float | None
    quality: float | None
    trending: float | None
    shared: str


Segment = list[Item]


@dataclass(frozen=True)
class Feed:
    """A user's segments, none if there is nothing to show; `people`: users on whose profiles they depend."""

    user: int
    segments: list[Segment]
    people: list[int]


@dataclass(frozen=True)
class _Ranked:
    """A user's posts, best first: indices into the page's posts; scores and affinities in millionths."""

    posts: list[int]
    scores: list[int]
    affinities: list[int]


def make_feeds(
    inputs: Inputs, users: Sequence[int], read_people: ReadPeople, rules: Rules, now: datetime
) -> list[Feed]:
    """Make the feeds of these users, in their order.

    `read_people` returns the profiles of visible users. It is called once, and once more if a user's first candidates
    do not suffice, because many are hidden.
    """
    maker = _Maker(inputs, rules, now)
    ranked = _rank(inputs, users, maker.figures, rules)
    candidates = [candidates_of(inputs, user) for user in users]
    usual = _suggestions_in_a_feed(rules) + SPARE
    known = {other for each in candidates for other in each.first(FIRST_MATCHES, usual)}
    people = dict(read_people(known)) if known else {}
    feeds: dict[int, Feed] = {}
    more: set[int] = set()
    for place, user in enumerate(users):
        feed = maker.feed(user, ranked[place], suggest(candidates[place], people, known, rules), people)
        if feed is None:
            more.add(place)
        else:
            feeds[place] = feed
    missing = {
        other for place in more for other in candidates[place].first(len(candidates[place].matches), rules.suggestions)
    } - known
    if missing:
        known |= missing
        people.update(read_people(missing))
    for place in more:
        feed = maker.feed(users[place], ranked[place], suggest(candidates[place], people, known, rules), people)
        assert feed is not None, "all profiles are known"
        feeds[place] = feed
    return [feeds[place] for place in range(len(users))]


def _suggestions_in_a_feed(rules: Rules) -> int:
    slots = sum(count for _, count in rules.pattern)
    suggested = sum(count for presentation, count in rules.pattern if presentation in ("suggestion", "grid"))
    return -(-rules.segment_size * rules.max_segments * suggested // slots)


def _rank(inputs: Inputs, users: Sequence[int], figures: PostFigures, rules: Rules) -> list[_Ranked]:
    """Each user's posts in order: public ones, without blocked authors', and those that only the user has."""
    at = {post.id: index for index, post in enumerate(inputs.posts)}
    public = np.array([at[post] for post in inputs.public], np.int64)
    public_of: dict[int, list[int]] = defaultdict(list)
    for place, index in enumerate(public.tolist()):
        public_of[figures.authors[index]].append(place)
    columns: list[NDArray[np.int64]] = []
    for user in users:
        blocked = inputs.blocked.get(user, set())
        # The user's own public posts are in `own` already, which is limited to `own_posts`.
        absent = [place for author in (user, *blocked) for place in public_of.get(author, ())]
        shown = np.delete(public, absent) if absent else public
        alone = [at[post] for post in inputs.own.get(user, ())]
        alone = [index for index in alone if figures.authors[index] not in blocked or figures.authors[index] == user]
        columns.append(np.concatenate((shown, np.array(alone, np.int64))))
    counts = [len(each) for each in columns]
    scored = score(
        figures,
        [inputs.profiles.get(user) for user in users],
        np.repeat(np.arange(len(users)), counts),
        np.concatenate(columns) if columns else np.empty(0, np.int64),
        rules,
    )
    ends = np.cumsum([0, *counts]).tolist()
    return [
        _Ranked(scored.posts[a:b].tolist(), scored.scores[a:b].tolist(), scored.affinities[a:b].tolist())
        for a, b in itertools.pairwise(ends)
    ]


class _Maker:
    """What the feeds of a page share: the posts' figures, and the shared parts of cards, made once."""

    def __init__(self, inputs: Inputs, rules: Rules, now: datetime) -> None:
        self._inputs, self._rules = inputs, rules
        self.figures = _figures(inputs.posts, now)
        self._posts: dict[int, tuple[str, float, float, float]] = {}
        self._questions: dict[int, str] = {}
        self._recency = millionths(recency(self.figures.age_hours)).tolist()
        self._quality = millionths(self.figures.quality).tolist()
        self._trending = millionths(boost(self.figures.popularity, rules)).tolist()

    def feed(self, user: int, ranked: _Ranked, suggestions: Suggestions, people: Mapping[int, Person]) -> Feed | None:
        """The user's feed; None if it needs a candidate whose profile has not been read."""
        answered = self._inputs.answered.get(user, set())
        questions = [question for question in self._inputs.questions if str(question.id) not in answered]
        questions = questions[: self._rules.questions]
        authors = [self.figures.authors[post] for post in ranked.posts]
        segments = fill(authors, suggestions.ids, len(questions), self._rules, complete=suggestions.complete)
        if segments is None:
            return None
        shown = {suggestions.ids[slot.place] for segment in segments for slot in segment if slot.kind == "suggestion"}

        def card(slot: Placed) -> Item:
            if slot.kind == "post":
                return self._post(slot, ranked)
            if slot.kind == "question":
                return self._question(slot, questions[slot.place])
            return self._suggestion(slot, people[suggestions.ids[slot.place]], suggestions.scores[slot.place])

        made = [[card(slot) for slot in segment] for segment in segments]
        return Feed(user, made, sorted(shown | suggestions.hidden))

    def _post(self, slot: Placed, ranked: _Ranked) -> Item:
        index = ranked.posts[slot.place]
        made = self._posts.get(index)
        if made is None:
            made = self._posts[index] = self._for_everybody(index)
        shared, recency, quality, trending = made
        score, affinity = ranked.scores[slot.place] / MICRO, ranked.affinities[slot.place] / MICRO
        id_ = self._inputs.posts[index].id
        return Item(slot.presentation, id_, score, None, affinity, recency, quality, trending, shared)

    def _for_everybody(self, index: int) -> tuple[str, float, float, float]:
        """The shared card of a post, and the parts of its score that are equal for all."""
        post = self._inputs.posts[index]
        author = cards.author_json(post.author, post.name, post.avatar)
        media = post.media[0] if post.media else None
        return (
            cards.post_json(post.id, author, post.text, media, _iso(post.created)),
            self._recency[index] / MICRO,
            self._quality[index] / MICRO,
            self._trending[index] / MICRO,
        )

    def _suggestion(self, slot: Placed, person: Person, match: float) -> Item:
        shared = cards.suggestion_json(person.id, person.name, person.avatar, person.bio)
        part, weighted = round(match * MICRO), round(match * self._rules.weights.suggestion * MICRO)
        return Item(slot.presentation, person.id, weighted / MICRO, part / MICRO, None, None, None, None, shared)

    def _question(self, slot: Placed, question: Question) -> Item:
        shared = self._questions.get(question.id)
        if shared is None:
            shared = self._questions[question.id] = cards.question_json(
                question.id,
                question.quiz,
                question.prompt,
                question.options,
                _iso(question.updated),
            )
        return Item(slot.presentation, question.id, 0.0, None, None, None, None, None, shared)


def _figures(posts: Sequence[Post], now: datetime) -> PostFigures:
    return PostFigures(
        authors=[post.author for post in posts],
        age_hours=np.array([(now - post.created).total_seconds() / 3600 for post in posts], np.float64),
        quality=np.array([post.quality for post in posts], np.float64),
        popularity=np.array([post.popularity for post in posts], np.float64),
        topics=[post.topics for post in posts],
        content_types=[content_type(post.media) for post in posts],
    )


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
