"""profile-search-index: what can be searched of each profile."""

from sitejobs.handlers.paged import job_handler
from sitejobs.search.profile_search_index import JOB

handler = job_handler(JOB)
