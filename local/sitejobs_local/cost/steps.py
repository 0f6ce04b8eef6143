"""How many steps and calls a run of statemachines/paged-job.asl.json takes."""

import math

from sitejobs.jobs.job import PAGES_A_CHAPTER

STEPS_A_PAGE = 2
"""Batch, and the end of the page's own execution."""
STEPS_A_CHAPTER = 5
"""Plan, Planned?, Pages, Record, More?"""
STEPS_A_RUN = 5
"""Start, Finish, Succeeded?, Succeeded, and the end of the execution."""


def chapters_of(pages: int) -> int:
    """Chapters of a run: Plan looks at least once."""
    return max(1, math.ceil(pages / PAGES_A_CHAPTER))


def transitions_of(pages: int) -> int:
    """State transitions that Step Functions charges for a run without retries."""
    return STEPS_A_PAGE * pages + STEPS_A_CHAPTER * chapters_of(pages) + STEPS_A_RUN


def requests_of(pages: int) -> int:
    """Calls of Lambda functions: a Batch a page, Plan and Record a chapter, and Finish."""
    return pages + 2 * chapters_of(pages) + 1
