"""What the command line says of itself: `sitejobs` alone, and the options of one job."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

import click

WIDEST = 52
"""Most characters of a line that says what a job does, beside the longest name in 80 columns."""


def write_listing(formatter: click.HelpFormatter, sections: Mapping[str, Sequence[click.Command]]) -> None:
    """Write the list: a line for each job, workflow and command."""
    from sitejobs.catalog import JOBS
    from sitejobs.workflows.catalog import WORKFLOWS

    formatter.write_usage("sitejobs", "<job or command> [--option=value ...]")
    order = ("matching", "search", "feed", "media")
    jobs = sorted(JOBS.values(), key=lambda it: (order.index(it.group) if it.group in order else len(order), it.group))
    lists = {f"{group.capitalize()} jobs": list(them) for group, them in groupby(jobs, lambda entry: entry.group)}
    lines = {
        title: [(entry.name, brief(entry.summary)) for entry in entries]
        for title, entries in {**lists, "Workflows": list(WORKFLOWS.values())}.items()
    }
    for title, commands in sections.items():
        lines[title] = [(str(command.name), brief(command.get_short_help_str(200))) for command in commands]
    widest = max(len(name) for those in lines.values() for name, _ in those)
    for title, those in lines.items():
        with formatter.section(title):
            formatter.write_dl([(name.ljust(widest), what) for name, what in those])
    with formatter.section("Options of most jobs"):
        formatter.write_dl([(name.ljust(widest), what) for name, what in _COMMON])
    formatter.write_paragraph()
    formatter.write_text(
        "`sitejobs <job or command> --help` tells all options. DATABASE_URL points everything at a PostgreSQL of"
        " your own; without it an embedded one is started when needed. `sitejobs --version` tells the version."
    )


_COMMON = (
    ("--userId=<n>", "for this user only; for everyone when left out"),
    ("--incremental", "compute only what changed"),
    ("--stack=<name>", "on AWS, in a deployed stack, followed from here"),
    ("--json", "print the run's summary as one JSON object"),
)


def brief(summary: str) -> str:
    """What a summary says first, in one line: up to a colon or semicolon, else up to the last comma that fits."""
    first = re.split(r"[:;] ", summary)[0]
    while len(first) > WIDEST and ", " in first:
        first = first.rpartition(", ")[0]
    return first if len(first) <= WIDEST else first[: WIDEST - 3].rpartition(" ")[0] + "..."


class JobCommand(click.Command):
    """A job's command: its help has the job's own options first, then those of every job."""

    own: frozenset[str] = frozenset()
    """Names of the options that other jobs do not have, or have for something else."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                (own if parameter.name in self.own else shared).append(record)
        for title, records in (("Options", own), ("Options of every job", shared)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records, col_max=34)
