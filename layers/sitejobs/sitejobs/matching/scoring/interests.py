"""Interest sets as bits over the vocabulary of a page's viewers: an intersection is an AND and a count."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.ragged import Ragged
from sitejobs.matching.scoring.users import MISSING

Bits = NDArray[np.uint64]
WORD = 64


class Interested(Protocol):
    """People with interests as codes, ascending within each."""

    @property
    def interests(self) -> Ragged: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class InterestBits:
    """A vocabulary of interest codes, ascending: bit i stands for `vocabulary[i]`."""

    vocabulary: NDArray[np.int32]

    @classmethod
    def over(cls, viewers: Interested) -> "InterestBits":
        """The interests of these viewers: no other can be shared with them."""
        return cls(np.unique(viewers.interests.values))

    @property
    def words(self) -> int:
        """Words of 64 bits a user takes; at least one."""
        return max(1, -(-len(self.vocabulary) // WORD))

    def of(self, users: Interested) -> Bits:
        """(n, words) sets of the users, restricted to the vocabulary."""
        flags = np.zeros((len(users), self.words * WORD), np.uint8)
        if len(self.vocabulary):
            at = np.minimum(np.searchsorted(self.vocabulary, users.interests.values), len(self.vocabulary) - 1)
            known = self.vocabulary[at] == users.interests.values
            flags[users.interests.owners()[known], at[known]] = 1
        return np.packbits(flags, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)

    def first_codes(self, sets: Bits, count: int) -> NDArray[np.int64]:
        """(n, words) sets -> (n, count) codes of the lowest bits, MISSING where a set has fewer."""
        left = sets.copy()
        codes = np.full((len(sets), count), MISSING, np.int64)
        for column in range(count):
            rows = np.flatnonzero(left.any(axis=1))
            if not len(rows):
                break
            word = (left[rows] != 0).argmax(axis=1)
            value = left[rows, word]
            without = value & (value - np.uint64(1))
            bit = np.bitwise_count((value ^ without) - np.uint64(1)).astype(np.int64)
            codes[rows, column] = self.vocabulary[word * WORD + bit]
            left[rows, word] = without
        return codes


def count_bits(sets: Bits) -> NDArray[np.int32]:
    """(p, words) -> (p,) how many bits are set. Word by word: numpy is slow to sum along a short axis."""
    counts = np.bitwise_count(sets)
    total = counts[:, 0].astype(np.int32)
    for word in range(1, counts.shape[1]):
        total += counts[:, word]
    return total
