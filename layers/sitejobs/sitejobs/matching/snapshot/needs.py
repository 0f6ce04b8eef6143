"""Memory and storage that match-scores needs on a site of a given size, as docs/benchmarks.md has measured them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sitejobs.matching.snapshot.candidates import READY_USERS

MB = 2**20
STORED_BYTES = 700
"""Of a user in the snapshot's file."""
PLAN_MB, PLAN_BYTES = 100, 7_300
"""Of a Plan that takes the snapshot in one piece: without users, and for each."""
MERGE_MB, MERGE_BYTES = 210, 170
"""Of a Plan that merges the snapshot's parts."""
PAGE_MB, PAGE_BYTES = 230, 2_900
"""Of a page of `PAGE_VIEWERS`, while all candidates are kept ready."""
SAMPLE_MB, BOUND_BYTES = 110, 0.02
"""Of a larger site, where one segment after the other is laid out: the sample, and bounds of a viewer for each user."""
PAGE_VIEWERS, VIEWER_BYTES = 100, 220_000


@dataclass(frozen=True)
class Room:
    """MB that the functions have, 0 if not known. `batch`: of the function Batch, `storage`: of /tmp of either."""

    plan: int = 0
    batch: int = 0
    storage: int = 0


def needed(users: int, viewers_a_page: int, part_users: int) -> Room:
    """MB that a run for so many users needs, with pages of so many viewers."""
    alone, each = (PLAN_MB, PLAN_BYTES) if users <= part_users else (MERGE_MB, MERGE_BYTES)
    plan = alone + users * each / MB
    large = SAMPLE_MB + users * viewers_a_page * BOUND_BYTES / MB
    batch = PAGE_MB + (users * PAGE_BYTES / MB if users <= READY_USERS else large)
    batch += max(viewers_a_page - PAGE_VIEWERS, 0) * VIEWER_BYTES / MB
    return Room(round(plan), round(batch), round(users * STORED_BYTES / MB))


def too_small(there: Room, wanted: Room, users: int) -> Iterator[str]:
    """What is too small for a site of so many users, each with what to do about it."""
    for what, has, needs, remedy in (
        ("memory of Plan", there.plan, wanted.plan, "raise MatchScoresPlanMemory"),
        (
            "memory of a page",
            there.batch,
            wanted.batch,
            "set a smaller batchSize, or raise MemorySize in template.yaml",
        ),
        ("temporary storage", there.storage, wanted.storage, "raise WorkStorage"),
    ):
        if 0 < has < needs:
            yield f"{what}: {users:,} users need about {needs:,} MB, and there are {has:,}: {remedy}"
