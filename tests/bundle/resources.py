"""template.yaml with its loops written out, read for the tests: its resources, roles and what these may do."""

from collections.abc import Iterator
from typing import Any

from sitejobs.aliases import JsonObject
from sitejobs_local.template.loops import read_template
from sitejobs_local.template.template import load_template
from tools.bundle import ROOT

TEMPLATE = ROOT / "template.yaml"
DOCUMENT = read_template(TEMPLATE)
RESOURCES: dict[str, JsonObject] = DOCUMENT["Resources"]
COMMON: JsonObject = DOCUMENT["Globals"]["Function"]
AS_READ = load_template(TEMPLATE)


def of_type(kind: str) -> dict[str, JsonObject]:
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


FUNCTIONS = of_type("AWS::Serverless::Function")
MACHINES = of_type("AWS::Serverless::StateMachine")
LAYERS = of_type("AWS::Serverless::LayerVersion")
LOG_GROUPS = of_type("AWS::Logs::LogGroup")
ROLES = of_type("AWS::IAM::Role")
SCHEDULES = {name: it for name, it in of_type("AWS::Events::Rule").items() if "ScheduleExpression" in it}
PAGED = [name for name, it in MACHINES.items() if it["DefinitionUri"] == "statemachines/paged-job.asl.json"]


def role_of(properties: JsonObject) -> str:
    name, attribute = properties["Role"]["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(name)


def statements_of(role: str) -> Iterator[JsonObject]:
    """What a role may do, by its own policies and by those of ours attached to it."""
    attached = [policy["Ref"] for policy in ROLES[role].get("ManagedPolicyArns", [])]
    policies = [*ROLES[role].get("Policies", []), *(RESOURCES[name]["Properties"] for name in attached)]
    policies += [policy for policy in of_type("AWS::IAM::Policy").values() if {"Ref": role} in policy["Roles"]]
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def function_of_versions(resource: JsonObject) -> str:
    """The function of whose versions a policy speaks, all of them: `${Function.Arn}:*`."""
    text = resource["Fn::Sub"]
    if isinstance(text, str):
        text, arn = "${Arn}:*", text.removeprefix("${").removesuffix(".Arn}:*")
    else:
        text, arn = text[0], text[1]["Arn"]["Fn::GetAtt"][0]
    assert text == "${Arn}:*"
    return str(arn)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions_of(role: str) -> set[str]:
    return {action for statement in statements_of(role) for action in as_list(statement["Action"])}


def layers_of(function: str) -> list[str]:
    return [layer["Ref"] for layer in COMMON["Layers"] + FUNCTIONS[function].get("Layers", [])]


def branches(resources: Any) -> list[Any]:
    """Resources with both sides of their conditions."""
    found: list[Any] = []
    for resource in as_list(resources):
        found += resource["Fn::If"][1:] if isinstance(resource, dict) and "Fn::If" in resource else [resource]
    return found
