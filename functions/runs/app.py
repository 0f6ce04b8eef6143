"""The last steps of every paged run: Record adds up a chapter, Finish closes the JobRun."""

from sitejobs.handlers.runs import finish_handler, record_handler

record = record_handler()
finish = finish_handler()
