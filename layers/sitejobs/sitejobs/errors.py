"""The errors a state machine can tell apart: Step Functions matches them by class name."""


class SitejobsError(Exception):
    """Base of every error raised on purpose. Messages carry ids and counts, never personal data."""


class InvalidInput(SitejobsError):
    """An option, event or setting is wrong; trying again cannot help."""


class Transient(SitejobsError):
    """The database or a service was briefly not available; the same call may succeed later."""


class RunClosed(SitejobsError):
    """The run this page belongs to was closed or taken over: its late pages must not write."""


class DatabaseFailure(SitejobsError):
    """The database refused a statement for a reason that trying again does not mend."""


class SuspiciousLoss(SitejobsError):
    """A run would remove so much of what is stored that somebody should say that it is meant."""


class DataUnavailable(SitejobsError):
    """A work file that the run depends on has gone or is damaged."""


class Unexpected(SitejobsError):
    """A mistake in our own code, named by its class and line: its own message might quote a row."""
