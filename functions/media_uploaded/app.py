"""Checks uploads as they arrive: consumes the queue of the media bucket's events."""

from sitejobs.handlers.media import uploads_handler
from sitejobs.media.uploads import handle_uploads

handler = uploads_handler(handle_uploads)
