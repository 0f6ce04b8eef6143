"""Encodes lists, and what changes in them, as PostgreSQL binary COPY with numpy; and the columns of their tables."""

import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha1

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.match_scores.merging import Order
from sitejobs.matching.match_scores.stored_lists import StoredLists
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices, Singles
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

HEAD = ("userId", "scoredAt", "algorithmVersion", "fingerprint", "viewerTraits", "tierA")
AGEING = {"score": ">f4", "newCode": ">i2"}
"""Columns of arrays whose values change with time alone."""
LASTING = {
    "candidateUserId": ">i8",
    "quizCode": ">i2",
    "interestsCode": ">i2",
    "ratingsFitCode": ">i2",
    "nearbyCode": ">i2",
    "distanceKm": ">f4",
    "avgAttractive": ">f4",
    "avgSmart": ">f4",
    "avgFunny": ">f4",
    "avgInteresting": ">f4",
    "ratingCount": ">i4",
    "sharedInterestCount": ">i2",
    "commonTraits": ">i2",
    "candidateTraits": ">i2",
    "genderOk": "?",
    "ageOk": "?",
    "distanceOk": "?",
    **{f"sharedInterestId{number}": ">i8" for number in range(1, SHARED_SHOWN + 1)},
    "scoreLike": ">f4",
    "scoreBack": ">f4",
}
"""The other columns of arrays, all of which a list's fingerprint covers."""
CODES = {
    "quizCode": "traits",
    "interestsCode": "interests",
    "ratingsFitCode": "rating_fit",
    "newCode": "newness",
    "nearbyCode": "proximity",
}
"""Columns of arrays of codes of a score's parts (`coded`). The quality of ratings follows from the averages."""
PARTS = {
    "scoreQuiz": "traits",
    "scoreInterests": "interests",
    "scoreRatingsQuality": "rating_quality",
    "scoreRatingsFit": "rating_fit",
    "scoreNew": "newness",
    "scoreNearby": "proximity",
}
"""The same parts beside a list, where few are stored: as they are."""
CODED_ONE = 65520
"""Steps from a part of 0 to one of 1. 16 bits hold so many, and halves, thirds, fifths and tenths are exact."""
NULLABLE = frozenset(
    {"genderOk", "ageOk", "distanceOk", "scoreLike", "scoreBack", *(name for name in LASTING if "InterestId" in name)}
)
"""Columns whose array is NULL where none of its values is there."""
LISTS_AT_A_TIME = 32
"""More lists at a time would leave the processor's cache while they are laid out."""

_SOMETIMES = frozenset({"genderOk", "ageOk", "distanceOk", "scoreLike", "scoreBack"})
"""Columns that all of a viewer's matches have or none."""
_WITH_NULLS = tuple(name for name in LASTING if name == "distanceKm" or name.startswith(("avg", "sharedInterestId")))
_PLAIN = tuple(name for name in LASTING if name not in _WITH_NULLS and name not in _SOMETIMES)
_SOMETIMES_IN_ORDER = tuple(name for name in LASTING if name in _SOMETIMES)
SPARES = ("spareUserId", "spareScore", "spareTierA")
_DECISIVE = ("traits", "interests", "rating_quality", "rating_fit", "proximity", "like", "back")
_NO_SPARES = struct.pack("!i", -1) * len(SPARES)
COPY_COLUMNS = (*HEAD, *AGEING, *_PLAIN, *_WITH_NULLS, *_SOMETIMES_IN_ORDER, *SPARES)

_CHANGE_ARRAYS = {name: kind for name, kind in (LASTING | AGEING).items() if name not in CODES} | dict.fromkeys(
    PARTS, ">f4"
)
CHANGE_COLUMNS = ("userId", "listScoredAt", "scoredAt", "tierA", "rank", *_CHANGE_ARRAYS)


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
    values = _columns(matches, viewers, interest_ids) | codes
    moment, version = struct.pack("!q", int(microseconds(scored_at))), parameters.algorithm_version.encode()
    settings = json.dumps(parameters.to_json(), sort_keys=True).encode()
    owners, scores = matches.pairs.viewer, np.asarray(matches.pairs.score, np.float32)
    for start, stop, fields in _fields(values, owners):
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


def _fields(values: dict[str, Values], owners: Indices) -> Iterator[tuple[int, int, list[bytes | memoryview]]]:
    """First and last match of each viewer, and the fields of the list's arrays in the order of `COPY_COLUMNS`."""
    kinds = LASTING | AGEING
    beside = [ArrayColumn(kinds[name], values[name], nullable=name in NULLABLE) for name in _SOMETIMES_IN_ORDER]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sizes = np.diff(starts, append=len(owners))
    for rows, size in _alike(starts, sizes):
        pairs = (rows[:, None] + np.arange(size)).ravel()
        groups = (
            array_fields(
                [ArrayOf(kinds[name], values[name].take(pairs), name in NULLABLE) for name in names], len(rows)
            )
            for names in (tuple(AGEING), _PLAIN, _WITH_NULLS)
        )
        for start, *fields in zip(rows.tolist(), *groups, strict=True):
            yield start, start + size, [*fields, *(column.field(start, start + size) for column in beside)]


def _alike(starts: Indices, sizes: Indices) -> Iterator[tuple[Indices, int]]:
    """Starts of some lists of one length, and the length; nearly all lists are full."""
    for size in np.unique(sizes).tolist():
        rows = starts[sizes == size]
        for at in range(0, len(rows), LISTS_AT_A_TIME):
            yield rows[at : at + LISTS_AT_A_TIME], size


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
    columns = (ArrayColumn(kind, values[name], nullable=name in NULLABLE) for name, kind in _CHANGE_ARRAYS.items())
    arrays = list(zip(*(column.fields(edges) for column in columns), strict=True))
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


def coded(part: Floats) -> NDArray[np.int16]:
    """Codes of a part of scores, each from 0 to 1: CODED_ONE times the part, less half of that. Off by 8e-6 at most."""
    return (np.rint(part * CODED_ONE) - CODED_ONE // 2).astype(np.int16)


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
        "avgAttractive": Values(averages[:, 0], rated),
        "avgSmart": Values(averages[:, 1], rated),
        "avgFunny": Values(averages[:, 2], rated),
        "avgInteresting": Values(averages[:, 3], rated),
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
