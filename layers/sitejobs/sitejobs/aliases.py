"""Type aliases shared by all packages."""

from typing import Any

JsonObject = dict[str, Any]
"""A JSON object: an event, a summary, a context."""
