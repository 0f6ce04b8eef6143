"""Checks one record: looks at its object, parses and judges it, stores the verdict. All jobs and the queue end here."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
from psycopg import Connection

from sitejobs.errors import Transient
from sitejobs.jobs.job import PageSummary, Resources
from sitejobs.jobs.skip_reasons import SkipReason
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
from sitejobs.media.rules import Claim, Reason, Rules, broken_rules

ATTEMPTS: Final = 3
"""Checks of one record before giving up because its object is overwritten again and again."""

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
        """Check a record, count the outcome in `summary` and return it as one word.

        Raises
        ------
        Transient : the bucket cannot be reached now, or the object was overwritten during every attempt.
        """
        for _ in range(ATTEMPTS):
            record = record_by_id(connection, media_id)
            reason = SkipReason.DELETED if record is None else self._reason_to_skip(record)
            if record is None or reason is not None:
                return _skipped(summary, reason or SkipReason.DELETED)
            try:
                return self._check(connection, record, summary, force)
            except (ObjectChanged, ObjectGone):
                # The record is read again, too: another check may have stored the new object's verdict meanwhile.
                continue
            except (psycopg.DataError, psycopg.errors.CheckViolation):
                # A column of the site's Media table is too narrow for a value, or a constraint forbids it.
                summary.fail("not-stored")
                return "not-stored"
        raise Transient("an object is overwritten again and again")

    def _check(self, connection: Connection, record: Record, summary: PageSummary, force: bool) -> str:
        """One attempt. ObjectChanged or ObjectGone: the object was overwritten or deleted meanwhile."""
        seen = self._look(record)
        if not force and record.was_checked_as(None if seen is None else seen.etag):
            return self._same_as_before(connection, record, summary)
        verdict = self._judge(record, seen)
        with connection.transaction():
            lock_record(connection, record.id)
            # The second look is under the lock, so that an older object's verdict never replaces a newer one's.
            if self._look(record) != seen:
                raise ObjectChanged
            now = record_by_id(connection, record.id)
            if now is not None and not force and now.was_checked_as(None if seen is None else seen.etag):
                return self._same_as_before(connection, now, summary)
            stored = store(connection, record, seen, verdict, datetime.now(UTC))
        return _counted(summary, verdict) if stored else _skipped(summary, SkipReason.DELETED)

    def _reason_to_skip(self, record: Record) -> SkipReason | None:
        """Why the record is not checked; None: it is checked."""
        if record.is_deleted:
            return SkipReason.DELETED
        if record.type not in KINDS:
            return SkipReason.NO_FILE
        if not record.storage_key:
            return SkipReason.NO_STORAGE_KEY
        if not record.storage_key.startswith(self.prefix):
            return SkipReason.OUTSIDE_PREFIX
        return None if record.status in (UPLOADED, *JUDGED) else SkipReason.NOT_UPLOADED

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
        return _skipped(summary, SkipReason.UNCHANGED)


def _counted(summary: PageSummary, verdict: Verdict) -> str:
    """Count a stored verdict. Rejected and unreadable uploads count as written, with their reasons."""
    summary.processed += 1
    summary.written += 1
    if verdict.status == FAILED:
        summary.failed += 1
    for reason in verdict.reasons:
        summary.reasons[reason.code] += 1
    return verdict.status


def _skipped(summary: PageSummary, reason: SkipReason) -> str:
    summary.skip(reason)
    return reason


def checker_of(resources: Resources) -> Checker:
    """The function's checker, kept between calls with its bucket, its rules and its parser's process."""
    return resources.memory.promised(Checker)


def limits_of(rules: Rules) -> Limits:
    """The parser's limits."""
    return Limits(
        seconds=rules.parser_seconds,
        memory_mb=rules.parser_memory_mb,
        read_bytes=rules.parser_read_mb << 20,
        max_pixels=min(rules.parser_max_pixels, rules.max_image_pixels),
        max_image_bytes=rules.max_bytes(IMAGE),
        formats=tuple(rules.allowed),
    )
