"""Many uploads at once through the real way: how fast they go, that none is lost, how many connections they take."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from sitejobs_local import migrations
from sitejobs_local.machine import LocalMachine
from sitejobs_local.places import TEMPLATE
from sitejobs_local.postgres import reset, running_postgres
from tests.media.sources import FILES

CONCURRENCY = 2
PICTURE = FILES / "plain.jpg"
_ADD = """
INSERT INTO "Media" ("ownerUserId", "type", "status", "storageKey")
SELECT 1, 'IMAGE', 'UPLOADED', 'media/' || n FROM generate_series(1, %s) AS n
"""
_LEFT = """SELECT count(*) FROM "Media" WHERE "status" <> 'READY'"""
_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL(%s)
"""
_POLL_SECONDS = 0.5


def queued_uploads(count: int) -> None:
    """Queue so many uploads, let the functions have them, and print how it went."""
    with _site() as url, tempfile.TemporaryDirectory() as folder, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ADD, [count])
        ended, most = threading.Event(), [0]
        watcher = threading.Thread(target=_watch, args=(url, connection.info.backend_pid, ended, most))
        with LocalMachine(
            TEMPLATE,
            database_url=url,
            log_file=Path(folder) / "log",
            parameters={"MediaConcurrency": str(CONCURRENCY)},
        ) as machine:
            watcher.start()
            started = time.perf_counter()
            client, bucket = machine.client("s3"), machine.template.buckets["MediaBucket"].name
            data = PICTURE.read_bytes()
            for at in range(1, count + 1):
                client.put_object(Bucket=bucket, Key=f"media/{at}", Body=data)
            put = time.perf_counter() - started
            while (left := _left(connection)) and time.perf_counter() - started < 60 + count:
                time.sleep(_POLL_SECONDS)
            elapsed = time.perf_counter() - started
        ended.set()
        watcher.join()
    print(
        f"{count:,} uploads: put in {put:,.0f} s, all checked after {elapsed:,.0f} s ({count / elapsed:,.0f} a second),"
        f" {left} without a verdict, at most {most[0]} connections for {CONCURRENCY} functions at a time"
    )


def _left(connection: psycopg.Connection) -> int:
    row = connection.execute(_LEFT).fetchone()
    assert row is not None
    return int(row[0])


def _watch(url: str, other: int, ended: threading.Event, most: list[int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        own = [other, connection.info.backend_pid]
        while not ended.wait(0.05):
            row = connection.execute(_SESSIONS, [own]).fetchone()
            most[0] = max(most[0], row[0] if row else 0)


@contextmanager
def _site() -> Iterator[str]:
    home = Path(tempfile.mkdtemp(prefix="sitejobs-media-"))
    home.chmod(0o711)  # as root the server runs as another user
    try:
        with running_postgres(home) as server:
            with psycopg.connect(server.url, autocommit=True) as connection:
                migrations.apply_site_schema(connection)
                migrations.apply(connection)
                connection.execute('INSERT INTO "User" ("id") VALUES (1)')
            yield server.url
    finally:
        reset(home)
        shutil.rmtree(home)
