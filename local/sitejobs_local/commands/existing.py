"""What is asked for and does not exist: one sentence and exit status 2, whatever the command."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sitejobs.errors import InvalidInput

if TYPE_CHECKING:
    from psycopg import Connection

_IS_USER: Final = 'SELECT EXISTS (SELECT FROM "User" WHERE "id" = %(id)s)'
_MISSING: Final = re.compile(r"(user|post|media) (-?\d+) does not exist")
_NO_MEDIA: Final = re.compile(r"^mediaId must be the id of a Media record: there is no (-?\d+)$")


def require_user(connection: "Connection", user_id: int) -> None:
    """Make sure that there is a user, deleted or not.

    Raises
    ------
    InvalidInput : there is none.
    """
    row = connection.execute(_IS_USER, {"id": user_id}).fetchone()
    if row is None or not row[0]:
        raise InvalidInput(f"there is no user {user_id}")


def missing(summary: Mapping[str, Any]) -> str | None:
    """What a run was for and did not find, neither itself nor results of it; None if there was something to do."""
    refused = _NO_MEDIA.search(str(summary.get("cause")))
    if refused is not None:
        return f"there is no media {refused[1]}"
    parts: list[Mapping[str, Any]] = list((summary.get("jobs") or {"": summary}).values())
    found = [_MISSING.fullmatch(str(part.get("message"))) for part in parts if not part.get("written")]
    first = found[0] if len(found) == len(parts) and all(found) else None
    return f"there is no {first[1]} {first[2]}" if first else None
