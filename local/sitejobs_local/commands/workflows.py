"""A command for each workflow of the catalog."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from sitejobs.jobs.entry import JobEntry
from sitejobs.options import parse_options
from sitejobs_local.commands.common import note_if_empty, notes, prepared
from sitejobs_local.commands.jobs import job_command, run_and_show, start_and_follow

if TYPE_CHECKING:
    from sitejobs_local.runs.deployed import DeployedJob
    from sitejobs_local.runs.runner import Outcome


def workflow_command(entry: JobEntry) -> click.Command:
    """The command that runs a workflow."""
    return job_command(entry, run)


def run(entry: JobEntry, given: Mapping[str, Any], stack: str | None = None, as_json: bool = False) -> int:
    """Run a workflow with the given options, show how its jobs go and how they ended, and return the exit status.

    It runs on this machine, or where `stack` is named in that stack on AWS.
    """
    from sitejobs_local.runs.report import print_workflow

    return run_and_show(entry, given, stack, as_json, here=_run, there=_follow, show=print_workflow)


def _run(entry: JobEntry, payload: Mapping[str, Any], quiet: bool) -> "Outcome":
    options: Any = parse_options(entry.options, payload)
    from sitejobs_local.runs.runner import workshop_of
    from sitejobs_local.runs.workflow_progress import Quiet, WorkflowProgress, shown
    from sitejobs_local.runs.workflow_runner import run_workflow

    with prepared(*options.jobs()) as (target, connection):
        note_if_empty(target, connection)
        connection.close()
        workshop = workshop_of(target, os.environ, entry.name, options.jobs())
        with nullcontext(Quiet()) if quiet else shown(notes()) as view:
            progress = WorkflowProgress(view)
            return run_workflow(
                entry.name, payload, target=target, workshop=workshop, environ=os.environ, progress=progress
            )


def _follow(entry: JobEntry, payload: Mapping[str, Any], stack: str, quiet: bool) -> "Outcome":
    from sitejobs_local.runs.deployed import pages_of
    from sitejobs_local.runs.deployed_workflow import follow_workflow
    from sitejobs_local.runs.workflow_progress import Quiet, WorkflowProgress, shown

    def follow(deployed: "DeployedJob", execution: str) -> "Outcome":
        with nullcontext(Quiet()) if quiet else shown(notes(), pages_of) as view:
            return follow_workflow(deployed, execution, WorkflowProgress(view))

    return start_and_follow(entry, payload, stack, quiet, follow)
