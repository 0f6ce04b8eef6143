"""The database's host vanishes: the link to it goes down without a message to the connections.

A network namespace stands for the host. Making one takes root and iproute2; without them these tests are skipped.
"""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from sitejobs.errors import Transient
from sitejobs.jobs.job import Memory, Resources
from sitejobs.jobs.queues import Handled
from sitejobs.media.checking import Checker
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.rules import read_rules
from sitejobs.media.uploads import handle_uploads
from sitejobs.postgres.connection import Database, translated_errors
from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.database.postgres import Server
from sitejobs_local.places import TEMPLATE
from tests.conftest import make_home
from tests.failure.conftest import fill
from tests.failure.site import BATCH, PLAN, Site
from tests.fakes import FolderWorkStore
from tests.media.site import created
from tests.media.sources import Bucket
from tests.servers import own_server
from tests.skips import Lacking, program, skip

OUR_ADDRESS, ITS_ADDRESS = "198.51.100.1", "198.51.100.2"
"""Addresses from a block for documentation: no machine has them."""

SLEEPING = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

LONGEST_S = 60.0
"""The shortest time limit of a function that writes."""


@dataclass
class Host:
    """A simulated host on this machine; `name`: its network namespace, `link`: our end of the cable to it."""

    name: str
    link: str

    @property
    def shell(self) -> tuple[str, ...]:
        return (program(Lacking.IP), "netns", "exec", self.name)

    def vanish(self) -> None:
        ip("-n", self.name, "link", "set", "eth0", "down")

    def come_back(self) -> None:
        ip("-n", self.name, "link", "set", "eth0", "up")


def ip(*arguments: str) -> None:
    subprocess.run([program(Lacking.IP), *arguments], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    if os.geteuid() != 0:
        skip(Lacking.ROOT)
    number = uuid.uuid4().hex[:8]
    it = Host(f"sitejobs-{number}", f"sj{number}")
    try:
        ip("netns", "add", it.name)
        ip("link", "add", it.link, "type", "veth", "peer", "name", "eth0", "netns", it.name)
        ip("addr", "add", f"{OUR_ADDRESS}/30", "dev", it.link)
        ip("link", "set", it.link, "up")
        ip("-n", it.name, "addr", "add", f"{ITS_ADDRESS}/30", "dev", "eth0")
        ip("-n", it.name, "link", "set", "eth0", "up")
    except subprocess.CalledProcessError as error:
        skip(Lacking.NAMESPACES, error.stderr.strip())
    yield it
    ip("link", "delete", it.link)
    ip("netns", "delete", it.name)


@pytest.fixture(scope="module")
def server(host: Host) -> Iterator[Server]:
    """A server on that host, with a site; its URL leads over the cable."""
    home = make_home()
    access = "local all all trust\nhost all all all trust\n"
    settings = {"listen_addresses": ITS_ADDRESS}
    with own_server(home, settings=settings, access=access, prefix=host.shell) as server:
        address = make_conninfo(server.url, host=ITS_ADDRESS)
        fill(address)
        yield replace(server, url=address)
    shutil.rmtree(home)


def timed(function: Callable[[], object]) -> tuple[float, object]:
    """The seconds that a call takes, and its result, or its error if that is `Transient`."""
    started = time.monotonic()
    try:
        with translated_errors():
            result = function()
    except Transient as error:
        result = error
    return time.monotonic() - started, result


def upload(database: Database, folder: Path) -> Handled:
    """The result of the queue's function for two objects."""
    with ParserHost() as parser:
        checker = Checker(Bucket(), parser, read_rules({}), prefix="media/")
        resources = Resources(database, FolderWorkStore(folder), {}, Memory(checker))
        return handle_uploads(resources, [created("media/one"), created("media/two")])


def test_a_host_that_vanishes_is_noticed_in_time_and_found_again(host: Host, server: Server, tmp_path: Path) -> None:
    """For a kept connection, one with a running statement, a new one, and the queue's function."""
    url = server.url
    kept, working, uploading = Database(url), Database(url), Database(url)
    fresh = Database(url)
    kept.connection()
    uploading.connection()
    statement = working.connection()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(timed, lambda: statement.execute("SELECT pg_sleep(600)"))]
        with Database(url).connection() as watcher:
            while watcher.execute(SLEEPING).fetchone() is None:
                time.sleep(0.01)
        host.vanish()
        calls += [
            pool.submit(timed, call)
            for call in (kept.connection, fresh.connection, lambda: upload(uploading, tmp_path))
        ]
        outcomes = [call.result() for call in calls]
    host.come_back()
    assert max(seconds for seconds, _ in outcomes) < LONGEST_S, outcomes
    assert all(isinstance(result, Transient) for _, result in outcomes[:3]), outcomes
    handled = outcomes[3][1]
    assert isinstance(handled, Handled)
    assert handled.summary.reasons == {"not-available": 2}
    for database in (kept, working, fresh, uploading):
        assert database.connection().execute("SELECT 1").fetchone() == (1,)
        database.close()


IMPATIENT = {"connect_timeout": 2, "tcp_user_timeout": 1000, "keepalives_idle": 1, "keepalives_interval": 1}
"""The URL's own values take precedence."""


def test_a_run_whose_database_vanished_for_a_while_succeeds(host: Host, server: Server, tmp_path: Path) -> None:
    address, log = make_conninfo(server.url, **IMPATIENT), tmp_path / "functions.log"
    site = Site(server, address, log)

    def listen(event: Event) -> None:
        if event.function == site.function(PLAN) and event.kind == "finished":
            host.vanish()
        elif event.error is not None:
            host.come_back()

    with LocalMachine(TEMPLATE, database_url=address, log_file=log, on_event=site.hear) as machine:
        site.machine, site.listener = machine, listen
        ended = site.run()
    assert ended.status == "SUCCEEDED"
    assert ended.output["written"] == len(site.rows())
    assert {error.split(":")[0] for error in site.errors(BATCH)} == {"Transient"}
    assert site.failed_pages() == []
