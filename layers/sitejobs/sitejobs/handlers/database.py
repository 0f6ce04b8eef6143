"""The entries of the functions that check and migrate the database from where the jobs' functions stand.

Their answers hold names of tables, columns, roles and files, and counts: nothing of the rows, and no login.
"""

from dataclasses import asdict, replace
from typing import Final

from pydantic import Field

from sitejobs.aliases import JsonObject
from sitejobs.catalog import JOBS
from sitejobs.errors import SitejobsError
from sitejobs.handlers.credentials import read_secret, sign_token
from sitejobs.handlers.entry import Handler, entry, logger
from sitejobs.handlers.environment import cached_resources, cached_settings
from sitejobs.handlers.reach import unreached
from sitejobs.handlers.settings import database_url, with_secret
from sitejobs.options import JobOptions, parse_options
from sitejobs.postgres.connection import connect, translated_errors
from sitejobs.postgres.search_path import BUNDLE_SCHEMA
from sitejobs.schema import check, migrations

_TELLS: Final = "-- docs/troubleshooting.md says what each reason means"


class MigrateOptions(JobOptions):
    """What the function that migrates may be told."""

    secret: str | None = Field(default=None, description="ARN of a secret with another login, for this call")
    again: bool = Field(default=False, description="apply those already applied too")
    schema_: str | None = Field(default=None, alias="schema", description="the bundle's schema, made if need be")


def check_handler() -> Handler:
    """Compare the database with what the jobs need, and try what they reach beside it."""
    return entry(lambda event: _check())


def migrate_handler() -> Handler:
    """Create or update the bundle's tables, with the stack's login or that of another secret."""
    return entry(_migrate)


def _check() -> JsonObject:
    report = _report()
    findings = (*report.findings, *unreached(cached_settings()))
    report = replace(report, findings=tuple(sorted(findings, key=lambda finding: finding.level != "required")))
    logger.info("checked", findings=len(report.findings))
    return {"ok": report.ok, **asdict(report)}


def _report() -> check.Report:
    """The comparison; of a database that is not reached only why, as the jobs' functions would say it."""
    jobs = tuple(sorted(JOBS))
    try:
        with translated_errors():
            connection = cached_resources().database.connection()
            return check.check(connection, jobs, migrations.pending(connection))
    except SitejobsError as error:
        problem = f"{type(error).__name__}: {error}"
        finding = check.Finding("required", "server", "the database", problem, jobs, _TELLS)
        return check.Report("", "", "", (), jobs, (finding,))


def _migrate(event: JsonObject) -> JsonObject:
    options = parse_options(MigrateOptions, event)
    settings = cached_settings()
    if options.secret is not None:
        settings = with_secret(settings, options.secret, read_secret)
    url = database_url(settings, read_secret, sign_token)
    search_path, limit = settings.database_search_path or None, settings.statement_timeout_ms or None
    with connect(url, search_path=search_path, first_schema=BUNDLE_SCHEMA, statement_timeout_ms=limit) as connection:
        applied = migrations.apply(connection, again=options.again, schema=options.schema_)
    logger.info("migrated", applied=len(applied))
    return {"applied": applied}
