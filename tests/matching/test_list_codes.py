"""The parts of a list's scores are stored as numbers of 16 bits, and lists of before as they were."""

import warnings
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from sitejobs.matching.match_scores.list_columns import (
    AVERAGES,
    CHANGE_ARRAYS,
    CODED_ONE,
    CODES,
    HALVES,
    LIST_ARRAYS,
    PARTS,
    coded,
    halves_of,
)
from tests.match_lists import store_lists
from tests.matching.changes import move, touch
from tests.matching.comparing import stored_rows
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load
from tests.matching.test_incremental import assert_as_a_full_run
from tests.matching.test_lists import HOUR

MOST_OFF = 8e-6

_GROUPS = {group: names for group, (_, names) in CHANGE_ARRAYS.items() if len(names) > 1}
_KINDS = {">f4": "real", ">i4": "integer", ">i2": "smallint", "?": "boolean", ">i8": "bigint"}


def _beside() -> list[tuple[str, str, int, int, str]]:
    """Each value of a candidate beside a list: its name, group, place in the group of so many, and type of before."""
    types = LIST_ARRAYS | dict.fromkeys(PARTS, ">f4")
    return [
        (name, group, at, len(names), _KINDS[types[name]])
        for group, names in _GROUPS.items()
        for at, name in enumerate(names)
    ]


# The layout of before: parts as they are, and no codes. What tells whether a list differs was another hash, too.
_AS_BEFORE = """
UPDATE "MatchList" l SET {parts}, {codes}, "fingerprint" = "fingerprint" - 1
FROM (SELECT "userId", {arrays} FROM "MatchScore" GROUP BY 1) m WHERE m."userId" = l."userId"
""".format(
    parts=", ".join(f'"{name}" = m."{name}"' for name in (*PARTS, *AVERAGES)),
    codes=", ".join(f'"{name}" = NULL' for name in (*CODES, *HALVES)),
    arrays=", ".join(f'array_agg("{name}" ORDER BY "rank") AS "{name}"' for name in (*PARTS, *AVERAGES)),
)
# What stood beside lists before: an array for each value of a candidate.
_CHANGES_AS_BEFORE = """
UPDATE "MatchListChange" c SET {beside}, {groups}
FROM (
    SELECT k."userId", {arrays}
    FROM "MatchListChange" k CROSS JOIN LATERAL unnest(k."candidateUserId") WITH ORDINALITY AS o ("id", "place")
    GROUP BY 1
) m WHERE m."userId" = c."userId"
""".format(
    beside=", ".join(f'"{name}" = m."{name}"' for name, *_ in _beside()),
    groups=", ".join(f'"{name}" = NULL' for name in _GROUPS),
    arrays=", ".join(
        f'''array_agg((k."{group}"[{size} * o."place" - {size - 1 - at}])::{kind} ORDER BY o."place") AS "{name}"'''
        for name, group, at, size, kind in _beside()
    ),
)
_NEITHER = " OR ".join(f'"{name}" IS NOT NULL' for name in (*PARTS, *AVERAGES))


@pytest.fixture
def machine(site_url: str, tmp_path: Path) -> Site:
    return Site(site_url, tmp_path)


@given(st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 0.25, 0.1, 1 / 3, 5e-324, 1 - 2**-53]), min_size=1))
def test_a_code_tells_its_part_to_less_than_a_hundred_thousandth(parts: list[float]) -> None:
    codes = coded(np.array(parts))
    assert codes.dtype == np.int16
    shown = (codes.astype(np.float64) + CODED_ONE / 2) / CODED_ONE
    assert np.abs(shown - parts).max() < MOST_OFF


@given(st.lists(st.lists(st.integers(2, 10), max_size=40), min_size=1, max_size=5))
def test_averages_follow_exactly_from_twice_the_sums_of_ratings_in_halves(ratings: list[list[int]]) -> None:
    """Each candidate's ratings, in halves; the four questions are told alike."""
    with np.errstate(invalid="ignore"), warnings.catch_warnings(action="ignore"):
        averages = np.array([[np.mean(np.array(those) / 2)] * 4 for those in ratings], np.float32)
    counts = np.array([len(those) for those in ratings], np.int32)
    sums, fit = halves_of(averages, counts)
    assert fit.all()
    assert sums.tolist() == [[sum(those)] * 4 for those in ratings]
    rated = counts > 0
    assert ((sums[rated] / (2.0 * counts[rated, None])).astype(np.float32) == averages[rated]).all()


@pytest.mark.parametrize(
    ("average", "count", "fits"), [(5, 3276, True), (5, 3277, False), (10 / 3, 3, True), (3.3, 3, False), (1, 1, True)]
)
def test_ratings_finer_than_halves_and_thousands_are_told_by_averages(average: float, count: int, fits: bool) -> None:
    sums, fit = halves_of(np.full((1, 4), average, np.float32), np.array([count], np.int32))
    assert fit.tolist() == [fits]
    assert fits == bool(sums.any())


@pytest.mark.parametrize("parts_of_one", [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16])
def test_the_view_shows_shares_of_a_few_as_they_are(site: Connection, parts_of_one: int) -> None:
    shares = np.arange(parts_of_one + 1) / parts_of_one
    with site.cursor() as cursor:
        store_lists(cursor, {1: [(2 + at, 0.5) for at in range(len(shares))]}, NOW)
    site.execute("""UPDATE "MatchList" SET "quizCode" = %s""", [coded(shares).tolist()])
    shown = site.execute("""SELECT "scoreQuiz" FROM "MatchScore" ORDER BY "rank" """).fetchall()
    assert [np.float32(value) for (value,) in shown] == shares.astype(np.float32).tolist()


@pytest.mark.parametrize("flavour", ["mixed", "one city"])
def test_a_list_of_before_is_shown_until_the_next_run_stores_it_in_codes(
    site: Connection, machine: Site, flavour: str
) -> None:
    load(site, draw(66, 40, flavour))
    machine.run(NOW, {"topK": 9})
    in_codes = stored_rows(site)
    site.execute(_AS_BEFORE)
    assert stored_rows(site) == in_codes
    done = machine.run(NOW + HOUR / 3600, {"topK": 9})
    assert done.reasons["unchanged"] == 0
    assert site.execute(f'SELECT count(*) FROM "MatchList" WHERE {_NEITHER}').fetchone() == (0,)
    assert_as_a_full_run(site, NOW + HOUR / 3600, 9)


def test_a_list_with_ratings_finer_than_halves_has_averages_and_others_have_sums(
    site: Connection, machine: Site
) -> None:
    load(site, draw(68, 60, "one city"))
    site.execute("""ALTER TABLE "ProfileRating" ALTER "smart" TYPE numeric""")
    finer = """UPDATE "ProfileRating" SET "smart" = "smart" - 0.3 WHERE "smart" > 1 AND "targetProfileId" % 11 = 0"""
    site.execute(finer)
    machine.run(NOW, {"topK": 5})
    assert_as_a_full_run(site, NOW, 5)
    kinds = site.execute(
        """SELECT "avgSmart" IS NULL, "smartHalves" IS NULL, count(*) FROM "MatchList" GROUP BY 1, 2 ORDER BY 1"""
    ).fetchall()
    assert [kind[:2] for kind in kinds] == [(False, True), (True, False)]


def test_changes_stand_beside_a_list_of_before_too(site: Connection, machine: Site) -> None:
    load(site, draw(67, 60, "one city"))
    machine.run(NOW, {"topK": 9})
    site.execute(_AS_BEFORE)
    moved = """UPDATE "Profile" SET "lat" = "lat" + 0.001 WHERE "userId" = (SELECT min("userId") FROM "Profile")"""
    site.execute(moved)
    machine.run(NOW + HOUR / 3600, {"topK": 9, "incremental": True})
    assert site.execute('SELECT count(*) > 0 FROM "MatchListChange"').fetchone() == (True,)
    assert_as_a_full_run(site, NOW + HOUR / 3600, 9)


def test_changes_of_before_are_shown_and_stay_until_they_change(site: Connection, machine: Site) -> None:
    load(site, draw(68, 60, "one city"))
    machine.run(NOW, {"topK": 9})
    random = Random(68)
    for change in (move, touch, move):
        change(site, random)
    machine.run(NOW + HOUR / 3600, {"topK": 9, "incremental": True})
    now = stored_rows(site)
    changed = site.execute(_CHANGES_AS_BEFORE).rowcount
    assert changed > 10
    assert stored_rows(site) == now
    move(site, random)
    machine.run(NOW + 2 * HOUR / 3600, {"topK": 9, "incremental": True})
    for column in ("parts", "scoreNew"):
        stored = site.execute(f'SELECT count(*) > 0 FROM "MatchListChange" WHERE "{column}" IS NOT NULL'.encode())
        assert stored.fetchone() == (True,)
    assert_as_a_full_run(site, NOW + 2 * HOUR / 3600, 9)
