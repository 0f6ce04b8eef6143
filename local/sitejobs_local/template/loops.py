"""A template as CloudFormation reads it: `Fn::ForEach` written out, values of `Mappings` put where they are asked for.

The rules are those of the transform AWS::LanguageExtensions, as far as both CloudFormation and the SAM command line
follow them. Nothing is guessed: a loop of another shape is a `TemplateError` naming it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sitejobs_local.template.cloudformation import TemplateError, parse_yaml, read_text

_LOOP: Final = "Fn::ForEach::"
_SECTIONS: Final = ("Conditions", "Resources", "Outputs")


def read_template(path: Path) -> Mapping[str, Any]:
    """Read a template as if every loop had been written out by hand.

    What is as it was is not parsed again: that takes a tenth of a second, and a command reads its template twice.

    Raises
    ------
    TemplateError : the file cannot be read or is no template; names the loop or the value of a mapping that is wrong.
    """
    return _read(path, read_text(path))


@lru_cache(maxsize=4)
def _read(path: Path, text: str) -> Mapping[str, Any]:
    return written_out(parse_yaml(path, text))


def written_out(document: Mapping[str, Any]) -> dict[str, Any]:
    """A template as `parse_yaml` gives it, without loops and without lookups whose keys are known."""
    parameters, mappings = document.get("Parameters") or {}, document.get("Mappings") or {}
    return {
        name: _looked_up(_without_loops(section, name, parameters), name, mappings) if name in _SECTIONS else section
        for name, section in document.items()
    }


def _without_loops(node: Any, where: str, parameters: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_without_loops(item, where, parameters) for item in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        turns = _turns(key, value, where, parameters) if str(key).startswith(_LOOP) else iter([{key: value}])
        for turn in turns:
            for name, item in turn.items():
                if name in made:
                    raise TemplateError(f"{where}: there are two of {name!r}")
                made[name] = _without_loops(item, f"{where}.{name}", parameters)
    return made


def _turns(key: str, loop: Any, where: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a loop makes of its body, a mapping a turn; loops within it are still there."""
    if not (isinstance(loop, list) and len(loop) == 3 and isinstance(loop[0], str) and isinstance(loop[2], dict)):
        raise TemplateError(f"{where}.{key}: a loop is a list of its variable, what it takes, and a mapping")
    variable, body = loop[0], loop[2]
    # The SAM command line says so when it builds, not when it validates.
    if taken := [name for name in (variable, key.removeprefix(_LOOP)) if name in parameters]:
        raise TemplateError(f"{where}.{key}: {taken[0]} is a parameter, so no loop and no variable can be called so")
    if not all(f"${{{variable}}}" in name or name.startswith(_LOOP) for name in body):
        raise TemplateError(f"{where}.{key}: every key must have ${{{variable}}}, or all turns make the same")
    for value in _values(loop[1], f"{where}.{key}", parameters):
        turn = _with(body, variable, value)
        for name, item in turn.items():
            if name.startswith(_LOOP):
                yield from _turns(name, item, where, parameters)
            else:
                yield {name: item}


def _values(collection: Any, where: str, parameters: Mapping[str, Any]) -> list[str]:
    if isinstance(collection, dict) and collection.keys() == {"Ref"}:
        collection = str(parameters.get(collection["Ref"], {}).get("Default", "")).split(",")
    if not isinstance(collection, list) or not all(isinstance(item, str) and item for item in collection):
        raise TemplateError(f"{where}: a loop takes a list of texts, not {collection!r}")
    return collection


def _with(node: Any, variable: str, value: str) -> Any:
    """A copy with the value wherever the loop's variable stands."""
    if isinstance(node, str):
        return node.replace(f"${{{variable}}}", value)
    if isinstance(node, list):
        return [_with(item, variable, value) for item in node]
    if not isinstance(node, dict):
        return node
    if node == {"Ref": variable}:
        return value
    return {_with(key, variable, value): _with(item, variable, value) for key, item in node.items()}


def _looked_up(node: Any, where: str, mappings: Mapping[str, Any]) -> Any:
    """`Fn::FindInMap` with known keys is its value, and a text of `Fn::Sub` has the values that are known."""
    if isinstance(node, list):
        return [_looked_up(item, where, mappings) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _looked_up(item, f"{where}.{key}", mappings) for key, item in node.items()}
    keys = made.get("Fn::FindInMap")
    if isinstance(keys, list) and all(isinstance(key, str) for key in keys):
        try:
            return mappings[keys[0]][keys[1]][keys[2]]
        except (KeyError, IndexError):
            raise TemplateError(f"{where}: Mappings have no {'.'.join(keys)}") from None
    text = made.get("Fn::Sub")
    if isinstance(text, str):
        text = [text, {}]
    return _filled_in(*text) if isinstance(text, list) else made


def _filled_in(text: str, variables: Mapping[str, Any]) -> Any:
    """The text with the variables that are texts or numbers; `Fn::Sub` and the other variables stay where they must."""
    known = {name: str(value) for name, value in variables.items() if isinstance(value, str | int | float)}
    rest = {name: value for name, value in variables.items() if name not in known}
    filled = re.sub(r"\$\{(\w+)\}", lambda found: known.get(found[1], found[0]), text)
    if "${" not in filled:
        return filled
    return {"Fn::Sub": [filled, rest] if rest else filled}
