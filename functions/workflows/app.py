"""The workflows all, onboard-user and after-algorithm-update: their runs, and which job starts when."""

from sitejobs.handlers.workflow import workflow_handler

handler = workflow_handler()
