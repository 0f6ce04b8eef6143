"""An execution keeps the versions of the functions that it began with, whatever is deployed meanwhile."""

import re

import pytest

from sitejobs.aliases import JsonObject
from tests.bundle.resources import COMMON, DOCUMENT, FUNCTIONS, LAYERS, MACHINES, layers_of
from tests.bundle.transforms import Deployment, transformed

ARNS = ("PlanFunctionArn", "BatchFunctionArn", "RecordFunctionArn", "FinishFunctionArn", "WorkflowsFunctionArn")
PARAMETERS = {
    "DatabaseSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:other",
    "LogLevel": "DEBUG",
    "RunStaleSeconds": "2000",
    "VpcSubnetIds": "subnet-2",
}
"""Other values of parameters that every function gets."""


@pytest.mark.parametrize("name", MACHINES)
def test_a_definition_names_versions(name: str) -> None:
    named = {key: arn for key, arn in MACHINES[name]["DefinitionSubstitutions"].items() if key in ARNS}
    assert named
    for arn in named.values():
        assert arn["Ref"].removesuffix(".Version") in FUNCTIONS
        assert arn["Ref"].endswith(".Version")


def test_every_function_publishes_versions_and_every_layer_makes_new_ones() -> None:
    assert COMMON["AutoPublishAliasAllProperties"] is True
    assert not [name for name, it in FUNCTIONS.items() if "AutoPublishAlias" in it]
    assert [name for name, it in LAYERS.items() if it.get("PublishLambdaVersion") is not True] == []


def test_every_function_repeats_the_values_of_the_parameters_in_globals() -> None:
    """CloudFormation puts values into resources before SAM looks for changes, and not into Globals."""
    in_globals = set(re.findall(r"'Ref': '([A-Z]\w+)'", str(COMMON))) & set(DOCUMENT["Parameters"])
    for name, function in FUNCTIONS.items():
        repeated = function["Environment"]["Variables"]["PARAMETERS"]["Fn::ToJsonString"]
        assert {value["Ref"] for value in repeated} == in_globals, name


def versions(resources: JsonObject) -> dict[str, str]:
    """The logical id of each function's version."""
    found = {it["Properties"]["FunctionName"]["Ref"]: name for name, it in resources.items() if is_version(it)}
    assert set(found) == set(FUNCTIONS)
    return found


def is_version(resource: JsonObject) -> bool:
    return bool(resource["Type"] == "AWS::Lambda::Version")


@pytest.fixture(scope="module")
def deployed() -> dict[str, JsonObject]:
    """What is made of the template as it is, and with another content of a layer or another value of a parameter."""
    deployments = {
        "first": Deployment(),
        **{layer: Deployment(contents={layer: "2"}) for layer in LAYERS},
        **{name: Deployment({name: value}) for name, value in PARAMETERS.items()},
    }
    return dict(zip(deployments, transformed(*deployments.values()), strict=True))


@pytest.fixture
def first(deployed: dict[str, JsonObject]) -> JsonObject:
    return deployed["first"]


@pytest.mark.bundle
def test_the_definitions_get_the_versions_that_the_deployment_publishes_and_older_ones_stay(first: JsonObject) -> None:
    published = versions(first)
    for name in published.values():
        assert first[name]["DeletionPolicy"] == "Retain"
    for machine in MACHINES:
        for key, arn in first[machine]["Properties"]["DefinitionSubstitutions"].items():
            if key in ARNS:
                assert arn["Ref"] in published.values(), (machine, key)


@pytest.mark.bundle
def test_deployed_again_without_a_change_nothing_is_published(first: JsonObject) -> None:
    """Lambda would refuse a version that is the same as the one before, and the deployment would fail."""
    [again] = transformed(Deployment())
    assert versions(again) == versions(first)


@pytest.mark.bundle
@pytest.mark.parametrize("layer", LAYERS)
def test_a_new_layer_gives_those_who_carry_it_a_new_version(deployed: dict[str, JsonObject], layer: str) -> None:
    before, after = versions(deployed["first"]), versions(deployed[layer])
    carrying = {name for name in FUNCTIONS if layer in layers_of(name)}
    assert {name for name in FUNCTIONS if before[name] != after[name]} == carrying
    assert carrying


@pytest.mark.bundle
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_parameter_of_every_function_gives_each_a_new_version(
    deployed: dict[str, JsonObject], parameter: str
) -> None:
    before, after = versions(deployed["first"]), versions(deployed[parameter])
    assert [name for name in FUNCTIONS if before[name] == after[name]] == []


@pytest.mark.bundle
def test_the_retries_of_a_function_that_nobody_waits_for_belong_to_what_is_called(first: JsonObject) -> None:
    [retries] = [it["Properties"] for it in first.values() if it["Type"] == "AWS::Lambda::EventInvokeConfig"]
    assert (retries["FunctionName"], retries["Qualifier"]) == ({"Ref": "RunClosedFunction"}, "live")
    [target] = first["RunClosedRule"]["Properties"]["Targets"]
    assert first[target["Arn"]["Ref"]]["Properties"]["Name"] == "live"
