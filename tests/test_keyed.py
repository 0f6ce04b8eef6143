"""Keyed jobs: pages tile the keys, what comes and goes is seen, and only what is stale is refreshed."""

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from pydantic import Field

from sitejobs.jobs.entry import JobEntry
from sitejobs.jobs.job import PAGES_A_CHAPTER, PagedJob, PageSummary
from sitejobs.jobs.keyed import KeyedJob, Keys, Parameters, Refresh, ranges_a_page
from sitejobs.options import MAX_ID, MIN_ID, OptionalUserId, PagedOptions, Whole
from sitejobs.postgres.connection import connect, is_transient
from tests.keyed_runs import NOW, Runner

KEYS = Keys(
    known="""
    SELECT "id" FROM ((SELECT "id" FROM "Word" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY 1 LIMIT %(limit)s)
        UNION (SELECT "id" FROM "Length" WHERE "id" BETWEEN %(first)s AND %(last)s ORDER BY 1 LIMIT %(limit)s)) AS k
    ORDER BY 1 LIMIT %(limit)s
    """,
    stale="""
    SELECT "id" FROM "Word" w FULL JOIN "Length" l USING ("id")
    WHERE "id" BETWEEN %(first)s AND %(last)s AND length(w."word") * %(factor)s IS DISTINCT FROM l."length"
    ORDER BY 1
    """,
    count='SELECT count(*) FROM "Word"',
)
WRITE = """
INSERT INTO "Length" SELECT "id", length("word") * %(factor)s, %(today)s, %(now)s, pg_current_xact_id()::text
FROM "Word" WHERE "id" = ANY(%(keys)s)
ON CONFLICT ("id") DO UPDATE SET "length" = excluded."length", "transaction" = excluded."transaction"
"""
REMOVE = 'DELETE FROM "Length" l WHERE "id" = ANY(%(keys)s) AND NOT EXISTS (SELECT FROM "Word" w WHERE w."id" = l."id")'


class ToyOptions(PagedOptions):
    """The length of words."""

    word_id: OptionalUserId = Field(default=None, description="this word only")
    word_batch_size: Whole = Field(default=4, ge=1, le=3000, description="words in one transaction")


def lengths(connection: Connection, keys: list[int], values: Parameters) -> PageSummary:
    given = {**values, "keys": keys}
    written = connection.execute(WRITE, given).rowcount + connection.execute(REMOVE, given).rowcount
    return PageSummary(processed=len(keys), written=written)


def note_plan(connection: Connection) -> None:
    connection.execute('INSERT INTO "Prepared" SELECT count(*) FROM "Length"')


def toy_job(refresh: Refresh = lengths, scan: int = 10, *, all_stale: bool = False, together: int = 0) -> PagedJob:
    return KeyedJob(
        JobEntry("toy", "toys", "lengths of words", ToyOptions, all_stale=all_stale),
        KEYS,
        refresh,
        parameters=lambda options, environment: {"factor": int(environment.get("FACTOR", "1"))},
        prepare=note_plan,
        noun="word",
        only="word_id",
        size="word_batch_size",
        scan=scan,
        together=together,
    )


class Toys:
    """Words 1, 3, 5, ... and the job over them."""

    def __init__(self, url: str) -> None:
        self.connection = connect(url)
        self.runner = Runner(toy_job(), url)
        self.connection.execute("""
            CREATE TABLE "Word" ("id" bigint PRIMARY KEY, "word" text NOT NULL);
            CREATE TABLE "Length" ("id" bigint PRIMARY KEY, "length" integer, "today" date, "now" timestamptz,
                                   "transaction" text);
            CREATE TABLE "Prepared" ("stored" bigint);
        """)

    def fill(self, count: int) -> None:
        self.execute(
            """INSERT INTO "Word" SELECT i * 2 - 1, repeat('x', i %% 7) FROM generate_series(1, %s) i""", [count]
        )

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description is not None else []

    def assert_right(self) -> None:
        wanted = self.execute('SELECT "id", length("word") FROM "Word" ORDER BY 1')
        assert self.execute('SELECT "id", "length" FROM "Length" ORDER BY 1') == wanted


@pytest.fixture
def toys(database_url: str) -> Iterator[Toys]:
    made = Toys(database_url)
    yield made
    made.connection.close()
    made.runner.close()


def assert_tiles(pages: list[dict[str, Any]]) -> None:
    assert [page["page"] for page in pages] == list(range(1, len(pages) + 1))
    bounds = [(int(page["first"]), int(page["last"])) for page in pages]
    assert [first for first, _ in bounds] == [MIN_ID, *(last + 1 for _, last in bounds[:-1])]
    assert all(first <= last for first, last in bounds)


def test_pages_are_ranges_that_meet_and_hold_as_many_keys_as_asked_for(toys: Toys) -> None:
    toys.fill(10)
    ran = toys.runner.run()
    assert [(page["first"], page["last"], page["keys"]) for page in ran.pages] == [
        (str(MIN_ID), "7", 4),
        ("8", "15", 4),
        ("16", "19", 2),
    ]
    assert_tiles(ran.pages)
    assert (ran.chapters[0].planned_pages, ran.chapters[0].planned_users) == (3, 10)
    assert (ran.counts["processed"], ran.counts["written"]) == (10, 10)
    toys.assert_right()


def test_a_run_over_an_empty_table_has_no_pages(toys: Toys) -> None:
    ran = toys.runner.run()
    assert (ran.pages, len(ran.chapters), ran.chapters[0].planned_users) == ([], 1, 0)


@pytest.mark.parametrize("incremental", [False, True])
def test_a_run_of_several_chapters_sees_every_key_once(toys: Toys, incremental: bool) -> None:
    toys.fill(PAGES_A_CHAPTER + 30)
    toys.runner.job = toy_job(scan=1)
    ran = toys.runner.run({"wordBatchSize": 1, "incremental": incremental})
    assert [len(chapter.pages) for chapter in ran.chapters] == [PAGES_A_CHAPTER, 30]
    assert_tiles(ran.pages)
    assert ran.chapters[0].planned_pages == PAGES_A_CHAPTER + 30
    assert (ran.counts["processed"], ran.counts["written"]) == (PAGES_A_CHAPTER + 30,) * 2
    toys.assert_right()


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, [5000] * 5),
        ({"maxConcurrency": 1}, [10_000, 10_000, 5000]),
        ({"maxConcurrency": 1000}, [2500] * 10),
        ({"maxConcurrency": 2, "wordBatchSize": 800}, [7500] * 3 + [2500]),
        ({"maxConcurrency": 1, "wordBatchSize": 3000}, [9000, 9000, 7000]),
    ],
)
def test_every_function_has_something_to_look_at(toys: Toys, options: dict[str, int], keys: list[int]) -> None:
    toys.fill(25_000)
    toys.runner.job = toy_job(scan=10_000)
    toys.execute('INSERT INTO "Length" SELECT "id", length("word") FROM "Word"')
    ran = toys.runner.run({"wordBatchSize": 1000, **options, "incremental": True})
    assert [page["keys"] for page in ran.pages] == keys
    assert_tiles(ran.pages)
    assert (ran.counts["processed"], ran.counts["written"]) == (25_000, 0)


@pytest.mark.parametrize(("size", "keys"), [(125, [2500] * 10), (250, [5000] * 5), (500, [10_000] * 2 + [5000])])
def test_pages_of_a_job_whose_keys_may_all_be_stale_grow_with_its_batch(toys: Toys, size: int, keys: list[int]) -> None:
    toys.fill(25_000)
    toys.runner.job = toy_job(all_stale=True)
    ran = toys.runner.run({"maxConcurrency": 1, "wordBatchSize": size, "incremental": True})
    assert [page["keys"] for page in ran.pages] == keys
    assert ran.counts["written"] == 25_000
    [(transactions,)] = toys.execute('SELECT count(DISTINCT "transaction") FROM "Length"')
    assert transactions == 25_000 / size
    toys.assert_right()


@pytest.mark.parametrize(("functions", "keys"), [(1, [12] * 8 + [4]), (8, [9] * 11 + [1]), (50, [3] * 33 + [1])])
def test_pages_of_a_full_run_grow_where_each_function_has_enough_of_them(
    toys: Toys, functions: int, keys: list[int]
) -> None:
    toys.fill(100)
    toys.runner.job = toy_job(together=12)
    ran = toys.runner.run({"maxConcurrency": functions, "wordBatchSize": 3})
    assert [page["keys"] for page in ran.pages] == keys
    assert_tiles(ran.pages)
    [(transactions,)] = toys.execute('SELECT count(DISTINCT "transaction") FROM "Length"')
    assert transactions == len(keys)
    toys.assert_right()


@pytest.mark.parametrize("functions", [1, 4, 251, 1000])
def test_a_chapter_never_has_more_pages_than_its_input_has_room_for(functions: int) -> None:
    for most, ranges in itertools.product((1, 2, 4), (0, 1, 7, 499, 500, 501, 999, 1001, 1999, 2000)):
        if ranges <= most * PAGES_A_CHAPTER:
            a_page = ranges_a_page(ranges, most, functions)
            assert 1 <= a_page <= most
            assert -(-ranges // a_page) <= PAGES_A_CHAPTER


def test_a_chapter_that_is_just_full_is_followed_by_an_empty_one(toys: Toys) -> None:
    toys.fill(PAGES_A_CHAPTER)
    ran = toys.runner.run({"wordBatchSize": 1})
    assert [len(chapter.pages) for chapter in ran.chapters] == [PAGES_A_CHAPTER, 0]
    toys.assert_right()


@pytest.mark.parametrize("incremental", [False, True])
def test_keys_that_come_and_go_between_plan_and_page_are_seen(toys: Toys, incremental: bool) -> None:
    toys.fill(10)
    toys.runner.run()
    toys.runner.run(
        {"incremental": incremental},
        meanwhile=lambda: toys.execute("""
            DELETE FROM "Word" WHERE "id" = 3; INSERT INTO "Word" VALUES (4, 'four'), (16, 'sixteen')
        """),
    )
    toys.assert_right()


def test_an_incremental_run_refreshes_what_is_stale_and_counts_the_rest_as_fresh(toys: Toys) -> None:
    toys.fill(25)
    toys.runner.run()
    before = dict(toys.execute('SELECT "id", xmin::text FROM "Length"'))
    toys.execute("""
        UPDATE "Word" SET "word" = 'something else' WHERE "id" = 9;
        DELETE FROM "Word" WHERE "id" = 11;
        INSERT INTO "Word" VALUES (100, 'new')
    """)
    ran = toys.runner.run({"incremental": True})
    assert [page["keys"] for page in ran.pages] == [10, 10, 6]
    assert_tiles(ran.pages)
    assert (ran.counts["processed"], ran.looked_into, ran.counts["written"]) == (26, 3, 3)
    after = dict(toys.execute('SELECT "id", xmin::text FROM "Length"'))
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == {9, 11, 100}
    toys.assert_right()
    again = toys.runner.run({"incremental": True})
    assert (again.counts["skipped"], again.reasons) == (25, {"fresh": 25})


def test_an_incremental_page_writes_no_more_keys_in_a_transaction_than_a_full_one(toys: Toys) -> None:
    toys.fill(10)
    ran = toys.runner.run({"incremental": True})
    assert len(ran.pages) == 1
    by_transaction = toys.execute(
        'SELECT array_agg("id" ORDER BY "id") FROM "Length" GROUP BY "transaction" ORDER BY 1'
    )
    assert by_transaction == [([1, 3, 5, 7],), ([9, 11, 13, 15],), ([17, 19],)]


def test_a_run_for_one_key_leaves_the_others_alone(toys: Toys) -> None:
    toys.fill(10)
    ran = toys.runner.run({"wordId": 7})
    assert ran.pages == [{"page": 1, "first": "7", "last": "7", "keys": 1}]
    assert toys.execute('SELECT "id" FROM "Length"') == [(7,)]
    assert toys.runner.run({"wordId": 7, "incremental": True}).reasons == {"fresh": 1}


def test_a_key_that_has_gone_but_has_a_result_can_be_asked_for(toys: Toys) -> None:
    toys.fill(10)
    toys.runner.run()
    toys.execute('DELETE FROM "Word" WHERE "id" = 7')
    assert toys.runner.run({"wordId": 7}).counts["written"] == 1
    toys.assert_right()


@pytest.mark.parametrize("key", [8, MIN_ID, -1, MAX_ID])
def test_an_unknown_key_is_named(toys: Toys, key: int) -> None:
    toys.fill(10)
    ran = toys.runner.run({"wordId": key})
    assert (ran.pages, ran.message) == ([], f"word {key} does not exist")


ENDS = [MIN_ID, MIN_ID + 1, -(2**53) - 1, -1, 0, 1, 2**53 + 1, MAX_ID - 1, MAX_ID]


@pytest.mark.parametrize("incremental", [False, True])
def test_every_bigint_is_a_key_like_any_other(toys: Toys, incremental: bool) -> None:
    toys.execute("""INSERT INTO "Word" SELECT unnest(%s::bigint[]), 'word'""", [ENDS])
    ran = toys.runner.run({"wordBatchSize": 1, "incremental": incremental})
    assert ran.counts["written"] == len(ENDS)
    assert_tiles(ran.pages)
    for key in ENDS:
        assert toys.runner.run({"wordId": str(key)}).counts["processed"] == 1
    toys.assert_right()
    toys.execute("""DELETE FROM "Word" """)
    assert toys.runner.run({"incremental": incremental}).counts["written"] == len(ENDS)
    toys.assert_right()


def test_a_chapter_that_ends_with_the_largest_id_is_the_last(toys: Toys) -> None:
    toys.fill(PAGES_A_CHAPTER - 1)
    toys.execute("""INSERT INTO "Word" VALUES (%s, 'last')""", [MAX_ID])
    ran = toys.runner.run({"wordBatchSize": 1})
    assert [len(chapter.pages) for chapter in ran.chapters] == [PAGES_A_CHAPTER]
    toys.assert_right()


def test_ids_travel_as_text_that_nobody_rounds(toys: Toys) -> None:
    toys.execute("""INSERT INTO "Word" SELECT unnest(%s::bigint[]), 'word'""", [ENDS])
    [page] = toys.runner.run({"wordBatchSize": 100}).pages
    assert (page["first"], page["last"]) == (str(MIN_ID), str(MAX_ID))


def test_statements_get_the_runs_time_and_the_jobs_own_parameters(toys: Toys, database_url: str) -> None:
    toys.fill(2)
    runner = Runner(toy_job(), database_url, {"FACTOR": "3"})
    runner.run({"wordBatchSize": 1})
    runner.close()
    assert toys.execute('SELECT * FROM "Length" ORDER BY 1')[0][:4] == (1, 3, NOW.date(), NOW)


def test_what_plan_prepares_it_prepares_once_a_run_and_first(toys: Toys) -> None:
    toys.fill(PAGES_A_CHAPTER + 1)
    toys.runner.run({"wordBatchSize": 1})
    assert toys.execute('SELECT * FROM "Prepared"') == [(0,)]


def test_a_page_that_another_write_overtakes_fails_to_be_tried_again(toys: Toys, database_url: str) -> None:
    toys.fill(3)
    toys.runner.run()
    toys.execute("""UPDATE "Word" SET "word" = 'changed'""")

    def overtaken(connection: Connection, keys: list[int], values: Parameters) -> PageSummary:
        toys.execute('UPDATE "Length" SET "length" = -1')  # another session: committed after this page's moment
        return lengths(connection, keys, values)

    runner = Runner(toy_job(overtaken), database_url)
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        runner.run()
    runner.close()
    assert is_transient(caught.value)
    assert toys.execute('SELECT DISTINCT "length" FROM "Length"') == [(-1,)]
