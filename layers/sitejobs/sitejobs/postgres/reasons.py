"""Phrases in the messages of PostgreSQL, poolers and libpq that tell why they refuse, and whether a retry helps.

A message may name hosts, users or rows: only its phrase is passed on. A refused login has no SQLSTATE, so the text is
all there is. docs/troubleshooting.md has every phrase and what to do about it (a test compares them).
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Reason:
    """A phrase of a message. `passes`: the same call may succeed later, with nothing changed."""

    phrase: str
    passes: bool


NO_OPTIONS_TAKEN: Final = ("support command-line options", "unsupported startup parameter")
"""What RDS Proxy and PgBouncer answer to a startup packet with options."""

UNKNOWN: Final = "connection lost or not made"
"""The reason given for a failed connection whose message has no known phrase."""

# The first phrase found in a message counts, so specific ones come before general ones.
_CONFIGURATION: Final = (
    "certificate verify failed",
    "does not match host name",
    "root certificate file",
    "weak sslmode",
    "does not support SSL",
    "SSL required",  # PgBouncer
    "requires TLS",  # RDS Proxy
    "requires a valid client certificate",
    "certificate required",  # the same with TLS 1.3
    "unknown ca",  # the server does not know who signed the client's certificate
    "private key file",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects connection",
    "password authentication failed",
    "PAM authentication failed",  # RDS, for a token of IAM
    "IAM authentication failed",  # RDS Proxy
    "authentication failed",  # peer, ident, LDAP, GSSAPI and others
    "no password supplied",
    "has no credentials for the role",  # RDS Proxy
    "is not permitted to log in",
    "permission denied for database",
    "permission denied to set parameter",
    "unrecognized configuration parameter",
    "invalid value for parameter",
    "no such database",  # PgBouncer
    "no such user",  # PgBouncer
    "not allowed in statement pooling mode",  # PgBouncer
    "does not exist",
    "Tenant or user not found",  # Supabase
    "endpoint ID is not specified",  # Neon
    *NO_OPTIONS_TAKEN,
)
_PASSING: Final = (
    "too many clients already",
    "remaining connection slots",
    "too many connections for",
    "no more connections allowed",  # PgBouncer
    "Timed-out waiting to acquire database connection",  # RDS Proxy
    "query_wait_timeout",  # PgBouncer
    "Max client connections reached",  # Supabase
    "max clients reached",  # Supabase, in session mode
    "connect to compute node",  # Neon
    "is starting up",
    "is shutting down",
    "in recovery mode",
    "not yet accepting connections",
    "not currently accepting connections",
    "not accepting connections",
    "read-only",
    "hot standby mode",
    "server login has been failing",  # PgBouncer
    "Connection refused",
    "Connection reset by peer",
    "No route to host",
    "Network is unreachable",
    "No such file or directory",
    "failed to resolve host",
    "could not translate host name",
    "server closed the connection unexpectedly",
    "timeout expired",
    "Connection timed out",
)
_OF_STATEMENTS: Final = (
    Reason("canceling statement due to statement timeout", passes=False),
    Reason("canceling statement due to user request", passes=False),
    Reason("terminating connection due to transaction timeout", passes=False),
    Reason("terminating connection due to idle-in-transaction timeout", passes=True),
    Reason("terminating connection due to idle-session timeout", passes=True),
)
REASONS: Final = (
    *_OF_STATEMENTS,
    *(Reason(phrase, passes=False) for phrase in _CONFIGURATION),
    *(Reason(phrase, passes=True) for phrase in _PASSING),
)

_HOST_TRIED: Final = re.compile(r"^- host: ('[^']*')", re.MULTILINE)
"""The beginning of psycopg's line about one of several attempts."""


def reason_of(message: str) -> Reason | None:
    """The reason that a message gives; None if it has no known phrase.

    With several hosts a reason that passes comes first: that host may accept the login later.
    """
    found = [reason for reason in REASONS if reason.phrase in message]
    if len(set(_HOST_TRIED.findall(message))) > 1:
        found.sort(key=lambda reason: not reason.passes)
    return found[0] if found else None
