"""SETTINGS: what a stack changes of matching, feeds, search and uploads, as one JSON text.

Its keys are the names of the variables that a laptop sets. The models that check these check the values here too.
"""

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final

from sitejobs.errors import InvalidInput
from sitejobs.feed.rules import FeedVariables
from sitejobs.matching.options import CompatibilityVariables, SnapshotVariables
from sitejobs.matching.scoring.parameters import MatchVariables
from sitejobs.media.rules import Rules
from sitejobs.schemas import shown
from sitejobs.search.searchable_user import SearchableVariables
from sitejobs.variables import Variables

MODELS: Final[tuple[type[Variables], ...]] = (
    MatchVariables,
    SnapshotVariables,
    CompatibilityVariables,
    FeedVariables,
    SearchableVariables,
    Rules,
)
"""The models of all settings, in the order of the documentation."""

NAMES: Final = tuple(info.alias or name for model in MODELS for name, info in model.model_fields.items())


def read_tuning(text: str) -> dict[str, str]:
    """The variables that SETTINGS stands for; their values are checked where they are read.

    Raises
    ------
    InvalidInput : it is no JSON object, or names what is no setting, or something else than a text or a number.
    """
    try:
        given = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InvalidInput(f'SETTINGS must be a JSON object such as {{"FEED_TTL_MINUTES": 45}}, not {shown(text)}')
    return {_known(name): _text(name, value) for name, value in given.items()}


def _known(name: str) -> str:
    if name in NAMES:
        return name
    [nearest] = difflib.get_close_matches(name.upper(), NAMES, n=1, cutoff=0)
    raise InvalidInput(f"SETTINGS: {shown(name)} is no setting; the nearest one is {nearest}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"SETTINGS: {name} takes a text or a number, not {shown(value)}")
    return value


def tuned(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment with the values of its SETTINGS; a variable that is set itself takes precedence.

    Raises
    ------
    InvalidInput : as `read_tuning`.
    """
    own = {name: value for name, value in environment.items() if value.strip()}
    return {**environment, **read_tuning(environment.get("SETTINGS", "").strip() or "{}"), **own}
