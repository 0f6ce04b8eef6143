"""Uploads as they come: the queue that the media bucket's events go to."""

from sitejobs.handlers.media import uploads_handler
from sitejobs.media.uploads import handle_uploads

handler = uploads_handler(handle_uploads)
