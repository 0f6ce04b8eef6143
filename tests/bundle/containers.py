"""A container engine for `sam local invoke`, and an image that stands in for Lambda's own: nothing is downloaded."""

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.limits import PATIENCE_S

IMAGE: Final = "sitejobs/lambda-stand-in:python3.13"
BRIDGE: Final = Path("/sys/class/net/docker0")
_LANG: Final = "/var/lang"
_RUNTIME: Final = "/var/runtime"
_LABEL: Final = "sitejobs.stand-in=true"
# With what SAM puts emulator and layers into the image.
_PROGRAMS: Final = ("sh", "mv", "cp", "rm", "chmod")
_NOT_OF_THE_LIBRARY: Final = ("test", "idlelib", "ensurepip", "turtledemo", "tkinter", "site-packages", "config-3.13")
_BOOTSTRAP: Final = f"""#!/bin/sh
export PYTHONPATH=/var/task:/opt/python:{_RUNTIME}
exec {_LANG}/bin/python3.13 -m awslambdaric "$_HANDLER"
"""


class EngineError(Exception):
    """The engine refused something; the message says what it said."""


class NoEngineError(EngineError):
    """No container can run on this machine; the message says why."""


@dataclass(frozen=True)
class Engine:
    """A running container engine. `variables` tell its clients where it is."""

    variables: Mapping[str, str]

    def docker(self, *arguments: str) -> str:
        """What the command line of Docker prints.

        Raises
        ------
        EngineError : with what it says when it fails.
        """
        environment = os.environ | self.variables
        done = subprocess.run(["docker", *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise EngineError(f"docker {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def answers(self) -> bool:
        """Whether containers can be started now."""
        try:
            return bool(self.docker("info", "--format", "{{.ServerVersion}}"))
        except EngineError:
            return False

    def host_address(self) -> str:
        """The address under which a container reaches this machine, by the name host.docker.internal."""
        return self.docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")


@contextmanager
def container_engine() -> Iterator[Engine]:
    """The engine that runs already, or one of our own, which ends with the block. Nothing is left behind in either.

    Raises
    ------
    NoEngineError : there is none, and none can be started.
    """
    if shutil.which("docker") is None:
        raise NoEngineError("no `docker` was found on PATH")
    running = Engine({})
    if running.answers():
        try:
            yield running
        finally:
            _remove_images(running)
        return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        raise NoEngineError("no container engine answers `docker info`; to start one takes dockerd on PATH, and root")
    folder = Path(tempfile.mkdtemp(prefix="sitejobs-engine-"))
    try:
        with _own_engine(folder) as engine:
            yield engine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_images(engine: Engine) -> None:
    """The stand-in, and what SAM made on top of it: their labels are inherited."""
    with suppress(EngineError):
        listed = engine.docker("images", "--quiet", "--filter", f"label={_LABEL}")
        engine.docker("rmi", "--force", *dict.fromkeys(listed.split()))


@contextmanager
def _own_engine(folder: Path) -> Iterator[Engine]:
    engine, log = Engine({"DOCKER_HOST": f"unix://{folder}/socket"}), folder / "log"
    had_bridge = BRIDGE.exists()
    # Containers and this machine reach each other without rules in its firewall.
    command = ["dockerd", "--iptables=false", "--ip6tables=false", "--host", f"unix://{folder}/socket"]
    command += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + PATIENCE_S
        while not engine.answers():
            if process.poll() is not None or time.monotonic() > limit:
                raise NoEngineError(f"dockerd does not start here: {_last_error(log)}")
            time.sleep(0.1)
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if BRIDGE.exists() and not had_bridge and shutil.which("ip"):
            subprocess.run(["ip", "link", "delete", BRIDGE.name], check=False)


def _last_error(log: Path) -> str:
    lines = log.read_text().strip().splitlines()
    return next((line for line in reversed(lines) if "failed" in line or "error" in line), "".join(lines[-1:]))


def import_stand_in(engine: Engine, lambda_python: Path, used_by: Iterable[Path]) -> None:
    """Make the image `IMAGE`: a Python 3.13 of this machine where Lambda has its own, and Lambda's runtime client.

    Parameters
    ----------
    lambda_python : of an environment with what Lambda's runtime has.
    used_by : folders of the functions and layers that are to run in it; their libraries must find those of the system.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        with tarfile.open(archive, "w") as image:
            _fill(image, lambda_python, used_by)
        changes = [f"ENV PATH={_LANG}/bin:/bin", "ENV LANG=C.UTF-8", "ENV LAMBDA_TASK_ROOT=/var/task"]
        changes += ["WORKDIR /var/task", f"LABEL {_LABEL}"]
        options = [word for change in changes for word in ("--change", change)]
        engine.docker("import", *options, str(archive), IMAGE)


def _fill(image: tarfile.TarFile, lambda_python: Path, used_by: Iterable[Path]) -> None:
    python, library, packages = _places(lambda_python)
    image.add(python, f"{_LANG}/bin/python3.13")
    image.add(library, f"{_LANG}/lib/python3.13", filter=_needed)
    image.add(packages, _RUNTIME)
    _add_bytes(image, f"{_RUNTIME}/bootstrap", _BOOTSTRAP.encode(), 0o755)
    programs = {name: Path(shutil.which(name) or f"/bin/{name}").resolve() for name in _PROGRAMS}
    for name, program in programs.items():
        image.add(program, f"/bin/{name}")
    for place in ("/tmp", "/var/task"):
        entry = tarfile.TarInfo(place)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        image.addfile(entry)
    binaries = [python, *programs.values()]
    for folder in (library / "lib-dynload", packages, *used_by):
        binaries += sorted(path for path in folder.rglob("*.so*") if path.is_file())
    for library_file in sorted(_libraries(binaries, tuple(used_by))):
        # At its own path, whatever links lead there.
        image.add(library_file.resolve(), str(library_file))


def _places(lambda_python: Path) -> list[Path]:
    """The program behind an environment's Python, its standard library, and the environment's packages."""
    program = "import os, sys, sysconfig; print(os.path.realpath(sys.executable))"
    program += "; print(sysconfig.get_path('stdlib')); print(sysconfig.get_path('purelib'))"
    asked = subprocess.run([lambda_python, "-c", program], capture_output=True, text=True, check=True)
    return [Path(line) for line in asked.stdout.splitlines()]


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    top = entry.name.removeprefix(f"{_LANG}/lib/python3.13/".lstrip("/")).partition("/")[0]
    return None if top.startswith(_NOT_OF_THE_LIBRARY) else entry


def _libraries(binaries: Sequence[Path], without: tuple[Path, ...]) -> set[Path]:
    """The shared libraries of the system that programs and libraries need, by the paths under which they ask."""
    listed = subprocess.run(["ldd", *binaries], capture_output=True, text=True).stdout
    found = {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+)(?= \(0x)", listed, re.MULTILINE)}
    return {path for path in found if not any(path.is_relative_to(folder) for folder in without)}


def _add_bytes(image: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    image.addfile(entry, io.BytesIO(data))
