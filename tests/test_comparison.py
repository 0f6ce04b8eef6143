"""The counts of a dry run: of any lists they add up over pages, and say what a plain comparison says."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sitejobs.jobs import comparison
from tests.dry_runs import differences

LISTS = st.lists(st.integers(0, 40), unique=True, max_size=40)
SITES = st.lists(st.tuples(LISTS, LISTS), max_size=6)


@given(SITES, st.integers(1, 4))
def test_counts_of_pages_add_up_to_those_of_the_run(site: list[tuple[list[int], list[int]]], pages: int) -> None:
    results = []
    for page in range(pages):
        counts: Counter[str] = Counter()
        for stored, new in site[page::pages]:
            counts.update(comparison.compare(stored, new))
        results.append(comparison.result(counts))
    context = comparison.added(comparison.added({"kept": 1}, results[:1]), results[1:])
    before = {user: old for user, (old, _) in enumerate(site)}
    after = {user: now for user, (_, now) in enumerate(site)}
    if site:
        expected = differences(before, after, range(len(site)), 0)
        assert comparison.summary(context) == {"compared": expected}
    assert context["kept"] == 1


def test_a_run_that_writes_reports_nothing_of_it() -> None:
    assert comparison.result(Counter()) == comparison.summary({"message": "x"}) == {}


def test_the_sentence_stands_before_what_else_is_to_be_said() -> None:
    context = {"compared": comparison.compare([1, 2, 3, 4], [2, 1, 3, 5]), "message": "too small"}
    assert comparison.told(context)["message"] == (
        "dry run, nothing was written: 1 of 1 lists would change; of the first 10 places 75% stay,"
        " ranks move by 0.7 on average; too small"
    )
    assert comparison.told({"compared": {}})["message"].endswith("there was nothing to compare")
