"""How many viewers a page of a full run has."""

from sitejobs.matching.snapshot.candidates import READY_USERS

BATCHES_A_PAGE, VIEWERS_A_PAGE = 10, 1000
"""Most batches and viewers of a page of several: what it reads and how it is called then cost a viewer little."""

MOST_BATCHES_A_PAGE, MOST_VIEWERS_A_PAGE = 20, 2000
"""The same on a site where each page lays out all candidates anew."""

PAGES_A_FUNCTION = 8
"""Fewest pages for each of the functions at work, so that none waits long for the last one."""

FEW_USERS = 3_000
"""Of so many a run takes seconds, however its pages are cut."""


def viewers_a_page(users: int, batch_size: int, max_concurrency: int) -> int:
    """One batch; on a large site several."""
    if users > READY_USERS:
        most = min(MOST_BATCHES_A_PAGE, max(MOST_VIEWERS_A_PAGE // batch_size, 1))
    else:
        most = min(BATCHES_A_PAGE, max(VIEWERS_A_PAGE // batch_size, 1))
    enough = users // max(batch_size * max_concurrency * PAGES_A_FUNCTION, FEW_USERS)
    return batch_size * min(max(enough, 1), most)
