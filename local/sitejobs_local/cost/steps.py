"""How many steps and calls a run takes, by the definitions in statemachines/."""

import math

from sitejobs.jobs.job import PAGES_A_CHAPTER

STEPS_A_PAGE = 2
"""Batch, and the end of the page's own execution."""
STEPS_A_CHAPTER = 5
"""Plan, Planned?, Pages, Record, More?"""
STEPS_A_RUN = 5
"""Start, Finish, Succeeded?, Succeeded, and the end of the execution."""
STEPS_A_WORKFLOW = 8
"""Start, Plan, Planned?, Jobs, Finish, Succeeded?, Succeeded, and the end of the execution."""
STEPS_A_JOB = 5
"""The start of a job's own workflow-job, Job, Ended, Others, and its end."""


def chapters_of(pages: int, parts: int = 0) -> int:
    """Chapters of a run: Plan looks at least once. The pages that take parts of a snapshot have their own."""
    return max(1, math.ceil(pages / PAGES_A_CHAPTER)) + math.ceil(parts / PAGES_A_CHAPTER)


def transitions_of(pages: int, parts: int = 0) -> int:
    """State transitions that Step Functions charges for a run without retries."""
    return STEPS_A_PAGE * (pages + parts) + STEPS_A_CHAPTER * chapters_of(pages, parts) + STEPS_A_RUN


def requests_of(pages: int, parts: int = 0) -> int:
    """Calls of Lambda functions: a Batch a page, Plan and Record a chapter, and Finish."""
    return pages + parts + 2 * chapters_of(pages, parts) + 1


def transitions_of_workflow(jobs: int) -> int:
    """State transitions of a workflow beside those of its jobs."""
    return STEPS_A_WORKFLOW + STEPS_A_JOB * jobs


def requests_of_workflow(jobs: int) -> int:
    """Calls of a workflow: Plan, Finish, and the end of each job."""
    return 2 + jobs
