"""Reads from template.yaml what runs on this machine: functions, state machines, buckets, queues, rules.

Names, handlers, time limits and variables stand in the template only. References become local values: a bucket its
local name, a function its ARN, a parameter its default or the given value.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sitejobs_local.template.cloudformation import (
    ACCOUNT_ID,
    NO_VALUE,
    REGION,
    STACK_NAME,
    Resolver,
    TemplateError,
    as_text,
)
from sitejobs_local.template.loops import read_template
from sitejobs_local.template.resources import (
    Bucket,
    Expiration,
    Function,
    Queue,
    QueueSource,
    Rule,
    StateMachine,
    Template,
    function_arn,
    state_machine_arn,
)

_FUNCTION: Final = "AWS::Serverless::Function"
_STATE_MACHINE: Final = "AWS::Serverless::StateMachine"
_LAYER: Final = "AWS::Serverless::LayerVersion"
_LAYER_ARN: Final = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:layer:"
_BUCKET: Final = "AWS::S3::Bucket"
_QUEUE: Final = "AWS::SQS::Queue"
_RULE: Final = "AWS::Events::Rule"
# What Lambda and SQS use when the template does not say.
_DEFAULT_TIMEOUT: Final = 3
_DEFAULT_MEMORY_MB: Final = 128
_DEFAULT_BATCH_SIZE: Final = 10
_DEFAULT_VISIBILITY_SECONDS: Final = 30
# Concurrent calls of a queue's function. Lambda allows 1,000; this machine has fewer cores.
_DEFAULT_CONCURRENCY: Final = 5


def load_template(path: Path, parameters: Mapping[str, str] | None = None) -> Template:
    """Read a SAM template.

    Parameters
    ----------
    path : the template; folders in it are relative to its own.
    parameters : values of the template's parameters, instead of their defaults.

    Raises
    ------
    TemplateError : names the resource and the property that is wrong or not understood.
    """
    return _Reader(path, parameters or {}).template()


class _Reader:
    """One reading of one template."""

    def __init__(self, path: Path, parameters: Mapping[str, str]) -> None:
        self._path = path
        self._folder = path.resolve().parent
        document = read_template(path)
        self._resources: dict[str, Any] = document.get("Resources") or {}
        self._globals: dict[str, Any] = (document.get("Globals") or {}).get("Function") or {}
        self._resolver = Resolver(document, parameters, self._attribute)

    def template(self) -> Template:
        functions = {name: self._function(name) for name in self._of_type(_FUNCTION)}
        return Template(
            path=self._path,
            functions=functions,
            state_machines={name: self._state_machine(name) for name in self._of_type(_STATE_MACHINE)},
            buckets={name: self._bucket(name) for name in self._of_type(_BUCKET)},
            queues={name: self._queue(name) for name in self._of_type(_QUEUE)},
            queue_sources=tuple(source for name in functions for source in self._queue_sources(name)),
            # Schedules never fire on this machine.
            rules=tuple(
                self._rule(name) for name in self._of_type(_RULE) if self._property(name, "ScheduleExpression") is None
            ),
        )

    def _of_type(self, kind: str) -> Iterator[str]:
        """Logical ids of the resources of one type whose condition holds."""
        for name, resource in self._resources.items():
            if resource.get("Type") != kind:
                continue
            condition = resource.get("Condition")
            if condition is None or self._resolver.condition(condition, f"{name}.Condition"):
                yield name

    def _property(self, resource: str, name: str, default: Any = None) -> Any:
        """A property's value; `default` when it is absent or comes to `AWS::NoValue`."""
        properties = self._resources[resource].get("Properties") or {}
        if name not in properties:
            return default
        value = self._resolver.value(properties[name], f"{resource}.{name}")
        return default if value is NO_VALUE else value

    def _text(self, resource: str, name: str, default: str | None = None) -> str:
        value = self._property(resource, name, default)
        if not isinstance(value, str) or not value:
            raise TemplateError(f"{resource}.{name}: a text is wanted, not {value!r}")
        return value

    def _whole(self, value: Any, where: str) -> int:
        """A whole number; parameters give theirs as text."""
        if isinstance(value, bool) or not str(value).isdecimal():
            raise TemplateError(f"{where}: a whole number is wanted, not {value!r}")
        return int(value)

    def _attribute(self, resource: str, attribute: str) -> str:
        """What ``!Ref`` (as the attribute "Ref") and ``!GetAtt`` give for a resource on this machine."""
        kind = self._resources[resource].get("Type")
        if kind == _FUNCTION:
            name = self._function_name(resource)
            arn = function_arn(name)
            known = {"Ref": name, "Arn": arn, "Version": arn, "Alias": arn}  # there are no versions on this machine
        elif kind == _STATE_MACHINE:
            name = self._text(resource, "Name", resource)
            arn = state_machine_arn(name)
            known = {"Ref": arn, "Arn": arn, "Name": name}
        elif kind == _BUCKET:
            name = self._bucket_name(resource)
            known = {"Ref": name, "Arn": f"arn:aws:s3:::{name}"}
        elif kind == _QUEUE:
            queue = Queue(resource, self._text(resource, "QueueName", resource), 0)
            known = {"Ref": queue.url, "Arn": queue.arn, "QueueName": queue.name, "QueueUrl": queue.url}
        elif kind == _LAYER:
            known = {"Ref": _LAYER_ARN + resource}
        else:
            raise LookupError(f"{resource} ({kind}) does not exist on this machine, so it has no {attribute}")
        if attribute not in known:
            raise LookupError(f"{resource} ({kind}) has no attribute {attribute} here, only {', '.join(known)}")
        return known[attribute]

    def _function_name(self, resource: str) -> str:
        return self._text(resource, "FunctionName", resource)

    def _bucket_name(self, resource: str) -> str:
        return self._text(resource, "BucketName", f"{STACK_NAME}-{resource.lower()}")

    def _global(self, resource: str, name: str, default: Any = None) -> Any:
        """A function's property, or the one of `Globals`."""
        value = self._property(resource, name)
        if value is None and name in self._globals:
            value = self._resolver.value(self._globals[name], f"Globals.Function.{name}")
        return default if value is None or value is NO_VALUE else value

    def _function(self, name: str) -> Function:
        if self._global(name, "PackageType", "Zip") != "Zip" or self._property(name, "InlineCode"):
            raise TemplateError(f"{name}: only functions whose code is a folder (CodeUri) run on this machine")
        handler = self._global(name, "Handler")
        if not isinstance(handler, str) or "." not in handler:
            raise TemplateError(f"{name}.Handler: module.function is wanted, not {handler!r}")
        return Function(
            logical_id=name,
            name=self._function_name(name),
            code=self._code_folder(f"{name}.CodeUri", self._global(name, "CodeUri")),
            handler=handler,
            timeout=self._whole(self._global(name, "Timeout", _DEFAULT_TIMEOUT), f"{name}.Timeout"),
            memory=self._whole(self._global(name, "MemorySize", _DEFAULT_MEMORY_MB), f"{name}.MemorySize"),
            environment=self._environment(name),
            layers=self._layers(name),
        )

    def _code_folder(self, where: str, uri: Any) -> Path:
        folder = self._folder / uri if isinstance(uri, str) else None
        if folder is None or not folder.is_dir():
            raise TemplateError(f"{where}: a folder beside the template is wanted, not {uri!r}")
        return folder.resolve()

    def _environment(self, name: str) -> dict[str, str]:
        """The variables of `Globals` and the function's own over them."""
        variables: dict[str, str] = {}
        own = (self._resources[name].get("Properties") or {}).get("Environment")
        for where, node in (("Globals.Function", self._globals.get("Environment")), (name, own)):
            declared = (node or {}).get("Variables") or {}
            for variable, value in declared.items():
                place = f"{where}.Environment.Variables.{variable}"
                resolved = self._resolver.value(value, place)
                if resolved is NO_VALUE:
                    variables.pop(variable, None)
                elif isinstance(resolved, str | int | float):
                    variables[variable] = as_text(resolved)
                else:
                    raise TemplateError(f"{place}: a text is wanted, not {resolved!r}")
        return variables

    def _layers(self, name: str) -> tuple[Path, ...]:
        """Folders of layers with our own code; packages of the other layers are installed on this machine."""
        own = (self._resources[name].get("Properties") or {}).get("Layers") or []
        layers = self._resolver.value([*(self._globals.get("Layers") or []), *own], f"{name}.Layers")
        folders = []
        for layer in (arn.removeprefix(_LAYER_ARN) for arn in layers if arn.startswith(_LAYER_ARN)):
            folder = self._code_folder(f"{layer}.ContentUri", self._property(layer, "ContentUri"))
            folder = folder / "python" if (folder / "python").is_dir() else folder
            if any(folder.glob("*/__init__.py")) or any(folder.glob("*.py")):
                folders.append(folder)
        return tuple(dict.fromkeys(folders))

    def _state_machine(self, name: str) -> StateMachine:
        uri = self._property(name, "DefinitionUri")
        if not isinstance(uri, str):
            raise TemplateError(f"{name}.DefinitionUri: a definition's file is wanted, not {uri!r}")
        substitutions = self._property(name, "DefinitionSubstitutions", {})
        return StateMachine(
            logical_id=name,
            name=self._text(name, "Name", name),
            definition_file=self._folder / uri,
            substitutions={key: as_text(value) for key, value in substitutions.items()},
            type=self._text(name, "Type", "STANDARD"),
        )

    def _bucket(self, name: str) -> Bucket:
        lifecycle = self._property(name, "LifecycleConfiguration", {})
        expirations = tuple(
            Expiration(
                prefix=rule.get("Prefix", ""),
                days=self._whole(rule["ExpirationInDays"], f"{name}.LifecycleConfiguration.ExpirationInDays"),
            )
            for rule in lifecycle.get("Rules", [])
            if rule.get("Status") == "Enabled" and "ExpirationInDays" in rule
        )
        notifications = self._property(name, "NotificationConfiguration", {}).get("EventBridgeConfiguration", {})
        return Bucket(
            logical_id=name,
            name=self._bucket_name(name),
            expirations=expirations,
            sends_events=bool(notifications.get("EventBridgeEnabled", False)),
        )

    def _rule(self, name: str) -> Rule:
        pattern = self._property(name, "EventPattern")
        if not isinstance(pattern, dict):
            raise TemplateError(f"{name}.EventPattern: a pattern is wanted, not {pattern!r}")
        targets = self._property(name, "Targets", [])
        return Rule(name, self._text(name, "Name", name), pattern, tuple(target["Arn"] for target in targets))

    def _queue(self, name: str) -> Queue:
        visibility = self._property(name, "VisibilityTimeout", _DEFAULT_VISIBILITY_SECONDS)
        redrive = self._property(name, "RedrivePolicy", {})
        receives = redrive.get("maxReceiveCount")
        return Queue(
            logical_id=name,
            name=self._text(name, "QueueName", name),
            visibility_timeout=self._whole(visibility, f"{name}.VisibilityTimeout"),
            dead_letter_arn=redrive.get("deadLetterTargetArn"),
            max_receive_count=None if receives is None else self._whole(receives, f"{name}.RedrivePolicy"),
        )

    def _queue_sources(self, name: str) -> Iterator[QueueSource]:
        events = (self._resources[name].get("Properties") or {}).get("Events") or {}
        for event_name, event in events.items():
            if event.get("Type") != "SQS":
                continue
            where = f"{name}.Events.{event_name}"
            properties = self._resolver.value(event.get("Properties") or {}, where)
            if not isinstance(properties.get("Queue"), str):
                raise TemplateError(f"{where}.Queue: a queue's ARN is wanted")
            batch_size = properties.get("BatchSize", _DEFAULT_BATCH_SIZE)
            concurrency = properties.get("ScalingConfig", {}).get("MaximumConcurrency", _DEFAULT_CONCURRENCY)
            yield QueueSource(
                function=name,
                queue_arn=properties["Queue"],
                batch_size=self._whole(batch_size, f"{where}.BatchSize"),
                report_item_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
                max_concurrency=self._whole(concurrency, f"{where}.ScalingConfig.MaximumConcurrency"),
            )
