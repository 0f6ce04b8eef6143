"""Values of options that are one of several names."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.meant import meant, question

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class OneOf(click.ParamType[str]):
    """One of `names()`, which is called when a value comes; `what` says what they are: "the name of a job"."""

    name = "name"

    def __init__(self, what: str, names: Callable[[], Iterable[str]]) -> None:
        self.what = what
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = list(self.names())
        if value in known:
            return str(value)
        option = param.opts[0] if param is not None else "the value"
        raise InvalidInput(
            f"{option} takes {self.what} ({', '.join(known)}), not {value!r}.{question(meant(value, known))}"
        )

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]


def jobs() -> list[str]:
    """The names of all jobs."""
    from sitejobs.catalog import JOBS

    return list(JOBS)


def jobs_and_workflows() -> list[str]:
    """The names of all jobs and workflows: whatever has runs."""
    from sitejobs.workflows.catalog import WORKFLOWS

    return [*jobs(), *WORKFLOWS]


def jobs_and_groups() -> list[str]:
    """What `only` of a workflow takes."""
    from sitejobs.workflows.graph import STEPS
    from sitejobs.workflows.options import GROUPS

    return [*STEPS, *GROUPS]


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """What may follow in a list of jobs and groups with commas between."""
    from click.shell_completion import CompletionItem

    before, comma, begun = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in jobs_and_groups() if name.startswith(begun)]


JOB = OneOf("the name of a job", jobs)
JOB_OR_WORKFLOW = OneOf("the name of a job or workflow", jobs_and_workflows)
