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
