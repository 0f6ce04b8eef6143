"""Suggestions of a viewer: the latest matches, then the best by match score."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from sitejobs.feed.inputs import Inputs
from sitejobs.feed.rules import Rules


@dataclass(frozen=True)
class Candidates:
    """Whom a viewer may be suggested, visible or not: matches, then others with their scores."""

    matches: list[int]
    others: Sequence[int]
    scores: Sequence[float]

    def first(self, matches: int, others: int) -> list[int]:
        """Ids of the first `matches` matches and the first `others` others."""
        return [*self.matches[:matches], *self.others[:others]]


@dataclass(frozen=True)
class Suggestions:
    """Whom to suggest to a viewer, best first.

    ids, scores : users and their match scores; a match has 1.
    hidden : users who would be among them if they were visible.
    complete : whether there are no further candidates, who are still to be looked up.
    """

    ids: list[int]
    scores: list[float]
    hidden: set[int]
    complete: bool


def candidates_of(inputs: Inputs, user: int) -> Candidates:
    """Matches without blocked users; others without blocked ones and those decided about."""
    barred = inputs.blocked.get(user, set()) | {user}
    unwanted = barred | inputs.decided.get(user, set())
    matches = [other for other in dict.fromkeys(inputs.matches.get(user, ())) if other not in barred]
    others: Sequence[int] = inputs.others.get(user, inputs.newest)
    scores: Sequence[float] = [0.0] * len(others)
    if user in inputs.scored:
        others, scores = inputs.scored[user]
    if not unwanted.isdisjoint(others):
        kept = [place for place, other in enumerate(others) if other not in unwanted]
        others, scores = [others[place] for place in kept], [scores[place] for place in kept]
    return Candidates(matches, others, scores)


def suggest(candidates: Candidates, visible: Container[int], known: set[int], rules: Rules) -> Suggestions:
    """Suggestions up to the first candidate of whom it is not `known` whether they are `visible`."""
    found: dict[int, float] = {}
    hidden: set[int] = set()
    for other in candidates.matches:
        if len(found) == rules.matches:
            break
        if other not in known:
            return Suggestions(list(found), list(found.values()), hidden, complete=False)
        if other in visible:
            found[other] = 1.0
        else:
            hidden.add(other)
    for other, score in zip(candidates.others, candidates.scores, strict=True):
        if other in found:
            continue
        if other not in known:
            return Suggestions(list(found), list(found.values()), hidden, complete=False)
        if other in visible:
            found[other] = score
        else:
            hidden.add(other)
    return Suggestions(list(found), list(found.values()), hidden, complete=True)
