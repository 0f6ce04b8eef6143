"""What the tests find around them: the same whatever terminal, login or cloud account they are started from."""

import os
import signal

# A program's own settings of the terminal, of databases and of AWS; tests that want one set it themselves.
_NAMES = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LANGUAGE"}
_BEGINNINGS = ("AWS_", "DATABASE_", "PG", "POWERTOOLS_", "TTY_", "PYTHONWARNINGS")

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""numpy's: others would wait in a loop for work, beside as many test processes as there are processors."""


def normalise() -> None:
    """Make the environment, the file mode mask and Ctrl-C what they are in a plain terminal, for children as well."""
    for name in list(os.environ):
        if name in _NAMES or name.startswith(_BEGINNINGS):
            del os.environ[name]
    os.environ |= {"TERM": "xterm-256color", "PYTHONUTF8": "1", **ONE_THREAD}
    os.umask(0o022)
    # A shell starts what runs in its background deaf to Ctrl-C, and whatever the tests start would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
