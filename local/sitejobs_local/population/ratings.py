"""Ratings of profiles, and their owners' top five lists."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population import words
from sitejobs_local.population.draws import (
    WHOLE_USERS,
    Ints,
    normal,
    picked,
    spread,
    stream,
    times_between,
    unique_pairs,
    weighted,
)
from sitejobs_local.population.encounters import Encounters
from sitejobs_local.population.interests import interest_labels
from sitejobs_local.population.model import Table, bigints, integers, objects, texts, timestamps
from sitejobs_local.population.people import People

RATED_ON = ("attractive", "smart", "funny", "interesting")
# Ratings given: none by two of five, up to thirty by a few.
_GIVEN_WEIGHTS = [4000] + [600] * 5 + [200] * 10 + [70] * 15
_FLAT_PER_MILLE = 30


def rating_table(crowd: People, encounters: Encounters, seed: int) -> Table:
    """ProfileRating: by charm, by taste, and by how generous the rater is."""
    rng = stream(seed, "ProfileRating")
    given = np.where(crowd.profile_ids > 0, weighted(rng, _GIVEN_WEIGHTS, len(crowd)), 0)
    raters = np.repeat(np.arange(len(crowd)), given)
    targets = encounters.liked(rng, raters, tries=2)
    kept = unique_pairs(raters, targets)
    raters, targets = raters[kept], targets[kept]
    stars = _stars(rng, crowd, raters, targets)
    columns = {
        "raterProfileId": bigints(crowd.profile_ids[raters]),
        "targetProfileId": bigints(crowd.profile_ids[targets]),
        **{name: integers(stars[:, axis]) for axis, name in enumerate(RATED_ON)},
        "createdAt": timestamps(times_between(rng, np.maximum(crowd.joined[raters], crowd.joined[targets]), crowd.now)),
    }
    return Table("ProfileRating", columns)


def _stars(rng: np.random.Generator, crowd: People, raters: Ints, targets: Ints) -> Ints:
    """1..5 on each of the four: ratings x 4. Some raters always give the same four."""
    generosity = normal(rng, len(crowd))
    emphasis = normal(rng, (len(crowd), len(RATED_ON)))
    fit = crowd.kinship(raters, targets)
    thousandths = (
        310_000
        + 45 * crowd.charm[targets]
        + (35 * fit + 40 * generosity[raters])[:, None]
        + 25 * emphasis[raters]
        + 45 * normal(rng, (len(raters), len(RATED_ON)))
    ) // 100
    flat = picked(rng, len(crowd), _FLAT_PER_MILLE)[raters]
    thousandths[flat] = thousandths[flat, :1]
    stars: Ints = np.clip((thousandths + 500) // 1000, 1, 5)
    return stars


def top_list_tables(crowd: People, seed: int) -> list[Table]:
    """Top5List and Top5Item: one to three lists for a fifth of the profiles, some lists short or empty."""
    rng = stream(seed, "Top5List")
    lists_of = spread(rng, len(crowd), 120, 60, 20)
    lists_of[:WHOLE_USERS] = 1
    owners = np.repeat(np.arange(len(crowd)), np.where(crowd.profile_ids > 0, lists_of, 0))
    ids = 1 + np.arange(len(owners)) * 2
    lists = {
        "id": bigints(ids),
        "profileId": bigints(crowd.profile_ids[owners]),
        "title": texts(_any_of(rng, words.LIST_TITLES, len(owners))),
        "updatedAt": timestamps(times_between(rng, crowd.joined[owners], crowd.now)),
    }
    lengths = np.array([0, 1, 3, 5])[weighted(rng, (2, 5, 13, 80), len(owners))]
    list_of = np.repeat(np.arange(len(owners)), lengths)
    firsts = np.cumsum(lengths) - lengths
    items = {
        "listId": bigints(ids[list_of]),
        "order": integers(np.arange(len(list_of)) - firsts[list_of] + 1),
        "text": texts(_any_of(rng, (*words.LIST_ITEMS, *interest_labels()), len(list_of))),
    }
    return [Table("Top5List", lists), Table("Top5Item", items)]


def _any_of(rng: np.random.Generator, pool: tuple[str, ...], size: int) -> NDArray[Any]:
    """So many strings out of a pool."""
    return objects(pool)[rng.integers(0, len(pool), size)]
