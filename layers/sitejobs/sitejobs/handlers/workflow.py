"""The steps of every workflow: Plan opens its run, Ended records the end of a job, Finish closes the run."""

from sitejobs.aliases import JsonObject
from sitejobs.errors import InvalidInput
from sitejobs.handlers.entry import Handler, entry, logger
from sitejobs.handlers.environment import cached_resources, cached_settings
from sitejobs.handlers.paged import _already_running
from sitejobs.jobs import runs
from sitejobs.jobs.row_security import refuse_hidden_rows
from sitejobs.jobs.tables import RUNS
from sitejobs.options import parse_options
from sitejobs.workflows import records as workflows
from sitejobs.workflows.catalog import WORKFLOWS, WorkflowOptions, scope_of_workflow


def workflow_handler() -> Handler:
    """The steps of every workflow, by the event's `step`."""
    steps = {"Plan": _plan_workflow, "Ended": _job_ended, "Finish": _finish_workflow}
    return entry(lambda event: steps[event["step"]](event))


def _plan_workflow(event: JsonObject) -> JsonObject:
    entry = WORKFLOWS[event["workflow"]]
    options = parse_options(entry.options, event.get("input"))
    assert isinstance(options, WorkflowOptions)
    machines = cached_settings().job_machines
    connection = cached_resources().database.connection()
    refuse_hidden_rows(connection, RUNS)
    opened = workflows.open_workflow(
        connection,
        name=entry.name,
        options=options,
        execution=event["execution"],
        machines=machines,
        stale_seconds=cached_settings().run_stale_seconds,
    )
    if isinstance(opened, runs.AlreadyRunning):
        return _already_running(entry.name, scope_of_workflow(options), opened)
    ready = workflows.start_orders(opened.context, "", options, machines)
    logger.info("workflow planned", run_id=opened.id, jobs=list(opened.context["jobs"]))
    given = options.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {
        "status": "PLANNED",
        "run": {"id": opened.id, "workflow": entry.name, "options": given},
        "jobs": list(opened.context["jobs"]),
        "ready": ready,
    }


def _job_ended(event: JsonObject) -> JsonObject:
    run, job = event["run"], event["job"]
    context = workflows.end_job(
        cached_resources().database.connection(), run["id"], job, event.get("output"), event.get("error")
    )
    options = parse_options(WORKFLOWS[run["workflow"]].options, run["options"])
    ready = workflows.start_orders(context, job, options, cached_settings().job_machines)
    state = context["jobs"][job]
    logger.info("job of a workflow ended", run_id=run["id"], ended=job, outcome=state["status"])
    return {
        "workflow": run["workflow"],
        "ended": {"job": job, "status": state["status"], **state["summary"]},
        "ready": ready,
    }


def _finish_workflow(event: JsonObject) -> JsonObject:
    connection = cached_resources().database.connection()
    run, error = event.get("run"), event.get("error")
    run_id = run["id"] if run else runs.run_of(connection, event["execution"])
    if run_id is None:
        if error is None:
            raise InvalidInput(f"execution {event['execution']} has no run to close")
        return runs.never_opened(error)
    summary = workflows.close_workflow(connection, run_id, error)
    logger.info("workflow closed", run_id=run_id, status=summary["status"], error=summary["error"])
    return summary
