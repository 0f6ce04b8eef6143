"""The record of one upload, shown after media-metadata has checked it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console

    from sitejobs_local.runs.runner import Outcome

JOB: Final = "media-metadata"
_RECORD: Final = """SELECT to_jsonb(k)::text FROM "MediaMetadata" k WHERE "mediaId" = %(id)s"""
_NOT_SHOWN: Final = {"mediaId", "verdict", "reasons", "placeholder"}


def with_record(outcome: "Outcome", media_id: Any, connection: "Connection") -> "Outcome":
    """The outcome with the upload's record added, if there is one."""
    row = connection.execute(_RECORD, {"id": media_id}).fetchone()
    if row is None:
        return outcome
    known = {name: value for name, value in json.loads(row[0]).items() if value is not None}
    return replace(outcome, summary={**outcome.summary, "record": known})


def print_record(console: "Console", record: Mapping[str, Any]) -> None:
    """The verdict, a sentence for each reason, and all that was found."""
    from rich.table import Table

    console.print(f"media {record['mediaId']}: {record['verdict']}", markup=False, highlight=False)
    for reason in record["reasons"]:
        console.print(f"  {reason['code']}: {reason['detail']}", markup=False, highlight=False)
    table = Table("attribute", "value", box=None, pad_edge=False)
    for name, value in record.items():
        if name not in _NOT_SHOWN:
            table.add_row(name, str(value).lower() if isinstance(value, bool) else _plain(value))
    console.print(table)


def _plain(value: Any) -> str:
    from rich.markup import escape

    # A storage key holds names that people chose.
    return escape("".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(value)))
