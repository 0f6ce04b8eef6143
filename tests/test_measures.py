"""What is reported of the functions' time limits."""

import json
from typing import Any

import pytest

from sitejobs.handlers.metrics import EVERY_SERVICE, NEAR_TIME_LIMIT, TIME_USED, timed


class Clock:
    """A context of an invocation that has so many milliseconds left, one figure a look."""

    def __init__(self, *left: int) -> None:
        self._left = iter(left)

    def get_remaining_time_in_millis(self) -> int:
        return next(self._left)


@pytest.fixture(autouse=True)
def of_a_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "site")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "toy")


def reported(shown: str, name: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, shown.splitlines()) if name in line]


@pytest.mark.parametrize(("left", "used", "counted"), [(10_000, 0, 0), (2_100, 79, 0), (2_000, 80, 1), (0, 100, 1)])
def test_an_invocation_near_its_limit_is_counted_for_all_services_together(
    capsys: pytest.CaptureFixture[str], left: int, used: float, counted: int
) -> None:
    with timed(Clock(10_000, left)):  # type: ignore[arg-type] # as much of a context as is asked for
        pass
    shown = capsys.readouterr().out
    assert [(line["service"], line[TIME_USED]) for line in reported(shown, TIME_USED)] == [(EVERY_SERVICE, [used])]
    assert [line["service"] for line in reported(shown, NEAR_TIME_LIMIT)] == [EVERY_SERVICE] * counted


def test_an_invocation_that_fails_near_its_limit_is_counted_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), timed(Clock(1000, 1)):  # type: ignore[arg-type]
        raise KeyError
    assert len(reported(capsys.readouterr().out, NEAR_TIME_LIMIT)) == 1
