"""SETTINGS: the stack's one text of settings stands for the variables of a laptop, and is checked as they are."""

import json
from pathlib import Path

import pytest

from sitejobs.errors import InvalidInput
from sitejobs.feed.rules import read_rules as read_feed_rules
from sitejobs.handlers.tuning import MODELS, NAMES, read_tuning, tuned
from sitejobs.matching.scoring.parameters import read_parameters
from sitejobs.media.rules import read_rules
from sitejobs.variables import read_environment
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.template import load_template


def given(**settings: object) -> dict[str, str]:
    return {"SETTINGS": json.dumps(settings)}


@pytest.mark.parametrize("text", ["", " ", "{}", " {} "])
def test_without_settings_everything_has_its_default(text: str) -> None:
    for environment in ({"SETTINGS": text}, {}):
        for model in MODELS:
            assert read_environment(model, tuned(environment)) == model()


def test_texts_and_numbers_are_the_variables_that_a_laptop_sets() -> None:
    environment = tuned(given(MATCH_WEIGHTS="traits=0.3", FEED_TTL_MINUTES=45, MEDIA_MAX_SECONDS="60"))
    assert read_parameters(environment, 200) == read_parameters({"MATCH_WEIGHTS": "traits=0.3"}, 200)
    assert read_feed_rules(environment, 20, 3) == read_feed_rules({"FEED_TTL_MINUTES": "45"}, 20, 3)
    assert read_rules(environment) == read_rules({"MEDIA_MAX_SECONDS": "60"})


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("FEED_TTL_MINUTES", 0, lambda environment: read_feed_rules(environment, 20, 3)),
        ("FEED_TTL_MINUTES", 1.5, lambda environment: read_feed_rules(environment, 20, 3)),
        ("MEDIA_FORMATS", "exe", read_rules),
        ("MEDIA_MAX_IMAGE_MB", 99, read_rules),
        ("MATCH_WEIGHTS", "traits=2", lambda environment: read_parameters(environment, 200)),
        ("MATCH_DEFAULT_RADIUS_KM", "NaN", lambda environment: read_parameters(environment, 200)),
    ],
)
def test_a_value_is_refused_with_the_words_for_the_variable(name: str, value: object, read: object) -> None:
    assert callable(read)
    words = []
    for environment in (tuned(given(**{name: value})), {name: str(value)}):
        with pytest.raises(InvalidInput) as refused:
            read(environment)
        words.append(str(refused.value))
    assert words[0] == words[1]
    assert name in words[0]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("FEED_TTL_MINUTE", "FEED_TTL_MINUTES"),
        ("feed_ttl_minutes", "FEED_TTL_MINUTES"),
        ("MATCH_ALGORITHM_VERSION", "MATCH_ALGO_VERSION"),
        ("SearchableMinCompleteness", "SEARCHABLE_MIN_COMPLETENESS"),
        ("MEDIA_BUCKET", "MEDIA_MAX_HEIGHT"),
        ("", "MATCH_WEIGHTS"),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_nearest_one(name: str, nearest: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        tuned(given(**{name: "1"}))
    told = str(refused.value)
    assert told.startswith(f"SETTINGS: {name!r} is no setting; the nearest one is ")
    assert told.rpartition(" ")[2] in NAMES
    assert not name or name == "MEDIA_BUCKET" or told.endswith(f" {nearest}")


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "1", "null", "{FEED_TTL_MINUTES: 45}"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="SETTINGS must be a JSON object such as"):
        read_tuning(text)


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_a_value_that_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="SETTINGS: FEED_TTL_MINUTES takes a text or a number, not "):
        tuned(given(FEED_TTL_MINUTES=value))


def test_a_variable_takes_precedence_unless_it_is_blank() -> None:
    settings = given(FEED_TTL_MINUTES=45)
    assert tuned({**settings, "FEED_TTL_MINUTES": "60"})["FEED_TTL_MINUTES"] == "60"
    assert tuned({**settings, "FEED_TTL_MINUTES": " "})["FEED_TTL_MINUTES"] == "45"


def test_every_setting_is_explained() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for model in MODELS:
        for info in model.model_fields.values():
            assert info.description, info.alias


def test_every_function_that_reads_settings_is_given_them_and_its_plan_refuses_wrong_ones(tmp_path: Path) -> None:
    template = load_template(TEMPLATE, {"Settings": '{"FEED_TTL": 45}'})
    function = template.functions["FeedPresortFunction"]
    environment = {"DATABASE_URL": "postgresql://nowhere.invalid/none"}
    with WorkerPool([function], environment=environment, log_file=tmp_path / "log") as workers:
        answer = workers.invoke(function.name, json.dumps({"input": {}, "execution": "x"})).value
    assert answer["errorType"] == "InvalidInput"
    assert answer["errorMessage"] == "SETTINGS: 'FEED_TTL' is no setting; the nearest one is FEED_TTL_MINUTES"
    # A run is closed, and a database made and checked, whatever the settings say.
    without = {
        "MatchScoresFunction",
        "RunsRecordFunction",
        "RunsFinishFunction",
        "RunClosedFunction",
        "WorkflowsFunction",
        "CheckFunction",
        "MigrateFunction",
    }
    assert {name for name, it in template.functions.items() if "SETTINGS" not in it.environment} == without
