"""A page's decisions: who decided, what a model reads of the pairs, and what asking about them needs; one work file."""

import io
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection

from sitejobs.matching.learning.quality import UNDECIDED
from sitejobs.matching.match_model.reading import (
    Cut,
    read_made,
    read_ratings,
    read_taken,
    values_of,
)
from sitejobs.matching.match_model.told import fingerprints
from sitejobs.matching.scoring.arrays import Flags, Indices, Singles
from sitejobs.matching.scoring.codes import rows_of
from sitejobs.matching.scoring.features import pair_features
from sitejobs.matching.scoring.pair_scores import score_pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import concatenate
from sitejobs.matching.snapshot.file import StoredSnapshot, read_whole
from sitejobs.matching.snapshot.work_files import put
from sitejobs.postgres.columns import Column
from sitejobs.workstore import WorkStore


@dataclass(frozen=True)
class Gathered:
    """The d decisions of v viewers at neighbouring positions of a snapshot, and the r ratings that they gave.

    With f folds (`Cut`). viewer, candidate : (d,) positions. liked : (d,) what the viewer decided. known : (d, f).
    features : (d, 4) of the pair. base : (d,) v1's score without what ratings say.
    back : (d,) what the other decided: 1, 0, UNDECIDED. back_known : (d, f).
    rater, rated : (r,) positions. ratings : (r, 4). later : (r, f) not known: newer, or of a pair that is asked
        about. beside : (r,) the row of the rater's decision about the rated; -1 without. Rows rise.
    first : position of the first viewer. received, received_count : (v, 4) sums and (v,) number of ratings.
    fingerprint : (v,) of what is told of each viewer (`told.py`), no newer than the decisions.
    gender, wants, age : (v,) as in `Users`.
    """

    viewer: NDArray[np.int32]
    candidate: NDArray[np.int32]
    liked: Flags
    known: Flags
    features: Singles
    base: Singles
    back: NDArray[np.int8]
    back_known: Flags
    rater: NDArray[np.int32]
    rated: NDArray[np.int32]
    ratings: Singles
    later: Flags
    beside: NDArray[np.int32]
    first: Indices
    received: Singles
    received_count: NDArray[np.int32]
    fingerprint: Indices
    gender: NDArray[np.int8]
    wants: NDArray[np.int16]
    age: NDArray[np.int16]


def gather(
    connection: Connection, snapshot: StoredSnapshot, start: int, stop: int, cut: Cut, parameters: Parameters
) -> Gathered:
    """What the users at positions start..stop-1 decided, about users of the snapshot."""
    viewers = concatenate([users.take(rows) for users, rows in snapshot.at(start, stop)])
    ids, positions = snapshot.everybody_by_id
    fingerprint = fingerprints(connection, viewers.ids)
    made, viewer, candidate = _between(read_made(connection, viewers.ids), ids, positions)
    given, rater, rated = _between(read_ratings(connection, viewers.ids), ids, positions)
    known = cut.knows(made["at"], made["viewer"], made["candidate"])
    back, back_known = _answers(read_taken(connection, viewers.ids), made, cut)
    beside, there = row_of_pair(made["viewer"], made["candidate"], given["viewer"], given["candidate"])
    later = ~cut.knows(given["at"], given["viewer"], given["candidate"])
    # A rating of a pair that is asked about is not known either.
    later[there] |= ~known[beside[there]]
    people, rows = np.unique(candidate, return_inverse=True)
    candidates = snapshot.users_at(people)
    pairs = score_pairs(viewers, candidates, viewer - start, rows, snapshot.now, parameters)
    weights = parameters.weights
    return Gathered(
        viewer=viewer.astype(np.int32),
        candidate=candidate.astype(np.int32),
        liked=made["liked"] == 1,
        known=known,
        features=_single(pair_features(viewers, candidates, viewer - start, rows, parameters.default_radius_km)),
        base=_single(
            pairs.score - weights.rating_quality * pairs.rating_quality - weights.rating_fit * pairs.rating_fit
        ),
        back=back,
        back_known=back_known,
        rater=rater.astype(np.int32),
        rated=rated.astype(np.int32),
        ratings=_single(values_of(given)),
        later=later,
        beside=np.where(there, beside, -1).astype(np.int32),
        first=np.array([start]),
        received=_single(np.nan_to_num(viewers.averages) * viewers.rating_count[:, None]),
        received_count=viewers.rating_count,
        fingerprint=fingerprint,
        gender=viewers.gender,
        wants=viewers.wants,
        age=viewers.age,
    )


def store(store: WorkStore, key: str, gathered: Gathered) -> None:
    """Put the file under `key`."""
    with put(store, key) as path, path.open("wb") as file:
        np.savez(file, allow_pickle=False, **vars(gathered))


def stored(store: WorkStore, key: str) -> Gathered:
    """The file of this key.

    Raises
    ------
    DataUnavailable : it is not there.
    """
    found = np.load(io.BytesIO(read_whole(store, key)), allow_pickle=False)
    return Gathered(**{item.name: found[item.name] for item in fields(Gathered)})


def _between(table: dict[str, Column], ids: Indices, positions: Indices) -> tuple[dict[str, Column], Indices, Indices]:
    """The rows whose two users are in the snapshot, by viewer, and the position of both."""
    viewer, has_viewer = rows_of(table["viewer"], ids)
    candidate, has_candidate = rows_of(table["candidate"], ids)
    there = np.flatnonzero(has_viewer & has_candidate)
    there = there[np.lexsort((positions[candidate[there]], positions[viewer[there]]))]
    kept = {name: column[there] for name, column in table.items()}
    return kept, positions[viewer[there]], positions[candidate[there]]


def _answers(taken: dict[str, Column], made: dict[str, Column], cut: Cut) -> tuple[NDArray[np.int8], Flags]:
    """For each decision made what the other decided of the viewer, and (d, f) whether that is known."""
    rows, there = row_of_pair(taken["candidate"], taken["viewer"], made["viewer"], made["candidate"])
    back = np.full(len(made["viewer"]), UNDECIDED, np.int8)
    back[there] = taken["liked"][rows[there]]
    known = np.zeros((len(back), cut.folds), bool)
    known[there] = cut.knows(taken["at"], taken["viewer"], taken["candidate"])[rows[there]]
    return back, known


def row_of_pair(one: Indices, two: Indices, wanted_one: Indices, wanted_two: Indices) -> tuple[Indices, Flags]:
    """The row of each wanted pair among (one, two), and whether it is there."""
    if not len(one):
        return np.zeros(len(wanted_one), np.int64), np.zeros(len(wanted_one), bool)
    pairs = np.stack([np.concatenate([one, wanted_one]), np.concatenate([two, wanted_two])], axis=1)
    codes = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)
    row = np.full(int(codes.max()) + 1, -1)
    row[codes[: len(one)]] = np.arange(len(one))
    found = row[codes[len(one) :]]
    return np.maximum(found, 0), found >= 0


def _single(values: Any) -> Singles:
    return np.asarray(values, np.float32)
