"""Whole runs of match-scores in this process: Plan and Batch called as the state machine calls them."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from sitejobs.aliases import JsonObject
from sitejobs.jobs import comparison, runs
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.match_scores.job import JOB
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database
from tests.databases import warm_database
from tests.fakes import FolderWorkStore
from tests.job_runs import open_run, through_json

Order = Callable[[list[JsonObject]], list[JsonObject]]


@dataclass
class Finished:
    """What a run did: its pages as planned, its summed counters, and the summary Finish would return."""

    pages: list[JsonObject] = field(default_factory=list)
    chapters: int = 0
    planned_pages: int = 0
    parts: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    summary: JsonObject = field(default_factory=dict)
    message: str | None = None


def as_planned(pages: list[JsonObject]) -> list[JsonObject]:
    return pages


def backwards(pages: list[JsonObject]) -> list[JsonObject]:
    return pages[::-1]


def shuffled(seed: int) -> Order:
    return lambda pages: Random(seed).sample(pages, len(pages))


class Site:
    """A site's database and work folder, and runs over them."""

    def __init__(self, url: str, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.url = url
        self.work = FolderWorkStore(folder)
        self.environment = environment or {}

    def run(
        self,
        at: datetime,
        options: JsonObject | None = None,
        order: Order = as_planned,
        *,
        environments: int = 2,
        meanwhile: Callable[[], object] = lambda: None,
        failed: bool = False,
    ) -> Finished:
        """Run everything from `at` on; `environments` many Lambda environments take the pages in turn.

        `meanwhile` is what happens on the site between the last Plan and the first Batch; `failed`: the run is
        closed as one that failed, such as one of whose pages `order` leaves some out.
        """
        given = dict(options or {})
        parsed = parse_options(JOB.options, given)
        with ExitStack() as stack:
            warm = [stack.enter_context(warm_database(self.url)) for _ in range(environments)]
            places = [Resources(database, self.work, self.environment) for database in warm]
            return self._run(places, at, given, parsed, order, meanwhile, failed)

    def resources(self) -> Resources:
        return Resources(Database(self.url), self.work, self.environment)

    def _run(
        self,
        places: Sequence[Resources],
        at: datetime,
        given: JsonObject,
        options: Any,
        order: Order,
        meanwhile: Callable[[], object],
        failed: bool,
    ) -> Finished:
        connection = places[0].database.connection()
        run = open_run(connection, JOB, given, options, at)
        finished = Finished()
        cursor: Any = None
        pages: list[JsonObject] = []
        while not finished.chapters or cursor is not None:
            chapter = JOB.plan(places[0], run, options, cursor)
            if cursor is None or chapter.context != run.context:
                run = Run(run.id, run.job, run.started_at, run.options, chapter.context)
                kept = chapter.context | ({"message": chapter.message} if chapter.message else {})
                runs.set_context(connection, run.id, kept)
                finished.planned_pages, finished.message = chapter.planned_pages, chapter.message
            run = Run.from_json(through_json(run.to_json()))
            finished.chapters += 1
            cursor = through_json(chapter.cursor)
            pages += self._after_parts(places, run, options, through_json(chapter.pages), finished)
        finished.pages = pages
        meanwhile()
        results = [self._page(places, run, options, number, page) for number, page in enumerate(order(pages))]
        for result in results:
            finished.counts.update({name: result[name] for name in runs.COUNTERS})
            finished.reasons.update(result["reasons"])
        runs.record_chapter(connection, run.id, 1, results)
        finished.summary = runs.close_run(
            connection, run.id, {"Error": "PagesFailed", "Cause": "some"} if failed else None
        )
        return finished

    def _after_parts(
        self, places: Sequence[Resources], run: Run, options: Any, pages: list[JsonObject], finished: Finished
    ) -> list[JsonObject]:
        """Work off the pages that take parts of the snapshot, before Plan is called again; returns the others."""
        parts = [page for page in pages if "part" in page]
        for number, page in enumerate(parts):
            finished.reasons.update(self._page(places, run, options, number, page)["reasons"])
        finished.parts += len(parts)
        return [page for page in pages if "part" not in page]

    def _page(self, places: Sequence[Resources], run: Run, options: Any, number: int, page: JsonObject) -> JsonObject:
        summary = JOB.batch(places[number % len(places)], run, options, page)
        counts = {name: getattr(summary, name) for name in runs.COUNTERS}
        reported = {"page": page["page"], **counts, "reasons": dict(summary.reasons)}
        return reported | comparison.result(summary.compared)
