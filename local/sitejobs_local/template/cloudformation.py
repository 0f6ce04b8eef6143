"""CloudFormation's language as far as the template uses it: tags, conditions, intrinsic functions.

`parse_yaml` turns the short tags (``!Ref``) into their long form, `Resolver` works out what a property says. Nothing
is guessed: what is not understood is a `TemplateError` naming the place.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ACCOUNT_ID: Final = "123456789012"
REGION: Final = "us-east-1"
STACK_NAME: Final = "sitejobs"

_SHORT_FUNCTIONS: Final = {"Ref": "Ref", "Condition": "Condition"}
_PSEUDO_PARAMETERS: Final[Mapping[str, object]] = {
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK_NAME}/local",
    "AWS::StackName": STACK_NAME,
    "AWS::URLSuffix": "amazonaws.com",
}
_PLACEHOLDER: Final = re.compile(r"\$\{(!?)([^}]+)\}")


class TemplateError(Exception):
    """The template has something that is not understood or not supported on this machine."""


class _NoValue:
    """What `AWS::NoValue` stands for: the property is not there."""


NO_VALUE: Final = _NoValue()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # which one depends on the build
    """YAML with CloudFormation's tags; libyaml where there is one: it reads a long template ten times as fast."""


def _construct_tag(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {_SHORT_FUNCTIONS.get(suffix, f"Fn::{suffix}"): value}


_Loader.add_multi_constructor("!", _construct_tag)


def read_text(path: Path) -> str:
    """The text of a template; TemplateError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}") from error


def parse_yaml(path: Path, text: str) -> dict[str, Any]:
    """A template's text with its tags in long form, e.g. ``{"Fn::GetAtt": ["Batch", "Arn"]}``.

    Raises
    ------
    TemplateError : it is not YAML, or no mapping.
    """
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise TemplateError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise TemplateError(f"{path}: a template is a mapping, not {type(document).__name__}")
    return document


class Resolver:
    """Works out values: parameters (their defaults unless overridden), conditions, mappings and intrinsics.

    Parameters
    ----------
    document : a template as `parse_yaml` gives it.
    overrides : values of parameters, by name.
    attribute : tells what a resource's attribute is here; "Ref" is asked for as the attribute "Ref". It raises
        LookupError with a sentence when it does not know.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        overrides: Mapping[str, str],
        attribute: Callable[[str, str], str],
    ) -> None:
        self._parameters: Mapping[str, Any] = document.get("Parameters") or {}
        self._conditions: Mapping[str, Any] = document.get("Conditions") or {}
        self._mappings: Mapping[str, Any] = document.get("Mappings") or {}
        self._resources: Mapping[str, Any] = document.get("Resources") or {}
        self._overrides = overrides
        self._attribute = attribute
        unknown = sorted(set(overrides) - set(self._parameters))
        if unknown:
            known = ", ".join(sorted(self._parameters)) or "none"
            raise TemplateError(f"Parameters: {unknown[0]!r} is not one of the template's parameters ({known})")

    def value(self, node: Any, where: str) -> Any:
        """The value of a property; members that come to `AWS::NoValue` are left out.

        Parameters
        ----------
        node : what the template says.
        where : its place, for messages, e.g. "PlanFunction.Timeout".
        """
        if isinstance(node, list):
            items = (self.value(item, where) for item in node)
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            function, argument = next(iter(node.items()))
            if function in ("Ref", "Condition") or str(function).startswith("Fn::"):
                return self._call(str(function), argument, where)
        members = ((key, self.value(item, where)) for key, item in node.items())
        return {key: item for key, item in members if item is not NO_VALUE}

    def condition(self, name: str, where: str) -> bool:
        """Whether a named condition holds."""
        if name not in self._conditions:
            raise TemplateError(f"{where}: there is no condition {name!r}")
        return self._truth(self._conditions[name], f"Conditions.{name}")

    def _call(self, function: str, argument: Any, where: str) -> Any:
        handler = _INTRINSICS.get(function)
        if handler is None:
            known = ", ".join(sorted(_INTRINSICS))
            raise TemplateError(f"{where}: {function} is not understood on this machine (only {known})")
        try:
            return handler(self, argument, where)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise TemplateError(f"{where}: {function} cannot be worked out from {argument!r}") from error

    def _truth(self, node: Any, where: str) -> bool:
        value = self.value(node, where)
        if not isinstance(value, bool):
            raise TemplateError(f"{where}: a condition, not {value!r}, is wanted here")
        return value

    def _ref(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name in self._parameters:
            return self._parameter(name, where)
        if name in self._resources:
            return self._get_att([name, "Ref"], where)
        resource, _, made = name.partition(".")  # what SAM makes beside a resource: `Function.Version`
        if made and resource in self._resources:
            return self._get_att([resource, made], where)
        raise TemplateError(f"{where}: {name!r} is neither a parameter nor a resource of the template")

    def _parameter(self, name: str, where: str) -> Any:
        declaration = self._parameters[name]
        if name in self._overrides:
            value: Any = self._overrides[name]
        elif "Default" in declaration:
            value = declaration["Default"]
        else:
            raise TemplateError(f"{where}: parameter {name} has no default and was not given")
        kind = str(declaration.get("Type"))
        if kind.startswith("AWS::SSM::"):
            raise TemplateError(f"{where}: parameter {name} is read from SSM, which is not there: give its value")
        if kind.startswith(("List<", "CommaDelimitedList")) and isinstance(value, str):
            return [item.strip() for item in value.split(",")] if value else []
        return value

    def _get_att(self, argument: Any, where: str) -> str:
        resource, attribute = argument
        if resource not in self._resources:
            raise TemplateError(f"{where}: there is no resource {resource!r}")
        try:
            return self._attribute(resource, attribute)
        except LookupError as error:
            raise TemplateError(f"{where}: {error.args[0]}") from error

    def _sub(self, argument: Any, where: str) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument
        variables = {name: self.value(node, where) for name, node in given.items()}

        def replacement(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in variables:
                return as_text(variables[name])
            return as_text(self._get_att(name.split(".", 1), where) if "." in name else self._ref(name, where))

        return _PLACEHOLDER.sub(replacement, text)

    def _if(self, argument: Any, where: str) -> Any:
        name, when_true, when_false = argument
        return self.value(when_true if self.condition(name, where) else when_false, where)

    def _join(self, argument: Any, where: str) -> str:
        separator, items = argument
        return str(separator).join(as_text(item) for item in self.value(items, where))

    def _select(self, argument: Any, where: str) -> Any:
        index, items = argument
        return self.value(items, where)[int(self.value(index, where))]

    def _split(self, argument: Any, where: str) -> list[str]:
        separator, text = argument
        return str(self.value(text, where)).split(str(separator))

    def _find_in_map(self, argument: Any, where: str) -> Any:
        name, first, second = (self.value(item, where) for item in argument)
        return self._mappings[name][first][second]

    def _equals(self, argument: Any, where: str) -> bool:
        left, right = self.value(argument, where)
        return as_text(left) == as_text(right)


def as_text(value: Any) -> str:
    """A scalar as CloudFormation writes it: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


_INTRINSICS: Final[Mapping[str, Callable[[Resolver, Any, str], Any]]] = {
    "Condition": Resolver.condition,
    "Ref": Resolver._ref,
    "Fn::And": lambda resolver, items, where: all(resolver._truth(item, where) for item in items),
    "Fn::Equals": Resolver._equals,
    "Fn::FindInMap": Resolver._find_in_map,
    "Fn::GetAtt": Resolver._get_att,
    "Fn::If": Resolver._if,
    "Fn::Join": Resolver._join,
    "Fn::Not": lambda resolver, items, where: not resolver._truth(items[0], where),
    "Fn::Or": lambda resolver, items, where: any(resolver._truth(item, where) for item in items),
    "Fn::Select": Resolver._select,
    "Fn::Split": Resolver._split,
    "Fn::Sub": Resolver._sub,
    "Fn::ToJsonString": lambda resolver, value, where: json.dumps(resolver.value(value, where), separators=(",", ":")),
}
