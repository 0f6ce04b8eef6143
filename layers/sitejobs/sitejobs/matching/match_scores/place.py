"""The exact place of one candidate among all of a viewer's, for a person who asks about this pair."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.snapshot.encoding import encode, make_dictionaries
from sitejobs.matching.snapshot.exclusions import Excluded
from sitejobs.matching.snapshot.population import Population, read_population, read_range
from sitejobs.options import MAX_ID, MIN_ID

AT_ONCE: Final = 20_000
"""Users read together: memory does not grow with the site."""

_READ_END: Final[LiteralString] = """
SELECT max("id") FROM (SELECT "id" FROM "User" WHERE "id" >= %(first)s ORDER BY "id" LIMIT %(users)s) AS following
"""
_CLOSE: Final = 1e-9
"""Candidates whose worth differs by no more than this are ordered by their ids."""


def joined(parts: list[Population]) -> Population:
    """The users of all parts."""
    return Population(
        **{
            item.name: {
                name: np.concatenate([getattr(part, item.name)[name] for part in parts])
                for name in getattr(parts[0], item.name)
            }
            for item in fields(Population)
        }
    )


def place_of(
    connection: Connection, pair: Pairs, ids: tuple[int, int], barred: Excluded, now: datetime, parameters: Parameters
) -> tuple[int, int]:
    """The candidate's rank among all candidates of the viewer, as of now, and how many these are.

    `ids`: viewer and candidate. `pair`: of these. `barred`: who is no candidate of the viewer.
    """
    viewer, candidate = ids
    tier, worth = bool(pair.tier_a[0]), float(pair.worth[0])
    ahead = total = 0
    for mine, others in _all(connection, viewer, now, parameters):
        rows = np.arange(len(others))
        found = judge_pairs(
            mine,
            others,
            np.zeros(len(others), np.int64),
            rows,
            now.timestamp(),
            parameters,
            admirers=np.isin(others.ids, barred.admirer),
        )
        there = others.visible & (others.ids != viewer) & ~found.barred & ~np.isin(others.ids, barred.other)
        by_id = (np.abs(found.worth - worth) <= _CLOSE) & (others.ids < candidate)
        better = (found.tier_a > tier) | ((found.tier_a == tier) & ((found.worth > worth + _CLOSE) | by_id))
        ahead += int((there & better & (others.ids != candidate)).sum())
        total += int(there.sum())
    return ahead + 1, total


def _all(connection: Connection, viewer: int, now: datetime, parameters: Parameters) -> Iterator[tuple[Users, Users]]:
    """The viewer and everybody else, some at a time."""
    own, first = read_population(connection, now, viewer, parameters), MIN_ID
    while True:
        row = connection.execute(_READ_END, {"first": first, "users": AT_ONCE}).fetchone()
        if row is None or row[0] is None:
            return
        some = read_range(connection, now, first, int(row[0]), parameters)
        dictionaries = make_dictionaries(joined([own, some]))
        yield encode(own, dictionaries, parameters), encode(some, dictionaries, parameters)
        if row[0] == MAX_ID:
            return
        first = int(row[0]) + 1
