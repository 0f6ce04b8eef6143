"""After an execution that failed, was stopped or took too long: closes its JobRun if it is still open."""

from sitejobs.handlers.runs import closed_handler

handler = closed_handler()
