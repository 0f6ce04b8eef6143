"""What template.yaml promises of logging in to the database, by password or token."""

import json
import re

import pytest

from sitejobs.handlers.settings import database_url, read_settings
from sitejobs_local.template.cloudformation import Resolver
from sitejobs_local.template.template import load_template
from tests.bundle.resources import AS_READ, DOCUMENT, FUNCTIONS, RESOURCES, TEMPLATE, role_of, statements_of


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_log_in_as_one_user_of_one_database(name: str) -> None:
    [login] = [it for it in statements_of(role_of(FUNCTIONS[name])) if it["Action"] == "rds-db:connect"]
    place = "arn:${AWS::Partition}:rds-db:${AWS::Region}:${AWS::AccountId}:dbuser:"
    assert login["Resource"] == {"Fn::Sub": place + "${DatabaseResourceId}/${DatabaseUser}"}


def test_logins_with_tokens_are_allowed_only_where_they_are_used() -> None:
    statements = RESOURCES["FunctionBasics"]["Properties"]["PolicyDocument"]["Statement"]
    [conditional] = [it["Fn::If"] for it in statements if "rds-db:connect" in json.dumps(it)]
    assert (conditional[0], conditional[2]) == ("LogsInWithTokens", {"Ref": "AWS::NoValue"})
    assert not resolver().condition("LogsInWithTokens", "")
    assert resolver(DatabaseAuthentication="iam").condition("LogsInWithTokens", "")


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("DatabaseUser", ["", "sitejobs", "_site-jobs_2"], ["*", "site*", "sitejob?", "a/b", "2site", "x" * 64]),
        ("DatabaseResourceId", ["", "db-ABC123", "cluster-ABC123", "prx-0abc"], ["*", "db-*", "db-", "x-ABC", "ABC"]),
        ("DatabaseHost", ["", "site.abc.eu-central-1.rds.amazonaws.com"], ["*", "a b", "host:5432", "user@host"]),
    ],
)
def test_who_may_log_in_where_is_never_a_wildcard(name: str, taken: list[str], refused: list[str]) -> None:
    pattern = DOCUMENT["Parameters"][name]["AllowedPattern"]
    assert [value for value in taken + refused if re.search(pattern, value)] == taken


SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:site"
TOKENS = {
    "DatabaseAuthentication": "iam",
    "DatabaseHost": "site.abc.rds.amazonaws.com",
    "DatabaseName": "site",
    "DatabaseUser": "sitejobs",
    "DatabaseResourceId": "db-ABC",
}


def resolver(**parameters: str) -> Resolver:
    def nothing(resource: str, attribute: str) -> str:
        raise LookupError(f"{resource} has no {attribute} here")

    return Resolver(DOCUMENT, parameters, nothing)


def refusals(parameters: dict[str, str]) -> list[str]:
    """The parameters that CloudFormation's word begins with when it refuses to deploy with these."""
    with_these = resolver(**parameters)
    return [
        assertion["AssertDescription"].split()[0]
        for rule in DOCUMENT["Rules"].values()
        if with_these.value(rule["RuleCondition"], "")
        for assertion in rule["Assertions"]
        if not with_these.value(assertion["Assert"], "")
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["DatabaseSecretArn"]),
        ({"DatabaseSecretArn": SECRET_ARN}, []),
        ({"DatabaseSecretArn": SECRET_ARN, "DatabaseHost": "h", "DatabaseName": "n"}, []),
        ({"DatabaseSecretArn": SECRET_ARN, "DatabaseUser": "u"}, ["DatabaseUser"]),
        (TOKENS, []),
        (TOKENS | {"DatabaseSecretArn": SECRET_ARN}, ["DatabaseSecretArn"]),
        (TOKENS | {"DatabaseResourceId": ""}, ["DatabaseResourceId"]),
        (
            {"DatabaseAuthentication": "iam"},
            ["DatabaseHost", "DatabaseName", "DatabaseUser", "DatabaseResourceId"],
        ),
    ],
)
def test_parameters_that_do_not_go_together_are_refused_before_anything_is_made(
    parameters: dict[str, str], expected: list[str]
) -> None:
    assert refusals(parameters) == expected


def test_every_function_is_told_how_to_log_in() -> None:
    for function in load_template(TEMPLATE, TOKENS).functions.values():
        url = database_url(read_settings(function.environment), str, lambda host, port, user: f"{user}@{host}:{port}")
        assert url.startswith("postgresql://sitejobs:sitejobs%40site.abc.rds.amazonaws.com%3A5432@site.abc.")
    for function in AS_READ.functions.values():
        assert read_settings(function.environment).database_authentication == "password"
