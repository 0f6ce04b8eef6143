"""Query results as numpy columns, against a real PostgreSQL."""

from collections.abc import Iterator

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.postgres.columns import fetch_columns, fetch_lists
from sitejobs.postgres.connection import connect


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int8", [0, -1, 2**63 - 1, -(2**63)]),
        ("int4", [0, -1, 2**31 - 1, -(2**31)]),
        ("int2", [0, -1, 2**15 - 1, -(2**15)]),
        ("float8", [0.0, -1.5, 1e308, -1e-308, float("inf"), float("-inf"), float("nan")]),
        ("float4", [0.0, -1.5, 1e38, float("inf"), float("nan")]),
    ],
)
def test_every_kind_of_number_arrives_as_it_is(database: Connection, kind: str, values: list[float]) -> None:
    query = f"SELECT unnest(%(values)s::{kind}[]) AS value"
    column = fetch_columns(database, query, {"values": values}, {"value": kind})["value"]
    assert column.dtype.isnative
    assert column.dtype == np.dtype(kind.replace("int", "i").replace("float", "f"))
    np.testing.assert_array_equal(np.sort(column), np.sort(np.array(values, column.dtype)))


@pytest.mark.parametrize("ids", [[], [7], [0, -1, 2**63 - 1, -(2**63)], list(range(20_000))])
def test_ids_are_sent_as_one_array(database: Connection, ids: list[int]) -> None:
    query = "SELECT id FROM unnest(%(ids)s) AS id"
    column = fetch_columns(database, query, {"ids": np.array(ids, np.int64)}, {"id": "int8"})["id"]
    assert np.sort(column).tolist() == sorted(ids)


def test_an_array_of_anything_else_is_refused(database: Connection) -> None:
    with pytest.raises(TypeError, match="float64"):
        fetch_columns(database, "SELECT unnest(%(ids)s) AS n", {"ids": np.array([0.5])}, {"n": "int8"})


def test_rows_stay_together_across_columns(database: Connection) -> None:
    query = "SELECT n, n * n AS square, n / 2.0 AS half FROM generate_series(1, 5000) n ORDER BY n %% 7"
    found = fetch_columns(database, query, {}, {"n": "int8", "square": "int4", "half": "float8"})
    assert sorted(found["n"].tolist()) == list(range(1, 5001))
    np.testing.assert_array_equal(found["square"], found["n"] ** 2)
    np.testing.assert_array_equal(found["half"], found["n"] / 2)


def test_columns_are_cast_to_the_kind_asked_for(database: Connection) -> None:
    found = fetch_columns(database, "SELECT 7 AS a, '8' AS b, true::int AS c", {}, dict.fromkeys("abc", "int8"))
    assert {name: column.tolist() for name, column in found.items()} == {"a": [7], "b": [8], "c": [1]}


def test_no_rows_are_empty_columns_of_their_kind(database: Connection) -> None:
    found = fetch_columns(database, "SELECT 1 AS a, 2 AS b WHERE false", {}, {"a": "int8", "b": "float4"})
    assert {name: (len(column), column.dtype.str[1:]) for name, column in found.items()} == {
        "a": (0, "i8"),
        "b": (0, "f4"),
    }


def test_names_that_need_quotes_are_quoted(database: Connection) -> None:
    found = fetch_columns(database, """SELECT 1 AS "userId", 2 AS "a""b" """, {}, {"userId": "int8", 'a"b': "int8"})
    assert [column.tolist() for column in found.values()] == [[1], [2]]


def test_a_null_is_an_error_that_says_what_to_do(database: Connection) -> None:
    query = "SELECT nullif(n, 2) AS n FROM generate_series(1, 3) n"
    with pytest.raises(ValueError, match="int8 column has NULLs: coalesce them in the query"):
        fetch_columns(database, query, {}, {"n": "int8"})


def test_a_value_that_does_not_fit_is_no_other_number(database: Connection) -> None:
    with pytest.raises(Exception, match="out of range"):
        fetch_columns(database, "SELECT 100000 AS n", {}, {"n": "int2"})


def test_what_was_fetched_may_be_written_to(database: Connection) -> None:
    column = fetch_columns(database, "SELECT 1 AS n", {}, {"n": "int8"})["n"]
    column += 1
    assert column.tolist() == [2]


def test_lists_arrive_one_by_one_and_joined(database: Connection) -> None:
    query = """SELECT * FROM (
        VALUES (1::int8, '{7,8}'::int8[], '{0.5,1}'::float4[]), (2, '{}', '{}'), (3, '{9}', '{2}')
    ) AS v ("key", "ids", "scores")"""
    found = fetch_lists(database, query, {}, {"key": "int8", "ids": "int8", "scores": "float4"})
    assert [values.tolist() for values in found["ids"]] == [[7, 8], [], [9]]
    assert [values.tolist() for values in found["key"]] == [[1], [2], [3]]
    assert found["ids"].sizes().tolist() == [2, 0, 1]
    assert found["key"].sizes().tolist() == [1, 1, 1]
    turned = {name: values.take([2, 1, 0]) for name, values in found.items()}
    assert turned["ids"].joined().tolist() == [9, 7, 8]
    assert turned["key"].joined().tolist() == [3, 2, 1]
    np.testing.assert_array_equal(turned["scores"].joined(), np.array([2, 0.5, 1], np.float32), strict=True)
    assert [values.tolist() for values in found["ids"][1:]] == [[], [9]]


def test_no_lists_are_empty(database: Connection) -> None:
    found = fetch_lists(database, "SELECT '{1}'::int8[] AS \"ids\" WHERE false", {}, {"ids": "int8"})["ids"]
    assert (len(found), found.sizes().tolist(), found.joined().tolist()) == (0, [], [])


# Three NULLs take as many bytes as one number.
@pytest.mark.parametrize("value", ["NULL::int8[]", "'{1,NULL}'::int8[]", "'{NULL,NULL,NULL}'::int8[]"])
def test_a_null_in_a_list_is_an_error_that_says_what_to_do(database: Connection, value: str) -> None:
    with pytest.raises(ValueError, match="coalesce"):
        fetch_lists(database, f"SELECT {value} AS ids", {}, {"ids": "int8"})["ids"].joined()
