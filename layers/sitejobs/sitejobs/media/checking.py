"""One record checked: its object looked at, parsed, judged, the verdict stored. All four ways in end here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import Connection

from sitejobs.errors import InvalidInput, Transient
from sitejobs.jobs.job import PageSummary, Resources
from sitejobs.media.attributes import IMAGE, KINDS
from sitejobs.media.extraction import Unreadable
from sitejobs.media.objects import MediaObjects, ObjectChanged, ObjectGone, ObjectLocked, ObjectSource, StoredObject
from sitejobs.media.parser_host import Limits, ParserHost
from sitejobs.media.records import (
    FAILED,
    JUDGED,
    READY,
    REJECTED,
    UPLOADED,
    Record,
    Verdict,
    lock_record,
    record_by_id,
    restore,
    store,
)
from sitejobs.media.rules import Claim, Reason, Rules, broken_rules, read_rules

ATTEMPTS: Final = 3
"""Times that an object is looked at anew when it is overwritten while it is read."""

_GONE = Verdict(FAILED, (Reason("gone", "there is no such object in the media bucket"),))
_LOCKED = Verdict(FAILED, (Reason("archived", "the object is archived and cannot be read"),))


@dataclass(frozen=True)
class Checker:
    """What checks need, kept for the life of the execution environment."""

    objects: MediaObjects
    parser: ParserHost
    rules: Rules
    prefix: str = ""

    def check(self, connection: Connection, media_id: int, summary: PageSummary, *, force: bool = False) -> str:
        """Check a record and count what came of it; the outcome as one word.

        Raises
        ------
        Transient : the bucket is not to be reached now, or the object changes all the time.
        """
        for _ in range(ATTEMPTS):
            record = record_by_id(connection, media_id)
            reason = "deleted" if record is None else self._reason_to_skip(record)
            if record is None or reason is not None:
                return _skipped(summary, reason or "deleted")
            try:
                return self._check(connection, record, summary, force)
            except (ObjectChanged, ObjectGone):
                # The record, too, is read anew: whoever came between may have stored the new object's verdict.
                continue
            except psycopg.DataError:
                # The site's own column is narrower than what was found.
                summary.fail("not-stored")
                return "not-stored"
        raise Transient("an object is overwritten again and again")

    def _check(self, connection: Connection, record: Record, summary: PageSummary, force: bool) -> str:
        """One attempt; ObjectChanged or ObjectGone when the object is another one at its end."""
        seen = self._look(record)
        if not force and record.was_checked_as(None if seen is None else seen.etag):
            return self._same_as_before(connection, record, summary)
        verdict = self._judge(record, seen)
        with connection.transaction():
            lock_record(connection, record.id)
            # Looked at again within the lock, an older object's verdict never replaces a newer one's.
            if self._look(record) != seen:
                raise ObjectChanged
            now = record_by_id(connection, record.id)
            if now is not None and not force and now.was_checked_as(None if seen is None else seen.etag):
                return self._same_as_before(connection, now, summary)
            stored = store(connection, record, seen, verdict, datetime.now(UTC))
        return _counted(summary, verdict) if stored else _skipped(summary, "deleted")

    def _reason_to_skip(self, record: Record) -> str | None:
        """Why a record is none that is checked; None for one that is."""
        if record.is_deleted:
            return "deleted"
        if record.type not in KINDS:
            return "no-file"
        if not record.storage_key:
            return "no-storage-key"
        if not record.storage_key.startswith(self.prefix):
            return "outside-prefix"
        return None if record.status in (UPLOADED, *JUDGED) else "not-uploaded"

    def _look(self, record: Record) -> StoredObject | None:
        try:
            return self.objects.head(record.storage_key or "")
        except ObjectGone:
            return None

    def _judge(self, record: Record, seen: StoredObject | None) -> Verdict:
        if seen is None:
            return _GONE
        try:
            found = self.parser.extract(ObjectSource(self.objects, seen), seen.size)
        except Unreadable as error:
            return Verdict(FAILED, (Reason(error.code, error.detail),))
        except ObjectLocked:
            return _LOCKED
        broken = broken_rules(found, Claim(record.type, record.mime_type), self.rules)
        return Verdict(REJECTED if broken else READY, tuple(broken), found)

    def _same_as_before(self, connection: Connection, record: Record, summary: PageSummary) -> str:
        if record.status == UPLOADED and restore(connection, record):
            summary.processed += 1
            summary.written += 1
            return "restored"
        return _skipped(summary, "unchanged")


def _counted(summary: PageSummary, verdict: Verdict) -> str:
    """Rejected and unreadable uploads are results like any other; their reasons are counted beside them."""
    summary.processed += 1
    summary.written += 1
    if verdict.status == FAILED:
        summary.failed += 1
    for reason in verdict.reasons:
        summary.reasons[reason.code] += 1
    return verdict.status


def _skipped(summary: PageSummary, reason: str) -> str:
    summary.skip(reason)
    return reason


def checker_of(resources: Resources) -> Checker:
    """The environment's checker: its bucket, its rules, and the parser that stays alive between calls."""
    return resources.memory.kept(Checker, None, lambda: _make_checker(resources.environment))


def _make_checker(environment: Mapping[str, str]) -> Checker:
    rules = read_rules(environment)
    limits = Limits(
        seconds=rules.parser_seconds,
        memory_mb=rules.parser_memory_mb,
        read_bytes=rules.parser_read_mb << 20,
        max_pixels=min(rules.parser_max_pixels, rules.max_image_pixels),
        max_image_bytes=rules.max_bytes(IMAGE),
        formats=tuple(rules.allowed),
    )
    return Checker(_bucket(environment), ParserHost(limits), rules, environment.get("MEDIA_PREFIX", ""))


def _bucket(environment: Mapping[str, str]) -> MediaObjects:
    import boto3
    from botocore.config import Config

    from sitejobs.media.objects import S3Objects

    name = environment.get("MEDIA_BUCKET", "")
    if not name:
        raise InvalidInput("set MEDIA_BUCKET: the uploads are read from there")
    patience = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
    return S3Objects(boto3.client("s3", config=patience), name)
