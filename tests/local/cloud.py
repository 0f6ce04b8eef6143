"""A machine at home that commands take for AWS."""

import json
import os

from sitejobs_local.aws.machine import LocalMachine
from tests.local.command import environment

_ROLE = "arn:aws:iam::123456789012:role/any"


def aws_variables(aws: LocalMachine) -> dict[str, str]:
    """What points boto3 at a machine, whatever settings there are beside it."""
    return {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def far_environment(aws: LocalMachine) -> dict[str, str]:
    """That of a command which reaches AWS and no database."""
    return environment(DATABASE_URL="postgresql://127.0.0.1:1/nowhere", **aws_variables(aws))


def deploy(aws: LocalMachine, stack: str, machines: dict[str, str]) -> None:
    """A stack with state machines, by logical id, which may have the names of those that the machine runs."""
    resources = {
        logical_id: {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {"StateMachineName": name, "DefinitionString": "{}", "RoleArn": _ROLE},
        }
        for logical_id, name in machines.items()
    }
    body = json.dumps({"Resources": {**resources, "Queue": {"Type": "AWS::SQS::Queue"}}})
    aws.client("cloudformation").create_stack(StackName=stack, TemplateBody=body)


def deploy_functions(aws: LocalMachine, stack: str, functions: list[str]) -> None:
    """A stack with functions of the machine, by their logical ids."""
    resources = {
        name: {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": name,
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "handler = None"},
            },
        }
        for name in functions
    }
    by_lambda = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [by_lambda]}}
    body = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": trust}, **resources}}
    aws.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(body))
