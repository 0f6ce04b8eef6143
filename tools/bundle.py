# ruff: noqa: S603 - a command: it starts programs of its own choice
"""Validate, build and measure the serverless bundle: no AWS account, no Docker.

    python tools/bundle.py validate
    python tools/bundle.py build [--architecture arm64]
    python tools/bundle.py sizes
    python tools/bundle.py environments

SAM has an environment of its own (.venv-sam), because its pins conflict with ours. Building needs a python3.13,
the Python that the functions run on.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitejobs_local.template.loops import read_template

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".aws-sam" / "build"
RUNTIME = "python3.13"

LAMBDA_LIMIT_MB = 250
"""Lambda's own limit of a function and its layers together, unzipped."""

OUR_LIMIT_MB = 200
"""Where we stop: the next release of a dependency must not be the one that no longer deploys."""


class MissingToolError(Exception):
    """Something that the build needs is not on this machine; the message says what."""


@dataclass(frozen=True)
class FunctionSize:
    """Unzipped bytes of a built function and of each layer that it carries."""

    name: str
    parts: Mapping[str, int]

    @property
    def megabytes(self) -> float:
        """Of all parts together, as Lambda counts them."""
        return sum(self.parts.values()) / 1024**2


def find_runtime(environ: Mapping[str, str] = os.environ) -> Path:
    """The python3.13 to build with: this very Python, the first that runs on PATH, or one of pyenv's.

    Raises
    ------
    MissingToolError : there is none.
    """
    on_path = [Path(folder) / RUNTIME for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for candidate in (Path(sys.executable), *on_path, *sorted(pyenv.glob(f"3.13*/bin/{RUNTIME}"), reverse=True)):
        if candidate.is_file() and _version_of(candidate, environ) == "3.13":
            return candidate
    raise MissingToolError(f"no {RUNTIME} was found on PATH or under {pyenv}: install Python 3.13 to build the bundle")


def sam_environment() -> Path:
    """The folder of SAM's programs. Most of its modules are never imported: those that are get compiled then."""
    return tool_environment(".venv-sam", "requirements-sam.txt", Path(sys.executable), "--no-compile")


def runtime_environment(runtime: Path) -> Path:
    """The folder of programs of a python3.13 that has what Lambda's runtime has, and nothing of ours."""
    return tool_environment(".venv-runtime", "requirements-runtime.txt", runtime)


def tool_environment(name: str, requirements: str, python: Path, *options: str) -> Path:
    """The folder of programs of a virtual environment beside the repository's own, made when it is not there yet.

    Parameters
    ----------
    name : of the folder, e.g. ".venv-sam".
    requirements : file in tools/ with its pins; a change makes the environment anew.
    options : of pip, beside those that every environment gets.
    """
    folder = ROOT / name
    wanted = f"{folder} {python} {(ROOT / 'tools' / requirements).read_text()}"  # its programs name their folder
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    stamp = folder / "made-from"
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making it
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([str(python), "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            # The pip that Python brings does as well, but takes twice as long to look through the index.
            subprocess.run([*pip, "--constraint", str(ROOT / "constraints.txt"), "pip"], check=False)
            subprocess.run([*pip, *options, "--requirement", str(ROOT / "tools" / requirements)], check=True)
            stamp.write_text(digest)
    return folder / "bin"


def sam(
    arguments: Sequence[str], runtime: Path | None = None, architecture: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run SAM in the repository; its output is captured, stdout and stderr together.

    It works without AWS and without the user's settings of AWS. `runtime` goes first on its PATH; `architecture` is
    told to the layers that are built with make, to which SAM does not tell it.
    """
    programs = sam_environment()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    if architecture is not None:
        environment["ARCHITECTURE"] = architecture
    if runtime is not None:
        environment["PATH"] = os.pathsep.join([str(runtime.parent), environment.get("PATH", os.defpath)])
    return subprocess.run(
        [str(programs / "sam"), *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )


def validate() -> subprocess.CompletedProcess[str]:
    """Check template.yaml as SAM and CloudFormation understand it."""
    return sam(["validate", "--lint"])


def build(
    folder: Path = BUILD, architecture: str = "x86_64", *, bytecode: bool = True
) -> subprocess.CompletedProcess[str]:
    """Build functions and layers into `folder`, with or without their bytecode.

    Raises
    ------
    MissingToolError : there is no python3.13, or no make.
    """
    if shutil.which("make") is None:
        raise MissingToolError("make was not found: some layers are built with it")
    runtime = find_runtime()
    arguments = ["build", "--build-dir", str(folder), "--parameter-overrides", f"Architecture={architecture}"]
    done = sam(arguments, runtime, architecture)
    if done.returncode == 0 and bytecode:
        _add_bytecode(folder, runtime)
    return done


def function_sizes(folder: Path = BUILD) -> list[FunctionSize]:
    """What each built function weighs with its layers, read from the template that SAM leaves beside them."""
    template = read_template(folder / "template.yaml")
    common = template["Globals"]["Function"].get("Layers", [])
    sizes = []
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        layers = [layer["Ref"] for layer in common + resource["Properties"].get("Layers", [])]
        parts = {"code": _bytes_in(folder / resource["Properties"]["CodeUri"])}
        parts |= {layer: _bytes_in(folder / _content(template, layer)) for layer in layers}
        sizes.append(FunctionSize(name, parts))
    return sizes


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=["validate", "build", "sizes", "environments"])
    parser.add_argument("--architecture", choices=["x86_64", "arm64"], default="x86_64")
    given = parser.parse_args(arguments)
    try:
        if given.command == "sizes":
            return _print_sizes()
        if given.command == "environments":
            print(sam_environment(), runtime_environment(find_runtime()))
            return 0
        done = validate() if given.command == "validate" else build(architecture=given.architecture)
    except MissingToolError as error:
        print(error, file=sys.stderr)
        return 1
    print(done.stdout)
    if done.returncode or given.command == "validate":
        return done.returncode
    return _print_sizes()


def _print_sizes() -> int:
    sizes = function_sizes()
    for size in sizes:
        parts = ", ".join(f"{name} {count / 1024**2:.1f}" for name, count in size.parts.items())
        print(f"{size.name:<28}{size.megabytes:7.1f} MB of {LAMBDA_LIMIT_MB}   ({parts})")
    heavy = [size.name for size in sizes if size.megabytes > OUR_LIMIT_MB]
    if heavy:
        print(f"over {OUR_LIMIT_MB} MB unzipped: {', '.join(heavy)}", file=sys.stderr)
    return 1 if heavy else 0


def _add_bytecode(folder: Path, runtime: Path) -> None:
    """Compile all modules: /opt cannot be written to on Lambda, so that every cold start would compile them anew.

    Measured: importing Record takes 0.5 s of processor time instead of 2.1 s, Batch 0.7 s instead of 2.3 s. The
    files do not look at their source's time, which a zip changes.
    """
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    # A dependency may ship templates or tests that are no valid Python: they have no bytecode, that is all.
    subprocess.run([runtime, "-m", "compileall", *options, folder], stdout=subprocess.DEVNULL)


def _content(template: Mapping[str, Any], layer: str) -> str:
    return str(template["Resources"][layer]["Properties"]["ContentUri"])


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _version_of(python: Path, environ: Mapping[str, str]) -> str | None:
    """Asks the program itself, because pyenv has shims for versions that are not installed."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        asked = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=30, env=dict(environ))
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
