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
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command import PAGE, command_parser, keep_results, note
from benchmarks.machine import describe_machine
from benchmarks.upload_site import KINDS, Deliveries, Sessions, site, uploads
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.places import TEMPLATE
from tests.media.sources import content
from tools.docs import renewed, table

FILES = 10_000
OUTAGE_S = 60.0
CONCURRENCY = 2
PART = "uploads"

_CHECKED = """SELECT count(*) FROM "Media" WHERE "status" <> 'UPLOADED'"""
_VERDICTS = """
SELECT count(*) FILTER (WHERE k."mediaId" IS NULL),
    count(*) FILTER (WHERE (m."status", k."verdict") IS DISTINCT FROM ('READY', 'READY')
        OR CASE m."type" WHEN 'IMAGE' THEN k."placeholder" IS NULL ELSE k."durationMs" IS NULL END),
    count(*) FILTER (WHERE k."checks" > 1)
FROM "Media" m LEFT JOIN "MediaMetadata" k ON k."mediaId" = m."id"
"""
_MESSAGES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_POLL_S = 0.1
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Figures:
    """The figures of one run of the benchmark. Times are in seconds from the first object that was put.

    Attributes
    ----------
    waiting : messages in the queue when the last object had been put.
    checked_before : records with a verdict when the database was stopped.
    down, up : the server had been stopped; it took connections again.
    ended : the queue was empty.
    connections : the most that the functions had at a time.
    deliveries : messages handed to the functions, each time counted.
    most_receives : how often the most often delivered message was handed out.
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


def run(files: int, outage: float, folder: Path, retry_seconds: int | None = None) -> Figures:
    """Run the benchmark once.

    Parameters
    ----------
    outage : seconds without a database.
    folder : where the database lives meanwhile.
    retry_seconds : first pause of messages that are handed back, instead of template.yaml's.
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
            wait_for(lambda: database.ask(_CHECKED)[0] >= files // 3, _PATIENCE_S + 10 * files)
            [checked_before] = database.ask(_CHECKED)
            database.stop()
            down = clock()
            note(f"{checked_before:,} checked, the database is stopped for {outage:,.0f} s")
            time.sleep(outage)
            database.start()
            up = clock()
            note("the database is there again")
            wait_for(lambda: is_empty(machine, "MediaQueue"), _PATIENCE_S + 4 * outage + 10 * files)
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
    """Counts twice: a message that turns from delayed to visible during one count may be missing in it."""
    return messages(machine, queue) == messages(machine, queue) == 0


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, at most this long."""
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
    parser = command_parser("uploads", __doc__)
    parser.add_argument("--files", type=int, default=FILES, help="uploads")
    parser.add_argument("--outage", type=float, default=OUTAGE_S, help="seconds without a database")
    keep_results(parser, "uploads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
