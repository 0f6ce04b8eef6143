"""A site with Media records, a bucket in memory, and checks over them as the functions make them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from sitejobs.jobs.job import Memory, PageSummary, Resources
from sitejobs.jobs.queues import Handled, Message
from sitejobs.media.checking import Checker
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.rules import read_rules
from sitejobs.media.uploads import handle_uploads
from sitejobs.postgres.connection import Database
from tests.fakes import FolderWorkStore
from tests.media.sources import Bucket, content

USER = 1
_INSERT = """
INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey", "mimeType", "createdAt")
VALUES (%(owner)s, %(type)s, %(status)s, %(key)s, %(mime)s, COALESCE(%(created)s, now() AT TIME ZONE 'UTC'))
RETURNING "id"
"""


class MediaSite:
    """Records, objects and one checker."""

    def __init__(self, url: str, connection: psycopg.Connection, parser: ParserHost, **settings: str) -> None:
        self.url = url
        self.connection = connection
        self.bucket = Bucket()
        self.checker = Checker(self.bucket, parser, read_rules(settings), prefix="media/")
        self.resources = self.environment()
        self.checked = 0

    def environment(self) -> Resources:
        """Another execution environment over the same bucket."""
        memory = Memory(self.checker)
        return Resources(Database(self.url), FolderWorkStore(None), {}, memory)  # type: ignore[arg-type] # unused

    def add(self, name: str | None = None, type_: str = "IMAGE", *, status: str = "UPLOADED", **given: Any) -> int:
        """Add a record, and its object if `name` is a file of the set."""
        key = given.get("key", f"media/{name or 'none'}")
        values = {"owner": USER, "type": type_, "status": status, "key": key, "mime": given.get("mime")}
        row = self.connection.execute(_INSERT, values | {"created": given.get("created")}).fetchone()
        assert row is not None
        if name is not None:
            self.bucket.put(key, content(name))
        return int(row[0])

    def check(self, media_id: int, *, force: bool = False) -> PageSummary:
        summary = PageSummary()
        self.checker.check(self.resources.database.connection(), media_id, summary, force=force)
        return summary

    def media(self, media_id: int) -> dict[str, Any]:
        return self._row('SELECT * FROM "Media" WHERE "id" = %s', media_id)

    def metadata(self, media_id: int) -> dict[str, Any]:
        return self._row('SELECT * FROM "MediaMetadata" WHERE "mediaId" = %s', media_id)

    def codes(self, media_id: int) -> list[str]:
        return [reason["code"] for reason in self.metadata(media_id)["reasons"]]

    def handle(self, *messages: Message) -> Handled:
        return handle_uploads(self.resources, messages)

    def _row(self, query: Any, media_id: int) -> dict[str, Any]:
        with self.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            return dict(cursor.execute(query, [media_id]).fetchone() or {})


@contextmanager
def media_site(url: str, parser: ParserHost, **settings: str) -> Iterator[MediaSite]:
    """A site in a database without rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute('INSERT INTO "User" ("id") VALUES (%s)', [USER])
        site = MediaSite(url, connection, parser, **settings)
        try:
            yield site
        finally:
            site.resources.database.close()


def created(key: str, receives: int = 1, **more: Any) -> Message:
    """The message of a created object, as EventBridge has it."""
    event: Mapping[str, Any] = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": "media"}, "object": {"key": key, "size": 1}},
        **more,
    }
    return Message(f"message-{key}-{receives}", json.dumps(event), receives=receives)
