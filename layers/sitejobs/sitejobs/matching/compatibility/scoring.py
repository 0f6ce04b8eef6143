"""The compatibility of chosen pairs, by the formula of docs/compatibility.md."""

from dataclasses import dataclass, fields

import numpy as np

from sitejobs.matching.compatibility.people import People
from sitejobs.matching.scoring.arrays import Floats, Indices
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.pair_scores import SHARED_SHOWN
from sitejobs.matching.scoring.quizzes import compare_quizzes
from sitejobs.matching.scoring.users import MISSING


@dataclass(frozen=True)
class Weights:
    """Weight of each part, which lies in 0..1. The view UserCompatibilityExplained repeats them."""

    quiz: float = 0.45
    interests: float = 0.25
    rating_quality: float = 0.10
    rating_fit: float = 0.20


WEIGHTS = Weights()


@dataclass(frozen=True)
class Scores:
    """p compared pairs. All arrays have p rows.

    viewer, target : ids. score: NaN where either side has no signal at all. shared: (p, 5) codes of the first shared
    interests, MISSING where there are fewer. averages: (p, 4) of the ratings that the target received, NaN without any.
    chance: that both say yes, NaN where nothing is known of it.
    """

    viewer: Indices
    target: Indices
    score: Floats
    quiz: Floats
    interests: Floats
    rating_quality: Floats
    rating_fit: Floats
    averages: Floats
    rating_count: Indices
    shared_count: Indices
    shared: Indices
    chance: Floats

    def take(self, rows: Indices) -> "Scores":
        """The pairs at these indices, in this order."""
        return Scores(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


def score_pairs(viewers: People, targets: People, viewer: Indices, target: Indices) -> Scores:
    """Compare the pairs (viewer[i], target[i]), rows of `viewers` and `targets`. A missing signal counts as 0."""
    bits = InterestBits.over(viewers)
    shared_bits = bits.of(viewers)[viewer] & bits.of(targets)[target]
    shared_count = np.bitwise_count(shared_bits).sum(axis=1, dtype=np.int64)
    sizes = viewers.interest_count[viewer] * targets.interest_count[target]
    compared = compare_quizzes(viewers, targets, viewer, target)
    rated = targets.rating_count > 0
    parts: dict[str, Floats] = {
        "quiz": np.clip(compared.value, 0, 1),
        "interests": shared_count / np.sqrt(np.maximum(sizes, 1)),
        "rating_quality": np.where(rated, targets.averages.mean(axis=1) / 5, 0.0)[target],
        "rating_fit": np.clip((viewers.gives[viewer] * targets.gets[target]).sum(axis=1), 0, 1),
    }
    viewer_tells = (viewers.latest != MISSING) | (viewers.interest_count > 0) | viewers.has_rated
    target_tells = (targets.interest_count > 0) | rated
    enough = viewer_tells[viewer] & (target_tells[target] | compared.compared)
    score = np.sum([weight * parts[name] for name, weight in vars(WEIGHTS).items()], axis=0)
    return Scores(
        viewer=viewers.ids[viewer],
        target=targets.ids[target],
        score=np.where(enough, score, np.nan),
        **parts,
        averages=targets.averages[target],
        rating_count=targets.rating_count[target],
        shared_count=shared_count,
        shared=bits.first_codes(shared_bits, SHARED_SHOWN),
        chance=np.full(len(viewer), np.nan),
    )


def joined(parts: list[Scores]) -> Scores:
    """All pairs, by viewer and target."""
    columns = {item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Scores)}
    whole = Scores(**columns)
    return whole.take(np.lexsort((whole.target, whole.viewer)))
