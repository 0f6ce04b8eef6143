"""Into how many pages a run of a job cuts its keys, as the jobs themselves do it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sitejobs.jobs.entry import JobEntry
from sitejobs.jobs.keyed import LOOK, most_looked_at, ranges_a_page
from sitejobs.options import parse_options

BATCH_SIZES = ("batch_size", "user_batch_size")


@dataclass(frozen=True)
class Paging:
    """How a run goes through its pages, by its options."""

    entry: JobEntry
    size: int
    concurrency: int
    pause_seconds: float

    def full(self, keys: int) -> int:
        """Pages of a run for all keys."""
        return math.ceil(keys / self.largest(keys)) + self._inputs(keys)

    def largest(self, keys: int) -> int:
        """Keys of a page of a run for all."""
        if self.entry.name == "match-scores":
            from sitejobs.matching.match_scores.paging import viewers_a_page

            return viewers_a_page(keys, self.size, self.concurrency)
        if self.entry.name == "feed-presort":
            from sitejobs.feed.feed_presort import TOGETHER

            most = max(TOGETHER // self.size, 1)
            return self.size * ranges_a_page(math.ceil(keys / self.size), most, self.concurrency)
        return self.size

    def incremental(self, keys: int, changed: float) -> int:
        """Pages of an incremental run, of whose keys the share `changed` has changed."""
        if self.entry.name == "match-scores":
            from sitejobs.matching.match_scores.changes import fill_few, unchanged_a_page
            from sitejobs.matching.scoring.parameters import STANDARD

            few = fill_few(round(keys * changed), keys, STANDARD.top_k + STANDARD.spares)
            unchanged = unchanged_a_page(self.size, few=few)
            return math.ceil(keys * (changed + (1 - changed) / unchanged) / self.size) if changed else 0
        looked_at = most_looked_at(self.entry, self.size)
        grain = max(self.size, min(LOOK, looked_at))
        ranges = math.ceil(keys / grain)
        a_page = ranges_a_page(ranges, max(looked_at // grain, 1), self.concurrency)
        return math.ceil(ranges / a_page) + self._inputs(keys)

    def _inputs(self, keys: int) -> int:
        """The pages that renew inputs, which compatibility has."""
        if self.entry.name != "compatibility":
            return 0
        from sitejobs.matching.compatibility.inputs import RANGE_USERS, RANGES_A_PAGE

        ranges = math.ceil(keys / RANGE_USERS)
        return math.ceil(ranges / ranges_a_page(ranges, RANGES_A_PAGE, self.concurrency))


def paging(entry: JobEntry, given: Mapping[str, Any]) -> Paging:
    """The paging of a run with these options of the job."""
    options = parse_options(entry.options, dict(given))
    sizes = [getattr(options, name) for name in BATCH_SIZES if hasattr(options, name)]
    return Paging(
        entry,
        size=sizes[0] if sizes else 1,
        concurrency=getattr(options, "max_concurrency", 1),
        pause_seconds=getattr(options, "pause_ms", 0) / 1000,
    )
