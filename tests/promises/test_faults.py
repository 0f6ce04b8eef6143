"""The promises tell: a toy that keeps them passes, and each planted fault breaks the promise that is meant for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises import promises
from tests.promises.conftest import Copy, PoisonedCopy
from tests.promises.described import Described, described
from tests.promises.toy import EVENT, Toy

Keep = Callable[[Described], None]


@pytest.fixture
def keeps(copy: Copy, copy_of_kind: PoisonedCopy, tmp_path: Path) -> dict[str, Keep]:
    """Each promise by its name, on sites with the toy's table."""
    toy = Toy()

    def poison(kind: str) -> Keep:
        return lambda of: promises.poison_spoils_nobody_else(
            promises.rows_of_a_run(toy.placed_on(copy()), of), toy.placed_on(copy_of_kind(kind)), of
        )

    def event(of: Described) -> None:
        (tmp_path / "toy.json").write_text(json.dumps(EVENT))
        promises.ready_event_is_plans(toy.placed_on(copy()), of, tmp_path)

    return {
        "finds nothing": lambda of: promises.again_finds_nothing(toy.placed_on(copy()), of),
        "twice": lambda of: promises.twice_equals_once(toy.placed_on(copy()), of),
        "vanished": lambda of: promises.vanished_keys_go(toy.placed_on(copy()), of),
        "vanished, incremental": lambda of: promises.vanished_keys_go(toy.placed_on(copy()), of, incremental=True),
        "changes": lambda of: promises.changes_are_seen(toy.placed_on(copy()), toy.placed_on(copy()), of),
        "grants": lambda of: promises.runs_under_grants(toy.placed_on(copy()), of),
        "ids": lambda of: promises.any_bigint_is_an_id(toy.placed_on(copy()), of),
        "future": lambda of: promises.results_from_the_future_freeze_nobody(
            toy.placed_on(copy()), toy.placed_on(copy()), of
        ),
        "event": event,
        "nulls": poison("nothing"),
        "numbers": poison("numbers"),
        "deleted profiles": poison("a deleted profile beside the live one"),
    }


FAULTS = {
    "vanished users stay": ("vanished", "vanished, incremental"),
    "sees no change": ("changes",),
    "always begins anew": ("finds nothing",),
    "adds up": ("twice",),
    "packs ids": ("ids",),
    "selects every column": ("grants",),
    "yields to the future": ("future",),
    "another event": ("event",),
    "trusts every column": ("nulls",),
    "stores NaN": ("numbers",),
    "takes deleted profiles": ("deleted profiles",),
}


def test_a_toy_without_faults_keeps_every_promise(keeps: dict[str, Keep]) -> None:
    assert {name for broken in FAULTS.values() for name in broken} == keeps.keys()
    for keep in keeps.values():
        keep(Toy().described())


@pytest.mark.parametrize(("fault", "broken"), FAULTS.items(), ids=list(FAULTS))
def test_a_fault_breaks_its_promise(keeps: dict[str, Keep], fault: str, broken: tuple[str, ...]) -> None:
    for name in broken:
        with pytest.raises(AssertionError):
            keeps[name](Toy(fault).described())


def test_a_job_of_the_catalog_that_nobody_described_fails() -> None:
    with pytest.raises(AssertionError):
        described("toy")
