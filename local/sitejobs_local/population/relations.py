"""Blocks, matches, likes, access to profiles, and conversations."""

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.decisions import Decisions, decisions
from sitejobs_local.population.draws import Ints, stream, times_between, unique_pairs, weighted
from sitejobs_local.population.encounters import Encounters
from sitejobs_local.population.model import Table, bigints, objects, texts, timestamps
from sitejobs_local.population.people import People
from sitejobs_local.population.tastes import Tastes

MATCH_STATES = ("ACTIVE", "CLOSED", "BLOCKED")
ACCESS_STATUSES = ("GRANTED", "PENDING", "DENIED", "REVOKED", "CANCELED")
# For a hundred users.
_BLOCKS, _ACCESSES, _TALKS = 30, 30, 5


def relation_tables(crowd: People, encounters: Encounters, tastes: Tastes, seed: int) -> list[Table]:
    """UserBlock, Match, Like, ProfileAccess and Conversation."""
    decided = decisions(crowd, encounters, tastes, seed)
    likes, answers = decided.mutual()
    first, second = decided.viewer[likes], decided.candidate[likes]
    rng = stream(seed, "Match")
    state = weighted(rng, (80, 15, 5), len(first))
    since = np.maximum(decided.at[likes], decided.at[answers])
    # An active match is as it was made; the others were ended later.
    ended = times_between(rng, since, crowd.now)
    active = state == MATCH_STATES.index("ACTIVE")
    matches = Table(
        "Match",
        {
            "userAId": bigints(crowd.ids[first]),
            "userBId": bigints(crowd.ids[second]),
            "state": texts(objects(MATCH_STATES)[state]),
            "updatedAt": timestamps(np.where(active, since, ended)),
        },
    )
    broken = state == MATCH_STATES.index("BLOCKED")
    return [
        _blocks(crowd, encounters, seed, first[broken], second[broken]),
        matches,
        _likes(crowd, decided),
        _accesses(crowd, encounters, seed),
        _conversations(crowd, encounters, seed, first[active], second[active]),
    ]


def _pairs(rng: np.random.Generator, crowd: People, encounters: Encounters, per_hundred: int) -> tuple[Ints, Ints]:
    """Different pairs of people, the lower index first, in ascending order."""
    sources = rng.integers(0, len(crowd), len(crowd) * per_hundred // 100)
    targets = encounters.liked(rng, sources, tries=4)
    first, second = np.minimum(sources, targets), np.maximum(sources, targets)
    kept = unique_pairs(first, second)
    return first[kept], second[kept]


def _since(rng: np.random.Generator, crowd: People, first: Ints, second: Ints) -> NDArray[np.datetime64]:
    """A moment at which both were there."""
    return times_between(rng, np.maximum(crowd.joined[first], crowd.joined[second]), crowd.now)


def _blocks(crowd: People, encounters: Encounters, seed: int, first: Ints, second: Ints) -> Table:
    """Those of broken matches, others, and some of them both ways."""
    rng = stream(seed, "UserBlock")
    sources = rng.integers(0, len(crowd), len(crowd) * _BLOCKS // 100)
    targets = encounters.met(rng, sources)
    mutual = rng.integers(0, 100, len(sources)) < 5
    blockers = np.concatenate([first, sources, targets[mutual]])
    blocked = np.concatenate([second, targets, sources[mutual]])
    kept = unique_pairs(blockers, blocked)
    blockers, blocked = blockers[kept], blocked[kept]
    columns = {
        "blockerId": bigints(crowd.ids[blockers]),
        "blockedId": bigints(crowd.ids[blocked]),
        "createdAt": timestamps(_since(rng, crowd, blockers, blocked)),
    }
    return Table("UserBlock", columns)


def _likes(crowd: People, decided: Decisions) -> Table:
    """Like: yes and no."""
    columns = {
        "fromUserId": bigints(crowd.ids[decided.viewer]),
        "toUserId": bigints(crowd.ids[decided.candidate]),
        "action": texts(objects(("DISLIKE", "LIKE"))[decided.likes.astype(np.int64)]),
        "createdAt": timestamps(decided.at),
    }
    return Table("Like", columns)


def _accesses(crowd: People, encounters: Encounters, seed: int) -> Table:
    """Requests to see a profile, at every stage."""
    rng = stream(seed, "ProfileAccess")
    viewers = rng.integers(0, len(crowd), len(crowd) * _ACCESSES // 100)
    owners = encounters.liked(rng, viewers, tries=2)
    kept = unique_pairs(owners, viewers)
    owners, viewers = owners[kept], viewers[kept]
    columns = {
        "ownerUserId": bigints(crowd.ids[owners]),
        "viewerUserId": bigints(crowd.ids[viewers]),
        "status": texts(objects(ACCESS_STATUSES)[weighted(rng, (50, 25, 10, 10, 5), len(owners))]),
        "updatedAt": timestamps(_since(rng, crowd, owners, viewers)),
    }
    return Table("ProfileAccess", columns)


def _conversations(crowd: People, encounters: Encounters, seed: int, first: Ints, second: Ints) -> Table:
    """Of three matches in five, and a few without a match."""
    rng = stream(seed, "Conversation")
    talking = rng.integers(0, 100, len(first)) < 60
    others = _pairs(rng, crowd, encounters, _TALKS)
    a, b = np.concatenate([first[talking], others[0]]), np.concatenate([second[talking], others[1]])
    kept = unique_pairs(a, b)
    a, b = a[kept], b[kept]
    columns = {
        "userAId": bigints(crowd.ids[a]),
        "userBId": bigints(crowd.ids[b]),
        "updatedAt": timestamps(_since(rng, crowd, a, b)),
    }
    return Table("Conversation", columns)
