"""A command for each job of the catalog, its flags made from the job's options."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput, SitejobsError
from sitejobs.jobs.entry import JobEntry
from sitejobs.options import MAX_ID, JobOptions, PagedOptions, describe_field, limits, parse_options
from sitejobs_local.commands import media
from sitejobs_local.commands.common import note_if_empty, notes, output, prepared
from sitejobs_local.commands.existing import missing
from sitejobs_local.commands.listing import JobCommand
from sitejobs_local.commands.meant import meant, question
from sitejobs_local.commands.values import complete_names, jobs_and_groups

if TYPE_CHECKING:
    from rich.console import Console

    from sitejobs_local.runs.deployed import DeployedJob
    from sitejobs_local.runs.runner import Outcome

_JSON_HELP = "print only the run's summary, one JSON object, on stdout"
_STACK_HELP = "run on AWS, in the deployed stack of this name, and follow it from here"
SPELLINGS = {"dryRun": ("--dry-run",)}
"""Options that have another spelling, too: what every other program calls it."""
_DETACH_HELP = "with --stack: start it, print the execution's ARN and leave"


@dataclass(frozen=True)
class Flag:
    """An option as the command line shows it; `takes` is None for a switch."""

    name: str
    help: str
    takes: str | None

    @property
    def usage(self) -> str:
        """`--batchSize=<n>`, or `--incremental`."""
        return f"--{self.name}" + (f"=<{self.takes}>" if self.takes else "")


def flags_of(model: type[JobOptions]) -> Iterator[Flag]:
    """The flags of a job. `trigger` is no flag: the command line sets it."""
    for name, info in model.model_fields.items():
        if name == "trigger":
            continue
        switch = info.annotation is bool
        takes = None if switch else "n" if "whole number" in describe_field(model, name) else "text"
        required = " (required)" if info.is_required() else ""
        yield Flag(info.alias or name, f"{info.description}{required}{_range_and_default(model, name)}", takes)


Runner = Callable[[JobEntry, Mapping[str, Any], str | None, bool], int]
"""Runs a job or workflow with the given options, on this machine or in a stack, prints its summary (as
JSON if so), and returns the exit status."""


def job_command(entry: JobEntry, runner: Runner | None = None) -> click.Command:
    """The command that runs a job, or what `runner` runs by this name.

    Values are passed on as text; only the job's options check them.
    """
    flags = list(flags_of(entry.options))
    parameters: list[click.Parameter] = [
        click.Option(
            [f"--{flag.name}", *SPELLINGS.get(flag.name, ()), _name(flag.name)],
            is_flag=flag.takes is None,
            default=None,
            metavar=f"<{flag.takes}>" if flag.takes else None,
            help=flag.help,
            shell_complete=complete_names if flag.name == "only" else None,
        )
        for flag in flags
    ]
    parameters += [
        click.Option(["--json", "as_json"], is_flag=True, help=_JSON_HELP),
        click.Option(["--stack"], metavar="<name>", help=_STACK_HELP),
        click.Option(["--detach"], is_flag=True, help=_DETACH_HELP),
    ]
    names = {_name(flag.name): flag.name for flag in flags}

    def callback(as_json: bool, stack: str | None, detach: bool, **values: Any) -> int:
        given = {names[key]: value for key, value in values.items() if value is not None}
        if detach and stack is None:
            raise InvalidInput("--detach goes with --stack=<name>: a run on this machine ends with its command")
        if stack is not None and detach:
            return start(entry, given, stack)
        return (runner or run)(entry, given, stack, as_json)

    command = JobCommand(entry.name, params=parameters, callback=callback, help=entry.summary, short_help=entry.summary)
    command.own = frozenset(names) - {_name(info.alias or name) for name, info in PagedOptions.model_fields.items()}
    return command


def _name(option: str) -> str:
    """The name by which click hands an option on."""
    return option.lower()


def start(entry: JobEntry, given: Mapping[str, Any], stack: str) -> int:
    """Start a job of a deployed stack, print its execution's ARN, and return the exit status."""
    payload = payload_of(entry, given)
    from sitejobs_local.runs.deployed import find

    click.echo(find(stack, entry.name).start(payload))
    return 0


def run(entry: JobEntry, given: Mapping[str, Any], stack: str | None = None, as_json: bool = False) -> int:
    """Run a job with the given options, show how it goes and how it ended, and return the exit status.

    It runs on this machine, or where `stack` is named in that stack on AWS.
    """
    return run_and_show(entry, given, stack, as_json, here=_run, there=_follow, show=_show)


def _show(console: "Console", outcome: "Outcome", seconds: float) -> None:
    from sitejobs_local.runs.report import print_outcome

    print_outcome(console, outcome, seconds)
    if "record" in outcome.summary:
        media.print_record(console, outcome.summary["record"])


def run_and_show(
    entry: JobEntry,
    given: Mapping[str, Any],
    stack: str | None,
    as_json: bool,
    *,
    here: "Callable[[JobEntry, Mapping[str, Any], bool], Outcome]",
    there: "Callable[[JobEntry, Mapping[str, Any], str, bool], Outcome]",
    show: "Callable[[Console, Outcome, float], None]",
) -> int:
    """Run a job or workflow: `here` on this machine or `there` in a stack; `show` prints its end."""
    try:
        started = time.monotonic()
        payload = payload_of(entry, given)
        outcome = here(entry, payload, as_json) if stack is None else there(entry, payload, stack, as_json)
    except KeyboardInterrupt:  # before the run was begun, or after its end
        outcome = interrupted(entry.name)
    except SitejobsError as error:
        if as_json:
            summary = {"job": entry.name, "status": "FAILED", "error": type(error).__name__, "cause": str(error)}
            click.echo(json.dumps(summary))
        raise
    absent = missing(outcome.summary)
    if as_json:
        click.echo(json.dumps(dict(outcome.summary)))
    elif absent is None:
        show(output(), outcome, time.monotonic() - started)
    if absent is not None:
        raise InvalidInput(absent)
    return outcome.exit_status


def interrupted(job: str) -> "Outcome":
    """The outcome of a command that was interrupted while no run of it was at work."""
    from sitejobs_local.runs.runner import EXIT_INTERRUPTED, Outcome
    from sitejobs_local.runs.stopped import stopped

    return Outcome(EXIT_INTERRUPTED, stopped(job))


def payload_of(entry: JobEntry, given: Mapping[str, Any]) -> dict[str, Any]:
    """An execution's input."""
    try:
        options = parse_options(entry.options, {**given, "trigger": "cli"})
    except InvalidInput as error:
        raise InvalidInput(f"{error}{_names_meant(given)}") from None
    return options.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _names_meant(given: Mapping[str, Any]) -> str:
    """Which jobs or groups `only` may mean by names that are none."""
    if "only" not in given:
        return ""
    known = jobs_and_groups()
    wrong = [name.strip() for name in str(given["only"]).split(",") if name.strip() not in known]
    return "." * bool(wrong) + question([name for one in wrong for name in meant(one, known)])


def start_and_follow(
    entry: JobEntry,
    payload: Mapping[str, Any],
    stack: str,
    quiet: bool,
    follow: "Callable[[DeployedJob, str], Outcome]",
) -> "Outcome":
    """Start a job or workflow of a deployed stack, say which execution it is, and `follow` it to its end."""
    from sitejobs_local.runs.deployed import find

    deployed = find(stack, entry.name)
    execution = deployed.start(payload)
    try:
        if not quiet:
            notes().print(execution, markup=False, highlight=False, soft_wrap=True)
        return follow(deployed, execution)
    except KeyboardInterrupt:  # while the progress was being set up
        return deployed.left(execution)


def _follow(entry: JobEntry, payload: Mapping[str, Any], stack: str, quiet: bool) -> "Outcome":
    from sitejobs_local.runs.deployed import pages_of
    from sitejobs_local.runs.progress import RunProgress, shown

    def follow(deployed: "DeployedJob", execution: str) -> "Outcome":
        with nullcontext(RunProgress()) if quiet else shown(notes(), entry.name, figures=pages_of) as progress:
            return deployed.follow(execution, progress)

    return start_and_follow(entry, payload, stack, quiet, follow)


def _run(entry: JobEntry, payload: Mapping[str, Any], quiet: bool) -> "Outcome":
    from sitejobs_local.runs.progress import RunProgress, shown
    from sitejobs_local.runs.runner import run_job, workshop_of

    with prepared(entry.name) as (target, connection):
        note_if_empty(target, connection)
        connection.close()
        workshop = workshop_of(target, os.environ, entry.name)
        with nullcontext(RunProgress()) if quiet else shown(notes(), entry.name, entry.noun) as progress:
            outcome = run_job(
                entry.name, payload, target=target, workshop=workshop, environ=os.environ, progress=progress
            )
        if entry.name != media.JOB:
            return outcome
        with target.connect() as connection:
            return media.with_record(outcome, payload["mediaId"], connection)


def _range_and_default(model: type[JobOptions], name: str) -> str:
    low, high = limits(model, name)
    default = model.model_fields[name].default
    parts = []
    if low is not None and high is not None and high != MAX_ID:
        parts.append(f"{low:,} to {high:,}")
    if isinstance(default, int | float | str) and not isinstance(default, bool) and default != "":
        parts.append(f"default {default}")
    return f" [{'; '.join(parts)}]" if parts else ""
