"""Sites for the promises: a small one on which every job has run once, and copies of it to change and run jobs on."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from sitejobs.aliases import JsonObject
from sitejobs.jobs import runs
from sitejobs.jobs.job import Memory, Resources, Run
from sitejobs.media.checking import Checker
from sitejobs.media.parser_host import ParserHost
from sitejobs.media.rules import read_rules
from sitejobs.options import parse_options
from sitejobs.postgres.connection import connect
from sitejobs.workflows.graph import STEPS
from sitejobs_local.database.migrations import apply, apply_site_schema
from sitejobs_local.database.postgres import Server
from sitejobs_local.population import generate, load
from tests.databases import site_database, temporary_database, warm_database
from tests.fakes import FolderWorkStore
from tests.job_runs import open_run, through_json
from tests.media.sources import Bucket, content
from tests.promises.described import LATER, NOW, UPLOADS, Described, described

USERS = 40
_UPLOADED = """
INSERT INTO "Media" ("id", "ownerUserId", "type", "status", "storageKey", "createdAt")
VALUES (%s, 8, 'IMAGE', 'UPLOADED', %s, '2026-06-01 11:00')
"""


@dataclass
class Ran:
    """What a run did."""

    context: JsonObject = field(default_factory=dict)
    pages: list[JsonObject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def looked_into(self) -> int:
        """Keys that were computed, unchanged ones included."""
        return self.counts["processed"] - self.reasons["fresh"]


@dataclass(frozen=True)
class PromiseSite:
    """A database, the work files of its runs, and the bucket of its uploads."""

    url: str
    connection: Connection
    folder: Path
    parser: ParserHost

    def run(
        self,
        of: Described,
        at: datetime = LATER,
        *,
        user: str | None = None,
        options: JsonObject | None = None,
        **more: Any,
    ) -> Ran:
        """A whole run, as the state machine has it; `user` is the role that it logs in as."""
        url = make_conninfo(self.url, user=user) if user else self.url
        given = {**(of.options if options is None else options), **more}
        memory = Memory(Checker(_bucket(), self.parser, read_rules({}), prefix="media/"))
        with warm_database(url) as database:
            return _run(Resources(database, FolderWorkStore(self.folder), {}, memory), of, at, given)

    def rows(self, of: Described) -> dict[tuple[Any, ...], dict[str, Any]]:
        """The job's results: table and keys -> the row."""
        found = {}
        for table, keys in of.tables.items():
            cursor = self.connection.cursor(binary=True, row_factory=dict_row)
            for row in cursor.execute(f'SELECT * FROM "{table}"'.encode()).fetchall():
                found[table, *(row[key] for key in keys)] = row
        return found


def _run(resources: Resources, of: Described, at: datetime, given: JsonObject) -> Ran:
    options = parse_options(of.job.options, given)
    connection = resources.database.connection()
    run = open_run(connection, of.job, given, options, at)
    try:
        return _pages(resources, of, run, options)
    except Exception as error:
        runs.close_run(connection, run.id, {"Error": type(error).__name__, "Cause": str(error)})
        raise


def _pages(resources: Resources, of: Described, run: Run, options: Any) -> Ran:
    connection, ran, results = resources.database.connection(), Ran(), []
    cursor: Any = None
    while not ran.pages or cursor is not None:
        chapter = of.job.plan(resources, run, options, cursor)
        if cursor is None:
            ran.context = through_json(chapter.context)
            run = Run(run.id, run.job, run.started_at, run.options, ran.context)
            runs.set_context(connection, run.id, chapter.context)
        cursor = through_json(chapter.cursor)
        ran.pages += through_json(chapter.pages)
        if not chapter.pages:
            break
    for page in ran.pages:
        summary = of.job.batch(resources, run, options, page)
        counts = {name: getattr(summary, name) for name in runs.COUNTERS}
        ran.counts.update(counts)
        ran.reasons.update(summary.reasons)
        results.append({"page": page["page"], **counts, "reasons": dict(summary.reasons)})
    runs.record_chapter(connection, run.id, 1, results)
    assert runs.close_run(connection, run.id, None)["status"] == "SUCCEEDED"
    return ran


def _bucket() -> Bucket:
    bucket = Bucket()
    for name in ("plain.jpg", "plain.png"):
        bucket.put(f"media/{name}", content(name))
    return bucket


@contextmanager
def first_site(server: Server, folder: Path, parser: ParserHost) -> Iterator[PromiseSite]:
    """A site of some people and uploads on which every job has run once."""
    with site_database(server) as url:
        with connect(url) as connection:
            load(connection, generate(USERS, 5, NOW))
            for upload in UPLOADS:
                connection.execute(_UPLOADED, [upload, "media/plain.jpg"])
            site = PromiseSite(url, connection, folder, parser)
            for job in STEPS:
                site.run(described(job), NOW)
        yield site


@contextmanager
def separate_site(
    url: str, folder: Path, parser: ParserHost, schema: str, login: str | None = None
) -> Iterator[PromiseSite]:
    """A site in a schema, the bundle in another, and every job has run once: logged in by `login` if there is one."""
    with connect(url, search_path="public") as owner:
        owner.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"; CREATE SCHEMA "sitejobs"'.encode())
    with connect(url, search_path=f'"{schema}"') as owner:
        apply_site_schema(owner)
    with connect(url, search_path=f'sitejobs,"{schema}"') as owner:
        apply(owner)
        load(owner, generate(USERS, 5, NOW))
        for upload in UPLOADS:
            owner.execute(_UPLOADED, [upload, "media/plain.jpg"])
        address = make_conninfo("", **conninfo_to_dict(login or url))
        site = PromiseSite(f"{address} schema={schema} pgbouncer=true", owner, folder, parser)
        for job in STEPS:
            site.run(described(job), NOW)
        yield site


@contextmanager
def copied(server: Server, site: PromiseSite, folder: Path) -> Iterator[PromiseSite]:
    """A copy of a site to which nobody is connected, with the files of its runs."""
    name = str(conninfo_to_dict(site.url)["dbname"])
    shutil.copytree(site.folder, folder, dirs_exist_ok=True)
    with temporary_database(server, template=name) as url, connect(url) as connection:
        yield PromiseSite(url, connection, folder, site.parser)
