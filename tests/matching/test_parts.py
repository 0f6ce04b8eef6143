"""The pure functions below scoring, compared with plain Python."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from sitejobs.matching.scoring.codes import codes_of, rows_of
from sitejobs.matching.scoring.geometry import EARTH_RADIUS_KM, chord_of_km, km_of_chord
from sitejobs.matching.scoring.ragged import Ragged, grouped, joined, offsets_of
from sitejobs.matching.scoring.users import MISSING
from sitejobs.matching.snapshot.encoding import unit_vectors
from sitejobs.matching.snapshot.hashing import mixed, summed
from tests.matching.oracle import distance_km, place
from tests.matching.oracle_site import Person

settings.register_profile("matching", deadline=None, max_examples=60)
settings.load_profile("matching")

ROWS = st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5), max_size=8)
IDS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8)
LATITUDES = st.floats(-95, 95) | st.sampled_from([90.0, -90.0, 0.0, -0.0, math.nan, math.inf, 89.9999999])
LONGITUDES = st.floats(-185, 185) | st.sampled_from([180.0, -180.0, 0.0, -0.0, math.nan, -math.inf, 179.9999999])


# Rows of different lengths ----------------------------------------------------------------------------------


def ragged(rows: list[list[int]]) -> Ragged:
    values = [value for row in rows for value in row]
    return Ragged(offsets_of(np.array([len(row) for row in rows], np.int64)), np.array(values, np.int64))


def as_lists(value: Ragged) -> list[list[int]]:
    return [value.row(index).tolist() for index in range(len(value))]


@given(ROWS, st.data())
def test_ragged_rows_are_taken_in_any_order_and_as_often_as_asked(rows: list[list[int]], data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10)) if rows else []
    assert as_lists(ragged(rows)) == rows
    assert as_lists(ragged(rows).take(np.array(indices, np.int64))) == [rows[index] for index in indices]


@given(ROWS, ROWS)
def test_joined_ragged_rows_follow_each_other(first: list[list[int]], second: list[list[int]]) -> None:
    assert as_lists(joined([ragged(first), ragged(second)])) == first + second


@given(ROWS)
def test_grouped_values_stand_in_their_owners_rows(rows: list[list[int]]) -> None:
    owners = np.array([index for index, row in enumerate(rows) for _ in row], np.int64)
    whole = ragged(rows)
    assert as_lists(grouped(owners, whole.values, len(rows))) == rows
    assert whole.owners().tolist() == owners.tolist()
    assert whole.lengths.tolist() == [len(row) for row in rows]


# Hashes -----------------------------------------------------------------------------------------------------


def test_hashes_are_the_same_on_every_machine_and_in_every_process() -> None:
    # Snapshots of two runs are compared by these hashes: a change here makes every viewer stale once.
    found = mixed(np.array([1, -1, 2**62]), np.array([0.5, np.nan, -np.inf]))
    assert [hex(value) for value in found.tolist()] == PINNED
    assert mixed(np.array([1], np.int16), np.array([0.5], np.float32)).tolist() == found[:1].tolist()


PINNED = ["0x1f47a830ac89b242", "0x2708920b2dab351", "0x1560d314ded4c2e1"]


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(width=64)), min_size=1, max_size=20))
def test_rows_have_the_same_hash_where_they_have_the_same_values_and_no_other(rows: list[tuple[int, float]]) -> None:
    hashes = mixed(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows])).tolist()
    values = [(row[0], "NaN" if math.isnan(row[1]) else row[1] + 0.0) for row in rows]
    assert len(set(hashes)) == len(set(values))
    assert len(set(zip(values, hashes, strict=True))) == len(set(values))


@given(arrays.arrays(np.int64, 6), arrays.arrays(np.int64, 6))
def test_the_order_of_columns_and_of_hashes_counts(left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
    same = left == right
    assert np.array_equal(mixed(left, right) == mixed(right, left), same)
    one, other = mixed(left), mixed(right)
    assert np.array_equal(mixed(one, other) == mixed(other, one), same)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=12), st.randoms())
def test_a_multiset_has_one_hash_in_whatever_order_it_is_read(pairs: list[tuple[int, int]], random: Any) -> None:
    def hashed(items: list[tuple[int, int]]) -> NDArray[np.uint64]:
        owners = np.array([owner for owner, _ in items], np.int64)
        return summed(owners, mixed(np.array([value for _, value in items], np.int64)), 4)

    reordered = random.sample(pairs, len(pairs))
    assert np.array_equal(hashed(pairs), hashed(reordered))
    by_owner = [tuple(sorted(value for owner, value in pairs if owner == row)) for row in range(4)]
    assert len(set(hashed(pairs).tolist())) == len(set(by_owner))


# Codes ------------------------------------------------------------------------------------------------------


@given(IDS, IDS)
def test_codes_are_indices_into_the_dictionary_or_missing(values: list[int], known: list[int]) -> None:
    dictionary = sorted(set(known))
    expected = [dictionary.index(value) if value in dictionary else MISSING for value in values]
    column, ascending = np.array(values, np.int64), np.array(dictionary, np.int64)
    assert codes_of(column, ascending).tolist() == expected
    rows, there = rows_of(column, ascending)
    assert there.tolist() == [code != MISSING for code in expected]
    assert rows[there].tolist() == [code for code in expected if code != MISSING]


# Places -----------------------------------------------------------------------------------------------------


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_distances_are_the_plain_implementations(lat: float, lng: float, lat_two: float, lng_two: float) -> None:
    vectors = unit_vectors(np.array([lat, lat_two]), np.array([lng, lng_two]))
    expected = distance_km(Person(1, lat=lat, lng=lng), Person(2, lat=lat_two, lng=lng_two))
    chord = np.sqrt(((vectors[0] - vectors[1]) ** 2).sum())
    if expected is None:
        assert np.isnan(chord)
        return
    # Near the antipode the arc follows from the chord to some decimetres of 20,000 km only.
    assert km_of_chord(chord) == pytest.approx(expected, abs=1e-6 if expected < 19_000 else 1e-3)
    assert (km_of_chord(chord) == 0) == (place(lat, lng) == place(lat_two, lng_two)) or expected < 1e-8


@given(st.floats(0, 30_000))
def test_a_chord_and_its_arc_belong_together(km: float) -> None:
    half_way = np.pi * EARTH_RADIUS_KM
    assert km_of_chord(chord_of_km(np.array([km])))[0] == pytest.approx(min(km, half_way), abs=1e-3)
