"""What training takes on many decisions: `make bench ARGS=training`.

    python -m benchmarks training --decisions 1000000 10000000 50000000
    python -m benchmarks training --decisions 10000000 --page

Decisions are drawn, 50 a user, and no database is asked. `--page` measures the last page of match-model but for its
reading and writing: it joins what pages gathered, trains on what is known, asks about the rest, and trains on all.
Seconds are told without the joining, during which decisions are drawn; memory is told with it. Each size has a process
of its own, whose highest memory is told. Processor time depends little on what else the machine does.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.learning.decisions import KINDS, Decisions, Received
from sitejobs.matching.learning.training import train
from sitejobs.matching.match_model.gathering import Gathered
from sitejobs.matching.match_model.history import join
from sitejobs.matching.match_model.quality_run import quality_of
from sitejobs.matching.scoring.arrays import Flags, Floats
from sitejobs.matching.scoring.features import FEATURES
from sitejobs.matching.scoring.parameters import STANDARD

People = NDArray[np.int32]
SIZES = (1_000_000, 10_000_000)
A_USER = 50
KNOWN, RATED = 0.8, 0.1
PAGE_USERS = 2000
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
        history = join(people, _pages(random, people))
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
    viewer = np.repeat(np.arange(people, dtype=np.int32), A_USER)
    candidate = random.integers(0, people, len(viewer), dtype=np.int32)
    features = np.empty((len(viewer), FEATURES), np.float32)
    for start in range(0, len(viewer), AT_ONCE):
        features[start : start + AT_ONCE] = random.normal(0, 0.3, features[start : start + AT_ONCE].shape)
    selectivity, appeal = _effects(random, people)
    return Decisions(viewer, candidate, _liked(random, viewer, candidate, selectivity, appeal), features)


def _effects(random: np.random.Generator, people: int) -> tuple[Floats, Floats]:
    return random.normal(-0.5, 1, people), random.normal(0, 1, people)


def _liked(
    random: np.random.Generator, viewer: People, candidate: People, selectivity: Floats, appeal: Floats
) -> Flags:
    liked = np.empty(len(viewer), bool)
    for start in range(0, len(viewer), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        odds = selectivity[viewer[rows]] + appeal[candidate[rows]]
        liked[rows] = random.random(len(odds)) < 1 / (1 + np.exp(-odds))
    return liked


def _received(random: np.random.Generator, people: int) -> Received:
    counts = random.integers(20, 40, people, dtype=np.int32)
    return Received.of((random.uniform(2, 4, (people, KINDS)) * counts[:, None]).astype(np.float32), counts)


def _pages(random: np.random.Generator, people: int) -> Iterator[Gathered]:
    """What pages gather of a site, a tenth of whose decisions have a rating beside them."""
    effects = _effects(random, people)
    for first in range(0, people, PAGE_USERS):
        users = min(PAGE_USERS, people - first)
        viewer = np.repeat(np.arange(first, first + users, dtype=np.int32), A_USER)
        candidate = random.integers(0, people, len(viewer), dtype=np.int32)
        known = random.random(len(viewer)) < KNOWN
        beside = np.flatnonzero(random.random(len(viewer)) < RATED)
        answered = random.random(len(viewer))
        received = _received(random, users)
        yield Gathered(
            viewer=viewer,
            candidate=candidate,
            liked=_liked(random, viewer, candidate, *effects),
            known=known[:, None],
            features=random.normal(0, 0.3, (len(viewer), FEATURES)).astype(np.float32),
            base=random.random(len(viewer), dtype=np.float32),
            back=np.where(answered < 0.5, -1, answered < 0.7).astype(np.int8),
            back_known=known[:, None],
            rater=viewer[beside],
            rated=candidate[beside],
            ratings=np.full((len(beside), KINDS), 3, np.float32),
            later=~known[beside][:, None],
            beside=beside.astype(np.int32),
            first=np.array([first]),
            received=received.sums,
            received_count=received.counts,
            fingerprint=np.zeros(users, np.int64),
            gender=random.integers(1, 3, users, dtype=np.int8),
            wants=np.zeros(users, np.int16),
            age=random.integers(18, 60, users, dtype=np.int16),
        )


if __name__ == "__main__":
    sys.exit(main())
