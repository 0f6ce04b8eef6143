"""Makes the feeds of a page of users from their inputs."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sitejobs.feed.filling import Placed, fill
from sitejobs.feed.inputs import Inputs, Question, Visible
from sitejobs.feed.media import content_type
from sitejobs.feed.public_posts import Post
from sitejobs.feed.rules import Rules
from sitejobs.feed.scoring import PostFigures, score
from sitejobs.feed.suggestions import Suggestions, candidates_of, suggest

FIRST_MATCHES, SPARE = 6, 10
"""Users looked up at first: of FIRST_MATCHES matches, and of as many others as a feed usually suggests, + SPARE."""

ReadVisible = Callable[[Iterable[int]], Visible]


@dataclass(frozen=True)
class Ranked:
    """A user's posts, best first: indices into the page's posts; scores and affinities in millionths."""

    posts: NDArray[np.int64]
    scores: NDArray[np.int64]
    affinities: NDArray[np.int64]


@dataclass(frozen=True)
class Feed:
    """A user's segments, none if there is nothing to show, and the candidates that their slots' places refer to.

    `people`: users on whose profiles the feed depends. `looked_at`: number of the ranked posts on which it does.
    """

    user: int
    segments: list[list[Placed]]
    people: list[int]
    looked_at: int
    ranked: Ranked
    suggestions: Suggestions
    questions: Sequence[Question]


@dataclass(frozen=True)
class Page:
    """The feeds of some users, in their order. `figures`: of the posts of `inputs`."""

    feeds: list[Feed]
    inputs: Inputs
    figures: PostFigures
    visible: Visible
    rules: Rules


def make_feeds(inputs: Inputs, users: Sequence[int], read_visible: ReadVisible, rules: Rules, now: datetime) -> Page:
    """Make the feeds of these users.

    `read_visible` is called once, and once more if a user's first candidates do not suffice, because many are hidden.
    """
    figures = figures_of(inputs.posts, now)
    ranked = _rank(inputs, users, figures, rules)
    candidates = [candidates_of(inputs, user) for user in users]
    usual = _suggestions_in_a_feed(rules) + SPARE
    known = {other for each in candidates for other in each.first(FIRST_MATCHES, usual)}
    visible = read_visible(known) if known else Visible({}, set())
    authors = np.array(figures.authors, np.int64)

    def make(place: int) -> Feed | None:
        suggestions = suggest(candidates[place], visible.hashes, known, rules)
        return _feed(inputs, users[place], ranked[place], authors, suggestions, rules)

    feeds = {place: feed for place in range(len(users)) if (feed := make(place)) is not None}
    more = [place for place in range(len(users)) if place not in feeds]
    missing = {
        other for place in more for other in candidates[place].first(len(candidates[place].matches), rules.suggestions)
    } - known
    if missing:
        known |= missing
        visible.add(read_visible(missing))
    for place in more:
        feed = make(place)
        assert feed is not None, "all candidates are known"
        feeds[place] = feed
    return Page([feeds[place] for place in range(len(users))], inputs, figures, visible, rules)


def _feed(
    inputs: Inputs, user: int, ranked: Ranked, authors: NDArray[np.int64], suggestions: Suggestions, rules: Rules
) -> Feed | None:
    """The user's feed; None if it needs a candidate who has not been looked up. `authors`: of the page's posts."""
    answered = inputs.answered.get(user, set())
    questions = [question for question in inputs.questions if str(question.id) not in answered][: rules.questions]
    of_posts = authors[ranked.posts].tolist()
    filled = fill(of_posts, suggestions.ids, len(questions), rules, complete=suggestions.complete)
    if filled is None:
        return None
    segments, looked_at = filled
    shown = {suggestions.ids[slot.place] for segment in segments for slot in segment if slot.kind == "suggestion"}
    return Feed(user, segments, sorted(shown | suggestions.hidden), looked_at, ranked, suggestions, questions)


def _suggestions_in_a_feed(rules: Rules) -> int:
    slots = sum(count for _, count in rules.pattern)
    suggested = sum(count for presentation, count in rules.pattern if presentation in ("suggestion", "grid"))
    return -(-rules.segment_size * rules.max_segments * suggested // slots)


def _rank(inputs: Inputs, users: Sequence[int], figures: PostFigures, rules: Rules) -> list[Ranked]:
    """Each user's posts in order: public ones, without blocked authors', and those that only the user has."""
    at = {post.id: index for index, post in enumerate(inputs.posts)}
    public = np.array([at[post] for post in inputs.public.ids.tolist()], np.int64)
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
    return [Ranked(scored.posts[a:b], scored.scores[a:b], scored.affinities[a:b]) for a, b in itertools.pairwise(ends)]


def figures_of(posts: Sequence[Post], now: datetime) -> PostFigures:
    """What posts, newest first, are scored by at this time."""
    return PostFigures(
        authors=[post.author for post in posts],
        age_hours=np.array([(now - post.created).total_seconds() / 3600 for post in posts], np.float64),
        quality=np.array([post.quality for post in posts], np.float64),
        popularity=np.array([post.popularity for post in posts], np.float64),
        topics=[post.topics for post in posts],
        content_types=[content_type(post.media) for post in posts],
    )
