"""Fills a feed's slot pattern from three ranked lists: posts, suggestions and questions."""

import itertools
from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from sitejobs.feed.rules import KIND_OF, Rules


class Placed(NamedTuple):
    """A filled slot; `place`: the candidate's index in the list of its kind."""

    kind: str
    presentation: str
    place: int


class _Ranking:
    """The candidates of one kind that are left, best first. `authors`: None for candidates without authors."""

    def __init__(self, count: int, authors: Sequence[int] | None) -> None:
        self._authors = authors
        self._count = count
        self._next = 0
        self._waiting: list[int] = []
        """Candidates passed over because their author had `limit` cards in a segment."""

    def take(self, of_author: dict[int, int], limit: int, banned: Set[int]) -> int | None:
        """Take the best candidate whose author has less than `limit` cards; drop those of banned authors."""
        if self._authors is None:
            self._next += 1
            return self._next - 1 if self._next <= self._count else None
        for place, index in enumerate(self._waiting):
            author = self._authors[index]
            if of_author.get(author, 0) < limit and author not in banned:
                del self._waiting[place]
                of_author[author] = of_author.get(author, 0) + 1
                return index
        while self._next < self._count:
            index = self._next
            self._next += 1
            author = self._authors[index]
            if author in banned:
                continue
            shown = of_author.get(author, 0)
            if shown < limit:
                of_author[author] = shown + 1
                return index
            self._waiting.append(index)
        return None


_OTHER = {"post": "suggestion", "suggestion": "post"}


class _Candidates:
    """All candidates that are left. Nobody appears both as a post's author and as a suggestion: the first card wins."""

    def __init__(self, post_authors: Sequence[int], suggested: Sequence[int], questions: int) -> None:
        self._authors = {"post": post_authors, "suggestion": suggested}
        self._rankings = {kind: _Ranking(len(authors), authors) for kind, authors in self._authors.items()}
        self._rankings["question"] = _Ranking(questions, None)
        self._banned: dict[str, set[int]] = {kind: set() for kind in self._rankings}

    def take(self, kind: str, of_author: dict[int, int], limit: int) -> int | None:
        """Index of the best candidate that may be shown now, or None; counts it in `of_author`."""
        place = self._rankings[kind].take(of_author, limit, self._banned[kind])
        if place is not None and kind in self._authors:
            self._banned[_OTHER[kind]].add(self._authors[kind][place])
        return place


def fill(
    post_authors: Sequence[int], suggested: Sequence[int], questions: int, rules: Rules, *, complete: bool = True
) -> list[list[Placed]] | None:
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
    candidates = _Candidates(post_authors, suggested, questions)
    pattern = [(KIND_OF[presentation], presentation) for presentation, count in rules.pattern for _ in range(count)]
    slots = itertools.cycle(pattern)
    segments: list[list[Placed]] = []
    while len(segments) < rules.max_segments:
        segment = _next_segment(candidates, slots, len(pattern), rules, complete=complete)
        if segment is None:
            return None
        if not segment:
            break
        segments.append(segment)
    return segments


def _next_segment(
    candidates: _Candidates, slots: Iterator[tuple[str, str]], pattern_length: int, rules: Rules, *, complete: bool
) -> list[Placed] | None:
    """Fill one segment, until it is full or a whole pattern of slots stays empty; None as in `fill`."""
    segment: list[Placed] = []
    of_author: dict[int, int] = {}
    unfilled = 0
    while len(segment) < rules.segment_size and unfilled < pattern_length:
        kind, presentation = next(slots)
        place = candidates.take(kind, of_author, rules.per_author)
        if place is not None:
            segment.append(Placed(kind, presentation, place))
            unfilled = 0
        elif kind == "suggestion" and not complete:
            return None
        else:
            unfilled += 1
    return segment
