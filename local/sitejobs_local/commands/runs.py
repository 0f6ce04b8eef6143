"""`sitejobs runs`: recent runs, one of them with what failed and was left out, its log, and its failed pages again."""

from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput
from sitejobs_local.commands.common import output, prepared, print_json
from sitejobs_local.commands.values import JOB_OR_WORKFLOW, OneOf

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

RETRY = "retry"
STATUS = OneOf("the status of a run", lambda: ("running", "succeeded", "failed", "aborted", "timed-out", "died"))
_MOST = 2**63 - 1


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    from click.shell_completion import CompletionItem

    return [CompletionItem(RETRY)] if RETRY.startswith(incomplete) and not ctx.params.get("what") else []


@click.command(short_help="what ran and how it ended; failed pages again")
@click.argument("what", metavar="[retry] [ID]", nargs=-1, shell_complete=_complete)
@click.option("--job", metavar="<name>", type=JOB_OR_WORKFLOW, help="runs of this job or workflow only")
@click.option("--status", metavar="<name>", type=STATUS, help=f"of this status: {', '.join(STATUS.names())}")
@click.option("--limit", metavar="<n>", type=click.IntRange(1, 1000), default=20, show_default=True, help="how many")
@click.option("--before", metavar="<id>", type=click.IntRange(1, _MOST), help="runs older than this one")
@click.option("--watch", is_flag=True, help="go on showing: a run until it has ended, the list until Ctrl-C")
@click.option("--log", is_flag=True, help="with an ID: what its functions logged")
@click.option("--stack", metavar="<name>", help="with --log or retry: on AWS, in the deployed stack of this name")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def runs(what: tuple[str, ...], log: bool, watch: bool, stack: str | None, as_json: bool, **chosen: Any) -> int:
    """List the recent runs of the jobs, newest first; with an ID one of them: its failed pages (the first --limit), its
    skipped records by reason, and of a workflow its jobs. The same is in the view "JobRunOverview".

    `retry ID` computes only the failed pages of a run, in a new run.
    """
    again, run_id = _asked(what)
    if again:
        return _retry(run_id, chosen["job"], stack, as_json)
    if log and run_id is None:
        raise InvalidInput("say whose log: sitejobs runs <ID> --log")
    if stack is not None and not log:
        raise InvalidInput("--stack goes with --log or retry: runs are read from the database of DATABASE_URL")
    if watch and as_json:
        raise InvalidInput("--watch shows runs to a person: ask again and again for --json")
    if watch:
        from sitejobs_local.commands.runs_watched import watch_list, watch_one

        return watch_one(run_id) if run_id is not None else watch_list(chosen["job"], _status(chosen), chosen["limit"])
    if run_id is None:
        _list(chosen, as_json)
    elif log:
        from sitejobs_local.commands.runs_logged import print_log

        print_log(run_id, stack)
    else:
        _one(run_id, chosen["limit"], as_json)
    return 0


def _asked(what: tuple[str, ...]) -> tuple[bool, int | None]:
    """Whether to compute failed pages again, and the run's id."""
    from sitejobs_local.commands.meant import meant, question

    again = what[:1] == (RETRY,)
    rest = what[1:] if again else what
    if not rest and not again:
        return False, None
    if len(rest) != 1:
        wanted = "say which run: sitejobs runs retry <ID>" if again else "runs takes one ID, or retry and one."
        raise InvalidInput(wanted + ("" if again else question(meant(rest[0], [RETRY]))))
    if not (rest[0].isascii() and rest[0].isdigit() and 1 <= int(rest[0]) <= _MOST):
        raise InvalidInput(f"the ID of a run is a whole number, not {rest[0]!r}.{question(meant(rest[0], [RETRY]))}")
    return again, int(rest[0])


def _status(chosen: dict[str, Any]) -> str | None:
    return None if chosen["status"] is None else str(chosen["status"]).upper().replace("-", "_")


def _list(chosen: dict[str, Any], as_json: bool) -> None:
    from sitejobs_local.commands.runs_shown import print_recent
    from sitejobs_local.runs.recorded import recent

    job, limit = chosen["job"], chosen["limit"]
    with prepared() as (_, connection):
        found = recent(connection, job=job, status=_status(chosen), before=chosen["before"], limit=limit)
    following = found[-1]["id"] if len(found) == limit else None
    if as_json:
        print_json({"runs": found, "next": following})
        return
    told = "".join(f" --{name}={chosen[name]}" for name in ("job", "status") if chosen[name])
    print_recent(output(), found, following, told)


def _one(run_id: int, limit: int, as_json: bool) -> None:
    from sitejobs_local.commands.runs_shown import print_one
    from sitejobs_local.runs.recorded import one

    with prepared() as (_, connection):
        found = one(connection, run_id, limit)
    if as_json:
        print_json(found)
    else:
        print_one(output(), found)


def _retry(run_id: int | None, job: str | None, stack: str | None, as_json: bool) -> int:
    """Run the failed pages of a run again. With --stack and --job no database is asked from here."""
    from sitejobs.catalog import JOBS
    from sitejobs_local.commands.jobs import run
    from sitejobs_local.runs.recorded import one

    if job is None or stack is None:
        with prepared() as (_, connection):
            found = one(connection, run_id or 0, 1)
        if "jobs" in found:
            failed = [str(part["id"]) for part in found["jobs"] if part["failedPages"]]
            theirs = f": retry those of its jobs ({', '.join(failed)})" if failed else ""
            raise InvalidInput(f"run {run_id} is a workflow's, and has no pages of its own{theirs}")
        if not found["failedPagesNoted"]:
            raise InvalidInput(f"run {run_id} has no failed pages")
        job = str(found["job"])
    if job not in JOBS or "retry_of" not in JOBS[job].options.model_fields:
        raise InvalidInput(f"failed pages of {job} are not computed by themselves: run it anew")
    return run(JOBS[job], {"retryOf": str(run_id)}, stack, as_json)
