"""The resources of a template that exist on this machine, each as a frozen class with its local name and ARN."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION, STACK_NAME, TemplateError


def function_arn(name: str) -> str:
    """The ARN of a function of that name on this machine."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"


def state_machine_arn(name: str) -> str:
    """The ARN of a state machine of that name on this machine."""
    return f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{name}"


@dataclass(frozen=True)
class Function:
    """A Lambda function. `code` and `layers` are absolute folders; `timeout` is in seconds, `memory` in MB."""

    logical_id: str
    name: str
    code: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()

    @property
    def arn(self) -> str:
        """The function's ARN on this machine."""
        return function_arn(self.name)


@dataclass(frozen=True)
class StateMachine:
    """A state machine, its definition in a file of its own."""

    logical_id: str
    name: str
    definition_file: Path
    substitutions: Mapping[str, str]
    type: str

    @property
    def arn(self) -> str:
        """The state machine's ARN on this machine."""
        return state_machine_arn(self.name)

    def definition(self) -> str:
        """The definition's text with every ``${Placeholder}`` replaced.

        Raises
        ------
        TemplateError : the file cannot be read, or a placeholder has no substitution.
        """
        try:
            text = self.definition_file.read_text(encoding="utf-8")
        except OSError as error:
            raise TemplateError(f"{self.logical_id}.DefinitionUri: {self.definition_file}: {error.strerror}") from error
        for name, value in self.substitutions.items():
            text = text.replace(f"${{{name}}}", value)
        if "${" in text:
            rest = text.split("${", 1)[1].split("}", 1)[0]
            raise TemplateError(
                f"{self.logical_id}.DefinitionSubstitutions: nothing is given for ${{{rest}}} "
                f"of {self.definition_file.name}"
            )
        return text


@dataclass(frozen=True)
class Expiration:
    """A lifecycle rule: objects whose key starts with `prefix` go `days` after they were written."""

    prefix: str
    days: int


@dataclass(frozen=True)
class Bucket:
    """An S3 bucket, when its objects expire, and whether EventBridge hears of them."""

    logical_id: str
    name: str
    expirations: tuple[Expiration, ...] = ()
    sends_events: bool = False


@dataclass(frozen=True)
class Queue:
    """An SQS queue. `dead_letter_arn` is where a message goes after `max_receive_count` failures."""

    logical_id: str
    name: str
    visibility_timeout: int
    dead_letter_arn: str | None = None
    max_receive_count: int | None = None

    @property
    def arn(self) -> str:
        """The queue's ARN on this machine."""
        return f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{self.name}"

    @property
    def url(self) -> str:
        """The queue's URL; clients send to their endpoint whatever its host says."""
        return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/{self.name}"


@dataclass(frozen=True)
class QueueSource:
    """A queue that feeds a function, `batch_size` messages at a time, in `max_concurrency` calls at most."""

    function: str
    queue_arn: str
    batch_size: int
    report_item_failures: bool
    max_concurrency: int


@dataclass(frozen=True)
class Rule:
    """An EventBridge rule: events of `pattern` go to the targets, by ARN."""

    logical_id: str
    name: str
    pattern: Mapping[str, Any]
    target_arns: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """The resources by logical id."""

    path: Path
    functions: Mapping[str, Function]
    state_machines: Mapping[str, StateMachine]
    buckets: Mapping[str, Bucket]
    queues: Mapping[str, Queue]
    queue_sources: tuple[QueueSource, ...]
    rules: tuple[Rule, ...] = ()

    def state_machine(self, name: str) -> StateMachine:
        """The state machine of that name, with or without the stack's before it, or of that logical id.

        Raises
        ------
        TemplateError : there is none.
        """
        for machine in self.state_machines.values():
            if machine.name in (name, f"{STACK_NAME}-{name}") or name == machine.logical_id:
                return machine
        known = ", ".join(sorted(machine.name for machine in self.state_machines.values())) or "none"
        raise TemplateError(f"{self.path.name} has no state machine {name!r} (it has: {known})")

    def functions_of(self, machine: StateMachine) -> tuple[Function, ...]:
        """The functions whose ARNs are substituted into a definition, in the order of the substitutions."""
        by_arn = {function.arn: function for function in self.functions.values()}
        return tuple(by_arn[arn] for arn in machine.substitutions.values() if arn in by_arn)
