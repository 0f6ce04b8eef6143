"""A sieve that goes through the pairs once, in C: `sieve.c`, whose structures those here repeat field by field."""

import ctypes
import hashlib
import platform
from ctypes import POINTER, Structure, byref, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Indices, Singles
from sitejobs.matching.scoring.pair_scores import NO_INTERESTS, SAME_PLACE
from sitejobs.matching.scoring.users import UNSPECIFIED
from sitejobs.matching.topk.array_sieve import ArraySieve
from sitejobs.matching.topk.segment import FAR, PreparedSegment, Segment
from sitejobs.matching.topk.sieve import NEARER_KM, Page, Question, Sieve

LIBRARY = Path(__file__).with_name("sieve.library")
"""Made by `compile.py` of the layer. Named otherwise than a module that Python could import."""

SOURCE = Path(__file__).with_name("sieve.c")

_Arrays = dict[str, NDArray[Any] | None]


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class _Candidates(Structure):
    _fields_ = (
        *_fields(c_int64, "size words keys stride"),
        *_fields(c_void_p, "directions ratings xyz most_km interest_count interest_inverse interests place mask ages"),
        *_fields(c_void_p, "gender unwanted age low span has_place"),
    )


class _Viewers(Structure):
    _fields_ = (
        *_fields(c_int64, "masks ages by_places"),
        *_fields(c_void_p, "factors scales scale by_place directions keys key_count ratings gaps xyz most_km nearness"),
        *_fields(c_void_p, "interest_count interests place gender unwanted bars age low span has_place"),
        *_fields(c_float, "worth_interests worth_proximity worth_same_place no_interests nearer_km default_radius"),
        *_fields(c_int32, "mutual"),
    )


class _Question(Structure):
    _fields_ = (
        *_fields(c_int64, "rows blocks"),
        *_fields(c_void_p, "row starts least least_suiting wanted near suiting"),
    )


class _Passing(Structure):
    _fields_ = tuple(_fields(c_void_p, "row candidate known"))


@dataclass(frozen=True)
class _Told:
    """A structure, and the arrays to which it points: they live as long."""

    structure: Structure
    arrays: _Arrays


@cache
def library() -> Any:
    """The library in C, or None where it was not compiled, or from another source, or is not for this machine."""
    # On x86 it uses what all machines of Lambda have, and hardly any since 2015 lacks.
    if platform.machine() in ("x86_64", "AMD64") and "X86_V3" not in _instructions():
        return None
    try:
        loaded = ctypes.CDLL(str(LIBRARY))
    except OSError:
        return None
    loaded.source.restype = c_int64
    if loaded.source() != int(hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:15], 16):
        return None
    loaded.sieve.argtypes = (POINTER(_Candidates), POINTER(_Viewers), POINTER(_Question), POINTER(_Passing))
    loaded.sieve.restype = c_int64
    return loaded


def best_sieve(page: Page) -> Sieve:
    """The compiled one where there is a library."""
    return ArraySieve(page) if library() is None else CompiledSieve(page)


class CompiledSieve:
    """`Sieve` in C."""

    chunk_users = 16_384

    def __init__(self, page: Page) -> None:
        self._page = page
        self._viewers = _viewers_arrays(page)
        self._last: tuple[PreparedSegment, _Told, _Told] | None = None

    def passing(
        self, question: Question, prepared: PreparedSegment, least: Singles, least_suiting: Singles
    ) -> tuple[Indices, Indices, Singles]:
        if self._last is None or self._last[0] is not prepared:
            self._last = prepared, _candidates(prepared), self._about_viewers(prepared)
        asked = _pointing(
            _Question(rows=len(question.rows), blocks=len(question.starts) - 1),
            {
                "row": question.rows,
                "starts": question.starts,
                "least": least.astype(np.float32),
                "least_suiting": least_suiting.astype(np.float32),
                "wanted": question.wanted,
                "near": question.near,
                "suiting": question.suiting,
            },
        )
        # Room for all. What is not written to costs nothing.
        most = int(question.wanted.sum(axis=0) @ np.diff(question.starts))
        row, candidate, known = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.float32)
        found = _pointing(_Passing(), {"row": row, "candidate": candidate, "known": known})
        _, candidates, viewers = self._last
        count = library().sieve(*(byref(told.structure) for told in (candidates, viewers, asked, found)))
        order = np.argsort(row[:count], kind="stable")
        index, column = row[order].astype(np.int64), candidate[order].astype(np.int64)
        return _without_excluded(question, index, column, known[order])

    def _about_viewers(self, prepared: PreparedSegment) -> _Told:
        page, worth = self._page, self._page.worth
        structure = _Viewers(
            masks=prepared.factors.shape[1],
            ages=0 if worth.gaps is None else worth.gaps.shape[1],
            by_places=len(prepared.by_place),
            worth_interests=worth.interests,
            worth_proximity=worth.proximity,
            worth_same_place=worth.proximity * SAME_PLACE,
            no_interests=NO_INTERESTS,
            nearer_km=NEARER_KM,
            default_radius=page.parameters.default_radius_km,
            mutual=page.parameters.mutual,
        )
        of_segment: _Arrays = {
            "factors": prepared.factors,
            "scales": prepared.scales,
            "scale": prepared.scale,
            "by_place": prepared.by_place,
        }
        return _pointing(structure, self._viewers | of_segment)


def _viewers_arrays(page: Page) -> _Arrays:
    viewers, codes, wishes = page.viewers, page.codes, page.wishes
    known = page.parameters.mutual & (viewers.gender > UNSPECIFIED)
    directions = page.taste.directions
    return {
        "directions": directions,
        "keys": np.argsort(directions == 0, axis=1, kind="stable").astype(np.int32),
        "key_count": np.count_nonzero(directions, axis=1).astype(np.int32),
        "ratings": page.worth.ratings,
        "gaps": page.worth.gaps,
        "xyz": np.where(np.isnan(page.xyz), -FAR, page.xyz),
        "most_km": np.where(wishes.anywhere, np.float32(np.inf), wishes.most_km),
        "nearness": (1 / np.maximum(page.radius, 1e-6)).astype(np.float32),
        "interest_count": viewers.interest_count.astype(np.float32),
        "interests": page.sets,
        "place": viewers.place,
        "bars": np.where(known, codes.gender, np.uint16(0)),
        "has_place": viewers.has_place,
        **vars(codes),
    }


def _candidates(prepared: PreparedSegment) -> _Told:
    segment: Segment = prepared.segment
    keys, stride = segment.columns.directions.shape
    structure = _Candidates(size=len(segment.users), words=prepared.sets.shape[1], keys=keys, stride=stride)
    arrays: _Arrays = {"interests": prepared.sets, "place": segment.users.place, "has_place": segment.users.has_place}
    return _pointing(structure, arrays | vars(segment.columns) | vars(segment.codes))


def _pointing(structure: Structure, arrays: _Arrays) -> _Told:
    """The structure with the addresses of the arrays, made contiguous, in its fields."""
    kept = {name: None if array is None else np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in kept.items():
        setattr(structure, name, None if array is None else array.ctypes.data)
    return _Told(structure, kept)


def _without_excluded(
    question: Question, index: Indices, candidate: Indices, known: Singles
) -> tuple[Indices, Indices, Singles]:
    row, column = question.excluded
    if len(row) and len(index):
        columns = question.columns
        width = columns.stop - columns.start
        excluded = np.isin(index * width + candidate - columns.start, row * width + column)
        return index[~excluded], candidate[~excluded], known[~excluded]
    return index, candidate, known


def _instructions() -> list[str]:
    """Sets of instructions of this machine, as numpy names them."""
    told: Any = np.show_config(mode="dicts")
    return [*told["SIMD Extensions"]["baseline"], *told["SIMD Extensions"]["found"]]
