"""The command `sitejobs`: every job of the catalog, and what the local database needs."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import click

from sitejobs.errors import InvalidInput, SitejobsError
from sitejobs_local.commands.bucket_events import bucket_events
from sitejobs_local.commands.check import check
from sitejobs_local.commands.completion import completion
from sitejobs_local.commands.cost import cost
from sitejobs_local.commands.database import db
from sitejobs_local.commands.demo import demo
from sitejobs_local.commands.explain import explain
from sitejobs_local.commands.feed import feed
from sitejobs_local.commands.matches import matches
from sitejobs_local.commands.meant import explained
from sitejobs_local.commands.population import population
from sitejobs_local.commands.quality import quality
from sitejobs_local.commands.redrive import redrive
from sitejobs_local.commands.runs import runs
from sitejobs_local.commands.search import search
from sitejobs_local.commands.studio.command import studio
from sitejobs_local.commands.upload import upload

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


SECTIONS: Mapping[str, tuple[click.Command, ...]] = {
    "Results": (matches, explain, feed, search, quality, studio),
    "Runs and costs": (runs, cost, redrive),
    "A site at home": (demo, population, upload),
    "Databases, buckets and shells": (check, db, bucket_events, completion),
}
"""The commands beside the jobs, as `sitejobs` alone lists them."""


class JobsGroup(click.Group):
    """The commands of the catalog's jobs and workflows beside those that are written out."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from sitejobs.catalog import JOBS
        from sitejobs.workflows.catalog import WORKFLOWS

        return [*JOBS, *WORKFLOWS, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        from sitejobs.catalog import JOBS
        from sitejobs.workflows.catalog import WORKFLOWS
        from sitejobs_local.commands.jobs import job_command
        from sitejobs_local.commands.workflows import workflow_command

        if cmd_name in WORKFLOWS:
            return workflow_command(WORKFLOWS[cmd_name])
        return job_command(JOBS[cmd_name]) if cmd_name in JOBS else None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from sitejobs_local.commands.listing import write_listing

        write_listing(formatter, SECTIONS)


def _print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"sitejobs {version('sitejobs')}, Python {'.'.join(map(str, sys.version_info[:3]))}")
        ctx.exit()


@click.group(cls=JobsGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
@click.pass_context
def sitejobs(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (command for commands in SECTIONS.values() for command in commands):
    sitejobs.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    0 done, 1 failed, 2 bad input, 3 the job is already running, 130 interrupted.
    """
    _interrupt_once()
    if "_SITEJOBS_COMPLETE" in os.environ:
        from sitejobs_local.commands.shells import register

        register()
    try:
        status = sitejobs.main(arguments, prog_name="sitejobs", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        # The reader of a pipe (such as head) has what it wanted; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (Exception, KeyboardInterrupt) as error:
        told = _told(error)
        if told is None:
            raise
        return _complain(*told)
    return int(status or 0)


def _complain(message: str, status: int) -> int:
    click.echo(f"sitejobs: {message}", err=True)
    return status


def _told(error: BaseException) -> tuple[str, int] | None:
    """What to say of an error, and the exit status; None for an error of our own making."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", EXIT_INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            return f"say which of these\n\n{error.format_message()}", EXIT_BAD_INPUT
        case click.UsageError():
            return explained(error), EXIT_BAD_INPUT
        case click.ClickException():
            return error.format_message(), error.exit_code
        case SitejobsError():
            return str(error), EXIT_BAD_INPUT if isinstance(error, InvalidInput) else EXIT_FAILED
    return _told_by_the_database(error)


def _told_by_the_database(error: BaseException) -> tuple[str, int] | None:
    """What to say of a database's error.

    Its module is loaded already if the error is its: looking it up costs no import.
    """
    server: Any = sys.modules.get("sitejobs_local.database.cluster")
    if server is not None and isinstance(error, server.PostgresError):
        return str(error), EXIT_FAILED
    psycopg: Any = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    from sitejobs.postgres.connection import describe

    lacking = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InsufficientPrivilege)
    if isinstance(error, lacking):
        return f"{describe(error)}; `sitejobs check` lists what the database lacks", EXIT_BAD_INPUT
    return f"the database refused: {describe(error)}", EXIT_FAILED


def _interrupt_once() -> None:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into KeyboardInterrupt; more must not disturb the cleaning up."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, interrupt)


if __name__ == "__main__":
    sys.exit(main())
