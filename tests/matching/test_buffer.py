"""More keys that are equal in single precision than `TopKBuffer` has places for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sitejobs.matching.scoring.parameters import STANDARD
from sitejobs.matching.topk.buffer import EXTRA, TopKBuffer
from sitejobs.matching.topk.keys import key_margin

Indices = NDArray[np.int64]

TOP_K = 5
TIES = 3 * (TOP_K + EXTRA)
AT_ONCE = 64


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("kinds", [1, TIES // 4])
def test_of_more_near_ties_than_there_are_places_the_exactly_best_stay(seed: int, ahead: int, kinds: int) -> None:
    """All keys but the first `ahead` are one in single precision; in double precision there are some
    `kinds` of them, and ids decide."""
    random = np.random.default_rng(seed)
    exact = np.full(TIES, 0.5)
    exact += random.integers(0, kinds, TIES) * (key_margin(STANDARD) / TIES)
    exact[:ahead] += 0.1
    ids = random.permutation(TIES) + 10
    order = random.permutation(TIES)

    def rescore(row: int, positions: Indices) -> tuple[NDArray[np.float64], Indices]:
        return exact[positions], ids[positions]

    buffer = TopKBuffer(1, TOP_K, AT_ONCE, rescore, key_margin(STANDARD))
    for start in range(0, TIES, AT_ONCE):
        positions = order[start : start + AT_ONCE]
        keys = np.where(positions < ahead, np.float32(0.6), np.float32(0.5))
        buffer.add(np.zeros(len(positions), np.int64), keys.astype(np.float32), positions)
    rows, found = buffer.found()
    best = np.lexsort((ids, -exact.round(9)))[:TOP_K]
    assert set(best.tolist()) <= set(found.tolist())
    assert len(rows) <= TOP_K + EXTRA
