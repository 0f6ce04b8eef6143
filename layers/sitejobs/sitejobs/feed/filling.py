"""Fills a feed's slot pattern from three ranked lists: posts, suggestions and questions."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sitejobs.feed.rules import KIND_OF, Rules


class Placed(NamedTuple):
    """A filled slot; `place`: the candidate's index in the list of its kind."""

    kind: str
    presentation: str
    place: int


class Filled(NamedTuple):
    """A feed's segments, and how many posts were looked at: those behind these change nothing about it."""

    segments: list[list[Placed]]
    posts: int


class _Ranking:
    """The candidates of one kind that are left, best first. `authors`: None for candidates without authors."""

    def __init__(self, count: int, authors: Sequence[int] | None) -> None:
        self._authors = authors
        self._count = count
        self._next = 0
        self._waiting: list[int] = []
        """Candidates passed over because their author had `limit` cards in a segment."""
        self.banned: set[int] = set()
        """Authors whose candidates are dropped."""
        self.bans: set[int] = set()
        """The other kind's `banned`: nobody is both a post's author and a suggestion, the first card wins."""

    @property
    def looked_at(self) -> int:
        """Number of candidates, from the best one on, that were taken or passed over."""
        return self._next

    def take(self, of_author: dict[int, int], limit: int) -> int | None:
        """Take the best candidate whose author has less than `limit` cards, and count it in `of_author`."""
        if self._authors is None:
            self._next += 1
            return self._next - 1 if self._next <= self._count else None
        if self._waiting and (waited := self._take_waiting(self._authors, of_author, limit)) is not None:
            return waited
        while self._next < self._count:
            index = self._next
            self._next += 1
            author = self._authors[index]
            if author in self.banned:
                continue
            shown = of_author.get(author, 0)
            if shown < limit:
                of_author[author] = shown + 1
                self.bans.add(author)
                return index
            self._waiting.append(index)
        return None

    def _take_waiting(self, authors: Sequence[int], of_author: dict[int, int], limit: int) -> int | None:
        for place, index in enumerate(self._waiting):
            author = authors[index]
            if of_author.get(author, 0) < limit and author not in self.banned:
                del self._waiting[place]
                of_author[author] = of_author.get(author, 0) + 1
                self.bans.add(author)
                return index
        return None


def _rankings(post_authors: Sequence[int], suggested: Sequence[int], questions: int) -> dict[str, _Ranking]:
    """All candidates, by kind."""
    posts, suggestions = _Ranking(len(post_authors), post_authors), _Ranking(len(suggested), suggested)
    posts.bans, suggestions.bans = suggestions.banned, posts.banned
    return {"post": posts, "suggestion": suggestions, "question": _Ranking(questions, None)}


def fill(
    post_authors: Sequence[int], suggested: Sequence[int], questions: int, rules: Rules, *, complete: bool = True
) -> Filled | None:
    """Fill segments.

    Parameters
    ----------
    post_authors : author of each post, best post first.
    suggested : user ids, each once, best first.
    questions : number of questions.
    complete : whether there are no further suggestions than those given.

    Returns
    -------
    At most `max_segments` segments of at most `segment_size` cards. A segment is shorter where the candidates run out,
    or where every remaining candidate's author is at `per_author`; these candidates go into the next segment.
    None if a slot wanted a suggestion after the last one given, and there are further ones.
    """
    rankings = _rankings(post_authors, suggested, questions)
    pattern = [(KIND_OF[presentation], presentation) for presentation, count in rules.pattern for _ in range(count)]
    slots = itertools.cycle(pattern)
    segments: list[list[Placed]] = []
    while len(segments) < rules.max_segments:
        segment = _next_segment(rankings, slots, len(pattern), rules, complete=complete)
        if segment is None:
            return None
        if not segment:
            break
        segments.append(segment)
    return Filled(segments, rankings["post"].looked_at)


def _next_segment(
    rankings: Mapping[str, _Ranking],
    slots: Iterator[tuple[str, str]],
    pattern_length: int,
    rules: Rules,
    *,
    complete: bool,
) -> list[Placed] | None:
    """Fill one segment, until it is full or a whole pattern of slots stays empty; None as in `fill`."""
    segment: list[Placed] = []
    of_author: dict[int, int] = {}
    unfilled = 0
    while len(segment) < rules.segment_size and unfilled < pattern_length:
        kind, presentation = next(slots)
        place = rankings[kind].take(of_author, rules.per_author)
        if place is not None:
            segment.append(Placed(kind, presentation, place))
            unfilled = 0
        elif kind == "suggestion" and not complete:
            return None
        else:
            unfilled += 1
    return segment
