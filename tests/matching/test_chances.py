"""By a learned model, too, all stored rows equal a plain per-pair implementation, in full and incremental runs."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.errors import InvalidInput
from sitejobs.matching.scoring.chances import base, log_chance
from sitejobs.matching.scoring.features import pair_features
from tests.matching import compatibility_runs as compatibility
from tests.matching.changes import CHANGES
from tests.matching.comparing import assert_rows_equal, stored_rows
from tests.matching.models import draw_effect, store_model
from tests.matching.oracle import Rules, score_everyone
from tests.matching.oracle_model import read_model
from tests.matching.oracle_site import read_site
from tests.matching.pools import all_pairs, open_site
from tests.matching.random_sites import FLAVOURS, NOW, SiteRows, draw, someone
from tests.matching.running import Site, shuffled
from tests.matching.site_loading import load
from tests.matching.test_exactness import WAYS, Way, compare_ways

SECOND = timedelta(seconds=1)
TOP_K = 6


@pytest.mark.parametrize(
    ("flavour", "kind", "tiers"),
    [
        *((flavour, "usual", "mutual") for flavour in FLAVOURS),
        *((flavour, "steep", "mutual") for flavour in ("mixed", "one city", "no traits", "twins")),
        *((flavour, "flat", "viewer") for flavour in ("twins", "edges of the map")),
    ],
)
def test_every_row_of_a_random_site_is_the_plain_implementations(
    site: Connection, site_url: str, tmp_path: Path, flavour: str, kind: str, tiers: str
) -> None:
    load(site, draw(80, 40, flavour))
    store_model(site, 80, kind)
    rules = Rules(model=read_model(site), tiers=tiers)
    compare_ways(site, Site(site_url, tmp_path, {"MATCH_TIERS": tiers}), WAYS[1:4], rules)


@pytest.mark.no_cover  # smaller sites reach the same lines, and coverage makes this one half as long again
@pytest.mark.parametrize(("flavour", "kind"), [("one city", "usual"), ("everybody asked", "steep")])
def test_every_row_of_a_larger_site_is_the_plain_implementations(
    site: Connection, site_url: str, tmp_path: Path, flavour: str, kind: str
) -> None:
    load(site, draw(81, 240, flavour))
    store_model(site, 81, kind)
    compare_ways(
        site, Site(site_url, tmp_path), (Way(7, 300, 20), Way(50, 90, 200, shuffled(3))), Rules(model=read_model(site))
    )


def test_the_sums_of_pairs_are_those_of_the_features(site: Connection) -> None:
    load(site, draw(82, 60, "no traits"))
    model = store_model(site, 82)
    opened = open_site(site, 50, model=model)
    users, (left, right) = opened.candidates, all_pairs(len(opened.viewers), len(opened.candidates))
    pairs = opened.exact(np.arange(len(users)))
    weights = np.array([model.traits, model.interests, model.proximity, model.age_gap])
    alike = pair_features(opened.viewers, users, left, right, 100.0) @ weights + model.intercept
    like = log_chance(alike + opened.viewers.selectivity[left] + users.appeal[right].astype(np.float64))
    assert np.allclose(np.log(pairs.like), like, atol=1e-9)
    assert np.isclose(base(model), model.intercept - 0.5 * model.traits - 0.3 * model.interests)


def assert_as_a_full_run(site: Connection) -> None:
    expected = score_everyone(read_site(site), NOW, Rules(model=read_model(site)))
    stored = {
        viewer: [
            replace(item, row=replace(item.row, newness=row.newness))
            for item in ranked
            for row in expected[viewer]
            if row.candidate_id == item.row.candidate_id
        ]
        for viewer, ranked in stored_rows(site).items()
    }
    assert_rows_equal(stored, expected, TOP_K)


@pytest.mark.parametrize("flavour", ["mixed", "one city", "no traits", "everybody asked"])
def test_many_changes_at_once_are_all_seen(site: Connection, site_url: str, tmp_path: Path, flavour: str) -> None:
    machine, random = Site(site_url, tmp_path), Random(f"chances {flavour}")
    load(site, draw(83, 45, flavour))
    store_model(site, 83)
    options = {"topK": TOP_K, "batchSize": 13, "candidateBatchSize": 7}
    machine.run(NOW, options)
    assert_as_a_full_run(site)
    for step in range(1, 5):
        for change in random.choices(CHANGES, k=random.choice((1, 3, 12))):
            change(site, random)
        for (user_id,) in site.execute("""SELECT "userId" FROM "UserMatchEffect" ORDER BY 1""").fetchall()[step::9]:
            site.execute(
                """UPDATE "UserMatchEffect" SET "selectivity" = %s, "appeal" = %s, "price" = %s
                   WHERE "userId" = %s""",
                [*draw_effect(random, "usual"), user_id],
            )
        machine.run(NOW + step * SECOND, {**options, "incremental": True}, shuffled(step))
        assert_as_a_full_run(site)


def test_a_new_model_means_everybody_and_which_one_counts(site: Connection, site_url: str, tmp_path: Path) -> None:
    load(site, SiteRows([someone(number) for number in range(1, 9)], set()))
    machine = Site(site_url, tmp_path)

    def chances(at: int, algorithm: str) -> set[float | None]:
        machine.environment = {"MATCH_ALGORITHM": algorithm}
        machine.run(NOW + at * SECOND, {"incremental": True})
        return {item.row.like for ranked in stored_rows(site).values() for item in ranked}

    assert chances(1, "auto") == {None}
    store_model(site, 1, "flat", "candidate")
    assert chances(2, "auto") == {None}
    assert None not in chances(3, "v2")
    store_model(site, 2, "steep")
    steep = chances(4, "auto")
    assert None not in steep
    assert steep == chances(5, "v2")
    assert chances(6, "v1") == {None}


def test_without_a_model_v2_is_refused_before_anything_is_written(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    load(site, SiteRows([someone(number) for number in range(1, 9)], set()))
    with pytest.raises(InvalidInput, match="there is no model"):
        Site(site_url, tmp_path, {"MATCH_ALGORITHM": "v2"}).run(NOW)
    assert not stored_rows(site)
    assert not list(tmp_path.rglob("*.snap"))


def test_who_likes_the_viewer_already_comes_first(site: Connection, site_url: str, tmp_path: Path) -> None:
    load(site, SiteRows([someone(number) for number in range(1, 9)], set()))
    store_model(site, 3, "flat")
    site.execute("""UPDATE "UserMatchEffect" SET "appeal" = 0, "selectivity" = 0, "price" = 0""")
    site.execute("""INSERT INTO "Like" VALUES (7, 1, 'LIKE'), (8, 1, 'DISLIKE'), (6, 2, 'LIKE'), (2, 6, 'LIKE')""")
    Site(site_url, tmp_path).run(NOW)
    ranked = stored_rows(site)
    assert [(item.row.candidate_id, item.row.back) for item in ranked[1]][:1] == [(7, 1.0)]
    assert [item.row.candidate_id for item in ranked[1]] == [7, 2, 3, 4, 5, 6]
    assert 6 not in [item.row.candidate_id for item in ranked[2]]


def test_who_likes_the_viewer_and_hides_is_found_although_worth_less_without_that(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    load(site, SiteRows([someone(number) for number in range(1, 31)], set()))
    store_model(site, 3, "flat")
    site.execute("""DELETE FROM "UserMatchEffect" """)
    site.execute("""INSERT INTO "UserMatchEffect" ("modelId", "userId", "selectivity", "appeal", "price")
                    SELECT "id", 20, 0, -0.5, 0 FROM "MatchModel" """)
    site.execute("""INSERT INTO "Like" VALUES (20, 1, 'LIKE')""")
    machine = Site(site_url, tmp_path)
    machine.run(NOW, {"topK": 3})
    assert [item.row.candidate_id for item in stored_rows(site)[1]] == [20, 2, 3]
    site.execute("""UPDATE "Profile" SET "isVisible" = false WHERE "userId" = 20""")
    machine.run(NOW + SECOND, {"topK": 3, "incremental": True})
    assert [item.row.candidate_id for item in stored_rows(site)[1]] == [2, 3, 4]


def test_suggestions_that_a_model_ranked_have_the_chance_that_both_say_yes(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    load(site, draw(45, 30, "one city"))
    machine = Site(site_url, tmp_path)
    machine.run(NOW)
    compatibility.run(site_url, NOW)
    known = """SELECT count("chance") FROM "UserCompatibility" """
    assert site.execute(known).fetchone() == (0,)
    store_model(site, 45)
    machine.run(NOW)
    compatibility.run(site_url, NOW, {"maxSuggestionTargets": 5})
    told = site.execute("""
        SELECT c."chance", m."scoreLike"::float8 * m."scoreBack", m."rank" <= 5
        FROM "UserCompatibility" c LEFT JOIN "MatchScore" m
            ON m."userId" = c."viewerUserId" AND m."candidateUserId" = c."targetUserId"
    """).fetchall()
    shown = [(chance, product) for chance, product, suggested in told if suggested]
    assert len(shown) > 30
    assert all(abs(chance - product) < 1e-6 for chance, product in shown)
    assert all(chance is None for chance, _, suggested in told if not suggested)
    site.execute("""UPDATE "MatchModel" SET "status" = 'rejected'""")
    machine.run(NOW)
    compatibility.run(site_url, NOW)
    assert site.execute(known).fetchone() == (0,)


def test_chances_are_renewed_when_effects_of_either_side_change(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    load(site, draw(22, 40, "one city"))
    store_model(site, 22)
    machine, compared = Site(site_url, tmp_path), {"maxSuggestionTargets": 1000, "incremental": True}
    stored = """
        SELECT c."viewerUserId", c."targetUserId", c."chance", m."scoreLike"::float8 * m."scoreBack", c.xmin::text
        FROM "UserCompatibility" c
        JOIN "MatchScore" m ON m."userId" = c."viewerUserId" AND m."candidateUserId" = c."targetUserId" """
    machine.run(NOW)
    compatibility.run(site_url, NOW, {"maxSuggestionTargets": 1000})
    before = {row[:2]: row[2:] for row in site.execute(stored).fetchall()}
    changed = {
        user
        for (user,) in site.execute(
            """UPDATE "UserMatchEffect" SET "selectivity" = "selectivity" + 0.7, "appeal" = "appeal" - 0.9
            WHERE "userId" = ANY(SELECT "userId" FROM "UserMatchEffect" WHERE abs("appeal") < 3 ORDER BY 1 LIMIT 3)
            RETURNING "userId" """
        ).fetchall()
    }
    machine.run(NOW + timedelta(minutes=1), {"incremental": True})
    compatibility.run(site_url, NOW + timedelta(minutes=1), compared)
    after = {row[:2]: row[2:] for row in site.execute(stored).fetchall()}
    assert all(abs(chance - product) < 0.03 for chance, product, _ in after.values())
    moved = {pair for pair in before.keys() & after.keys() if abs(before[pair][1] - after[pair][1]) > 0.03}
    assert {pair for pair in moved if changed & set(pair)} == moved
    assert len(moved) > 10
    assert all(abs(after[pair][0] - after[pair][1]) < 1e-6 for pair in moved)
    rewritten = {pair for pair in before.keys() & after.keys() if before[pair][2] != after[pair][2]}
    assert rewritten <= {pair for pair in after if changed & set(pair)}
    site.execute("""UPDATE "UserMatchEffect" SET "selectivity" = "selectivity" + 0.0001""")
    machine.run(NOW + timedelta(minutes=2))
    assert compatibility.run(site_url, NOW + timedelta(minutes=2), compared).counts["written"] < len(after) / 20
