"""Which candidates a feed shows, and in which order: the slot pattern filled from three lists, best ones first."""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

from sitejobs.feed.rules import KIND_OF, Rules


@dataclass(frozen=True)
class Placed:
    """A filled slot: the candidate's place in the list of its kind."""

    kind: str
    presentation: str
    index: int


class _Shelf:
    """Candidates of one kind, best ones first; `authors` is None where nobody stands behind them."""

    def __init__(self, count: int, authors: Sequence[int] | None) -> None:
        self._authors = authors
        self._gone = [False] * count
        self._first = 0

    def take(self, of_author: Counter[int], limit: int, banned: Set[int]) -> int | None:
        """The best one that may be shown now; those of banned authors go for good."""
        while self._first < len(self._gone) and self._gone[self._first]:
            self._first += 1
        for index in range(self._first, len(self._gone)):
            if self._gone[index]:
                continue
            if self._authors is None:
                self._gone[index] = True
                return index
            author = self._authors[index]
            if author in banned:
                self._gone[index] = True
            elif of_author[author] < limit:
                self._gone[index] = True
                of_author[author] += 1
                return index
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
    of_author: Counter[int] = Counter()
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
        segment, of_author, unfilled = [], Counter(), 0
    return segments
