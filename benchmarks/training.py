"""What training takes on many decisions: `make bench ARGS=training`.

    python -m benchmarks training --decisions 1000000 10000000 50000000
    python -m benchmarks training --decisions 10000000 --page

Decisions are drawn, 50 a user, and no database is asked. `--page` measures the whole last page of match-model but for
its writing: it trains on what is known, asks about the rest, and trains on everything. Each size has a process of its
own, whose highest memory is told. Processor time depends little on what else the machine does.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.learning.training import train
from sitejobs.matching.match_model.history import History
from sitejobs.matching.match_model.quality_run import quality_of
from sitejobs.matching.scoring.arrays import Flags
from sitejobs.matching.scoring.features import FEATURES
from sitejobs.matching.scoring.parameters import STANDARD

People = NDArray[np.int32]
SIZES = (1_000_000, 10_000_000)
A_USER = 50
KNOWN = 0.8
AT_ONCE = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each size; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks training", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--decisions", type=int, nargs="+", default=list(SIZES), help="how many decisions")
    parser.add_argument("--page", action="store_true", help="the whole page instead of one training")
    given = parser.parse_args(arguments)
    if len(given.decisions) == 1:
        _measure(given.decisions[0], page=given.page)
        return 0
    again = [sys.executable, "-m", "benchmarks", "training", *(["--page"] if given.page else [])]
    return max(subprocess.run([*again, "--decisions", str(size)], check=False).returncode for size in given.decisions)


def _measure(decisions: int, *, page: bool) -> None:
    random = np.random.default_rng(1)
    people = max(decisions // A_USER, 2)
    if page:
        history = _history(random, decisions, people)
        begun = time.process_time()
        quality_of(history, STANDARD, None, 1)
        train(history.everything(), history.received)
    else:
        told = _decisions(random, decisions, people)
        received = _received(random, people)
        begun = time.process_time()
        train(told, received)
    seconds = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = "page" if page else "training"
    print(f"{what} of {decisions:,} decisions: {seconds:.1f} s, {peak:,.0f} MB at most")


def _decisions(random: np.random.Generator, decisions: int, people: int) -> Decisions:
    """Decisions by viewer, as pages gather them."""
    viewer = np.sort(random.integers(0, people, decisions, dtype=np.int32))
    candidate = random.integers(0, people, decisions, dtype=np.int32)
    inputs = np.empty((decisions, KINDS + FEATURES), np.float32)
    for start in range(0, decisions, AT_ONCE):
        inputs[start : start + AT_ONCE] = random.normal(0, 0.3, inputs[start : start + AT_ONCE].shape)
    return Decisions(viewer, candidate, _liked(random, viewer, candidate, people), inputs)


def _liked(random: np.random.Generator, viewer: People, candidate: People, people: int) -> Flags:
    selectivity, appeal = random.normal(-0.5, 1, people), random.normal(0, 1, people)
    liked = np.empty(len(viewer), bool)
    for start in range(0, len(viewer), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        odds = selectivity[viewer[rows]] + appeal[candidate[rows]]
        liked[rows] = random.random(len(odds)) < 1 / (1 + np.exp(-odds))
    return liked


def _received(random: np.random.Generator, people: int) -> Received:
    counts = random.integers(0, 9, people, dtype=np.int32)
    return Received.of((random.uniform(2, 4, (people, KINDS)) * counts[:, None]).astype(np.float32), counts)


def _history(random: np.random.Generator, decisions: int, people: int) -> History:
    """A site's history, a tenth of whose decisions have a rating beside them."""
    told = _decisions(random, decisions, people)
    known = random.random(decisions) < KNOWN
    rated = random.random(decisions) < 0.1
    own = np.full((decisions, KINDS), np.nan, np.float32)
    own[rated] = 3
    raters, targets = told.viewer[rated], told.candidate[rated]
    ratings = np.full((len(raters), KINDS), 3, np.float32)
    sums, counts = np.zeros((people, KINDS), np.float32), np.bincount(targets, minlength=people).astype(np.int32)
    sums[:] = 3 * counts[:, None]
    answered = random.random(decisions)
    return History(
        viewer=told.viewer,
        candidate=told.candidate,
        liked=told.liked,
        known=known[:, None],
        features=np.ascontiguousarray(told.inputs[:, KINDS:]),
        own=own,
        own_known=(rated & known)[:, None],
        base=random.random(decisions, dtype=np.float32),
        back=np.where(answered < 0.5, -1, answered < 0.7).astype(np.int8),
        back_known=known[:, None],
        rater=raters,
        rated=targets,
        ratings=ratings,
        later=~known[rated][:, None],
        received=Received.of(sums, counts),
        fingerprint=np.zeros(people, np.int64),
        gender=random.integers(1, 3, people, dtype=np.int8),
        wants=np.zeros(people, np.int16),
        age=random.integers(18, 60, people, dtype=np.int16),
    )


if __name__ == "__main__":
    sys.exit(main())
