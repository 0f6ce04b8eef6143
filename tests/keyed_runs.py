"""Runs of keyed jobs in this process: Plan and Batch called as the state machine calls them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sitejobs.aliases import JsonObject
from sitejobs.handlers.settings import read_settings
from sitejobs.jobs import runs
from sitejobs.jobs.job import Chapter, PagedJob, PageSummary, Resources, Run
from sitejobs.options import parse_options
from sitejobs.postgres.connection import Database
from tests.fakes import FolderWorkStore
from tests.job_runs import through_json

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Ran:
    """What a run did: its chapters, its pages, and their summed counters."""

    chapters: list[Chapter] = field(default_factory=list)
    pages: list[JsonObject] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def message(self) -> str | None:
        return self.chapters[0].message

    @property
    def looked_into(self) -> int:
        """Keys that were computed, be it to find them as they were."""
        return self.counts["processed"] - self.reasons["fresh"]

    def add(self, summary: PageSummary) -> None:
        self.counts.update({name: getattr(summary, name) for name in runs.COUNTERS})
        self.reasons.update(summary.reasons)


class Runner:
    """One job on one database."""

    def __init__(
        self,
        job: PagedJob,
        url: str,
        environment: dict[str, str] | None = None,
        *,
        work: Path = Path("unused"),
        search_path: str | None = None,
    ) -> None:
        self.job = job
        database = Database(url, search_path=search_path)
        percent = read_settings(environment or {}).max_loss_percent
        self.resources = Resources(database, FolderWorkStore(work), environment or {}, max_loss_percent=percent)

    def close(self) -> None:
        self.resources.database.close()

    def run(
        self,
        options: JsonObject | None = None,
        *,
        at: datetime = NOW,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Ran:
        """Run to the end; `meanwhile` is what happens on the site between each chapter's Plan and its pages."""
        given = options or {}
        parsed = parse_options(self.job.options, given)
        run = Run("1", self.job.entry.name, at, given)
        ran = Ran()
        while not ran.chapters or ran.chapters[-1].cursor is not None:
            cursor = through_json(ran.chapters[-1].cursor) if ran.chapters else None
            chapter = self.job.plan(self.resources, run, parsed, cursor)
            run = Run.from_json(through_json(Run("1", run.job, at, given, chapter.context).to_json()))
            ran.chapters.append(chapter)
            meanwhile()
            for page in through_json(chapter.pages):
                ran.pages.append(page)
                ran.add(self.job.batch(self.resources, run, parsed, page))
        return ran
