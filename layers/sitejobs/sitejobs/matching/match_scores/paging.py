"""How many viewers a page of a full run has."""

from sitejobs.matching.snapshot.candidates import READY_USERS

MOST_A_PAGE, MOST_A_LARGE_PAGE = (10, 1000), (20, 2000)
"""Most batches and viewers of a page of several: what it reads and how it is called then cost a viewer little.

The latter on a site where each page lays out all candidates anew.
"""

PAGES_A_FUNCTION = 8
"""Fewest pages for each of the functions at work, so that none waits long for the last one."""

FEW_USERS = 3_000
"""Of so many a run takes seconds, however its pages are cut."""


def viewers_a_page(users: int, batch_size: int, max_concurrency: int) -> int:
    """One batch; on a large site several."""
    batches, viewers = MOST_A_PAGE if users <= READY_USERS else MOST_A_LARGE_PAGE
    most = min(batches, max(viewers // batch_size, 1))
    enough = users // max(batch_size * max_concurrency * PAGES_A_FUNCTION, FEW_USERS)
    return batch_size * min(max(enough, 1), most)
