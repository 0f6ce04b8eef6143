"""match-model --incremental: folds in whom the model does not know, and those of whom more was told since.

Everybody is folded in by themselves, with what the others' effects were when the model was trained: so it matters
neither in which order nor how often pages run.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.aliases import JsonObject
from sitejobs.jobs.job import Chapter, PageSummary, Resources, Run
from sitejobs.jobs.keyed import COUNT_USERS, KeyedJob, Keys
from sitejobs.jobs.keyed import Parameters as Values
from sitejobs.matching.learning.decisions import KINDS, Received
from sitejobs.matching.learning.folding import folded
from sitejobs.matching.learning.models import Algorithm, Model, chosen_model, model_of
from sitejobs.matching.match_model.effects import Effects, Folded, read_effects, write_effects
from sitejobs.matching.match_model.gathering import row_of_pair
from sitejobs.matching.match_model.reading import read_made, read_ratings, read_received, read_taken, values_of
from sitejobs.matching.match_model.told import FINGERPRINTS_IN_RANGE, fingerprints
from sitejobs.matching.options import MATCH_MODEL, MatchModelOptions
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
from sitejobs.matching.scoring.codes import rows_of
from sitejobs.matching.scoring.features import pair_features
from sitejobs.matching.scoring.parameters import EFFECT_DECIMALS, MatchVariables, Parameters, read_parameters
from sitejobs.matching.scoring.users import Users
from sitejobs.matching.snapshot.encoding import encode, make_dictionaries
from sitejobs.matching.snapshot.population import read_users
from sitejobs.postgres.columns import Column
from sitejobs.variables import read_environment

AT_ONCE: Final = 250
"""People folded in together: everybody whom they have to do with is read."""

NO_MODEL: Final = "no model to fold anybody into: v1 goes on"
OLD_MODEL: Final = "the model was trained before anybody could be folded in: the next training changes that"

_KNOWN: Final[LiteralString] = """
SELECT "id" FROM "User" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY "id" LIMIT %(limit)s
"""
_STALE: Final[LiteralString] = f"""
SELECT u."id" FROM "User" u
LEFT JOIN ({FINGERPRINTS_IN_RANGE}) AS t ON t."userId" = u."id"
LEFT JOIN "UserMatchEffect" e ON e."modelId" = %(model)s AND e."userId" = u."id"
WHERE u."id" BETWEEN %(first)s AND %(last)s AND u."deletedAt" IS NULL
  AND COALESCE(t."fingerprint", 0) <> COALESCE(e."fingerprint", 0)
  AND EXISTS (SELECT FROM "Profile" p WHERE p."userId" = u."id" AND p."deletedAt" IS NULL)
ORDER BY u."id" LIMIT %(limit)s
"""
"""Users with a profile of whom something else is told than when their effects were computed."""

_IS_OLD: Final[LiteralString] = """
SELECT EXISTS (SELECT FROM "UserMatchEffect" WHERE "modelId" = %(model)s AND "fingerprint" IS NULL)
"""


def plan(resources: Resources, run: Run, options: MatchModelOptions, cursor: Any) -> Chapter:
    """The next chapter of key ranges; none without a model that somebody can be folded into."""
    if cursor is not None:
        return KEYED.plan(resources, run, options, cursor)
    connection = resources.database.connection()
    algorithm = Algorithm(read_environment(MatchVariables, resources.environment).algorithm)
    model = chosen_model(connection, algorithm)
    if model is None:
        return Chapter(pages=[], message=NO_MODEL)
    row = connection.execute(_IS_OLD, {"model": model.id}).fetchone()
    assert row is not None
    if row[0]:
        return Chapter(pages=[], message=OLD_MODEL)
    chapter = KEYED.plan(resources, run, options, cursor)
    context: JsonObject = {"parameters": chapter.context["parameters"] | {"model": model.id}}
    return replace(chapter, context=context)


def _values(options: MatchModelOptions, environment: Any) -> Values:
    return {"scoring": read_parameters(environment, 1).to_json(), "epsilon": options.rewrite_epsilon}


def refresh(connection: Connection, ids: list[int], values: Values) -> PageSummary:
    """Fold these users in and write what moved, within the page's transaction."""
    model = model_of(connection, values["model"])
    summary = PageSummary(processed=len(ids))
    for start in range(0, len(ids), AT_ONCE):
        some = np.array(ids[start : start + AT_ONCE], np.int64)
        summary.written += write_effects(connection, model.id, _folded(connection, some, model, values))
    return summary


KEYED: Final = KeyedJob(MATCH_MODEL, Keys(_KNOWN, _STALE, COUNT_USERS), refresh, parameters=_values)


@dataclass(frozen=True)
class _Said:
    """d decisions between people who have profiles, by rows of `users`; odds : (d,) but for people's effects."""

    viewer: Indices
    candidate: Indices
    liked: Flags
    odds: Floats


def _folded(connection: Connection, ids: Indices, model: Model, values: Values) -> Folded:
    """The effects of the users with these ids, who have profiles; where they moved by less than epsilon, as before."""
    fingerprint = fingerprints(connection, ids)
    made, taken = read_made(connection, ids), read_taken(connection, ids)
    given, got = read_ratings(connection, ids), read_received(connection, ids)
    parameters = Parameters.from_json(values["scoring"])
    everybody = np.unique(np.concatenate([ids, made["candidate"], taken["viewer"]]))
    population = read_users(connection, values["now"], everybody)
    users = encode(population, make_dictionaries(population), parameters)
    stored = read_effects(connection, model.id, users.ids)
    received = _received(users, model)
    by_them, of_them = (
        _said(users, received, model, table, ratings, parameters.default_radius_km)
        for table, ratings in ((made, given), (taken, got))
    )
    rows = np.searchsorted(users.ids, ids)
    odds = by_them.odds + stored.trained_appeal[by_them.candidate]
    selectivity = folded(stored.trained_selectivity, model.selectivity_variance, by_them.viewer, odds, by_them.liked)
    odds = of_them.odds + stored.trained_selectivity[of_them.viewer]
    appeal = folded(stored.trained_appeal, model.appeal_variance, of_them.candidate, odds, of_them.liked)
    by_ratings = received.standing() @ np.array(model.taste)
    before = stored.known_or(by_ratings.round(EFFECT_DECIMALS))
    return Folded(
        ids,
        *_moved(before.take(rows), selectivity[rows], (appeal + by_ratings)[rows], values["epsilon"]),
        fingerprint,
    )


def _received(users: Users, model: Model) -> Received:
    sums = np.nan_to_num(users.averages) * users.rating_count[:, None]
    return Received(sums, users.rating_count, np.array(model.means))


def _said(
    users: Users,
    received: Received,
    model: Model,
    table: dict[str, Column],
    ratings: dict[str, Column],
    radius_km: float,
) -> _Said:
    """The decisions of the table; the candidate's standing leaves out the viewer's own rating."""
    viewer, has_viewer = rows_of(table["viewer"], users.ids)
    candidate, has_candidate = rows_of(table["candidate"], users.ids)
    there = has_viewer & has_candidate
    own = _ratings_beside(ratings, {name: column[there] for name, column in table.items()})
    viewer, candidate = viewer[there], candidate[there]
    standing = received.without(candidate.astype(np.int32), own)
    features = pair_features(users, users, viewer, candidate, radius_km)
    odds = model.intercept + standing @ np.array(model.taste) + features @ model.weights.as_array()
    return _Said(viewer, candidate, table["liked"][there] == 1, odds)


def _ratings_beside(given: dict[str, Column], made: dict[str, Column]) -> Singles:
    """(d, 4) the rating that stands beside each decision, by the same of the same; NaN where there is none."""
    rows, there = row_of_pair(given["viewer"], given["candidate"], made["viewer"], made["candidate"])
    own = np.full((len(made["viewer"]), KINDS), np.nan, np.float32)
    own[there] = values_of(given)[rows[there]]
    return own


def _moved(before: Effects, selectivity: Floats, appeal: Floats, epsilon: float) -> tuple[Floats, Floats, Flags]:
    """Both effects rounded, but as before where they moved by less than epsilon; and who has moved."""
    wanted = np.stack([selectivity, appeal]).round(EFFECT_DECIMALS)
    old = np.stack([before.selectivity, before.appeal])
    near = np.abs(wanted - old) < max(epsilon, 0.5 * 10**-EFFECT_DECIMALS)
    return np.where(near[0], old[0], wanted[0]), np.where(near[1], old[1], wanted[1]), ~near.all(axis=0)
