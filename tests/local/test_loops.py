"""Loops of a template are written out as CloudFormation does it, and mappings are looked up."""

from typing import Any

import pytest

from sitejobs_local.template.cloudformation import TemplateError
from sitejobs_local.template.loops import written_out

MAPPINGS = {"Jobs": {"One": {"Name": "one", "Memory": 512}, "Two": {"Name": "two", "Memory": 1024}}}


def resources(**loops: Any) -> Any:
    document = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "One,Two"}},
        "Mappings": MAPPINGS,
        "Resources": {f"Fn::ForEach::{name}": loop for name, loop in loops.items()},
    }
    return written_out(document)["Resources"]


@pytest.mark.parametrize("collection", [["One", "Two"], {"Ref": "Names"}])
def test_a_turn_has_its_value_wherever_the_variable_stands(collection: Any) -> None:
    body = {"${Job}Role": {"A": {"Ref": "Job"}, "B": ["${Job}x", {"Fn::GetAtt": [{"Fn::Sub": "${Job}Role"}, "Arn"]}]}}
    assert resources(Jobs=["Job", collection, body]) == {
        "OneRole": {"A": "One", "B": ["Onex", {"Fn::GetAtt": ["OneRole", "Arn"]}]},
        "TwoRole": {"A": "Two", "B": ["Twox", {"Fn::GetAtt": ["TwoRole", "Arn"]}]},
    }


def test_what_is_looked_up_is_there_as_if_it_had_been_written() -> None:
    def of(key: str) -> Any:
        return {"Fn::FindInMap": ["Jobs", {"Ref": "Job"}, key]}

    name = {"Fn::Sub": ["${AWS::StackName}-${Name}", {"Name": of("Name")}]}
    body = {"${Job}": {"Memory": of("Memory"), "Name": name, "Alone": {"Fn::Sub": ["${Name}", {"Name": of("Name")}]}}}
    assert resources(Jobs=["Job", ["Two"], body]) == {
        "Two": {"Memory": 1024, "Name": {"Fn::Sub": "${AWS::StackName}-two"}, "Alone": "two"}
    }


def test_a_loop_may_stand_in_a_loop_and_in_properties_beside_others() -> None:
    inner = {"Fn::ForEach::Inner": ["Kind", ["A", "B"], {"${Job}${Kind}": {"Ref": "Kind"}}]}
    assert resources(Outer=["Job", ["One", "Two"], inner]) == {"OneA": "A", "OneB": "B", "TwoA": "A", "TwoB": "B"}
    properties = {"Own": 1, "Fn::ForEach::More": ["Key", ["X"], {"Key${Key}": {"Ref": "Key"}}]}
    assert written_out({"Resources": {"R": {"Properties": properties}}})["Resources"]["R"]["Properties"] == {
        "Own": 1,
        "KeyX": "X",
    }


def test_what_no_loop_knows_stays_as_it_is() -> None:
    document = {
        "Transform": ["AWS::LanguageExtensions"],
        "Resources": {"R": {"Fn::If": ["C", {"Ref": "P"}, {"Fn::Sub": "${P}x"}]}},
    }
    assert written_out(document) == document


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("x", r"^Resources\.Fn::ForEach::Jobs: a loop is a list of its variable, what it takes, and a mapping$"),
        (["Job", ["One"]], "a loop is a list of its variable"),
        (["Job", ["One"], ["x"]], "a loop is a list of its variable"),
        (["Job", ["One"], {"Role": {}}], r"every key must have \$\{Job\}, or all turns make the same"),
        (["Job", "One", {"${Job}": {}}], "a loop takes a list of texts, not 'One'"),
        (["Job", [1], {"${Job}": {}}], r"a loop takes a list of texts, not \[1\]"),
        (["Job", ["One", "One"], {"${Job}": {}}], r"^Resources: there are two of 'One'$"),
        (["Names", ["One"], {"${Names}": {}}], "Names is a parameter"),
        (
            ["Job", ["Three"], {"${Job}": {"Fn::FindInMap": ["Jobs", {"Ref": "Job"}, "Name"]}}],
            r"^Resources\.Three: Mappings have no Jobs\.Three\.Name$",
        ),
    ],
)
def test_a_loop_of_another_shape_is_named(loop: Any, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        resources(Jobs=loop)


def test_the_name_of_a_loop_is_no_parameters() -> None:
    """The SAM command line refuses it, but only when it builds."""
    with pytest.raises(TemplateError, match="Names is a parameter"):
        resources(Names=["Job", ["One"], {"${Job}": {}}])
