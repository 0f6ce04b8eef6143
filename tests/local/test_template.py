"""What is read of a template, and what is said about one that cannot be read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sitejobs_local.template.cloudformation import TemplateError
from sitejobs_local.template.resources import Expiration, QueueSource
from sitejobs_local.template.template import load_template

FIXTURE = Path(__file__).parent / "fixtures" / "machine" / "template.yaml"
GIVEN = {"Needed": "given"}

SMALL: dict[str, Any] = {
    "Parameters": {"Size": {"Type": "Number", "Default": 512}, "Bare": {"Type": "String"}},
    "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
    "Mappings": {"Sizes": {"local": {"memory": 640}}},
    "Resources": {
        "Work": {"Type": "AWS::S3::Bucket"},
        "Key": {"Type": "AWS::KMS::Key"},
        "One": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": "code", "Handler": "app.handler"},
        },
        "Run": {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {"DefinitionUri": "run.json", "DefinitionSubstitutions": {"One": {"Ref": "One"}}},
        },
    },
}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Writes `SMALL` with some of its values changed, and gives its path."""
    (tmp_path / "code").mkdir()

    def write(*changes: tuple[str, Any]) -> Path:
        document = yaml.safe_load(yaml.safe_dump(SMALL))
        for place, value in changes:
            *way, last = place.split("/")
            node = document
            for step in way:
                node = node.setdefault(step, {})
            node[last] = value
        path = tmp_path / "template.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write


def test_functions_have_the_globals_and_their_own_over_them() -> None:
    echo = load_template(FIXTURE, GIVEN).functions["EchoFunction"]

    assert echo.name == "toy-echo"
    assert echo.arn == "arn:aws:lambda:us-east-1:123456789012:function:toy-echo"
    assert (echo.timeout, echo.memory, echo.handler) == (60, 256, "app.echo")
    assert echo.code == FIXTURE.parent / "functions" / "toys"
    assert echo.layers == (FIXTURE.parent / "layer",)
    assert echo.environment == {
        "STAGE": "local",
        "WORK_BUCKET": "toys-work-123456789012-local",
        "DATABASE_URL": "from-the-template",
        "OWN": "toy-uploads/${Literal}",
        "RETRIES": "3",
        "TRACE": "false",
    }


def test_parameters_can_be_given_and_conditions_follow_them() -> None:
    template = load_template(FIXTURE, {**GIVEN, "Stage": "production", "SecretArn": "arn:x", "MemoryMb": "512"})

    function = template.functions["ProductionOnlyFunction"]
    assert function.environment["SECRET_ARN"] == "arn:x"
    assert function.memory == 512
    assert template.buckets["WorkBucket"].name == "toys-work-123456789012-production"
    assert "ProductionOnlyFunction" not in load_template(FIXTURE, GIVEN).functions


def test_a_parameter_without_a_default_is_missed_only_where_it_is_used(written: Any) -> None:
    load_template(written())

    with pytest.raises(TemplateError, match=r"^One\.Timeout: parameter Bare has no default and was not given$"):
        load_template(written(("Resources/One/Properties/Timeout", {"Ref": "Bare"})))


def test_state_machines_know_their_definition_and_their_functions() -> None:
    template = load_template(FIXTURE, GIVEN)
    machine = template.state_machine("toy-pages")

    assert machine is template.state_machine("PagedStateMachine")
    assert machine.arn == "arn:aws:states:us-east-1:123456789012:stateMachine:toy-pages"
    assert '"arn:aws:lambda:us-east-1:123456789012:function:PlanFunction"' in machine.definition()
    assert "${" not in machine.definition()
    assert [function.logical_id for function in template.functions_of(machine)] == [
        "PlanFunction",
        "BatchFunction",
        "RecordFunction",
        "FinishFunction",
    ]


def test_queues_buckets_and_event_sources_are_read() -> None:
    template = load_template(FIXTURE, GIVEN)

    assert template.buckets["WorkBucket"].expirations == (Expiration("", 7),)
    assert template.buckets["UploadBucket"].name == "sitejobs-uploadbucket"
    uploads = template.queues["Uploads"]
    assert (uploads.name, uploads.visibility_timeout, uploads.max_receive_count) == ("toy-uploads", 90, 3)
    assert uploads.dead_letter_arn == template.queues["DeadLetters"].arn
    chores = template.queues["Chores"]
    assert template.queue_sources == (
        QueueSource("ChoresFunction", chores.arn, 4, True, 2),
        QueueSource("EchoFunction", uploads.arn, 5, True, 5),
    )
    assert template.buckets["EventsBucket"].sends_events
    assert not template.buckets["WorkBucket"].sends_events
    [rule] = template.rules
    assert rule.target_arns == (chores.arn,)
    assert rule.pattern["detail"]["bucket"] == {"name": [template.buckets["EventsBucket"].name]}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Fn::Join": ["-", ["a", {"Ref": "Size"}]]}, "a-512"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "x,y"]}]}, "y"),
        ({"Fn::FindInMap": ["Sizes", "local", "memory"]}, "640"),
        ({"Fn::If": ["Never", "yes", "no"]}, "no"),
        ({"Fn::Sub": ["${Own}/${Work}", {"Own": "mine"}]}, "mine/sitejobs-work"),
        ({"Fn::Sub": "${Work.Arn}"}, "arn:aws:s3:::sitejobs-work"),
        ({"Fn::GetAtt": ["Run", "Name"]}, "Run"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_intrinsics_are_worked_out(written: Any, node: Any, expected: str) -> None:
    template = load_template(written(("Resources/One/Properties/Environment/Variables/X", node)))

    assert template.functions["One"].environment["X"] == expected


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("Timeout", "soon", r"^One\.Timeout: a whole number is wanted, not 'soon'$"),
        ("Handler", "app", r"^One\.Handler: module\.function is wanted, not 'app'$"),
        ("CodeUri", "nowhere", r"^One\.CodeUri: a folder beside the template is wanted, not 'nowhere'$"),
        ("PackageType", "Image", r"^One: only functions whose code is a folder"),
        ("Timeout", {"Ref": "Nobody"}, r"^One\.Timeout: 'Nobody' is neither a parameter nor a resource"),
        ("Timeout", {"Fn::Base64": "x"}, r"^One\.Timeout: Fn::Base64 is not understood"),
        ("Timeout", {"Fn::Select": [9, ["1"]]}, r"^One\.Timeout: Fn::Select cannot be worked out from \[9, \['1'\]\]"),
        ("Timeout", {"Fn::If": ["Some", 1, 2]}, r"^One\.Timeout: there is no condition 'Some'$"),
        ("FunctionName", {"Ref": "Key"}, r"^One\.FunctionName: Key \(AWS::KMS::Key\) does not exist on this machine"),
        ("FunctionName", {"Fn::GetAtt": ["Work", "Size"]}, r"^One\.FunctionName: Work .* has no attribute Size here"),
        (
            "Environment",
            {"Variables": {"X": {"Fn::GetAtt": ["Gone", "Arn"]}}},
            r"^One\.Environment\.Variables\.X: there is no resource 'Gone'$",
        ),
        ("Environment", {"Variables": {"X": ["a"]}}, r"^One\.Environment\.Variables\.X: a text is wanted"),
    ],
)
def test_what_is_not_understood_is_named(written: Any, place: str, value: Any, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load_template(written((f"Resources/One/Properties/{place}", value)))


def test_a_parameter_nobody_declared_is_refused(written: Any) -> None:
    with pytest.raises(TemplateError, match=r"'Sise' is not one of the template's parameters \(Bare, Size\)"):
        load_template(written(), {"Sise": "1"})


def test_a_definition_that_is_missing_or_has_an_open_placeholder_is_named(written: Any, tmp_path: Path) -> None:
    machine = load_template(written()).state_machine("Run")
    with pytest.raises(TemplateError, match=r"^Run\.DefinitionUri: .*run\.json"):
        machine.definition()

    (tmp_path / "run.json").write_text('{"StartAt": "${One}${Two}"}')
    with pytest.raises(TemplateError, match=r"Run\.DefinitionSubstitutions: nothing is given for \$\{Two\}"):
        machine.definition()


def test_an_unknown_state_machine_is_answered_with_the_known_ones(written: Any) -> None:
    with pytest.raises(TemplateError, match=r"has no state machine 'Walk' \(it has: Run\)"):
        load_template(written()).state_machine("Walk")


@pytest.mark.parametrize("text", ["a: [", "- a", "a: !Unknown"])
def test_a_file_that_is_no_template_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)

    if text == "a: !Unknown":  # a tag that nothing uses does no harm
        assert load_template(path).functions == {}
    else:
        with pytest.raises(TemplateError, match=r"template\.yaml"):
            load_template(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="cannot be read"):
        load_template(tmp_path / "none.yaml")
