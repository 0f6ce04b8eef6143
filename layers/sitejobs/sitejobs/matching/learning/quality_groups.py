"""The figures of each group of viewers, and whether one of them falls."""

from collections.abc import Mapping

import numpy as np

from sitejobs.matching.learning.calibration import calibration
from sitejobs.matching.learning.intervals import mean_interval
from sitejobs.matching.learning.quality_figures import CHANCE, GROUP_FIGURES, NEW, OLD, Group, Interval
from sitejobs.matching.learning.questions import Question
from sitejobs.matching.learning.ranking_figures import FIGURES
from sitejobs.matching.scoring.arrays import Floats, Indices

LEAST_VIEWERS = 20
"""Viewers with both outcomes below whom a group's rankings are not compared."""
MOST_GROUPS = 6
"""Groups of a kind that are shown: those with most decisions."""


def group_figures(
    question: Question, figures: Mapping[str, Floats], seed: int, design_effect: float
) -> tuple[Group, ...]:
    """Figures of every kind's groups.

    Parameters
    ----------
    figures : ranking -> (viewers, `FIGURES`).
    """
    found = [(kind, number, rows) for kind in question.groups for number, rows in _largest(question, kind)]
    comparable = [_comparable(question, figures, rows) for _, _, rows in found]
    compared = sum(_several(question, viewers) for viewers in comparable)
    return tuple(
        _group(question, figures, kind, number, rows, viewers, (seed, compared, design_effect))
        for (kind, number, rows), viewers in zip(found, comparable, strict=True)
    )


def _largest(question: Question, kind: str) -> list[tuple[int, Indices]]:
    """The groups of a kind by number, with their decisions."""
    codes = question.groups[kind]
    numbers, counts = np.unique(codes[codes >= 0], return_counts=True)
    largest = np.sort(numbers[np.argsort(-counts, kind="stable")[:MOST_GROUPS]])
    return [(int(number), np.flatnonzero(codes == number)) for number in largest]


def _comparable(question: Question, figures: Mapping[str, Floats], rows: Indices) -> Indices:
    """The viewers of these decisions that have both outcomes."""
    viewers = np.unique(question.viewer[rows])
    return np.asarray(viewers[~np.isnan(figures[NEW][viewers, FIGURES.index("auc")])])


def _several(question: Question, viewers: Indices) -> bool:
    """Whether these viewers are people enough to be compared."""
    return len(np.unique(question.people[viewers])) >= LEAST_VIEWERS


def _group(
    question: Question,
    figures: Mapping[str, Floats],
    kind: str,
    number: int,
    rows: Indices,
    viewers: Indices,
    how: tuple[int, int, float],
) -> Group:
    seed, compared, design_effect = how
    several = _several(question, viewers)
    names = question.labels.get(kind, ())
    found = calibration(question.chance[rows], question.good[rows], seed)
    auc = FIGURES.index("auc")
    gain = (figures[NEW] - figures[OLD])[viewers, auc]
    return Group(
        kind=kind,
        group=names[number] if number < len(names) else str(number),
        decisions=len(rows),
        viewers=len(np.unique(question.people[viewers])),
        rate=float(question.good[rows].mean()),
        rankings={
            name: tuple(float(values[viewers, FIGURES.index(figure)].mean()) for figure in GROUP_FIGURES)
            for name, values in figures.items()
            if several and name != CHANCE
        },
        log_loss=found.log_loss,
        brier=found.brier,
        calibration_error=found.error,
        difference=Interval(*mean_interval(gain, question.people[viewers], compared, design_effect))
        if several
        else None,
    )
