"""Arrays laid out many rows at a time are those that a column makes one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitejobs.matching.match_scores.paging import viewers_a_page
from sitejobs.postgres.copy import ArrayColumn, ArrayOf, Values, array_fields

COLUMNS = st.lists(st.tuples(st.sampled_from([">i8", ">f4", ">i4"]), st.booleans(), st.sampled_from([0, 0.5, 1])))


@given(COLUMNS.filter(bool), st.integers(1, 5), st.integers(1, 7), st.integers(0, 99))
def test_fields_of_many_rows_are_those_of_each(
    columns: list[tuple[str, bool, float]], rows: int, length: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    given_ = [
        ArrayOf(kind, Values(random.integers(-9, 9, rows * length), random.random(rows * length) < share), nullable)
        for kind, nullable, share in columns
    ]
    alone = [ArrayColumn(it.kind, it.values, nullable=it.nullable) for it in given_]
    expected = [
        b"".join(column.field(at * length, (at + 1) * length) for column in alone) for at in range(rows)
    ]  # fmt: skip
    assert [bytes(piece) for piece in array_fields(given_, rows)] == expected


def test_values_of_any_size_are_laid_out_where_none_is_missing() -> None:
    given_ = [ArrayOf(kind, Values(np.arange(6))) for kind in (">i2", ">i8", "?", ">f8")]
    alone = [ArrayColumn(it.kind, it.values) for it in given_]
    expected = [b"".join(column.field(at, at + 3) for column in alone) for at in (0, 3)]
    assert [bytes(piece) for piece in array_fields(given_, 2)] == expected


@pytest.mark.parametrize(
    ("users", "batch_size", "at_a_time", "expected"),
    [
        (2_000, 100, 4, 100),
        (10_000, 100, 4, 300),
        (16_000, 100, 4, 500),
        (100_000, 100, 4, 1_000),
        (100_000, 100, 100, 100),
        (1_000_000, 500, 4, 2_000),
        (1_000_000, 500, 200, 500),
        (10_000_000, 100, 200, 2_000),
        (10_000_000, 2_500, 4, 2_500),
        (100_000, 250, 4, 1_000),
        (100_000, 1_000, 4, 1_000),
        (100_000, 7, 1, 70),
        (500, 1, 1, 1),
        (0, 10_000, 1_000, 10_000),
    ],
)
def test_a_page_of_a_large_site_has_several_batches(users: int, batch_size: int, at_a_time: int, expected: int) -> None:
    assert viewers_a_page(users, batch_size, at_a_time) == expected
