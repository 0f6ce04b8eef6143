"""The population in scoring order, cut in blocks with bounds: taken once a run, read by every batch.

Positions number the users: candidates first, block by block, then those who are viewers only (hidden profiles).
"""

from dataclasses import dataclass

import numpy as np

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.interests import InterestBits
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Dictionaries, Users
from sitejobs.matching.snapshot.blocks import groups_of, keys_of, kinds_of, trait_sets
from sitejobs.matching.snapshot.encoding import encode, make_dictionaries
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes
from sitejobs.matching.snapshot.population import Population
from sitejobs.matching.topk.bounds import Bounds, bounds_of
from sitejobs.matching.topk.segment import static_scores

WHOLE_VOCABULARY = 1024
"""Interests up to which every block keeps its bits; beyond, bits are made for the interests of a page."""


@dataclass(frozen=True)
class Snapshot:
    """A population ready for scoring.

    starts : (b + 1,) position of each block's first user. The first `len(bounds)` blocks hold the candidates.
    without_profile : ids of those who are no viewers, or no longer: their rows must go.
    now : the run's start, in seconds since 1970.
    """

    now: float
    parameters: Parameters
    dictionaries: Dictionaries
    bounds: Bounds
    starts: Indices
    blocks: list[Users]
    without_profile: Indices

    @property
    def candidates(self) -> int:
        """How many candidates there are: they have the positions below."""
        return int(self.starts[len(self.bounds)])


def take_snapshot(
    population: Population,
    gone: Indices,
    now: float,
    parameters: Parameters,
    block_size: int,
    kept: KeptQuizzes | None = None,
) -> Snapshot:
    """Order the population and cut it into blocks of at most `block_size` users.

    `gone`: ids that have rows of an earlier run but are no viewers any more. `kept`: as the population was read with.
    """
    dictionaries = make_dictionaries(population, kept)
    users = encode(population, dictionaries, parameters, kept)
    static = static_scores(users, now, parameters)
    visible, hidden = groups_of(keys_of(users, static, kinds_of(trait_sets(users.traits))[1]), block_size)
    blocks = [users.take(rows) for rows in visible + hidden]
    return Snapshot(
        now=now,
        parameters=parameters,
        dictionaries=dictionaries,
        bounds=bounds_of(blocks[: len(visible)], [static[rows] for rows in visible]),
        starts=np.cumsum([0, *(len(block) for block in blocks)], dtype=np.int64),
        blocks=blocks,
        without_profile=np.union1d(without_profile(population), gone),
    )


def without_profile(population: Population) -> Indices:
    """Ids of the users who are no viewers."""
    ids: Indices = population.users["id"][population.users["hasProfile"] == 0]
    return ids


def vocabulary_of(dictionaries: Dictionaries) -> InterestBits | None:
    """Interest bits over all interests, when these are few enough to keep for everyone."""
    count = len(dictionaries.interests)
    return InterestBits(np.arange(count, dtype=np.int32)) if count <= WHOLE_VOCABULARY else None
