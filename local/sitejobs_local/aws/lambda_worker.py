"""One Lambda execution environment: a process that imports a handler once and then answers events, one at a time.

`sitejobs_local.aws.workers` runs this file by its path, so it imports nothing of this package. It talks to the parent
over a private channel; what the handler prints goes to the log. Its imports are few, because every cold start pays
for them.

Usage: lambda_worker.py CHANNEL LIFELINE HANDLER RESPONSE_LIMIT FOLDER...
"""

import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

# Time past its limit after which a handler is killed when the parent is gone and it holds the interpreter's lock.
_GRACE_SECONDS: Final = 1.0
_HEADER_BYTES: Final = 8


class HandlerNotFound(Exception):
    """The module has no function of the handler's name."""


class Context:
    """What Lambda tells a handler about its invocation."""

    function_version = "$LATEST"
    client_context = None
    identity = None

    def __init__(self, request_id: str, arn: str, deadline: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's time limit; never negative."""
        return max(0, round((self._deadline - time.time()) * 1000))


def main(arguments: list[str]) -> None:
    """Import the handler, report it, and answer events until the channel closes."""
    channel, lifeline, handler_name, response_limit, *folders = arguments
    sys.path[:0] = folders
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent decides
    threading.Thread(target=_die_with_parent, args=(int(lifeline),), daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # text streams here
    faulthandler.enable()
    os.set_inheritable(int(channel), False)
    os.set_inheritable(int(lifeline), False)
    try:
        handler = _load(handler_name)
    except Exception as error:
        _send(int(channel), "init-error", json.dumps(_import_error(error, handler_name)).encode())
        sys.exit(1)
    _send(int(channel), "ready", b"")
    while (request := _receive(int(channel))) is not None:
        kind, payload = _answer(handler, request, int(response_limit))
        _send(int(channel), kind, payload)


def _die_with_parent(lifeline: int) -> None:
    """End this process and its children once the parent has closed the other end of the pipe, or has died."""
    os.read(lifeline, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _load(name: str) -> Callable[[Any, Context], Any]:
    module_name, function_name = name.rsplit(".", 1)
    module = importlib.import_module(module_name.replace("/", "."))
    try:
        return getattr(module, function_name)  # type: ignore[no-any-return] # a handler takes and gives anything
    except AttributeError:
        raise HandlerNotFound(f"Handler '{function_name}' missing on module '{module_name}'") from None


def _answer(handler: Callable[[Any, Context], Any], request: bytes, response_limit: int) -> tuple[str, bytes]:
    """Run the handler on one request: the kind of the answer and its JSON.

    SystemExit and os._exit are not caught: on Lambda, too, they end the environment.
    """
    header, event = request.split(b"\n", 1)
    fields = json.loads(header)
    limit = fields["deadline"] - time.time() + _GRACE_SECONDS
    faulthandler.dump_traceback_later(max(limit, _GRACE_SECONDS), exit=True)
    try:
        context = Context(fields["id"], fields["arn"], fields["deadline"])
        result = handler(json.loads(event), context)
    except Exception as error:
        return "error", json.dumps(_error(error, skip=1)).encode()
    finally:
        faulthandler.cancel_dump_traceback_later()
    try:
        payload = json.dumps(result, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return "error", json.dumps(_marshal_error(error)).encode()
    if len(payload) > response_limit:
        return "error", json.dumps(_size_error(response_limit)).encode()
    return "result", payload


def _error(error: BaseException, skip: int) -> dict[str, Any]:
    """An exception in Lambda's shape; `skip` frames of this file are left out of the trace."""
    frames = traceback.extract_tb(error.__traceback__)[skip:]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_list(frames),
    }


def _import_error(error: Exception, name: str) -> dict[str, Any]:
    shaped = _error(error, skip=2)
    if isinstance(error, HandlerNotFound):
        shaped["errorType"] = "Runtime.HandlerNotFound"
    elif isinstance(error, ImportError):
        shaped["errorType"] = "Runtime.ImportModuleError"
        shaped["errorMessage"] = f"Unable to import module '{name.rsplit('.', 1)[0]}': {error}"
    elif isinstance(error, SyntaxError):
        shaped["errorType"] = "Runtime.UserCodeSyntaxError"
    return shaped


def _marshal_error(error: Exception) -> dict[str, Any]:
    message = f"Unable to marshal response: {error}"
    return {"errorMessage": message, "errorType": "Runtime.MarshalError", "stackTrace": []}


def _size_error(limit: int) -> dict[str, Any]:
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge", "stackTrace": []}


def _peak_memory_kb() -> int:
    """The most memory this process ever had resident, in KiB."""
    try:
        # Not getrusage: there a child starts with what its parent had.
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib costs a cold start
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _send(channel: int, kind: str, payload: bytes) -> None:
    header = json.dumps({"kind": kind, "peak_memory_kb": _peak_memory_kb()}).encode()
    message = header + b"\n" + payload
    view = memoryview(len(message).to_bytes(_HEADER_BYTES, "big") + message)
    while view:
        view = view[os.write(channel, view) :]


def _receive(channel: int) -> bytes | None:
    """The next message, or None once the other end is closed."""
    length = _read(channel, _HEADER_BYTES)
    return None if length is None else _read(channel, int.from_bytes(length, "big"))


def _read(channel: int, size: int) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = os.read(channel, min(size - len(chunks), 1 << 20))
        if not chunk:
            return None
        chunks += chunk
    return bytes(chunks)


if __name__ == "__main__":
    main(sys.argv[1:])
