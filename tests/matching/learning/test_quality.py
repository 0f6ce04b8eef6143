"""Figures and verdict over whole sets of decisions."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitejobs.matching.learning.exposure import Exposure
from sitejobs.matching.learning.quality import Asked, evaluate, verdict
from sitejobs.matching.learning.quality_figures import GROUP_FIGURES, Interval
from tests.matching.learning import quality_oracle as oracle
from tests.matching.learning.quality_cases import asked, plain, shuffled

KNOWING = asked(1)
MOST_BYTES = 20_000


def test_a_ranking_that_knows_the_taste_becomes_active() -> None:
    figures = evaluate(KNOWING, 1, None)
    assert verdict(figures) == (True, [])
    gain = figures.match.differences["v1"]["auc"]
    assert 0 < gain.low < gain.mean < gain.high
    assert figures.like.calibration.error < 0.05


def test_shuffled_decisions_keep_v1() -> None:
    """Of a hundred sites with decisions by luck about two or three pass the one gate that luck can pass."""
    passed = [verdict(evaluate(shuffled(seed), seed, None))[0] for seed in range(60)]
    assert sum(passed) <= 5


def test_a_ranking_worse_than_v1_stays_candidate() -> None:
    active, reasons = verdict(evaluate(asked(2, knowing=0.0, v1_knowing=2.0), 1, None))
    assert not active
    assert reasons[0].startswith("no-gain: match within viewer -0.")


def test_the_same_seed_gives_the_same_figures() -> None:
    assert evaluate(KNOWING, 5, None) == evaluate(KNOWING, 5, None)
    assert evaluate(KNOWING, 5, None) != evaluate(KNOWING, 6, None)


def test_differences_are_paired_per_viewer() -> None:
    figures = evaluate(KNOWING, 1, None).match
    rankings = figures.rankings
    for other in ("v1", "popularity"):
        for name, found in figures.differences[other].items():
            assert found.mean == pytest.approx(rankings["v2"][name].mean - rankings[other][name].mean)
    assert figures.differences["v1"]["auc"].mean == pytest.approx(
        rankings["v2"]["auc"].mean - rankings["v1"]["auc"].mean
    )
    equal = replace(KNOWING, match_scores={**KNOWING.match_scores, "v2": KNOWING.match_scores["v1"]})
    same = evaluate(equal, 1, None).match.differences["v1"]["auc"]
    assert (same.mean, same.low, same.high) == (0, 0, 0)


def test_means_over_viewers_match_the_slow_way() -> None:
    figures = evaluate(KNOWING, 1, None).match
    found = []
    for viewer in np.unique(KNOWING.viewer):
        rows = np.flatnonzero(KNOWING.viewer == viewer)
        found.append(oracle.auc([(KNOWING.match_scores["v2"][row], KNOWING.matched[row] == 1) for row in rows]))
    assert figures.rankings["v2"]["auc"].mean == pytest.approx(np.nanmean(found))
    assert figures.viewers == np.sum(~np.isnan(found))
    assert figures.rankings["chance"]["auc"].mean == 0.5


def test_who_has_not_been_answered_is_asked_of_likes_only() -> None:
    matched = KNOWING.matched.copy()
    matched[::3] = -1
    figures = evaluate(replace(KNOWING, matched=matched), 1, None)
    assert figures.like.decisions == len(KNOWING.viewer)
    assert figures.match.decisions == np.sum(matched != -1)
    assert figures.match.rate == pytest.approx(float((matched[matched != -1] == 1).mean()))


@pytest.mark.parametrize("matched", [0, 1, -1])
@pytest.mark.parametrize("decisions", [0, 1, 2, 400])
def test_decisions_of_one_outcome_are_not_enough(decisions: int, matched: int) -> None:
    viewer = np.arange(decisions) % 40
    score = np.linspace(0, 1, decisions)
    case = plain(viewer, np.ones(decisions, dtype=np.bool_), np.full(decisions, matched), score, -score)
    figures = evaluate(case, 1, None)
    assert verdict(figures) == (False, ["too-few-viewers: 0 with and without a match, 20 needed"])
    json.dumps(figures.to_json(), allow_nan=False)


def test_one_viewer_is_not_enough() -> None:
    good = np.arange(500) % 2
    case = plain(np.zeros(500, dtype=np.int64), good == 1, good, np.zeros(500), good.astype(np.float64))
    figures = evaluate(case, 1, None)
    assert figures.match.rankings["v2"]["auc"].mean == 1.0
    assert np.isnan(figures.match.differences["v1"]["auc"].low)
    assert verdict(figures) == (False, ["too-few-viewers: 1 with and without a match, 20 needed"])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.booleans(),
            st.sampled_from([-1, 0, 1]),
            st.sampled_from([0.0, 0.5, 1.0]),
            st.floats(0, 1),
        ),
        max_size=30,
    )
)
@settings(deadline=None, max_examples=60)
def test_odd_sites_have_figures(rows: list[tuple[int, bool, int, float, float]]) -> None:
    viewer, liked, matched, v1, v2 = (np.array([row[at] for row in rows]) for at in range(5))
    case = plain(viewer.astype(np.int64), liked.astype(np.bool_), matched, v1.astype(float), v2.astype(float))
    figures = evaluate(replace(case, like_chance=v1.astype(float)), 3, None)
    assert not verdict(figures)[0]
    json.dumps(figures.to_json(), allow_nan=False)


def test_a_person_of_several_folds_is_several_viewers() -> None:
    """Within a fold decisions are compared; over all folds a viewer is one person, and so are the pairs asked twice."""
    fold = (KNOWING.candidate % 2).astype(np.int64)
    folds = replace(KNOWING, viewer=2 * KNOWING.viewer + fold, person=KNOWING.viewer)
    whole, split = evaluate(KNOWING, 1, None), evaluate(folds, 1, None)
    assert split.viewers == whole.viewers
    assert split.match.viewers <= whole.match.viewers
    assert split.match.design_effect > 1
    blind = evaluate(replace(folds, person=None), 1, None)
    assert blind.match.design_effect == 1
    assert blind.match.rankings["v2"]["auc"].mean == split.match.rankings["v2"]["auc"].mean


def test_wrong_chances_keep_v1() -> None:
    wrong = replace(KNOWING, like_chance=KNOWING.like_chance**0.3)
    active, reasons = verdict(evaluate(wrong, 1, None))
    assert not active
    assert [reason.split(":")[0] for reason in reasons] == ["calibration"]


def test_matches_are_judged_by_their_chances_only_where_likes_and_dislikes_are_answered_alike() -> None:
    """Of pairs that begin with a like more match than chances say, though these are true."""
    wrong = replace(KNOWING, match_chance=KNOWING.match_chance**0.5)
    assert [reason.split(" 0")[0] for reason in verdict(evaluate(wrong, 1, None))[1]] == ["calibration: match"]
    many = asked(1, people=400)
    answered = np.random.default_rng(1).random(len(many.viewer)) < np.where(many.liked, 0.6, 0.1)
    following = evaluate(replace(many, matched=np.where(answered, many.matched, -1).astype(np.int8)), 1, None)
    assert following.answered_likes == pytest.approx(0.6, abs=0.05)
    assert following.answered_dislikes == pytest.approx(0.1, abs=0.05)
    assert following.match.calibration.fails(0.05)
    assert verdict(following) == (True, [])


def test_a_group_that_falls_keeps_v1() -> None:
    """v2 knows everybody's taste but that of a third of the viewers, for whom it is upside down."""
    upside = np.where(KNOWING.viewer % 3 == 1, -1.0, 1.0) * KNOWING.match_scores["v2"]
    groups = {"gender": (KNOWING.viewer % 3).astype(np.int64)}
    case = replace(KNOWING, match_scores={**KNOWING.match_scores, "v2": upside}, groups=groups)
    case = replace(case, labels={"gender": ("none", "men", "women")})
    active, reasons = verdict(evaluate(case, 1, None))
    assert not active
    assert [reason.split(" -")[0] for reason in reasons] == ["group-falls: match gender men"]


def test_a_group_falls_only_with_its_whole_interval() -> None:
    figures = evaluate(KNOWING, 1, None)

    def with_group(low: float, high: float) -> list[str]:
        group = replace(figures.like.groups[0], difference=Interval(-0.1, low, high))
        return verdict(replace(figures, like=replace(figures.like, groups=(group,))))[1]

    assert with_group(-0.3, 0.1) == with_group(-0.3, 0.0) == []
    assert with_group(-0.3, -0.01) == ["group-falls: like gender 0 -0.100 (-0.300 to -0.010)"]


def test_intervals_are_wider_where_pairs_are_asked_both_ways() -> None:
    """The same decisions about strangers, who are asked nothing, are more certain by the root of the design effect."""
    both_ways = evaluate(KNOWING, 1, None).match
    strangers = evaluate(replace(KNOWING, candidate=KNOWING.candidate + 10**6), 1, None).match
    wide, narrow = (figures.differences["v1"]["auc"] for figures in (both_ways, strangers))
    assert strangers.design_effect == 1 < both_ways.design_effect
    assert wide.mean == narrow.mean
    assert wide.high - wide.low == pytest.approx((narrow.high - narrow.low) * np.sqrt(both_ways.design_effect))


def test_a_group_of_few_viewers_is_shown_and_not_compared() -> None:
    groups = {"gender": np.where(KNOWING.viewer < 1010, 1, 0)}
    few = evaluate(replace(KNOWING, groups=groups), 1, None).match.groups[1]
    assert few.decisions == np.sum(groups["gender"])
    assert few.difference is None
    assert not few.rankings


def test_viewers_of_no_known_group_are_in_none() -> None:
    groups = {"gender": np.full(len(KNOWING.viewer), -1)}
    assert evaluate(replace(KNOWING, groups=groups), 1, None).like.groups == ()


def test_groups_have_the_figures_of_their_viewers() -> None:
    of_second = KNOWING.viewer % 2 == 1
    group = evaluate(KNOWING, 1, None).match.groups[-1]
    assert (group.kind, group.group) == ("newcomer", "newcomer")
    parts: dict[str, Any] = {name: value for name, value in vars(KNOWING).items() if name not in ("labels", "person")}
    for name, value in parts.items():
        parts[name] = (
            {key: array[of_second] for key, array in value.items()} if isinstance(value, dict) else value[of_second]
        )
    alone = Asked(**parts)
    expected = evaluate(alone, 1, None).match
    for name, values in group.rankings.items():
        assert values == pytest.approx([expected.rankings[name][figure].mean for figure in GROUP_FIGURES])
    assert group.difference is not None
    assert group.difference.mean == pytest.approx(expected.differences["v1"]["auc"].mean)
    assert group.log_loss == pytest.approx(expected.calibration.log_loss)


def test_showing_fewer_people_keeps_v1() -> None:
    everybody = np.arange(1000).reshape(50, 20) % 100
    shown = {"v1": everybody, "v2": everybody % 90}
    active, reasons = verdict(evaluate(KNOWING, 1, Exposure(100, shown)))
    assert (active, reasons) == (False, ["never-shown: 0.100, v1 0.000, 0.05 more allowed"])
    assert verdict(evaluate(KNOWING, 1, Exposure(100, {**shown, "v2": everybody % 96})))[0]


def test_figures_of_many_groups_fit_into_a_row() -> None:
    """Four kinds, each of more groups than are shown, all with viewers enough to be compared."""
    many = asked(3, people=600)
    kinds = ("gender", "wantedGender", "ageBand", "newcomer")
    groups = {name: many.viewer % (6 + at) for at, name in enumerate(kinds)}
    shown = np.zeros((1, 20), dtype=np.int64)
    figures = evaluate(replace(many, groups=groups), 1, Exposure(10, {"v1": shown, "v2": shown}))
    assert all(group.difference for group in figures.like.groups)
    assert len(json.dumps(figures.to_json())) < MOST_BYTES


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"liked": np.ones(3, dtype=np.bool_)}, "liked: 3 values for"),
        ({"like_chance": np.full(len(KNOWING.viewer), np.nan)}, "like_chance: a value that is no finite number"),
        ({"scores": {"v1": KNOWING.scores["v1"]}}, "v2 is missing"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(KNOWING, **change)
