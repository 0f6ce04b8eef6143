"""A site's history is put together once, in little more memory than it needs; of very many decisions some are asked."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sitejobs.matching.learning.decisions import KINDS
from sitejobs.matching.match_model.asking import drawn
from sitejobs.matching.match_model.gathering import Gathered
from sitejobs.matching.match_model.history import History, Past, join
from sitejobs.matching.scoring.features import FEATURES

USERS, A_USER, PAGES = 200, 50, 40


def page(number: int) -> Gathered:
    """Everybody of a page decided about fifty others, and rated every second; the even ones are known."""
    random, first = np.random.default_rng(number), number * USERS
    viewer = np.repeat(np.arange(first, first + USERS, dtype=np.int32), A_USER)
    candidate = random.integers(0, USERS * PAGES, len(viewer)).astype(np.int32)
    beside = np.arange(0, len(viewer), 2, dtype=np.int32)
    known = np.arange(len(viewer)) % 4 < 2
    ratings = random.integers(1, 6, (len(beside) + 1, KINDS)).astype(np.float32)
    return Gathered(
        viewer=viewer,
        candidate=candidate,
        liked=random.random(len(viewer)) < 0.5,
        known=known[:, None],
        features=random.normal(0, 0.3, (len(viewer), FEATURES)).astype(np.float32),
        base=random.random(len(viewer), dtype=np.float32),
        back=np.full(len(viewer), -1, np.int8),
        back_known=np.zeros((len(viewer), 1), bool),
        rater=np.append(viewer[beside], first + USERS - 1).astype(np.int32),
        rated=np.append(candidate[beside], 0).astype(np.int32),
        ratings=ratings,
        later=np.append(~known[beside], False)[:, None],
        beside=np.append(beside, -1).astype(np.int32),
        first=np.array([first]),
        received=np.full((USERS, KINDS), 30, np.float32),
        received_count=np.full(USERS, 10, np.int32),
        fingerprint=np.arange(first, first + USERS),
        gender=np.ones(USERS, np.int8),
        wants=np.zeros(USERS, np.int16),
        age=np.full(USERS, 30, np.int16),
    )


@pytest.fixture(scope="module")
def history() -> History:
    return join(USERS * PAGES, (page(number) for number in range(PAGES)))


def test_ratings_stay_beside_their_decisions(history: History) -> None:
    assert len(history.viewer) == len(history.features) == USERS * A_USER * PAGES
    decisions, past = history.everything(), Past(history, 0)
    assert np.all(np.diff(decisions.rated) > 0)
    there = history.beside >= 0
    np.testing.assert_array_equal(decisions.viewer[decisions.rated], history.rater[there])
    np.testing.assert_array_equal(decisions.candidate[decisions.rated], history.rated[there])
    np.testing.assert_array_equal(decisions.own, history.ratings[there])
    np.testing.assert_array_equal(past.decisions().rated, decisions.rated[past.known[decisions.rated]])


def test_what_a_past_knows_of_people_is_counted_piece_by_piece(history: History) -> None:
    past = Past(history, 0)
    known = np.bincount(history.candidate[past.known], minlength=history.people)
    np.testing.assert_array_equal(past.known_of(history.candidate), known)
    liked = np.bincount(history.candidate[past.known & history.liked], minlength=history.people)
    np.testing.assert_array_equal(past.known_of(history.candidate, history.liked), liked)


def test_ratings_given_since_the_snapshot_leave_nobody_less_than_none() -> None:
    """A rating of a later decision may be younger than the snapshot, which counted those received."""
    one = page(0)
    rated = (one.rated % USERS).astype(np.int32)
    later = np.bincount(rated[one.later[:, 0]], minlength=USERS)
    counted = np.where(np.arange(USERS) % 2, 0, later + 3).astype(np.int32)
    assert ((later > 0) & (counted == 0)).any()
    one = replace(one, candidate=one.candidate % USERS, rated=rated, received_count=counted)
    received = Past(join(USERS, [one]), 0).received
    np.testing.assert_array_equal(received.counts, np.maximum(counted - later, 0))
    assert not received.sums[received.counts == 0].any()


def test_joining_and_a_past_hold_no_second_copy() -> None:
    def pages() -> Iterator[Gathered]:
        yield from (page(number) for number in range(PAGES))

    tracemalloc.start()
    try:
        joined = join(USERS * PAGES, pages())
        size = sum(value.nbytes for value in vars(joined).values() if isinstance(value, np.ndarray))
        one_page = size / PAGES
        assert tracemalloc.get_traced_memory()[1] < 1.15 * size + 3 * one_page
        tracemalloc.reset_peak()
        Past(joined, 0).decisions()
        assert tracemalloc.get_traced_memory()[1] < 1.5 * size
    finally:
        tracemalloc.stop()


def test_of_very_many_decisions_those_of_some_viewers_are_asked(
    history: History,
) -> None:
    past = Past(history, 0)
    everything = np.flatnonzero(past.asked)
    np.testing.assert_array_equal(drawn(history, past, 1), everything)
    most = len(everything) // 4
    some = drawn(history, past, 1, most)
    assert len(some) == pytest.approx(most, rel=0.1)
    each = np.bincount(history.viewer[everything], minlength=history.people)
    asked = np.bincount(history.viewer[some], minlength=history.people)
    assert np.all((asked == 0) | (asked == each))
    np.testing.assert_array_equal(some, drawn(history, past, 1, most))
    assert not np.array_equal(some, drawn(history, past, 2, most))
