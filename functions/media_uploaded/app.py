"""Uploads as they come: the queue that the media bucket's events go to."""

from sitejobs.handlers.queue import queue_handler
from sitejobs.media.uploads import handle_uploads

handler = queue_handler(handle_uploads)
