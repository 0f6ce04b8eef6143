"""Ids as codes, ratings as directions: the small conversions that snapshot and scoring share."""

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.ragged import Ragged
from sitejobs.matching.scoring.users import MISSING
from sitejobs.postgres.columns import Column

FLAT = 1e-6
"""Mean ratings that differ from their own mean by less say nothing about taste (docs/match-scores.md, rating fit)."""


def rows_of(owners: Column, ids: Indices) -> tuple[Indices, Flags]:
    """For each owner its index in the ascending `ids`, and whether it is there at all."""
    if not len(ids):
        return np.zeros(len(owners), np.int64), np.zeros(len(owners), bool)
    rows = np.minimum(np.searchsorted(ids, owners), len(ids) - 1)
    return rows, ids[rows] == owners


def codes_of(values: Column, dictionary: Indices) -> Indices:
    """Index of each value in the ascending dictionary, MISSING when it is not there."""
    rows, known = rows_of(values, dictionary)
    return np.where(known, rows, MISSING)


def pair_codes(subjects: Column, interests: Column, dictionary: Indices) -> Indices:
    """Index of each (subject, interest) in the dictionary of pairs."""
    subject_ids, interest_ids = np.unique(dictionary[:, 0]), np.unique(dictionary[:, 1])
    width = len(interest_ids) + 1
    keys = codes_of(dictionary[:, 0], subject_ids) * width + codes_of(dictionary[:, 1], interest_ids)
    subject_codes, interest_codes = codes_of(subjects, subject_ids), codes_of(interests, interest_ids)
    known = (subject_codes != MISSING) & (interest_codes != MISSING)
    return codes_of(np.where(known, subject_codes * width + interest_codes, MISSING), keys)


def translated(codes: Ragged, others: Indices) -> Ragged:
    """The codes as `others`, of which each code is the index, has them; MISSING stays."""
    known = codes.values != MISSING
    values: NDArray[np.int32] = np.full(len(codes.values), MISSING, np.int32)
    values[known] = others[codes.values[known]]
    return Ragged(codes.offsets, values)


def directions(averages: Floats) -> Floats:
    """(n, 4) average ratings, NaN without any -> (n, 4) unit vectors about their own mean, zero when flat."""
    centred = np.where(np.isnan(averages), 0.0, averages / 5)
    centred -= centred.mean(axis=1, keepdims=True)
    centred[(np.abs(centred) < FLAT).all(axis=1)] = 0
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 0))


def unit_rows(rows: Indices, values: Floats, count: int) -> Floats:
    """Scale each row's values to length 1; a zero vector stays zero."""
    largest = np.zeros(count)
    np.maximum.at(largest, rows, np.abs(values))
    scaled = values / np.where(largest > 0, largest, 1)[rows]
    length = np.sqrt(np.bincount(rows, scaled**2, minlength=count))
    return scaled / np.where(length > 0, length, 1)[rows]
