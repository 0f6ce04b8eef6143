"""Types that every package names alike."""

from typing import Any

JsonObject = dict[str, Any]
"""An event, a summary, a context: what JSON writes in braces."""
