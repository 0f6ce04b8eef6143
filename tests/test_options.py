"""What an execution's input may say: each wrong option is refused with its name, what came and what it takes."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sitejobs.catalog import JOBS
from sitejobs.errors import InvalidInput
from sitejobs.jobs.job import scope_of
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.options import MAX_ID, MIN_ID, JobOptions, describe_field, limits, parse_options
from sitejobs.workflows.catalog import WORKFLOWS, input_of

RANGES = {
    "userId": (MIN_ID, MAX_ID),
    "batchSize": (1, 10_000),
    "candidateBatchSize": (1, 20_000),
    "pauseMs": (0, 60_000),
    "topK": (1, 1000),
    "maxConcurrency": (1, 1000),
    "tolerateFailures": (0, 1_000_000),
    "retryOf": (MIN_ID, MAX_ID),
}
DEFAULTS = {
    "userId": None,
    "batchSize": 100,
    "candidateBatchSize": 500,
    "pauseMs": 50,
    "topK": 200,
    "rewriteEpsilon": 0.002,
    "incremental": False,
    "allowLoss": False,
    "dryRun": False,
    "settings": "",
    "maxConcurrency": 4,
    "tolerateFailures": 0,
    "retryOf": None,
    "trigger": "api",
}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=5,
)
"""Whatever JSON can hold."""


def parsed(given: Any) -> dict[str, Any]:
    return parse_options(MatchScoresOptions, given).model_dump()


def refusal(given: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_options(MatchScoresOptions, given)
    return str(caught.value)


# ---- what is taken


def test_nothing_given_means_everyone_with_the_guides_defaults() -> None:
    assert parsed({}) == DEFAULTS
    assert scope_of(parse_options(MatchScoresOptions, {})) == "all"


@pytest.mark.parametrize("value", ["8", 8, 8.0])
def test_a_user_id_may_be_a_number_or_text(value: Any) -> None:
    options = parse_options(MatchScoresOptions, {"userId": value})
    assert options.user_id == 8
    assert scope_of(options) == "user:8"
    assert scope_of(parse_options(MatchScoresOptions, {"userId": value, "dryRun": True})) == "dry-run:user:8"


def test_zero_is_a_value_and_not_the_default() -> None:
    assert parsed({"pauseMs": 0})["pauseMs"] == 0
    assert parsed({"pauseMs": "0"})["pauseMs"] == 0


def test_what_was_given_survives_being_kept_with_the_run() -> None:
    given = {"userId": "8", "pauseMs": 0, "incremental": True, "trigger": "cli"}
    options = parse_options(MatchScoresOptions, given)
    kept = json.loads(json.dumps(options.model_dump(mode="json", exclude_defaults=True)))
    assert kept == {"userId": 8, "pauseMs": 0, "incremental": True, "trigger": "cli"}
    assert parse_options(MatchScoresOptions, kept) == options


@pytest.mark.parametrize("value", [MIN_ID, -(2**53) - 1, -1, 0, 2**53, 2**53 + 1, MAX_ID])
def test_an_id_survives_whoever_reads_json_numbers_as_floating_point(value: int) -> None:
    options = parse_options(MatchScoresOptions, {"userId": str(value)})
    kept = json.loads(json.dumps(options.model_dump(mode="json", exclude_defaults=True)), parse_int=float)
    assert parse_options(MatchScoresOptions, kept) == options


@pytest.mark.parametrize(("value", "given"), [(-1, -1), (2**53 + 1, "9007199254740993"), (MIN_ID, str(MIN_ID))])
def test_a_workflow_hands_an_id_on_as_it_is(value: int, given: int | str) -> None:
    options = parse_options(WORKFLOWS["onboard-user"].options, {"userId": str(value)})
    assert input_of("match-scores", options) == {"trigger": "workflow", "userId": given}


@pytest.mark.parametrize("value", [2.0**53 + 2, 1.3e18, -1.3e18])
def test_a_number_that_may_have_been_rounded_is_nobodys_id(value: float) -> None:
    assert refusal({"userId": value}).endswith(f", not {value!r}")


@pytest.mark.parametrize("name", RANGES)
@settings(deadline=None)
@given(number=st.integers(-(2**70), 2**70) | st.integers(-3, 70_000))
def test_exactly_the_documented_numbers_are_taken(name: str, number: int) -> None:
    low, high = RANGES[name]
    for value in (number, str(number)):
        if low <= number <= high:
            assert parsed({name: value})[name] == number
        else:
            assert refusal({name: value}).startswith(f"{name} must be a whole number from {low} to {high}, not ")


@pytest.mark.parametrize("name", RANGES)
def test_the_ends_of_a_range_belong_to_it(name: str) -> None:
    low, high = RANGES[name]
    assert parsed({name: low})[name] == low
    assert parsed({name: high})[name] == high
    assert refusal({name: low - 1})
    assert refusal({name: high + 1})


# ---- what is refused, and how


@settings(deadline=None)
@given(anything)
def test_whatever_comes_is_taken_or_refused_as_invalid_input(given: Any) -> None:
    try:
        parse_options(MatchScoresOptions, given)
    except InvalidInput as error:
        assert 0 < len(str(error)) < 2000


@pytest.mark.parametrize("name", DEFAULTS)
@settings(deadline=None)
@given(value=anything)
def test_whatever_an_option_is_given_is_taken_or_refused_by_its_name(name: str, value: Any) -> None:
    try:
        taken = parsed({name: value})
    except InvalidInput as error:
        assert str(error).startswith(f"{name} must be ")
        assert len(str(error)) < 200
    else:
        assert set(taken) == set(DEFAULTS)


@pytest.mark.parametrize(
    "value",
    ["abc", "", "8.5", "1e3", "0x8", "8; DROP TABLE", 8.5, float("nan"), float("inf"), True, False, [8], {"a": 8}],
)
@pytest.mark.parametrize("name", RANGES)
def test_what_is_no_whole_number_is_refused_with_the_range(name: str, value: Any) -> None:
    low, high = RANGES[name]
    assert refusal({name: value}) == f"{name} must be a whole number from {low} to {high}, not {value!r}"


@pytest.mark.parametrize("name", sorted(set(DEFAULTS) - {"userId"}))
def test_null_is_no_value(name: str) -> None:
    assert refusal({name: None}).startswith(f"{name} must be ")
    assert refusal({name: None}).endswith(", not None")


@pytest.mark.parametrize("value", ["perhaps", 2, "", [], 0.5])
def test_a_switch_takes_true_or_false(value: Any) -> None:
    assert refusal({"incremental": value}) == f"incremental must be true or false, not {value!r}"


def test_what_started_the_run_is_one_of_four() -> None:
    assert refusal({"trigger": "me"}) == "trigger must be one of api, cli, schedule, workflow, not 'me'"


@pytest.mark.parametrize("name", ["colour", "userid", "user_id", "batch-size", "", " userId"])
def test_an_unknown_option_is_named_with_those_there_are(name: str) -> None:
    message = refusal({name: 1})
    assert message == f"unknown option {name!r}: the options are {', '.join(sorted(DEFAULTS))}"


@pytest.mark.parametrize("given", [[], [{"userId": 8}], "userId=8", "", 8, 0, None, True, 1.5])
def test_an_input_that_is_no_object_is_refused(given: Any) -> None:
    assert refusal(given) == f"the input must be an object of options, not {given!r}"


def test_every_wrong_option_is_named_at_once() -> None:
    message = refusal({"userId": "x", "batchSize": 0, "colour": "red", "topK": 5})
    for part in ("userId must be", "not 'x'", "batchSize must be", "not 0", "unknown option 'colour'"):
        assert part in message
    assert "topK must" not in message


@pytest.mark.parametrize("given", [{"userId": "x" * 10_000}, {"x" * 10_000: 1}, ["x" * 10_000]])
def test_something_enormous_is_quoted_in_part(given: Any) -> None:
    assert len(refusal(given)) < 300
    assert "..." in refusal(given)


# ---- every job's options


@pytest.mark.parametrize("model", [entry.options for entry in JOBS.values()])
def test_every_option_is_described_and_its_default_is_allowed(model: type[JobOptions]) -> None:
    for name, info in model.model_fields.items():
        assert info.description, name
        assert re.fullmatch("[a-z]+([A-Z][a-z]*)*", info.alias or ""), name
        assert describe_field(model, name)
        low, high = limits(model, name)
        if low is not None and isinstance(info.default, int):
            assert high is not None
            assert low <= info.default <= high


def test_a_user_id_of_null_is_refused_and_never_taken_for_everyone() -> None:
    with pytest.raises(InvalidInput, match=r"userId must be a whole number .*not None"):
        parse_options(MatchScoresOptions, {"userId": None})
