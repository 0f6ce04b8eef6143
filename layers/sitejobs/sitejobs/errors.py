"""The errors a state machine can tell apart: Step Functions matches them by class name."""


class SitejobsError(Exception):
    """Base of every error raised on purpose. Messages carry ids and counts, never personal data."""


class InvalidInput(SitejobsError):
    """An option, event or setting is wrong; a retry cannot help."""


class NotMigrated(SitejobsError):
    """The database has none of the bundle's tables where the functions look for them."""


class Transient(SitejobsError):
    """The database or a service was briefly not available; the same call may succeed later."""


class RunClosed(SitejobsError):
    """The run was closed or taken over; its late pages must not write."""


class DatabaseFailure(SitejobsError):
    """The database refused a statement; a retry would not help."""


class SuspiciousLoss(SitejobsError):
    """A run would remove so much of what is stored that somebody has to confirm it."""


class DataUnavailable(SitejobsError):
    """A work file that the run depends on has gone or is damaged."""


class Unexpected(SitejobsError):
    """A mistake in our own code, named by class and line only: its message might quote a row."""
