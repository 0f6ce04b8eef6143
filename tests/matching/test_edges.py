"""Sites made by hand, each for one edge case."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.matching.comparing import assert_rows_equal, assert_viewer_equal, stored_rows, stored_viewers
from tests.matching.oracle import Rules, score_everyone, score_viewer
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, Draft, SiteRows, draw, someone
from tests.matching.running import Site
from tests.matching.site_loading import load

BERLIN: dict[str, Any] = {"lat": 52.5, "lng": 13.4}
NEXT_DOOR: dict[str, Any] = {"lat": 52.5 + 1e-7, "lng": 13.4}  # a centimetre away
POTSDAM: dict[str, Any] = {"lat": 52.4, "lng": 13.05}
YESTERDAY = NOW.replace(day=NOW.day - 1)


def check(connection: Connection, url: str, folder: Path, drafts: list[Draft], top_k: int = 200) -> None:
    """Load these users, run, and compare all rows with the plain implementation."""
    load(connection, SiteRows(drafts, set()))
    check_run(connection, url, folder, top_k)


def check_run(connection: Connection, url: str, folder: Path, top_k: int = 200, at: datetime = NOW) -> None:
    Site(url, folder).run(at, {"topK": top_k})
    assert_rows_equal(stored_rows(connection), score_everyone(read_site(connection), at), top_k)


def quizzed(user_id: int, vector: str, answers: str = "{}") -> Draft:
    draft = someone(user_id)
    draft.quizzes = {1: (answers, vector, YESTERDAY)}
    return draft


def rated(draft: Draft, stars: int, raters: int) -> Draft:
    draft.received = dict.fromkeys(range(raters), (stars, stars, stars, stars))
    return draft


def test_someone_a_centimetre_beyond_the_preferred_distance_takes_nobodys_place(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    viewer = someone(1, preference={"preferredDistanceKm": 0}, **BERLIN)
    drafts = [viewer, someone(2, **NEXT_DOOR), someone(3, **POTSDAM), someone(4, **POTSDAM)]
    rated(drafts[1], 1, 3)
    rated(drafts[3], 5, 3)
    check(site, site_url, tmp_path, drafts, top_k=1)
    assert [item.row.candidate_id for item in stored_rows(site)[1]] == [4]


def test_a_small_radius_is_measured_as_exactly_among_viewers_far_from_each_other(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    far = [someone(10 + i, lat=-30.0 + i, lng=-60.0 - i) for i in range(5)]
    drafts = [
        someone(1, preference={"preferredDistanceKm": 1}, **BERLIN),
        *[someone(20 + i, lat=52.5 + i * 0.0007, lng=13.4) for i in range(12)],
    ]
    check(site, site_url, tmp_path, drafts + far, top_k=3)


def test_quiz_vectors_keep_their_direction_whatever_their_length(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    vectors = ["[1e200, -1e200, 5e199]", "[1e-200, -3e-200, 0]", "[1, 2, 3]", "[-1, 1, -0.5]", "[1e25, 1, 0]"]
    check(site, site_url, tmp_path, [quizzed(i, vector) for i, vector in enumerate(vectors, 1)])


def test_a_quiz_vector_of_numbers_that_no_double_holds_does_not_stop_the_run(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    load(site, SiteRows([quizzed(1, "[1e400, 1]"), quizzed(2, "[1, 1e-400]"), quizzed(3, "[1, 0]")], set()))
    Site(site_url, tmp_path).run(NOW)
    assert {viewer: len(rows) for viewer, rows in stored_rows(site).items()} == {1: 2, 2: 2, 3: 2}


def test_answers_are_equal_as_json_not_as_text(site: Connection, site_url: str, tmp_path: Path) -> None:
    answers = [
        {"a": 1, "b": {"x": 1, "y": [1, 2]}, "c": "1", "d": True, "e": "ä"},
        {"a": 1.0, "b": {"y": [1.0, 2], "x": 1}, "c": 1, "d": 1, "e": "a\u0308"},
        {"a": "1", "b": {"x": 1}, "c": "1 ", "d": "true", "E": "ä", "": None},
        {"a": None, "b": None, "": None, "c": ""},
    ]
    check(site, site_url, tmp_path, [quizzed(i, "null", json.dumps(given)) for i, given in enumerate(answers, 1)])


def test_a_site_that_keeps_distances_as_doubles_and_times_with_zone_is_scored_alike(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    site.execute("""
        ALTER TABLE "UserPreference" ALTER COLUMN "preferredDistanceKm" TYPE double precision;
        ALTER TABLE "Profile" ALTER COLUMN "updatedAt" TYPE timestamptz USING "updatedAt" AT TIME ZONE 'UTC',
            ALTER COLUMN "lat" TYPE numeric, ALTER COLUMN "lng" TYPE numeric,
            ALTER COLUMN "gender" DROP DEFAULT, ALTER COLUMN "gender" TYPE text;
    """)
    drafts = draw(77, 30, "edges of the map").drafts
    distances = ["NaN", "Infinity", 0.25, 1e-9, 1e300, -0.5]
    for draft, distance in zip(drafts, distances * 9, strict=False):
        draft.preference = {"preferredDistanceKm": distance}
    check(site, site_url, tmp_path, drafts, top_k=7)


def test_extreme_trait_values_lose_no_small_difference(site: Connection, site_url: str, tmp_path: Path) -> None:
    drafts = [someone(user_id) for user_id in range(1, 7)]
    tiny = {"a": ("0.01", 1), "b": ("0.02", 1), "c": ("-0.01", 1)}
    drafts[0].traits = tiny | {"huge": ("99999999.99", 5)}
    drafts[1].traits = tiny
    drafts[2].traits = tiny | {"other": ("-99999999.99", 5)}
    drafts[3].traits = {"huge": ("-99999999.99", 5), "a": ("0.01", 1)}
    drafts[4].traits = {"a": ("0", 5), "b": ("-7.25", 5), "c": ("3", 0)}
    drafts[5].traits = {"a": ("10", 5)}
    check(site, site_url, tmp_path, drafts)


def test_interests_beyond_any_small_vocabulary_are_compared_alike(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    drafts = [someone(user_id) for user_id in range(1, 13)]
    site.execute("""INSERT INTO "InterestSubject" SELECT 1000 + i, 'x' || i, 'x' FROM generate_series(1, 3) i""")
    site.execute("""
        INSERT INTO "Interest" SELECT 1000 + i, 1001 + i % 3, 'x' || i, 'x' FROM generate_series(1, 1500) i
    """)
    load(site, SiteRows(drafts, set()))
    site.execute("""
        INSERT INTO "UserInterest"
        SELECT u, 1001 + i % 3, 1000 + i FROM generate_series(1, 11) u, generate_series(1, 1500) i
        WHERE (i * u) % 11 < 3
    """)
    check_run(site, site_url, tmp_path, top_k=5)


def test_averages_of_many_ratings_and_of_too_few_are_told_apart(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    drafts = [someone(user_id) for user_id in range(1, 61)]
    drafts[0].received = {rater: (1 + rater % 5, 1, 2, 5) for rater in range(60)}
    drafts[1].received = dict.fromkeys(range(2), (3, 3, 3, 3))
    check(site, site_url, tmp_path, drafts, top_k=3)


def test_birthdays_count_from_their_day_on(site: Connection, site_url: str, tmp_path: Path) -> None:
    wishes = {"preferredAgeMin": 30, "preferredAgeMax": 30}
    births = [date(1994, 2, 28), date(1994, 3, 1), date(1995, 12, 31)]
    births += [date(1996, 2, 28), date(1996, 2, 29), date(1996, 3, 1)]
    drafts = [someone(user_id, birthdate=born) for user_id, born in enumerate(births, 2)]
    load(site, SiteRows([someone(1, preference=wishes), *drafts], set()))
    runs = [(2024, 2, 28), (2024, 2, 29), (2025, 12, 31), (2026, 2, 27), (2026, 2, 28), (2026, 3, 1)]
    for year, month, day in runs:
        for moment in (time(0, 0), time(23, 59, 59)):
            check_run(site, site_url, tmp_path, at=datetime.combine(date(year, month, day), moment, UTC))


def test_hundreds_of_near_ties_take_nobodys_place(site: Connection, site_url: str, tmp_path: Path) -> None:
    # All are within the rounding of single precision, but the first and the last may not trade places.
    newest, older, oldest = (NOW - timedelta(seconds=seconds) for seconds in (0, 295, 590))
    drafts = [someone(1), someone(2999, updatedAt=older)]
    drafts += [someone(3000 + i, updatedAt=newest) for i in range(199)]
    drafts += [someone(10 + i, updatedAt=oldest) for i in range(700)]
    load(site, SiteRows(drafts, set()))
    for block_size in (100, 500, 2000):
        Site(site_url, tmp_path).run(NOW, {"userId": 1, "candidateBatchSize": block_size})
        assert_viewer_equal(1, stored_rows(site)[1], score_viewer(read_site(site), 1, NOW), 200)


@pytest.mark.parametrize(
    ("weights", "rules"),
    [
        ("traits=0,interests=1, proximity=0.9", Rules(traits=0, interests=1, proximity=0.9)),
        ("traits=0,interests=0,rating_quality=0,rating_fit=0,newness=0,proximity=0", Rules(0, 0, 0, 0, 0, 0)),
        ("", Rules()),
    ],
)
def test_weights_radius_and_half_life_are_the_sites_own(
    site: Connection, site_url: str, tmp_path: Path, weights: str, rules: Rules
) -> None:
    load(site, draw(6, 40, "mixed"))
    environment = {
        "MATCH_WEIGHTS": weights,
        "MATCH_DEFAULT_RADIUS_KM": "35.5",
        "MATCH_NEWNESS_HALF_LIFE_DAYS": "2",
    }
    Site(site_url, tmp_path, environment).run(NOW, {"topK": 4, "candidateBatchSize": 7})
    rules = replace(rules, default_radius_km=35.5, half_life_days=2)
    assert_rows_equal(stored_rows(site), score_everyone(read_site(site), NOW, rules), 4)


def test_an_empty_site_and_one_without_candidates_end_without_rows(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    machine = Site(site_url, tmp_path)
    assert machine.run(NOW).summary["status"] == "SUCCEEDED"
    lonely = someone(5)
    hidden = someone(6, isVisible=False)
    faceless = Draft(user_id=7)
    load(site, SiteRows([lonely, hidden, faceless], set()))
    finished = machine.run(NOW)
    assert {viewer: [item.row.candidate_id for item in rows] for viewer, rows in stored_rows(site).items()} == {6: [5]}
    skipped = {viewer: row[1] for viewer, row in stored_viewers(site).items()}
    assert skipped == {5: "no-candidates", 6: None, 7: "no-profile"}
    assert finished.reasons == {"no-candidates": 1, "no-profile": 1}
    assert finished.counts == {"processed": 3, "written": 1, "skipped": 2, "failed": 0}


def test_where_everyone_is_hidden_nobody_has_rows(site: Connection, site_url: str, tmp_path: Path) -> None:
    load(site, SiteRows([someone(user_id, isVisible=False, **BERLIN) for user_id in (1, 2)], set()))
    finished = Site(site_url, tmp_path).run(NOW)
    assert finished.reasons == {"no-candidates": 2}
    assert stored_rows(site) == {}
