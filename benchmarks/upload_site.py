"""A site for thousands of uploads: records without objects, a database that can be stopped, its connections."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from sitejobs_local.aws.invocations import Event
from sitejobs_local.database import migrations
from sitejobs_local.database.postgres import Server, reset, running_postgres

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
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'functions'"
_LOOK_S = 0.05


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


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


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
