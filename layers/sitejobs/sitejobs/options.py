"""Options of the jobs: each job's model serves the handler, the command line, the docs and the events.

Field names are Python's; an execution's input uses the camelCase aliases only.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

from sitejobs.errors import InvalidInput
from sitejobs.schemas import Limit, bounds, describe, shown

MIN_ID, MAX_ID = -(2**63), 2**63 - 1
"""The range of bigint: any value may be an id, both ends included."""

SAFE_NUMBER = 2**53
"""Above this absolute value, programs that read JSON numbers as floating point round whole numbers."""


def _not_bool(value: Any) -> Any:
    """Refuse booleans: in Python True equals 1."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    return value


Whole = Annotated[int, BeforeValidator(_not_bool)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]


def _exact(value: Any) -> Any:
    """Refuse numbers that may have been rounded: they could be another user's id."""
    if isinstance(value, float) and abs(value) > SAFE_NUMBER:
        raise ValueError("the number is too large to be exact: give the id as text")
    return value


def id_to_json(value: int) -> int | str:
    """An id in an execution's input: a number, or text where a number might be rounded."""
    return value if abs(value) <= SAFE_NUMBER else str(value)


def _not_null(value: Any) -> Any:
    """Refuse null: a caller that lost an id must not get a run for everyone."""
    if value is None:
        raise ValueError("null is not an id")
    return value


Id = Annotated[
    Whole, BeforeValidator(_exact), Field(ge=MIN_ID, le=MAX_ID), PlainSerializer(id_to_json, when_used="json")
]
"""Any bigint."""

UserId = Id
OptionalUserId = Annotated[UserId | None, BeforeValidator(_not_null)]
"""A user's id; left out: everyone."""


OptionalRun = Annotated[Id | None, BeforeValidator(_not_null)]
"""A run's id; left out: none."""


class JobOptions(BaseModel):
    """What every job's input may say. Unknown names are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=False, serialize_by_alias=True
    )

    trigger: Literal["api", "cli", "schedule", "workflow"] = Field(
        default="api", description="what started the run: api, cli, schedule or workflow; kept in the JobRun"
    )


class PagedOptions(JobOptions):
    """Options of every job that pages through users, posts or media."""

    incremental: bool = Field(default=False, description="skip what is fresh: compute only what changed")
    max_concurrency: Whole = Field(default=4, ge=1, le=1000, description="pages in flight at a time")
    tolerate_failures: Whole = Field(
        default=0, ge=0, le=1_000_000, description="failed pages allowed before the run fails"
    )
    allow_loss: bool = Field(
        default=False,
        description="go on even if the run would remove much of what is stored because its source has gone",
    )
    retry_of: OptionalRun = Field(
        default=None, description="compute only the failed pages of this run, with its other options"
    )


class ComparingOptions(PagedOptions):
    """Options of the jobs that can tell what they would change."""

    dry_run: bool = Field(
        default=False,
        description="write no results: tell what would change in what is stored, how many lists, rows and ranks",
    )
    settings: str = Field(
        default="",
        max_length=4096,
        description='with dryRun: settings to try, a JSON object such as {"MATCH_WEIGHTS": "traits=0.4,interests=0.2"}',
        json_schema_extra={"takes": "a JSON object of settings, and goes with dryRun"},
    )

    @field_validator("settings")
    @classmethod
    def _tried(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("dry_run"):
            raise ValueError("a run that writes takes the settings of its function")
        return value


Options = TypeVar("Options", bound=JobOptions)


def parse_options(model: type[Options], given: Any) -> Options:
    """Check an execution's input against a job's options, before anything is read or written.

    Raises
    ------
    InvalidInput : names each wrong option, what came, and what it takes.
    """
    if not isinstance(given, dict):
        raise InvalidInput(f"the input must be an object of options, not {shown(given)}")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [_problem(model, given, dict(detail)) for detail in error.errors(include_url=False)]
        raise InvalidInput("; ".join(problems)) from None


def describe_field(model: type[JobOptions], name: str) -> str:
    """What the option takes, in words: `a whole number from 1 to 1000`."""
    return describe(model, _alias(model, name))


def limits(model: type[JobOptions], name: str) -> tuple[Limit, Limit]:
    """The lowest and highest value that an option takes; None where there is no limit."""
    return bounds(model, _alias(model, name))


def _alias(model: type[JobOptions], name: str) -> str:
    return model.model_fields[name].alias or name


def _problem(model: type[JobOptions], given: dict[str, Any], detail: dict[str, Any]) -> str:
    alias = str(detail["loc"][0]) if detail["loc"] else "input"
    if detail["type"] == "extra_forbidden":
        known = sorted(info.alias or name for name, info in model.model_fields.items())
        return f"unknown option {shown(alias)}: the options are {', '.join(known)}"
    if detail["type"] == "missing":
        return f"{alias} is required: {describe(model, alias)}"
    return f"{alias} must be {describe(model, alias)}, not {shown(given.get(alias))}"
