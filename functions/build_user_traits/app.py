"""build-user-traits: Plan notes what changed in the quizzes and cuts the pages, a page writes its users' traits."""

from sitejobs.handlers.paged import job_handler
from sitejobs.traits.build_user_traits import JOB

handler = job_handler(JOB)
