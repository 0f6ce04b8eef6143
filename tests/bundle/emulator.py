"""A built function under Lambda's own runtime interface emulator, which the sam wheel ships: no Docker, no AWS."""

import json
import platform
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from sitejobs_local.template.resources import Function
from tests.limits import PATIENCE_S
from tools.bundle import ROOT

_INVOKE = "/2015-03-31/functions/function/invocations"  # the name is `function` whatever the function is called
_INIT = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)")


@dataclass(frozen=True)
class Emulated:
    """A function's execution environment."""

    port: int
    log: Path

    def invoke(self, event: object) -> dict[str, Any]:
        """Call the function; an error it raises comes back as `{"errorType", "errorMessage", "stackTrace"}`."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", _INVOKE, json.dumps(event))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    @property
    def init_milliseconds(self) -> float:
        """How long the cold start took, as the emulator reports it after the first call."""
        reported = _INIT.search(self.log.read_text())
        assert reported, f"no INIT REPORT in {self.log}:\n{self.log.read_text()[-2000:]}"
        return float(reported.group(1))


def program() -> Path:
    """The emulator for this machine's processor."""
    kind = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    [found] = (ROOT / ".venv-sam").glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{kind}")
    found.chmod(found.stat().st_mode | 0o111)
    return found


@contextmanager
def emulated(function: Function, python: Path, environment: Mapping[str, str], log: Path) -> Iterator[Emulated]:
    """Run one environment of a built function while the block lasts.

    Parameters
    ----------
    function : as the built template describes it, its layers being folders with our dependencies.
    python : of an environment with what Lambda's runtime has, and nothing else.
    environment : variables over the template's.
    log : file for all that the emulator and the function write.
    """
    api, runtime_api = _free_port(), _free_port()
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONPATH": ":".join(str(folder) for folder in (function.code, *function.layers)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(function.code),
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "emulated",
        "AWS_SECRET_ACCESS_KEY": "emulated",
        **function.environment,
        **environment,
    }
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{api}", "--runtime-api-address"]
    command = [str(program()), *addresses, f"127.0.0.1:{runtime_api}", "--log-level", "info"]
    command += [str(python), "-m", "awslambdaric", function.handler]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=function.code, env=variables, stdout=output, stderr=output)
    try:
        _wait_for(api, process, log)
        yield Emulated(api, log)
    finally:
        process.terminate()  # it takes the function's process with it
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"the emulator did not start:\n{log.read_text()[-2000:]}")
