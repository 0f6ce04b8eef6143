"""Thousands of uploads at once, and the database away for a minute while they are checked: `make bench ARGS=uploads`.

    python -m benchmarks uploads --files 10000 --outage 60

Small files of eight formats are put into the bucket at home; its event, the rule, the queue and the function in its
own processes do the rest, as on AWS. Once all are put and a third has its verdict the server of the database is
stopped, and started again after so many seconds. Whatever was lost, or more connections than functions are allowed at
a time, make the exit status 1. With the standard figures the table goes into docs/benchmarks.md, else it is only
printed.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from benchmarks.machine import describe_machine
from benchmarks.match_scores import PAGE, ROOT, disk, note
from sitejobs_local import migrations
from sitejobs_local.machine import Event, LocalMachine
from sitejobs_local.places import TEMPLATE
from sitejobs_local.postgres import Server, reset, running_postgres
from tests.media.sources import content
from tools.docs import renewed, table

FILES = 10_000
OUTAGE_S = 60.0
CONCURRENCY = 2
PART = "uploads"

KINDS: tuple[tuple[str, str, str], ...] = (
    ("plain.jpg", "IMAGE", "image/jpeg"),
    ("plain.png", "IMAGE", "image/png"),
    ("lossy.webp", "IMAGE", "image/webp"),
    ("plain.heic", "IMAGE", "image/heic"),
    ("moov-last.mp4", "VIDEO", "video/mp4"),
    ("vp9.webm", "VIDEO", "video/webm"),
    ("sound.m4a", "AUDIO", "audio/mp4"),
    ("vbr-header.mp3", "AUDIO", "audio/mpeg"),
)
"""What people upload, small. Records claim the type and MIME type of their file: READY says that it has been read."""

_ADD = """
INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey", "mimeType")
VALUES (1, %s, 'UPLOADED', %s, %s)
"""
_CHECKED = """SELECT count(*) FROM "Media" WHERE "status" <> 'UPLOADED'"""
_VERDICTS = """
SELECT count(*) FILTER (WHERE k."mediaId" IS NULL),
    count(*) FILTER (WHERE (m."status", k."verdict") IS DISTINCT FROM ('READY', 'READY')
        OR CASE m."type" WHEN 'IMAGE' THEN k."placeholder" IS NULL ELSE k."durationMs" IS NULL END),
    count(*) FILTER (WHERE k."checks" > 1)
FROM "Media" m LEFT JOIN "MediaMetadata" k ON k."mediaId" = m."id"
"""
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'functions'"
_MESSAGES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_POLL_S = 0.1
_LOOK_S = 0.05


@dataclass(frozen=True)
class Figures:
    """A whole go. Times are in seconds from the first object that was put, unless they say otherwise.

    Attributes
    ----------
    waiting : messages in the queue when the last object had been put.
    checked_before : records with a verdict when the database was stopped.
    down, up : the server had been stopped; it took connections again.
    ended : the queue was empty.
    connections : the most that the functions had at a time.
    deliveries : messages handed to the functions, each time counted.
    most_receives : how often the one was handed out that was so most often.
    without_metadata, not_ready, checked_twice : records.
    """

    machine: Mapping[str, str]
    files: int
    outage: float
    allowed: int
    allowed_receives: int
    put: float
    waiting: int
    checked_before: int
    down: float
    up: float
    ended: float
    connections: int
    calls: int
    deliveries: int
    most_receives: int
    without_metadata: int
    not_ready: int
    checked_twice: int
    dead_letters: int
    left: int

    @property
    def redeliveries(self) -> int:
        return self.deliveries - self.files

    def faults(self) -> list[str]:
        """What is not as promised, in words."""
        promised = (
            (self.checked_before >= self.files, "the database was stopped when nothing was left to do"),
            (self.without_metadata, f"{self.without_metadata:,} records have no metadata"),
            (self.not_ready, f"{self.not_ready:,} records have a wrong verdict or lack what their file tells"),
            (self.dead_letters, f"{self.dead_letters:,} messages are in the dead-letter queue"),
            (self.left, f"{self.left:,} messages are left in the queue"),
            (self.connections > self.allowed, f"{self.connections} connections for {self.allowed} functions at a time"),
        )
        return [text for broken, text in promised if broken]


class Deliveries:
    """How often each message was handed to a function, as a machine tells it."""

    def __init__(self) -> None:
        self.calls = 0
        self.by_message: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        if event.kind == "started":
            self.calls += 1
            self.by_message.update(record["messageId"] for record in event.event["Records"])


class Sessions:
    """The most connections that the functions had at a time, watched from entering the context to leaving it.

    A session that has just ended may be listed a moment longer: one counts when it is seen twice in a row.
    """

    def __init__(self, url: str) -> None:
        self.most = 0
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Sessions":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            with suppress(psycopg.OperationalError), psycopg.connect(self._url, autocommit=True) as connection:
                before: set[int] = set()
                while not self._ended.wait(_LOOK_S):
                    now = {row[0] for row in connection.execute(_SESSIONS)}
                    self.most = max(self.most, len(now & before))
                    before = now


class Site:
    """A database of its own that can be stopped and started again."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._home = home
        self._stack = stack
        self._server: Server = stack.enter_context(running_postgres(home))
        self.url = self._server.url

    def stop(self) -> None:
        """Shut the server down; returns when it takes no more connections."""
        pid = int((self._server.data_dir / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGINT)
        while _answers(self.url):
            time.sleep(0.01)

    def start(self) -> None:
        """Start it again, at the same address."""
        self._server = self._stack.enter_context(running_postgres(self._home))
        assert self._server.url == self.url

    def add(self, files: int) -> None:
        """Records of uploads whose objects are not there yet."""
        with psycopg.connect(self.url, autocommit=True) as connection, connection.transaction():
            migrations.apply_site_schema(connection)
            migrations.apply(connection)
            connection.execute('INSERT INTO "User" ("id") VALUES (1)')
            with connection.cursor() as cursor:
                cursor.executemany(_ADD, [(kind, key, mime) for key, _, kind, mime in uploads(files)])

    def ask(self, query: LiteralString) -> tuple[Any, ...]:
        """A query's one row."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return row


def uploads(files: int) -> Iterator[tuple[str, str, str, str]]:
    """Key, file, type and MIME type of each."""
    for at in range(files):
        name, kind, mime = KINDS[at % len(KINDS)]
        yield f"media/{at}/{name}", name, kind, mime


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def run(files: int, outage: float, folder: Path, retry_seconds: int | None = None) -> Figures:
    """The whole go.

    Parameters
    ----------
    outage : seconds without a database.
    folder : where the database lives meanwhile.
    retry_seconds : another first pause of messages that are handed back than template.yaml's.
    """
    machine_facts = describe_machine()
    deliveries = Deliveries()
    with site(folder) as database, tempfile.TemporaryDirectory() as logs, Sessions(database.url) as sessions:
        database.add(files)
        with LocalMachine(
            TEMPLATE,
            database_url=f"{database.url}&application_name=functions",
            log_file=Path(logs) / "log",
            on_event=deliveries,
            environment={} if retry_seconds is None else {"QUEUE_RETRY_SECONDS": str(retry_seconds)},
            parameters={"MediaConcurrency": str(CONCURRENCY)},
        ) as machine:
            clock = _Clock()
            put_all(machine, files)
            put, waiting = clock(), messages(machine, "MediaQueue")
            note(f"{files:,} put in {put:,.0f} s, {waiting:,} waiting")
            wait_for(lambda: database.ask(_CHECKED)[0] >= files // 3, 60 + files)
            [checked_before] = database.ask(_CHECKED)
            database.stop()
            down = clock()
            note(f"{checked_before:,} checked, the database is stopped for {outage:,.0f} s")
            time.sleep(outage)
            database.start()
            up = clock()
            note("the database is there again")
            wait_for(lambda: is_empty(machine, "MediaQueue"), 120 + 4 * outage + files)
            ended = clock()
            left, dead = messages(machine, "MediaQueue"), messages(machine, "MediaDeadLetterQueue")
            allowed_receives = machine.template.queues["MediaQueue"].max_receive_count
        without_metadata, not_ready, checked_twice = database.ask(_VERDICTS)
    return Figures(
        machine=machine_facts,
        files=files,
        outage=outage,
        allowed=CONCURRENCY,
        allowed_receives=allowed_receives or 0,
        put=put,
        waiting=waiting,
        checked_before=checked_before,
        down=down,
        up=up,
        ended=ended,
        connections=sessions.most,
        calls=deliveries.calls,
        deliveries=deliveries.by_message.total(),
        most_receives=max(deliveries.by_message.values()),
        without_metadata=without_metadata,
        not_ready=not_ready,
        checked_twice=checked_twice,
        dead_letters=dead,
        left=left,
    )


class _Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def __call__(self) -> float:
        return time.perf_counter() - self._started


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A new database in a temporary folder below `folder`."""
    home = Path(tempfile.mkdtemp(prefix="sitejobs-uploads-", dir=folder))
    home.chmod(0o711)  # as root the server runs as another user
    try:
        with ExitStack() as stack:
            yield Site(home, stack)
    finally:
        reset(home)
        shutil.rmtree(home)


def put_all(machine: LocalMachine, files: int) -> None:
    """Put every object, one after another."""
    client, bucket = machine.client("s3"), machine.template.buckets["MediaBucket"].name
    data = {name: content(name) for name, _, _ in KINDS}
    for key, name, _, mime in uploads(files):
        client.put_object(Bucket=bucket, Key=key, Body=data[name], ContentType=mime)


def messages(machine: LocalMachine, queue: str) -> int:
    """All messages of a queue: waiting, resting and under way."""
    answer = machine.client("sqs").get_queue_attributes(
        QueueUrl=machine.template.queues[queue].url, AttributeNames=_MESSAGES
    )
    return sum(int(answer["Attributes"][name]) for name in _MESSAGES)


def is_empty(machine: LocalMachine, queue: str) -> bool:
    """Looked at twice: a message that turns from resting to waiting within one look may be in neither count."""
    return messages(machine, queue) == messages(machine, queue) == 0


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, so long at most."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def uploads_table(it: Figures) -> str:
    """What happened, in its order."""
    facts = it.machine
    away = it.up - it.down
    rows = [
        ("machine", f"{facts['processor']}, {facts['date']}, load at the start {facts['load at the start']}"),
        ("files", f"{it.files:,} of {len(KINDS)} formats, put in {it.put:,.0f} s; {it.waiting:,} in the queue then"),
        ("the database away", f"after {it.down:,.0f} s, when {it.checked_before:,} had a verdict, for {away:,.0f} s"),
        ("all had a verdict", f"after {it.ended:,.0f} s, {it.ended - it.up:,.0f} s after the database was back"),
        (
            "files/s",
            f"{it.checked_before / it.down:,.0f} before, {it.files / (it.ended - away):,.0f} without the outage",
        ),
        ("calls of the function", f"{it.calls:,}, {it.allowed} at a time"),
        ("messages handed out again", f"{it.redeliveries:,}; one {it.most_receives} times, of {it.allowed_receives}"),
        ("most connections", f"{it.connections}, of {it.allowed}"),
        ("records checked more than once", f"{it.checked_twice:,}"),
        ("records without metadata, with a wrong verdict", f"{it.without_metadata:,}, {it.not_ready:,}"),
        ("messages left, dead letters", f"{it.left:,}, {it.dead_letters:,}"),
    ]
    return table((PART, ""), rows)


PARTS: dict[str, Callable[[Figures], str]] = {PART: uploads_table}
"""The marked part of the page, and what makes it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the table; the exit status is 1 when anything was lost."""
    given = _parser().parse_args(arguments)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if given.render:
        figures = Figures(**json.loads(given.results.read_text()))
    else:
        figures = run(given.files, given.outage, given.folder)
        given.results.write_text(json.dumps(asdict(figures), indent=1))
    contents = uploads_table(figures)
    print(contents)
    faults = figures.faults()
    for fault in faults:
        print(f"not as promised: {fault}", file=sys.stderr)
    standard = (given.files, given.outage) == (FILES, OUTAGE_S) and not faults
    page = given.docs or (PAGE if given.render or standard else None)
    if page is not None:
        page.write_text(renewed(page.read_text(), PART, contents))
        note(f"written to {page}")
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks uploads", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=FILES, help="uploads")
    parser.add_argument("--outage", type=float, default=OUTAGE_S, help="seconds without a database")
    parser.add_argument("--folder", type=Path, default=disk(), help="where the database lives meanwhile: on a disk")
    results = ROOT / "build" / "benchmarks" / "uploads.json"
    parser.add_argument("--results", type=Path, default=results, help="file that keeps the figures")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the table of --results again")
    parser.add_argument("--docs", type=Path, help="page with the marked part to write the table into")
    return parser


if __name__ == "__main__":
    sys.exit(main())
