"""What a field of a pydantic model takes, in words, from the model's JSON schema."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from sitejobs.aliases import JsonObject

Limit = int | float | None


def describe(model: type[BaseModel], alias: str) -> str:
    """What the field takes: `a whole number from 1 to 1000`. Its `json_schema_extra["takes"]` takes precedence."""
    schema = _schema_of(model, alias)
    if "takes" in schema:
        return str(schema["takes"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if schema.get("type") == "boolean":
        return "true or false"
    kind = {"integer": "a whole number", "number": "a number"}.get(schema.get("type", ""), "text")
    low, high = bounds(model, alias)
    if low is not None and high is not None:
        return f"{kind} from {low} to {high}"
    if "exclusiveMinimum" in schema:
        return f"{kind} above {schema['exclusiveMinimum']}"
    return kind if low is None else f"{kind}, at least {low}"


def bounds(model: type[BaseModel], alias: str) -> tuple[Limit, Limit]:
    """The lowest and highest value that the field takes; None where there is no limit."""
    schema = _schema_of(model, alias)
    # pydantic keeps `ge` and `le` unchanged if a validator of ours runs before the number's own.
    return schema.get("minimum", schema.get("ge")), schema.get("maximum", schema.get("le"))


def shown(value: Any) -> str:
    """A value as an error quotes it: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _schema_of(model: type[BaseModel], alias: str) -> JsonObject:
    schema: JsonObject = _schema(model)["properties"][alias]
    # `UserId | None`: the limits are those of the first choice.
    return schema["anyOf"][0] | schema if "anyOf" in schema else schema


@lru_cache(maxsize=64)
def _schema(model: type[BaseModel]) -> JsonObject:
    return model.model_json_schema()
