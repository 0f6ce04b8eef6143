"""Who decides about whom, says yes or no, and is answered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import Bools, Ints, below, log_normal, stream, times_between, unique_pairs
from sitejobs_local.population.encounters import Encounters, Market
from sitejobs_local.population.people import People
from sitejobs_local.population.tastes import Tastes

# Per mille of the users, of the decisions, of the likes.
_NEVER_DECIDE, _UNWANTED_GENDER, _ANSWERED = 150, 20, 500
_MEDIAN_DECISIONS = 18
_MOST_DECISIONS = 300
_MEDIAN_ANSWER_S = 12 * 3600


@dataclass(frozen=True, eq=False)
class Decisions:
    """Each pair of people once; in ascending order."""

    viewer: Ints
    """Indices into People, as those of the candidates."""
    candidate: Ints
    likes: Bools
    at: NDArray[np.datetime64]

    def mutual(self) -> tuple[Ints, Ints]:
        """Positions of the likes of the matches: of the lower index about the higher one, and the answers."""
        positions = np.flatnonzero(self.likes)
        base = int(max(self.viewer.max(initial=0), self.candidate.max(initial=0))) + 1
        keys = self.viewer[positions] * base + self.candidate[positions]
        turned = self.candidate[positions] * base + self.viewer[positions]
        at = np.minimum(np.searchsorted(keys, turned), len(keys) - 1)
        answered = (keys[at] == turned) & (keys < turned) if len(keys) else np.zeros(0, np.bool_)
        return positions[answered], positions[at[answered]]


def decisions(crowd: People, encounters: Encounters, tastes: Tastes, seed: int) -> Decisions:
    """Some never decide and some decide about hundreds, most about people nearby who suit by gender both ways.

    Half of the likes are answered by those who decide at all.
    """
    rng = stream(seed, "Like")
    viewer, candidate, deciding = _seen(rng, crowd, encounters)
    at = _evenly(rng, np.maximum(crowd.joined[viewer], crowd.joined[candidate]), crowd.now)
    first = Decisions(viewer, candidate, tastes.decide(rng, viewer, candidate), at)
    answers = _answers(rng, crowd, tastes, first, deciding)
    both = Decisions(
        viewer=np.concatenate([first.viewer, answers.viewer]),
        candidate=np.concatenate([first.candidate, answers.candidate]),
        likes=np.concatenate([first.likes, answers.likes]),
        at=np.concatenate([first.at, answers.at]),
    )
    kept = unique_pairs(both.viewer, both.candidate)
    return Decisions(both.viewer[kept], both.candidate[kept], both.likes[kept], both.at[kept])


def _seen(rng: np.random.Generator, crowd: People, encounters: Encounters) -> tuple[Ints, Ints, Bools]:
    """Pairs of viewer and candidate, each once, and who decides at all."""
    size = len(crowd)
    deciding = (rng.integers(0, 1000, size) >= _NEVER_DECIDE) & (crowd.profile_ids > 0)
    counts = np.minimum(log_normal(rng, size) * _MEDIAN_DECISIONS // 1000, _MOST_DECISIONS)
    counts = np.where(deciding, counts, 0)
    viewer = np.repeat(np.arange(size), counts)
    candidate = Market(crowd).met(rng, viewer, counts[viewer])
    unwanted = np.flatnonzero((rng.integers(0, 1000, len(viewer)) < _UNWANTED_GENDER) | (candidate < 0))
    candidate[unwanted] = encounters.met(rng, viewer[unwanted])
    kept = unique_pairs(viewer, candidate)
    return viewer[kept], candidate[kept], deciding


def _answers(rng: np.random.Generator, crowd: People, tastes: Tastes, first: Decisions, deciding: Bools) -> Decisions:
    """What those who are liked say to it, later."""
    answered = first.likes & deciding[first.candidate] & (rng.integers(0, 1000, len(first.likes)) < _ANSWERED)
    viewer, candidate = first.candidate[answered], first.viewer[answered]
    at = first.at[answered] + (log_normal(rng, len(viewer)) * _MEDIAN_ANSWER_S).astype("m8[ms]")
    late = at > crowd.now
    at[late] = times_between(rng, first.at[answered][late], crowd.now)
    return Decisions(viewer, candidate, tastes.decide(rng, viewer, candidate), at)


def _evenly(
    rng: np.random.Generator, earliest: NDArray[np.datetime64], latest: np.datetime64
) -> NDArray[np.datetime64]:
    """A moment between each `earliest` and `latest`, in whole milliseconds."""
    spans = np.maximum((latest - earliest).astype(np.int64), 0)
    evenly: NDArray[np.datetime64] = (earliest + below(rng, spans).astype("m8[ms]")).astype("M8[ms]")
    return evenly
