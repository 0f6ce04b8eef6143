"""Uploads at home: inserts Media records, puts the files into the local media bucket, waits for the verdicts."""

import mimetypes
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from sitejobs.errors import InvalidInput
from sitejobs_local.media_place import s3_client
from sitejobs_local.places import TEMPLATE
from sitejobs_local.runs.runner import Workshop, taken_over
from sitejobs_local.template.resources import Function

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs_local.database.target import Target

TYPES: Final = ("IMAGE", "VIDEO", "AUDIO")
_EITHER: Final = (".3gp", ".3gpp", ".3g2")
_BATCH: Final = 100
"""Most files that wait for their verdict at a time."""
_POLL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 120.0
"""Time without any new verdict after which the rest is given up."""

_FIRST_USER: Final = 'SELECT "id" FROM "User" WHERE "deletedAt" IS NULL ORDER BY "id" LIMIT 1'
_IS_USER: Final = 'SELECT EXISTS (SELECT FROM "User" WHERE "id" = %(id)s)'
_INSERT: Final = """
INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey", "mimeType", "sizeBytes")
VALUES (%(owner)s, %(type)s, 'UPLOADED', %(key)s, %(mime_type)s, %(size)s) RETURNING "id"
"""
_VERDICTS: Final = """
SELECT "mediaId", "verdict", "reasons", "format", "width", "height", "durationMs", "sizeBytes", "playable"
FROM "MediaMetadata" WHERE "mediaId" = ANY(%(ids)s)
"""


@dataclass(frozen=True)
class Uploaded:
    """A file and its verdict; None if there was none in time."""

    file: Path
    media_id: int | None
    verdict: str | None = None
    reasons: tuple[Mapping[str, str], ...] = ()
    format: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    size: int | None = None
    playable: bool | None = None
    problem: str | None = None
    """Why it was not uploaded."""


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and all in folders and theirs, in order of their names; hidden ones are left out.

    Raises
    ------
    InvalidInput : there is no such file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file())
            found += sorted(file for file in inside if not any(p.startswith(".") for p in file.relative_to(path).parts))
        elif path.is_file():
            found.append(path)
        else:
            raise InvalidInput(f"{shown(path)} is neither a file nor a folder")
    return found


def shown(path: Path) -> str:
    """A path for printing: control characters, text-direction marks and undecodable bytes are escaped."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode() for sign in str(path)
    )


def type_of(file: Path, given: str | None) -> str:
    """IMAGE, VIDEO or AUDIO: as given, else by the name, else by the content."""
    return given or _kind(_guess(file)) or _content_of(file)


def _guess(file: Path) -> str:
    """The MIME type by the name; empty for endings used for both films and sound."""
    return "" if file.suffix.lower() in _EITHER else mimetypes.guess_type(file.name)[0] or ""


def _kind(mime_type: str) -> str | None:
    kind = mime_type.partition("/")[0].upper()
    return kind if kind in TYPES else None


def _content_of(file: Path) -> str:
    """The kind that the functions' parser finds; VIDEO for what it cannot read."""
    from sitejobs.media.extraction import Unreadable
    from sitejobs.media.parser_host import ParserHost

    try:
        with file.open("rb") as opened, ParserHost() as parser:
            return parser.extract(_Opened(opened), file.stat().st_size).kind or "VIDEO"
    except Unreadable:
        return "VIDEO"


@dataclass(frozen=True)
class _Opened:
    """An open file as the parser's source."""

    file: BinaryIO

    def read(self, start: int, length: int) -> bytes:
        self.file.seek(start)
        return self.file.read(length)


def _key_name(file: Path) -> str:
    """The file's name for a key: characters that XML, URLs or UTF-8 cannot hold become underscores."""
    return "".join(sign if sign.isprintable() else "_" for sign in file.name)


def owner_of(connection: "Connection", given: int | None) -> int:
    """The owner of the uploads: the given user, who must exist, or the first one.

    Raises
    ------
    InvalidInput : there is none.
    """
    if given is not None:
        row = connection.execute(_IS_USER, {"id": given}).fetchone()
        if row is None or not row[0]:
            raise InvalidInput(f"there is no user {given}")
        return given
    row = connection.execute(_FIRST_USER).fetchone()
    if row is None:
        raise InvalidInput(
            "an upload needs an owner, and there is no user: `sitejobs population --users 2000` makes some"
        )
    return int(row[0])


def upload(
    files: Sequence[Path],
    *,
    given_type: str | None,
    owner: int,
    target: "Target",
    connection: "Connection",
    workshop: Workshop,
    environ: Mapping[str, str],
    on_done: Callable[[int], None] = lambda count: None,
) -> list[Uploaded]:
    """Upload files and wait for their verdicts; `on_done(count)` is told of verdicts as they come."""
    from sitejobs_local.aws.machine import MEDIA_BUCKET, LocalMachine

    with LocalMachine(
        TEMPLATE,
        database_url=target.url,
        environment=taken_over({**environ, **target.variables}, TEMPLATE),
        log_file=workshop.log_file,
        media=workshop.media,
    ) as machine:
        far = workshop.media.bucket
        bucket = far or machine.template.buckets[MEDIA_BUCKET].name
        prefix = environ.get("MEDIA_PREFIX") or _prefix_of(machine.template.functions.values())
        client = s3_client() if far else machine.client("s3")

        def put(file: Path) -> int:
            key = f"{prefix}{owner}/{uuid.uuid4()}/{_key_name(file)}"
            with file.open("rb") as opened:
                # The record comes first, as on a site that hands out upload addresses.
                media_id = _insert(connection, owner, type_of(file, given_type), key, file)
                client.upload_fileobj(opened, bucket, key)
            if far:  # its events reach the functions of its stack, if any, and none of this machine
                machine.start("media-metadata", {"mediaId": str(media_id)})
            return media_id

        return [uploaded for batch in _batches(files) for uploaded in _upload_batch(batch, put, connection, on_done)]


def _upload_batch(
    files: Sequence[Path], put: Callable[[Path], int], connection: "Connection", on_done: Callable[[int], None]
) -> Iterator[Uploaded]:
    """Upload some files, `put` returning the id of each one's record, and wait for their verdicts."""
    waiting = {}
    for file in files:
        try:
            waiting[put(file)] = file
        except OSError as error:  # an unreadable file does not stop the others
            on_done(1)
            yield Uploaded(file, None, problem=f"it cannot be read: {error.strerror}")
    yield from _verdicts(connection, waiting, on_done)


def _prefix_of(functions: Iterable[Function]) -> str:
    known = (function.environment.get("MEDIA_PREFIX") for function in functions)
    return next(prefix for prefix in known if prefix is not None)


def _batches(files: Sequence[Path]) -> Iterator[Sequence[Path]]:
    for at in range(0, len(files), _BATCH):
        yield files[at : at + _BATCH]


def _insert(connection: "Connection", owner: int, kind: str, key: str, file: Path) -> int:
    claimed = _guess(file) if _kind(_guess(file)) else None
    values = {"owner": owner, "type": kind, "key": key, "mime_type": claimed, "size": file.stat().st_size}
    from psycopg import errors

    try:
        row = connection.execute(_INSERT, values).fetchone()
    except (errors.UndefinedColumn, errors.ObjectNotInPrerequisiteState) as error:
        raise InvalidInput(
            f'"Media" takes no row with an owner at this site ({type(error).__name__}): upload as the site does, and'
            " check the upload with `sitejobs media-metadata --mediaId=<id>`"
        ) from None
    assert row is not None
    return int(row[0])


def _verdicts(
    connection: "Connection", waiting: Mapping[int, Path], on_done: Callable[[int], None]
) -> Iterator[Uploaded]:
    """Wait for the verdicts; yields them in the order of the uploads."""
    known: dict[int, Uploaded] = {}
    patience_ends = time.monotonic() + _PATIENCE_SECONDS
    while len(known) < len(waiting) and time.monotonic() < patience_ends:
        rows = connection.execute(_VERDICTS, {"ids": [one for one in waiting if one not in known]}).fetchall()
        for media_id, verdict, reasons, form, width, height, duration, size, playable in rows:
            known[media_id] = Uploaded(
                waiting[media_id], media_id, verdict, tuple(reasons), form, width, height, duration, size, playable
            )
        if rows:
            on_done(len(rows))
            patience_ends = time.monotonic() + _PATIENCE_SECONDS
        elif len(known) < len(waiting):
            time.sleep(_POLL_SECONDS)
    for media_id, file in waiting.items():
        yield known.get(media_id, Uploaded(file, media_id))
