"""AWS at home: the template's state machines, run by moto, their Lambda tasks by worker processes.

    with LocalMachine(Path("template.yaml"), database_url=url, log_file=Path("run.log")) as machine:
        execution = machine.run("match-scores", {"userId": "8"})

One machine at a time in a process: moto keeps its state in modules. Importing this module is cheap; starting a machine
imports moto.
"""

import importlib
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sitejobs_local.aws.invocations import Event, Invocations
from sitejobs_local.aws.status_change import status_change
from sitejobs_local.aws.workers import WorkerPool
from sitejobs_local.media_place import BUCKET, MediaPlace
from sitejobs_local.template.cloudformation import TemplateError
from sitejobs_local.template.resources import Rule, StateMachine, Template
from sitejobs_local.template.template import load_template

MEDIA_BUCKET: Final = "MediaBucket"
"""The uploads' bucket, by its name in the template."""

_POLL_SECONDS: Final = 0.005
_LONGEST_POLL_SECONDS: Final = 0.05
_POLL_SHARE: Final = 0.01
"""Of what an execution has taken so far: one of minutes is not asked for two hundred times a second."""
_only_one: Final = threading.Lock()


@dataclass(frozen=True)
class Execution:
    """How an execution stands. `status` is RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; `output` is parsed."""

    arn: str
    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


def preload() -> threading.Thread:
    """Import moto in a thread, while the caller waits for something else before it enters a machine."""
    thread = threading.Thread(target=importlib.import_module, args=("sitejobs_local.aws.local_aws",), daemon=True)
    thread.start()
    return thread


class LocalMachine:
    """Everything of a template that runs on this machine, from entering the context to leaving it.

    Parameters
    ----------
    template : the SAM template.
    database_url : given to every function as DATABASE_URL.
    environment : more variables for every function; they win over the template's.
    log_file : what the functions print and what moto logs is appended here.
    on_event : called for each invocation's start and end, one call at a time, from any thread. It must be quick. What
        it raises goes to the log.
    parameters : values of the template's parameters.
    prewarm : state machines, by name, whose functions' environments are started early.
    work_folder : keeps the objects of the bucket `work_bucket` (a logical id) between machines.
    media : keeps the uploads' bucket in a folder, too, or has a bucket on S3 in its place.

    Raises (on entering)
    --------------------
    TemplateError : the template cannot be used.
    RuntimeError : this process has a machine already.
    """

    def __init__(
        self,
        template: Path,
        *,
        database_url: str,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        parameters: Mapping[str, str] | None = None,
        prewarm: Sequence[str] = (),
        work_folder: Path | None = None,
        work_bucket: str = "WorkBucket",
        media: MediaPlace | None = None,
    ) -> None:
        self._template_file = template
        self._variables = {"DATABASE_URL": database_url, **(environment or {})}
        self._log_file = log_file
        self._on_event = on_event
        self._parameters = parameters
        self._prewarm = prewarm
        self._media = media
        self._work_folder = work_folder
        self._work_bucket = work_bucket
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()
        self._stopped: dict[str, Execution] = {}
        self._announced: set[str] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if not _only_one.acquire(blocking=False):
                raise RuntimeError("this process has a LocalMachine already: leave that one first")
            stack.callback(_only_one.release)
            self.template = load_template(self._template_file, self._parameters)
            listener = stack.enter_context(_listener())
            self.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self._pool = stack.enter_context(self._workers(self.template))
            self._invoke = Invocations(self._pool, self._on_event)
            # After the workers have been started: they import what they need while this process imports moto.
            from sitejobs_local.aws.local_aws import end_executions, local_aws

            stack.enter_context(local_aws(self.template, listener, self._invoke, self._log_file))
            if self._work_folder is not None:
                self._keep_objects(self._work_bucket, self._work_folder, stack)
            if self._media is not None and self._media.bucket is None:
                self._keep_objects(MEDIA_BUCKET, self._media.folder, stack, as_keys=self._media.as_keys)
            if self.template.queue_sources:
                from sitejobs_local.aws.queue_sources import QueueSources

                stack.callback(QueueSources(self.template, self._invoke).close)
            stack.callback(end_executions, self._pool.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End workers, executions and server, keep the work files. Twice is harmless."""
        self._stack.close()

    def start(self, machine_name: str, payload: Mapping[str, Any], name: str | None = None) -> str:
        """Start an execution of a state machine; its ARN.

        Raises
        ------
        TemplateError : there is no such state machine, or its definition is wrong.
        """
        machine = self.template.state_machine(machine_name)
        self._check_definition(machine)
        answer = self.client("stepfunctions").start_execution(
            stateMachineArn=machine.arn,
            name=name or f"local-{uuid.uuid4()}",
            input=json.dumps(payload),
        )
        return str(answer["executionArn"])

    def wait(self, arn: str, timeout: float | None = None) -> Execution:
        """Wait for an execution's end.

        Raises
        ------
        TimeoutError : it still runs after `timeout` seconds; it goes on running.
        """
        begun = time.monotonic()
        while (execution := self.describe(arn)).status == "RUNNING":
            passed = time.monotonic() - begun
            if timeout is not None and passed > timeout:
                raise TimeoutError(f"{arn} still runs after {timeout} s")
            time.sleep(min(max(passed * _POLL_SHARE, _POLL_SECONDS), _LONGEST_POLL_SECONDS))
        self._announce(execution)
        return execution

    def describe(self, arn: str) -> Execution:
        """How an execution stands now."""
        found = _execution(arn)
        status = found.status
        if arn in self._stopped and status in ("RUNNING", "FAILED"):
            # On AWS the status changes at once. moto first waits for the tasks under way, and reports FAILED if it
            # was just beginning a state.
            return self._stopped[arn]
        if status in ("SUCCEEDED", "FAILED"):
            _until(lambda: found.output is not None or found.error is not None, seconds=0.1)
        return Execution(arn, status, found.output, found.error, found.cause)

    def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> None:
        """Abort an execution, giving the reason: no further task starts, and the functions are told that the
        template's rules name. As on AWS, functions under way go on until they end; leaving the machine ends those too.
        """
        found = _execution(arn)
        # moto loses a stop that comes before the first state.
        _until(lambda: found.status != "RUNNING" or _has_begun(found), seconds=5.0)
        if found.status == "RUNNING":
            # moto stores neither error nor cause.
            self._stopped[arn] = Execution(arn, "ABORTED", error=error, cause=cause)
            self.client("stepfunctions").stop_execution(executionArn=arn)
            self._announce(self._stopped[arn])

    def run(self, machine_name: str, payload: Mapping[str, Any], timeout: float | None = None) -> Execution:
        """Start an execution and wait for its end."""
        return self.wait(self.start(machine_name, payload), timeout)

    def retire(self, machine_name: str) -> None:
        """End the idle environments of the functions that only this state machine calls."""
        machine = self.template.state_machine(machine_name)
        others = {
            function.name
            for other in self.template.state_machines.values()
            if other is not machine
            for function in self.template.functions_of(other)
        }
        for function in self.template.functions_of(machine):
            if function.name not in others:
                self._pool.retire(function.name)

    def client(self, service: str) -> Any:
        """A boto3 client of this machine's own AWS."""
        from sitejobs_local.aws import moto_patches

        with self._clients_lock:
            if service not in self._clients:
                session = moto_patches.isolated_session()
                self._clients[service] = moto_patches.client(session, service, self.endpoint)
            return self._clients[service]

    def _workers(self, template: Template) -> WorkerPool:
        aws = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_SESSION_TOKEN": "local",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        pool = WorkerPool(
            template.functions.values(),
            environment={**self._variables, **aws},
            log_file=self._log_file,
            special=self._reaching_media(template),
        )
        try:
            pool.prewarm(
                function.name
                for name in self._prewarm
                for function in template.functions_of(template.state_machine(name))
            )
        except BaseException:
            pool.close()
            raise
        return pool

    def _reaching_media(self, template: Template) -> dict[str, Mapping[str, str]]:
        """Variables of the jobs' functions that read uploads from S3: these alone know the AWS outside."""
        if self._media is None or self._media.access is None:
            return {}
        variables = {**self._variables, **self._media.access}
        return {
            function.name: variables
            for function in template.functions.values()
            if BUCKET in function.environment and "QUEUE_URL" not in function.environment
        }

    def _keep_objects(self, bucket: str, folder: Path, stack: ExitStack, *, as_keys: bool = False) -> None:
        from sitejobs_local.aws.local_aws import bucket_of
        from sitejobs_local.aws.media_files import MediaFiles
        from sitejobs_local.aws.work_files import WorkFiles

        if bucket not in self.template.buckets:
            raise TemplateError(f"{self.template.path.name} has no bucket {bucket!r}")
        settings = self.template.buckets[bucket]
        kept = bucket_of(settings.name)
        files = MediaFiles(folder, kept) if as_keys else WorkFiles(folder, settings, kept)
        files.restore()
        stack.callback(files.save)

    def _check_definition(self, machine: StateMachine) -> None:
        from sitejobs_local.aws.moto_patches import parse_definition

        try:
            parse_definition(machine.definition())
        except TemplateError:
            raise
        except Exception as error:
            raise TemplateError(
                f"{machine.logical_id}.DefinitionUri: {machine.definition_file.name} is not understood: {error}"
            ) from error

    def _announce(self, execution: Execution) -> None:
        """Invoke the functions whose rules match an execution's end: moto sends no such event."""
        if execution.arn in self._announced:
            return
        self._announced.add(execution.arn)
        found = _execution(execution.arn)
        machine = found.state_machine.arn
        functions = {function.arn: function for function in self.template.functions.values()}
        for rule in self.template.rules:
            if _hears(rule, machine, execution.status):
                event = status_change(
                    execution=execution.arn,
                    machine=machine,
                    status=execution.status,
                    payload=found.input_data,
                    started_at=found.start_date,
                    error=execution.error,
                    cause=execution.cause,
                )
                for arn in rule.target_arns:
                    self._invoke(functions[arn].name, json.dumps(event))


def _hears(rule: Rule, machine: str, status: str) -> bool:
    """Whether a rule matches executions of a state machine that reach this status."""
    if rule.pattern.get("source") != ["aws.states"]:
        return False
    detail = rule.pattern["detail"]
    heard = detail["stateMachineArn"]
    prefixes = tuple(item["prefix"] for item in heard if isinstance(item, dict))
    return (machine in heard or machine.startswith(prefixes)) and status in detail["status"]


@contextmanager
def _listener() -> Iterator[socket.socket]:
    """A listening socket on a free loopback port. Clients that connect before the server runs wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener


def _execution(arn: str) -> Any:
    from sitejobs_local.aws.local_aws import execution_of

    return execution_of(arn)


def _has_begun(execution: Any) -> bool:
    environment = execution.exec_worker.env
    return environment is not None and environment.is_running()


def _until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition, at most this long."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
