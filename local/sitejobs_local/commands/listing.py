"""`sitejobs` alone: every job with what it does and its options, then the other commands."""

from collections.abc import Mapping
from itertools import groupby

import click


def write_listing(formatter: click.HelpFormatter, commands: Mapping[str, click.Command]) -> None:
    """Write the whole list."""
    from sitejobs.catalog import JOBS
    from sitejobs.workflows.catalog import WORKFLOWS
    from sitejobs_local.commands.jobs import flags_of

    formatter.write_usage("sitejobs", "<job or command> [--option=value ...]")
    jobs = sorted(JOBS.values(), key=lambda entry: entry.group)
    sections = [(f"{group.capitalize()} jobs", list(them)) for group, them in groupby(jobs, lambda entry: entry.group)]
    for title, entries in [*sections, ("Workflows", list(WORKFLOWS.values()))]:
        with formatter.section(title):
            for entry in entries:
                formatter.write_dl([(entry.name, entry.summary)])
                flags = [(flag.usage, flag.help) for flag in flags_of(entry.options)]
                if flags:
                    with formatter.indentation():
                        formatter.write_dl(flags, col_max=34)
    formatter.write_paragraph()
    formatter.write_text(
        "Every job and workflow: --json prints only the run's summary, one JSON object, on stdout; --stack=<name> runs"
        " it on AWS, in a deployed stack, and --detach does not wait for its end."
    )
    with formatter.section("Commands"):
        formatter.write_dl([(name, command.get_short_help_str(limit=90)) for name, command in commands.items()])
    formatter.write_paragraph()
    formatter.write_text(
        "`sitejobs <job or command> --help` tells more. DATABASE_URL points everything at a PostgreSQL of your own;"
        " without it an embedded one is started when needed."
    )
