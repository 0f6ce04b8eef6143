"""Quiz results as an earlier snapshot has them: a run that compares with it reads only those that changed.

Taking the answers apart is half of what reading the population costs the server. A hash of each user's results tells
whether they are as they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.codes import codes_of, rows_of, translated
from sitejobs.matching.scoring.ragged import Ragged, joined
from sitejobs.matching.scoring.users import Dictionaries, Users
from sitejobs.matching.snapshot.hashing import Hash, mixed, summed
from sitejobs.postgres.columns import Column


@dataclass(frozen=True)
class Quizzes:
    """What is known of r quiz results, a row each, by the codes of some dictionaries."""

    vectors: Ragged
    answers: Ragged
    questions: Ragged


@dataclass(frozen=True)
class KeptQuizzes:
    """The results of the n users of a snapshot.

    ids, hash : (n,) ids, ascending, and a hash of all results of each. starts: (n + 1,) first result of each.
    results : all results, user after user, by the codes of `dictionaries`.
    """

    dictionaries: Dictionaries
    ids: Indices
    hash: Hash
    starts: Indices
    results: Quizzes

    @classmethod
    def of(cls, blocks: Sequence[Users], dictionaries: Dictionaries) -> "KeptQuizzes":
        """Those of the users of some blocks, at least one."""
        ids = np.concatenate([block.ids for block in blocks])
        order = np.argsort(ids)
        counts = np.concatenate([block.quiz.lengths for block in blocks])
        starts = np.cumsum(counts) - counts
        results = np.repeat(starts[order] - np.cumsum(counts[order]) + counts[order], counts[order])
        results += np.arange(len(results))
        vectors, answers, questions = (
            joined([getattr(block, name) for block in blocks]).take(results)
            for name in ("vectors", "answers", "questions")
        )
        return cls(
            dictionaries=dictionaries,
            ids=ids[order],
            hash=np.concatenate([block.quiz_hash for block in blocks])[order],
            starts=np.concatenate([[0], np.cumsum(counts[order])]),
            results=Quizzes(vectors, answers, questions),
        )

    def holds(self, ids: Indices, hashes: Hash) -> Flags:
        """Which of these users have the results that are kept."""
        at, known = rows_of(ids, self.ids)
        return known & (self.hash[at] == hashes) if len(self.ids) else known

    def rows(self, ids: Indices, results: Ragged, hashes: Hash) -> Indices:
        """For each result of these users the kept one, -1 for those to be read."""
        held = self.holds(ids, hashes)
        first = np.where(held, self.starts[rows_of(ids, self.ids)[0]] - results.offsets[:-1], 0)
        owners = results.owners()
        return np.where(held[owners], first[owners] + np.arange(len(owners)), -1)

    def in_use(self, table: dict[str, Column]) -> tuple[Indices, Indices]:
        """Questions and answers, hashed as they are read, of the results that `table` has and that are kept."""
        ids, hashes = hashes_of_users(table)
        held = rows_of(ids[self.holds(ids, hashes)], self.ids)[0]
        used = np.zeros(len(self.ids), bool)
        used[held] = True
        kept = np.repeat(used, np.diff(self.starts))
        return (
            _used(self.results.questions, kept, self.dictionaries.questions),
            _used(self.results.answers, kept, self.dictionaries.answers),
        )

    def translated(self, others: Dictionaries) -> Quizzes:
        """The results by the codes of other dictionaries, which hold all that is in use."""
        own = self.dictionaries
        return Quizzes(
            self.results.vectors,
            translated(self.results.answers, codes_of(own.answers, others.answers)),
            translated(self.results.questions, codes_of(own.questions, others.questions)),
        )

    def merged(self, read: Quizzes, rows: Indices, others: Dictionaries) -> Quizzes:
        """The results `read`, but the kept ones where `rows` has them."""
        kept = self.translated(others)
        source = np.where(rows < 0, np.arange(len(rows)), rows + len(rows))
        return Quizzes(
            *(
                joined([getattr(read, name), getattr(kept, name)]).take(source)
                for name in ("vectors", "answers", "questions")
            )
        )


def result_hashes(table: dict[str, Column]) -> Hash:
    """A hash of each result that `population` reads."""
    return mixed(table["quizId"], table["updatedAt"], table["hash"])


def hashes_of_users(table: dict[str, Column]) -> tuple[Indices, Hash]:
    """The users who have results, ascending, and a hash of all of each one's."""
    ids, owners = np.unique(table["userId"], return_inverse=True)
    return ids, summed(owners, result_hashes(table), len(ids))


def _used(codes: Ragged, kept: Flags, dictionary: Indices) -> Indices:
    used = np.zeros(len(dictionary), bool)
    used[codes.values[np.repeat(kept, codes.lengths)]] = True
    return dictionary[used]
