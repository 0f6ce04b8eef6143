"""Encodes lists, and what changes in them, as PostgreSQL binary COPY with numpy; and the columns of their tables."""

import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.match_scores.merging import Order
from sitejobs.matching.match_scores.stored_lists import StoredLists
from sitejobs.matching.scoring.arrays import Flags, Indices, Singles
from sitejobs.matching.scoring.pair_scores import SHARED_SHOWN
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import MISSING, Users
from sitejobs.matching.topk.search import Matches
from sitejobs.postgres.copy import (
    NO_ID,
    POSTGRES_EPOCH_MICROSECONDS,
    ArrayColumn,
    Values,
    field,
    microseconds,
    row,
    small,
)

HEAD = ("userId", "scoredAt", "algorithmVersion", "fingerprint", "viewerTraits", "tierA")
AGEING = {"score": ">f4", "scoreNew": ">f4"}
"""Columns of arrays whose values change with time alone."""
LASTING = {
    "candidateUserId": ">i8",
    "scoreQuiz": ">f4",
    "scoreInterests": ">f4",
    "scoreRatingsQuality": ">f4",
    "scoreRatingsFit": ">f4",
    "scoreNearby": ">f4",
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
NULLABLE = frozenset(
    {"genderOk", "ageOk", "distanceOk", "scoreLike", "scoreBack", *(name for name in LASTING if "InterestId" in name)}
)
"""Columns whose array is NULL where none of its values is there."""
COPY_COLUMNS = (*HEAD, *LASTING, *AGEING)


CHANGE_COLUMNS = ("userId", "listScoredAt", "scoredAt", "tierA", "rank", *LASTING, *AGEING)


@dataclass(frozen=True)
class EncodedChange:
    """What changed in a viewer's list, as a row of COPY, and how many matches the viewer then has."""

    user_id: int
    rows: int
    row: bytes


@dataclass(frozen=True)
class EncodedList:
    """One viewer's list as a row of COPY, and what tells whether it differs from the stored one.

    fingerprint : hash of all but the scores and their newness. scores: (k,) as they are stored.
    """

    user_id: int
    fingerprint: int
    scores: Singles
    row: bytes


def encode_lists(
    matches: Matches,
    viewers: Users,
    interest_ids: NDArray[np.int64],
    scored_at: datetime,
    parameters: Parameters,
) -> Iterator[EncodedList]:
    """The list of each viewer who has matches. `interest_ids`: id of each interest code."""
    values = _columns(matches, viewers, interest_ids)
    columns = {
        name: ArrayColumn(kind, values[name], nullable=name in NULLABLE) for name, kind in (LASTING | AGEING).items()
    }
    moment, version = struct.pack("!q", int(microseconds(scored_at))), parameters.algorithm_version.encode()
    settings = json.dumps(parameters.to_json(), sort_keys=True).encode()
    owners, scores = matches.pairs.viewer, np.asarray(matches.pairs.score, np.float32)
    edges = np.flatnonzero(np.diff(owners, prepend=-1, append=-1)).tolist() if len(owners) else [0]
    for start, stop in itertools.pairwise(edges):
        viewer = owners[start]
        user_id = int(viewers.ids[viewer])
        counts = struct.pack(
            "!hh", int(small(viewers.trait_count[viewer])), int(matches.pairs.tier_a[start:stop].sum())
        )
        lasting = [columns[name].field(start, stop) for name in LASTING]
        digest = blake2b(b"".join([settings, counts, *lasting]), digest_size=8).digest()
        yield EncodedList(
            user_id,
            int.from_bytes(digest, signed=True),
            scores[start:stop],
            row(
                [
                    field(struct.pack("!q", user_id)),
                    *(field(moment), field(version), field(digest), field(counts[:2]), field(counts[2:])),
                    *lasting,
                    *(columns[name].field(start, stop) for name in AGEING),
                ]
            ),
        )


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
    values = _columns(matches, viewers, interest_ids)
    columns = [ArrayColumn(kind, values[name], nullable=name in NULLABLE) for name, kind in (LASTING | AGEING).items()]
    pairs, members = matches.pairs.viewer, lists.members.row
    moment = struct.pack("!q", int(microseconds(scored_at)))
    for viewer in rows.tolist():
        start, stop = np.searchsorted(pairs, [viewer, viewer + 1]).tolist()
        first, last = np.searchsorted(members, [viewer, viewer + 1]).tolist()
        ranks = np.concatenate([order.members[first:last], order.pairs[start:stop]])
        of_list = struct.pack("!q", int(lists.microseconds[viewer]) - POSTGRES_EPOCH_MICROSECONDS)
        user_id = int(viewers.ids[viewer])
        yield EncodedChange(
            user_id,
            int(order.count[viewer]),
            row(
                [
                    *(field(struct.pack("!q", user_id)), field(of_list), field(moment)),
                    field(struct.pack("!h", int(order.tier_a[viewer]))),
                    ArrayColumn(">i2", Values(ranks)).field(0, len(ranks)),
                    *(column.field(start, stop) for column in columns),
                ]
            ),
        )


def are_finite(matches: Matches) -> NDArray[np.bool_]:
    """(p,) whether a row can be stored: all its numbers are finite, but for those that it does not have.

    The score is the weighted sum of the parts: it is finite only if they are, whatever their weights.
    """
    pairs, candidates = matches.pairs, matches.candidates
    rated = np.isfinite(candidates.averages).all(axis=1) | (candidates.rating_count == 0)
    return np.asarray(
        np.isfinite(pairs.score) & np.isfinite(pairs.worth) & ~np.isinf(pairs.distance_km) & rated[pairs.candidate]
    )


def _columns(matches: Matches, viewers: Users, interest_ids: NDArray[np.int64]) -> dict[str, Values]:
    pairs, candidates = matches.pairs, matches.candidates
    viewer, candidate = pairs.viewer, pairs.candidate
    averages = candidates.averages[candidate]
    rated = candidates.rating_count[candidate] > 0
    wants_age = (viewers.age_min != MISSING) | (viewers.age_max != MISSING)
    return {
        "candidateUserId": Values(candidates.ids[candidate]),
        "score": Values(pairs.score),
        "scoreQuiz": Values(pairs.traits),
        "scoreInterests": Values(pairs.interests),
        "scoreRatingsQuality": Values(pairs.rating_quality),
        "scoreRatingsFit": Values(pairs.rating_fit),
        "scoreNew": Values(pairs.newness),
        "scoreNearby": Values(pairs.proximity),
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
