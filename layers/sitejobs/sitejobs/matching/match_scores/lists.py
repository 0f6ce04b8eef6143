"""Encodes lists, and what changes in them, as PostgreSQL binary COPY with numpy."""

import itertools
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha1

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.match_scores.list_columns import (
    AGEING,
    AVERAGES,
    CHANGE_ARRAYS,
    CODES,
    COPY_COLUMNS,
    HALVES,
    LIST_ARRAYS,
    NULLABLE,
    PARTS,
    PLAIN,
    SOMETIMES,
    SPARES,
    WITH_NULLS,
    coded,
    halves_of,
)
from sitejobs.matching.match_scores.merging import Order
from sitejobs.matching.match_scores.stored_lists import StoredLists
from sitejobs.matching.scoring.arrays import Flags, Indices, Singles
from sitejobs.matching.scoring.pair_scores import SHARED_SHOWN, Pairs
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.search import Matches
from sitejobs.postgres.copy import (
    NO_ID,
    POSTGRES_EPOCH_MICROSECONDS,
    ArrayColumn,
    ArrayOf,
    Values,
    array_fields,
    field,
    microseconds,
    row,
    small,
)

LISTS_AT_A_TIME = 32
"""More lists at a time would leave the processor's cache while they are laid out."""

_DECISIVE = ("traits", "interests", "rating_quality", "rating_fit", "proximity", "like", "back")
_NULL = struct.pack("!i", -1)
_NO_SPARES = _NULL * len(SPARES)
_NO_RATINGS = _NULL * len(AVERAGES)


@dataclass(frozen=True)
class EncodedChange:
    """What changed in a viewer's list, as a row of COPY, and how many matches the viewer then has."""

    user_id: int
    rows: int
    row: bytes


@dataclass(frozen=True)
class EncodedList:
    """One viewer's list as a row of COPY, and what tells whether it differs from the stored one.

    fingerprint : hash of all but the scores and their newness. scores: of the matches, then of the spares, as stored.
    """

    user_id: int
    fingerprint: int
    scores: Singles
    row: bytes


def encode_lists(
    matches: Matches,
    spares: Pairs,
    viewers: Users,
    interest_ids: NDArray[np.int64],
    scored_at: datetime,
    parameters: Parameters,
) -> Iterator[EncodedList]:
    """The list of each viewer who has matches. `interest_ids`: id of each interest code.

    `spares`: of candidates of the matches, by viewer, best first.
    """
    beyond = _spare_fields(spares, matches.candidates.ids[spares.candidate], len(viewers))
    codes = {name: Values(coded(getattr(matches.pairs, part))) for name, part in CODES.items()}
    halves, are_halves = halves_of(matches.candidates.averages, matches.candidates.rating_count)
    sums = {name: Values(halves[matches.pairs.candidate, at]) for at, name in enumerate(HALVES)}
    values = _columns(matches, viewers, interest_ids) | codes | sums
    moment, version = struct.pack("!q", int(microseconds(scored_at))), parameters.algorithm_version.encode()
    settings = json.dumps(parameters.to_json(), sort_keys=True).encode()
    owners, scores = matches.pairs.viewer, np.asarray(matches.pairs.score, np.float32)
    for start, stop, fields in _fields(values, owners, are_halves[matches.pairs.candidate]):
        viewer = owners[start]
        user_id = struct.pack("!q", int(viewers.ids[viewer]))
        traits = struct.pack("!h", int(small(viewers.trait_count[viewer])))
        tier_a = struct.pack("!h", int(matches.pairs.tier_a[start:stop].sum()))
        ageing, *lasting = fields
        # Nobody gains by two lists of one hash. This one is fast in hardware.
        print_ = sha1(settings + traits + tier_a, usedforsecurity=False)
        for piece in (*lasting, beyond[viewer].print):
            print_.update(piece)
        digest = print_.digest()[:8]
        head = b"".join(map(field, (user_id, moment, version, digest, traits, tier_a)))
        yield EncodedList(
            int(viewers.ids[viewer]),
            int.from_bytes(digest, signed=True),
            np.concatenate([scores[start:stop], beyond[viewer].scores]),
            b"".join((struct.pack("!h", len(COPY_COLUMNS)), head, ageing, *lasting, beyond[viewer].fields)),
        )


@dataclass(frozen=True)
class _Spares:
    """A viewer's: fields of a row of COPY, the scores as they are stored, and what the list's fingerprint covers."""

    fields: bytes
    scores: Singles
    print: bytes


def _spare_fields(pairs: Pairs, ids: Indices, viewers: int) -> list[_Spares]:
    edges = np.searchsorted(pairs.viewer, np.arange(viewers + 1))
    arrays = (ArrayColumn(kind, Values(them)).fields(edges) for kind, them in ((">i8", ids), (">f4", pairs.score)))
    tier_a = np.bincount(pairs.viewer[pairs.tier_a], minlength=viewers).tolist()
    scores = np.asarray(pairs.score, np.float32)
    # All that decides on their order but for time.
    parts = np.stack([*(np.asarray(getattr(pairs, name), np.float32) for name in _DECISIVE)], axis=1)
    found = []
    for (start, stop), them, their_scores, count in zip(
        itertools.pairwise(edges.tolist()), *arrays, tier_a, strict=True
    ):
        if start == stop:
            found.append(_Spares(_NO_SPARES, scores[:0], b""))
            continue
        tier = field(struct.pack("!h", count))
        fields = b"".join((them, their_scores, tier))
        found.append(_Spares(fields, scores[start:stop], them + tier + parts[start:stop].tobytes()))
    return found


def _fields(
    values: dict[str, Values], owners: Indices, are_halves: Flags
) -> Iterator[tuple[int, int, list[bytes | memoryview]]]:
    """First and last match of each viewer, and the fields of the list's arrays in the order of `COPY_COLUMNS`.

    `are_halves`: (p,) whether the ratings of the match's candidate may be told by HALVES.
    """

    def arrays(names: Sequence[str], pairs: Indices, rows: int) -> list[memoryview]:
        columns = [ArrayOf(LIST_ARRAYS[name], values[name].take(pairs), name in NULLABLE) for name in names]
        return array_fields(columns, rows)

    beside = [ArrayColumn(LIST_ARRAYS[name], values[name], nullable=name in NULLABLE) for name in SOMETIMES]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sizes = np.diff(starts, append=len(owners))
    in_halves = np.logical_and.reduceat(are_halves, starts) if len(starts) else np.zeros(0, bool)
    for rows, size, halves in _alike(starts, sizes, in_halves):
        pairs = (rows[:, None] + np.arange(size)).ravel()
        names = (tuple(AGEING), PLAIN, HALVES if halves else AVERAGES, WITH_NULLS)
        groups = (arrays(some, pairs, len(rows)) for some in names)
        for start, ageing, plain, rated, others in zip(rows.tolist(), *groups, strict=True):
            ratings = (rated, _NO_RATINGS) if halves else (_NO_RATINGS, rated)
            fields = [ageing, plain, *ratings, others, *(column.field(start, start + size) for column in beside)]
            yield start, start + size, fields


def _alike(starts: Indices, sizes: Indices, in_halves: Flags) -> Iterator[tuple[Indices, int, bool]]:
    """Starts of some lists of one length and one way to tell ratings; nearly all lists are full."""
    for size, halves in sorted(set(zip(sizes.tolist(), in_halves.tolist(), strict=True))):
        rows = starts[(sizes == size) & (in_halves == halves)]
        for at in range(0, len(rows), LISTS_AT_A_TIME):
            yield rows[at : at + LISTS_AT_A_TIME], size, halves


def encode_changes(
    matches: Matches,
    viewers: Users,
    rows: Indices,
    lists: StoredLists,
    order: Order,
    interest_ids: NDArray[np.int64],
    scored_at: datetime,
) -> Iterator[EncodedChange]:
    """What to store beside the lists of the viewers `rows`: new ranks of all, and the candidates that changed."""
    parts = {name: Values(getattr(matches.pairs, part)) for name, part in PARTS.items()}
    values = _columns(matches, viewers, interest_ids) | parts
    everybody = np.arange(len(viewers) + 1)
    edges, member_edges = (np.searchsorted(them, everybody) for them in (matches.pairs.viewer, lists.members.row))
    arrays = list(zip(*_change_fields(values, edges), strict=True))
    # The ranks of the list's matches, then those of the candidates, then those of the spares, viewer by viewer.
    owners = matches.pairs.viewer
    ranks = np.insert(order.members, member_edges[owners + 1] - lists.spares[owners], order.pairs)
    rank = ArrayColumn(">i2", Values(ranks)).fields(edges + member_edges)
    moment = field(struct.pack("!q", int(microseconds(scored_at))))
    of_lists = (lists.microseconds - POSTGRES_EPOCH_MICROSECONDS).tolist()
    ids, counts, tier_a = viewers.ids.tolist(), order.count.tolist(), order.tier_a.tolist()
    for at in rows.tolist():
        keys = field(struct.pack("!q", ids[at])), field(struct.pack("!q", of_lists[at])), moment
        tier = field(struct.pack("!h", tier_a[at]))
        yield EncodedChange(ids[at], counts[at], row([*keys, tier, rank[at], *arrays[at]]))


def _change_fields(values: dict[str, Values], edges: Indices) -> Iterator[list[bytes]]:
    """For each of `CHANGE_ARRAYS` the arrays of all viewers, whose candidates are those between these edges."""
    for kind, names in CHANGE_ARRAYS.values():
        columns = [values[name] for name in names]
        everything = np.stack([np.asarray(it.values, kind) for it in columns], axis=1)
        present = np.ones(everything.shape, bool)
        for at, it in enumerate(columns):
            if it.present is not None:
                present[:, at] = it.present
        whole = Values(everything.ravel(), None if present.all() else present.ravel())
        column = ArrayColumn(kind, whole, nullable=True)
        yield column.fields(edges * len(names))


def are_finite(matches: Matches) -> NDArray[np.bool_]:
    """(p,) whether a row can be stored: all its numbers are finite, but for those that it does not have.

    The score is the weighted sum of the parts: it is finite only if they are, whatever their weights.
    """
    pairs, candidates = matches.pairs, matches.candidates
    rated = np.isfinite(candidates.averages).all(axis=1) | (candidates.rating_count == 0)
    return np.asarray(
        np.isfinite(pairs.score) & np.isfinite(pairs.worth) & ~np.isinf(pairs.distance_km) & rated[pairs.candidate]
    )


def without_spares(matches: Matches, top_k: int) -> tuple[Matches, Pairs]:
    """The first `top_k` matches of each viewer, and those beyond; of no viewer who has one that cannot be stored."""
    pairs = matches.pairs
    listed, beyond = np.flatnonzero(matches.rank <= top_k), np.flatnonzero(matches.rank > top_k)
    unfit = pairs.viewer[beyond[~are_finite(replace(matches, pairs=pairs.take(beyond)))]]
    spares = pairs.take(beyond[~np.isin(pairs.viewer[beyond], unfit)])
    return Matches(matches.candidates, pairs.take(listed), matches.rank[listed]), spares


def _columns(matches: Matches, viewers: Users, interest_ids: NDArray[np.int64]) -> dict[str, Values]:
    pairs, candidates = matches.pairs, matches.candidates
    viewer, candidate = pairs.viewer, pairs.candidate
    averages = candidates.averages[candidate]
    rated = candidates.rating_count[candidate] > 0
    wants_age = (viewers.age_min != MISSING) | (viewers.age_max != MISSING)
    return {
        "candidateUserId": Values(candidates.ids[candidate]),
        "score": Values(pairs.score),
        "distanceKm": Values(pairs.distance_km, ~np.isnan(pairs.distance_km)),
        **{name: Values(averages[:, at], rated) for at, name in enumerate(AVERAGES)},
        "ratingCount": Values(candidates.rating_count[candidate]),
        "sharedInterestCount": Values(small(pairs.shared_count)),
        "commonTraits": Values(small(pairs.common_traits)),
        "candidateTraits": Values(small(candidates.trait_count[candidate])),
        "genderOk": Values(pairs.gender_ok, (viewers.wants != 0)[viewer]),
        "ageOk": Values(pairs.age_ok, wants_age[viewer]),
        "distanceOk": Values(pairs.distance_ok, ~np.isnan(viewers.distance)[viewer]),
        "scoreLike": Values(pairs.like, ~np.isnan(pairs.like)),
        "scoreBack": Values(pairs.back, ~np.isnan(pairs.back)),
        **{f"sharedInterestId{at + 1}": _shared(pairs.shared[:, at], interest_ids) for at in range(SHARED_SHOWN)},
    }


def _shared(codes: NDArray[np.int64], interest_ids: NDArray[np.int64]) -> Values:
    present: Flags = codes != NO_ID
    return Values(interest_ids[codes] if len(interest_ids) else np.zeros(len(codes), np.int64), present)
