"""moto as this machine's AWS: its server, the template's resources in it, and its end.

Importing this module imports moto, which takes about half a second.
"""

import base64
import io
import json
import logging
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

# Before any other part of moto: it keeps the import quick.
from sitejobs_local.aws import moto_patches

# isort: split
from moto.awslambda.models import lambda_backends
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.stepfunctions.parser.utils import TMP_THREADS
from werkzeug.serving import make_server

from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION
from sitejobs_local.template.resources import Template

# Wait for moto's threads at the end. One that still sleeps before a retry does no harm.
_PATIENCE_SECONDS: Final = 1.0


@contextmanager
def local_aws(
    template: Template, listener: socket.socket, invoke: moto_patches.Invoke, log_file: Path
) -> Iterator[None]:
    """moto's server on a listening socket, with the template's resources.

    Parameters
    ----------
    invoke : runs a function; every Lambda invocation ends there.
    log_file : what moto and its server log is appended here, and does not reach the terminal.
    """
    host, port = listener.getsockname()
    with ExitStack() as stack:
        stack.enter_context(_logged(log_file))
        stack.enter_context(moto_patches.patched(f"http://{host}:{port}", invoke))
        stack.callback(_forget_everything)
        stack.enter_context(_server(listener))
        _create_resources(template)
        yield


def end_executions(end_workers: Callable[[], None]) -> None:
    """Stop the executions, end the workers they may wait for, and wait for moto's threads."""
    backend = stepfunctions_parser_backends[ACCOUNT_ID][REGION]
    for machine in backend.state_machines:
        for execution in machine.executions:
            if execution.status == "RUNNING":
                with suppress(AttributeError):  # not yet begun
                    execution.stop(None, None, None)
    end_workers()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for thread in list(TMP_THREADS):
        thread.join(max(0.0, deadline - time.monotonic()))


def execution_of(arn: str) -> Any:
    """An execution as moto holds it. Reading it is free; a request to the server takes 5 ms."""
    return stepfunctions_parser_backends[ACCOUNT_ID][REGION].describe_execution(arn)


def bucket_of(name: str) -> Any:
    """A bucket as moto holds it."""
    return s3_backends[ACCOUNT_ID]["aws"].get_bucket(name)


def _create_resources(template: Template) -> None:
    """Create the resources in moto's backends: six boto3 clients would take longer than the rest of the start."""
    role = iam_backends[ACCOUNT_ID]["aws"].create_role("local", "{}", "/", None, "", [], None).arn
    _create_functions(template, role)
    _create_queues(template)
    _create_state_machines(template, role)
    _create_buckets(template)
    if template.rules:
        _create_rules(template)


def _create_functions(template: Template, role: str) -> None:
    code = _empty_zip()
    for function in template.functions.values():
        lambda_backends[ACCOUNT_ID][REGION].create_function(
            {
                "FunctionName": function.name,
                "Handler": function.handler,
                "Runtime": "python3.13",
                "Role": role,
                "Code": {"ZipFile": code},
                "Timeout": function.timeout,
                "MemorySize": function.memory,
                "Environment": {"Variables": dict(function.environment)},
            }
        )


def _create_queues(template: Template) -> None:
    # A dead-letter queue must exist before the queue that names it.
    for queue in sorted(template.queues.values(), key=lambda queue: queue.dead_letter_arn is not None):
        redrive = {"deadLetterTargetArn": queue.dead_letter_arn, "maxReceiveCount": queue.max_receive_count}
        attributes: dict[str, Any] = {"VisibilityTimeout": queue.visibility_timeout}
        if queue.dead_letter_arn:
            attributes["RedrivePolicy"] = json.dumps(redrive)
        sqs_backends[ACCOUNT_ID][REGION].create_queue(queue.name, **attributes)


def _create_state_machines(template: Template, role: str) -> None:
    for machine in template.state_machines.values():
        # The interpreter's own method would parse every definition now; `start` parses the one it starts.
        StepFunctionBackend.create_state_machine(
            stepfunctions_parser_backends[ACCOUNT_ID][REGION],
            machine.name,
            machine.definition(),
            role,
            sm_type=machine.type,
        )


def _create_buckets(template: Template) -> None:
    backend = s3_backends[ACCOUNT_ID]["aws"]
    for bucket in template.buckets.values():
        backend.create_bucket(bucket.name, REGION)
        if bucket.sends_events:
            backend.put_bucket_notification_configuration(bucket.name, {"EventBridgeConfiguration": {}})


def _create_rules(template: Template) -> None:
    # Imported here: a template without rules does not wait for it.
    from moto.events.models import events_backends

    backend = events_backends[ACCOUNT_ID][REGION]
    for rule in template.rules:
        backend.put_rule(rule.name, event_pattern=json.dumps(rule.pattern))
        targets = [{"Id": str(at), "Arn": arn} for at, arn in enumerate(rule.target_arns)]
        backend.put_targets(rule.name, None, targets)


class _Silent(MotoRequestHandler):
    """Logs no request: one that ends after the server was closed would tell the terminal."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing is logged."""


@contextmanager
def _server(listener: socket.socket) -> Iterator[None]:
    host, port = listener.getsockname()
    server = make_server(
        host,
        port,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=_Silent,
        fd=listener.fileno(),
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Send the logs of moto and its server to the log file, not to the terminal."""
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    levels = {"moto": logging.ERROR, "werkzeug": logging.ERROR}
    before = {}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        before[logger] = (logger.level, logger.propagate)
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in before.items():
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
        handler.close()


def _forget_everything() -> None:
    """Empty moto, for the next machine of this process."""
    BackendDict.reset()
    reset_model_data()
    TMP_THREADS.clear()


def _empty_zip() -> str:
    """A placeholder, because moto requires code; the folder that the template names is what runs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "")
    return base64.b64encode(buffer.getvalue()).decode()
