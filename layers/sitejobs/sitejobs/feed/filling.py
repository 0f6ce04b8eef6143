"""Which candidates a feed shows, and in which order: the slot pattern filled from three lists, best ones first."""

from collections.abc import Sequence, Set
from typing import NamedTuple

from sitejobs.feed.rules import KIND_OF, Rules


class Placed(NamedTuple):
    """A filled slot: the candidate's place in the list of its kind."""

    kind: str
    presentation: str
    place: int


class _Shelf:
    """Candidates of one kind, best ones first; `authors` is None where nobody stands behind them."""

    def __init__(self, count: int, authors: Sequence[int] | None) -> None:
        self._authors = authors
        self._count = count
        self._next = 0
        self._waiting: list[int] = []
        """Passed over, since their authors had their share of a segment."""

    def take(self, of_author: dict[int, int], limit: int, banned: Set[int]) -> int | None:
        """The best one that may be shown now; those of banned authors go for good."""
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


def fill(
    post_authors: Sequence[int], suggested: Sequence[int], questions: int, rules: Rules, *, complete: bool = True
) -> list[list[Placed]] | None:
    """Fill segments.

    Parameters
    ----------
    post_authors : author of each post, best post first.
    suggested : user ids, each once, best first.
    questions : how many there are.
    complete : whether there are no more suggestions than those given.

    Returns
    -------
    At most `max_segments` segments of at most `segment_size` slots. One is shorter where the candidates run out, or
    where those left are all of authors who have their share of it: these go on in the next.
    None if a suggestion was wanted when none was left of those given, and there are more.
    """
    shelves = {
        "post": _Shelf(len(post_authors), post_authors),
        "suggestion": _Shelf(len(suggested), suggested),
        "question": _Shelf(questions, None),
    }
    slots = [(KIND_OF[presentation], presentation) for presentation, count in rules.pattern for _ in range(count)]
    shown: dict[str, set[int]] = {"post": set(), "suggestion": set(), "question": set()}
    # Nobody appears both as a post's author and as a suggestion.
    banned = {"post": shown["suggestion"], "suggestion": shown["post"], "question": shown["question"]}
    authors = {"post": post_authors, "suggestion": suggested}
    segments: list[list[Placed]] = []
    segment: list[Placed] = []
    of_author: dict[int, int] = {}
    at = unfilled = 0
    while len(segments) < rules.max_segments:
        kind, presentation = slots[at % len(slots)]
        at += 1
        index = shelves[kind].take(of_author, rules.per_author, banned[kind])
        if index is None and kind == "suggestion" and not complete:
            return None
        if index is None:
            unfilled += 1
            if unfilled < len(slots):
                continue
            if not segment:
                break
        else:
            unfilled = 0
            segment.append(Placed(kind, presentation, index))
            if kind in authors:
                shown[kind].add(authors[kind][index])
            if len(segment) < rules.segment_size:
                continue
        segments.append(segment)
        segment, of_author, unfilled = [], {}, 0
    return segments
