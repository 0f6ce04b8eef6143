"""Which job needs which, for all workflows.

The state machines, the command line and the picture in docs/workflows.md all use this graph.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Step:
    """A job and what it waits for.

    Attributes
    ----------
    needs : jobs whose results it reads. It starts once all have succeeded, and not at all if one fails.
    after : jobs that it waits for, whether they succeed or not.
    part : whether `all` runs it "always", "with media" (`includeMedia`), or only where it is "named" (`only`).
    """

    job: str
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    part: Literal["always", "with media", "named"] = "always"


STEPS: dict[str, Step] = {
    step.job: step
    for step in (
        Step("build-user-traits"),
        Step("user-interest-sets"),
        Step("match-model", part="named"),
        Step("match-scores", needs=("build-user-traits",), after=("match-model",)),
        Step("profile-search-index", needs=("build-user-traits",)),
        Step("searchable-user", needs=("build-user-traits",)),
        Step("compatibility", needs=("match-scores",)),
        Step("content-features"),
        Step("affinity", needs=("content-features",)),
        Step("trending", needs=("content-features",)),
        Step("feed-presort", needs=("match-scores", "content-features", "affinity", "trending")),
        Step("feed-presort-cleanup", after=("feed-presort",)),
        Step("match-quality", part="named"),
        Step("media-metadata-all", part="with media"),
        Step("media-metadata-batch", part="named"),
    )
}
"""Every job that a workflow may run, in an order in which each comes after those it waits for."""


@dataclass(frozen=True)
class Waits:
    """The jobs of the same run that a job waits for."""

    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def waits_of(chosen: Collection[str]) -> dict[str, Waits]:
    """What each of the chosen jobs waits for, in the order of `STEPS`.

    A job that waits for one that is not chosen waits for what that one would wait for.
    """
    return {job: _waits(job, chosen) for job in STEPS if job in chosen}


def _waits(job: str, chosen: Collection[str]) -> Waits:
    step = STEPS[job]
    needs: dict[str, None] = {}
    after: dict[str, None] = {}
    for other in step.needs:
        if other in chosen:
            needs[other] = None
        else:
            passed = _waits(other, chosen)
            needs |= dict.fromkeys(passed.needs)
            after |= dict.fromkeys(passed.after)
    for other in step.after:
        if other in chosen:
            after[other] = None
        else:
            passed = _waits(other, chosen)
            after |= dict.fromkeys((*passed.needs, *passed.after))
    return Waits(tuple(needs), tuple(other for other in after if other not in needs))
