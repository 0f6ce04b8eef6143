"""Proof on the site's own history: decisions that a model has not seen, asked of each ranking.

Figures are means over viewers, so that somebody who decides much counts no more than others. Nothing is left out and
put back within a viewer: the viewer's own rate would leak backwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.calibration import calibration
from sitejobs.matching.learning.design_effect import design_effect
from sitejobs.matching.learning.exposure import Exposure, spread
from sitejobs.matching.learning.intervals import percentiles, resampled_means
from sitejobs.matching.learning.quality_figures import CHANCE, NEW, OLD, Figures, Interval, Outcome
from sitejobs.matching.learning.quality_groups import LEAST_VIEWERS, group_figures
from sitejobs.matching.learning.questions import Question
from sitejobs.matching.learning.ranking_figures import FIGURES, pooled_auc
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices

UNDECIDED = -1
MOST_CALIBRATION_ERROR = 0.05
MOST_NEVER_SHOWN_MORE = 0.05
MOST_ANSWERED_APART = 0.05
"""Difference of the shares of likes and of dislikes that are answered, beyond which answers follow likes."""


@dataclass(frozen=True)
class Asked:
    """p decisions that are asked of each ranking: the first one of a pair after the split. All arrays (p,)."""

    viewer: Indices
    """Any keys. Decisions of one key are compared with each other: a person asked in several folds has several."""
    candidate: Indices
    liked: Flags
    """The viewer said yes."""
    matched: NDArray[np.int8]
    """1: both said yes, 0: one of them did not, -1: the other has not decided."""
    scores: Mapping[str, Floats]
    """v1, v2, popularity -> for likes, higher is better."""
    match_scores: Mapping[str, Floats]
    """The same for matches."""
    like_chance: Floats
    match_chance: Floats
    groups: Mapping[str, NDArray[np.integer]]
    """gender, wantedGender, ageBand, newcomer -> a small number for the viewer's group, -1 where it is unknown."""
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The names of the groups by number, where numbers do not speak for themselves."""
    person: Indices | None = None
    """The viewer's key among those of the candidates, where `viewer` is another one."""

    def __post_init__(self) -> None:
        arrays: dict[str, NDArray[Any]] = {"candidate": self.candidate, "liked": self.liked, "matched": self.matched}
        arrays |= {"like_chance": self.like_chance, "match_chance": self.match_chance}
        arrays |= self.groups
        arrays |= {f"scores {name}": values for name, values in self.scores.items()}
        arrays |= {f"match_scores {name}": values for name, values in self.match_scores.items()}
        for name in ("v1", "v2"):
            if name not in self.scores or name not in self.match_scores:
                raise ValueError(f"scores and match_scores: {name} is missing")
        for name, values in arrays.items():
            if len(values) != len(self.viewer):
                raise ValueError(f"{name}: {len(values)} values for {len(self.viewer)} decisions")
            if not np.isfinite(values).all():
                raise ValueError(f"{name}: a value that is no finite number")


def evaluate(asked: Asked, seed: int, exposure: Exposure | None) -> Figures:
    """All figures of the rankings v1, v2 and popularity.

    Parameters
    ----------
    seed : of the resampled viewers; the same seed gives the same figures.
    exposure : who would be shown under v1 and v2 in a closed sample.
    """
    everything, answered = np.arange(len(asked.viewer)), np.flatnonzero(asked.matched != UNDECIDED)
    return Figures(
        decisions=len(asked.viewer),
        viewers=len(np.unique(asked.viewer if asked.person is None else asked.person)),
        like=_outcome(_question(asked, everything, asked.liked, asked.scores, asked.like_chance), seed),
        match=_outcome(_question(asked, answered, asked.matched == 1, asked.match_scores, asked.match_chance), seed),
        answered_likes=_share(asked.matched[asked.liked] != UNDECIDED),
        answered_dislikes=_share(asked.matched[~asked.liked] != UNDECIDED),
        exposure={name: spread(shown, exposure.candidates) for name, shown in exposure.shown.items()}
        if exposure
        else {},
    )


def verdict(figures: Figures) -> tuple[bool, list[str]]:
    """Whether v2 may be active; if not, why: codes, each with its numbers.

    Where people answer those who like them, the pairs in which both have decided are those that began with a like:
    more of them match than chances say, however true these are. There the chances of likes alone are judged.
    """
    match = figures.match
    if match.viewers < LEAST_VIEWERS:
        return False, [f"too-few-viewers: {match.viewers} with and without a match, {LEAST_VIEWERS} needed"]
    reasons = []
    gain = match.differences[OLD]["auc"]
    if not gain.low > 0:
        reasons.append(f"no-gain: match within viewer {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
    for name, outcome in (("like", figures.like), ("match", match)):
        found = outcome.calibration
        if found.fails(MOST_CALIBRATION_ERROR) and (name == "like" or _answers_tell(figures)):
            reasons.append(f"calibration: {name} {found.error:.3f}, {MOST_CALIBRATION_ERROR} allowed")
        reasons += [
            f"group-falls: {name} {group.kind} {group.group} {group.difference.mean:+.3f}"
            f" ({group.difference.low:+.3f} to {group.difference.high:+.3f})"
            for group in outcome.groups
            if group.difference is not None and group.difference.high < 0
        ]
    if NEW in figures.exposure and OLD in figures.exposure:
        new, old = figures.exposure[NEW].never_shown, figures.exposure[OLD].never_shown
        if new > old + MOST_NEVER_SHOWN_MORE:
            reasons.append(f"never-shown: {new:.3f}, v1 {old:.3f}, {MOST_NEVER_SHOWN_MORE} more allowed")
    return not reasons, reasons


def _answers_tell(figures: Figures) -> bool:
    """Whether likes and dislikes are answered alike, so that answered pairs stand for all."""
    return abs(figures.answered_likes - figures.answered_dislikes) <= MOST_ANSWERED_APART


def _share(flags: Flags) -> float:
    return float(flags.mean()) if len(flags) else np.nan


def _question(asked: Asked, rows: Indices, good: Flags, scores: Mapping[str, Floats], chance: Floats) -> Question:
    """The decisions of `rows`; chance is a ranking that knows nothing."""
    codes, viewer = np.unique(asked.viewer[rows], return_inverse=True)
    return Question(
        viewer=viewer,
        viewers=len(codes),
        person=(asked.viewer if asked.person is None else asked.person)[rows],
        candidate=asked.candidate[rows],
        good=good[rows],
        scores={name: values[rows] for name, values in scores.items()} | {CHANCE: np.zeros(len(rows))},
        chance=chance[rows],
        groups={name: values[rows] for name, values in asked.groups.items()},
        labels=asked.labels,
    )


def _outcome(question: Question, seed: int) -> Outcome:
    figures = question.figures()
    names = [name for name in figures if name != CHANCE]
    people = question.people
    means = resampled_means(np.concatenate([figures[name] for name in names], axis=1), people, seed)
    resampled = {name: means[:, at * len(FIGURES) :][:, : len(FIGURES)] for at, name in enumerate(names)}
    rankings = {name: _intervals(figures[name], people, resampled.get(name)) for name in figures}
    for name, score in question.scores.items():
        rankings[name]["pooledAuc"] = Interval(pooled_auc(score, question.good), np.nan, np.nan)
    effect = design_effect(question, NEW, OLD)
    differences = {
        name: _intervals(figures[NEW] - figures[name], people, resampled[NEW] - resampled[name], effect)
        for name in names
        if name != NEW
    }
    return Outcome(
        decisions=len(question.good),
        viewers=len(np.unique(people[~np.isnan(figures[CHANCE][:, FIGURES.index("auc")])])),
        rate=float(question.good.mean()) if len(question.good) else np.nan,
        rankings=rankings,
        differences=differences,
        design_effect=effect,
        calibration=calibration(question.chance, question.good, seed),
        groups=group_figures(question, figures, seed, effect),
    )


def _intervals(
    figures: Floats, people: Indices, resampled: Floats | None, design_effect: float = 1.0
) -> dict[str, Interval]:
    """The mean of each figure over the viewers of whom it says something."""
    found = {}
    for at, name in enumerate(FIGURES):
        known = ~np.isnan(figures[:, at])
        mean = float(figures[known, at].mean()) if known.any() else np.nan
        low, high = np.nan, np.nan
        if resampled is not None:
            low, high = percentiles(mean, resampled[:, at], len(np.unique(people[known])), design_effect)
        found[name] = Interval(mean, low, high)
    return found
