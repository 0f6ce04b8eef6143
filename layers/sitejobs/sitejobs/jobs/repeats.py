"""When people whom a user passed over may be suggested again."""

from typing import Annotated, Final, LiteralString

from pydantic import Field

from sitejobs.postgres.values import moment
from sitejobs.variables import Variables


class RepeatVariables(Variables):
    """MATCH_REPEAT_DAYS, which matches and feeds both keep."""

    repeat_days: Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)] | None = Field(
        default=None,
        alias="MATCH_REPEAT_DAYS",
        description="days after which people whom a user passed over may be its matches again; never if not given",
        json_schema_extra={"takes": "a number from 0 to 36500"},
    )


STILL_COUNTS: Final[LiteralString] = f"""(
    l."action"::text <> 'DISLIKE' OR %(repeat_days)s::float8 IS NULL
    OR {moment('l."createdAt"')} > %(now)s::timestamptz - make_interval(secs => 86400 * %(repeat_days)s::float8))"""
"""Whether what its sender said in a row `l` of Like still counts: a dislike does for `repeat_days`, if given."""
