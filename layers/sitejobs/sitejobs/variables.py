"""Environment variables, read as a validated model."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sitejobs.errors import InvalidInput
from sitejobs.schemas import describe, shown


class Variables(BaseModel):
    """Base of the models: a field's alias is the variable's name."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


Model = TypeVar("Model", bound=Variables)


def read_environment(model: type[Model], environ: Mapping[str, str], *, empty_is_unset: bool = True) -> Model:
    """The variables that `model` names; one that is unset or blank has its default.

    Parameters
    ----------
    empty_is_unset : False where a blank variable is checked like any other.

    Raises
    ------
    InvalidInput : names each wrong variable, what came and what it takes.
    """
    names = [info.alias or name for name, info in model.model_fields.items()]
    given = {name: environ[name] for name in names if name in environ}
    if empty_is_unset:
        given = {name: text for name, value in given.items() if (text := value.strip())}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = dict.fromkeys(str(detail["loc"][0]) for detail in error.errors())
    problems = [f"{name} must be {describe(model, name)}, not {shown(given[name])}" for name in wrong]
    raise InvalidInput("environment variable " + "; ".join(problems))
