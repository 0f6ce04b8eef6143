"""Who is suggested to a user: the latest matches, then whoever scores best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sitejobs.feed.inputs import Inputs, Person
from sitejobs.feed.rules import Rules


@dataclass(frozen=True)
class Candidates:
    """Everybody who may be suggested to a user if their profile can be seen: matches, then others and their scores."""

    matches: list[int]
    others: Sequence[int]
    scores: Sequence[float]

    def first(self, matches: int, others: int) -> list[int]:
        """The ids of so many of each."""
        return [*self.matches[:matches], *self.others[:others]]


@dataclass(frozen=True)
class Suggestions:
    """Whom to suggest to a user, best first.

    ids, scores : who, and the score as a match: 1 for a match.
    hidden : those who would be among them if they could be seen.
    complete : whether there are no more than those whose profiles are known.
    """

    ids: list[int]
    scores: list[float]
    hidden: set[int]
    complete: bool


def candidates_of(inputs: Inputs, user: int) -> Candidates:
    """Leave out who is blocked, and of the others whoever has been disliked."""
    barred = inputs.blocked.get(user, set()) | {user}
    unwanted = barred | inputs.disliked.get(user, set())
    matches = [other for other in dict.fromkeys(inputs.matches.get(user, ())) if other not in barred]
    others: Sequence[int] = inputs.newest
    scores: Sequence[float] = [0.0] * len(inputs.newest)
    if user in inputs.scored:
        others, scores = inputs.scored[user]
    if not unwanted.isdisjoint(others):
        kept = [place for place, other in enumerate(others) if other not in unwanted]
        others, scores = [others[place] for place in kept], [scores[place] for place in kept]
    return Candidates(matches, others, scores)


def suggest(candidates: Candidates, people: Mapping[int, Person], known: set[int], rules: Rules) -> Suggestions:
    """Order a user's candidates as far as their profiles are `known`; `people` are those who can be seen."""
    found: dict[int, float] = {}
    hidden: set[int] = set()
    for other in candidates.matches:
        if len(found) == rules.matches:
            break
        if other not in known:
            return Suggestions(list(found), list(found.values()), hidden, complete=False)
        if other in people:
            found[other] = 1.0
        else:
            hidden.add(other)
    for other, score in zip(candidates.others, candidates.scores, strict=True):
        if other in found:
            continue
        if other not in known:
            return Suggestions(list(found), list(found.values()), hidden, complete=False)
        if other in people:
            found[other] = score
        else:
            hidden.add(other)
    return Suggestions(list(found), list(found.values()), hidden, complete=True)
