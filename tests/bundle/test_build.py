"""The bundle as SAM builds it: small enough, complete, and nothing in it that does not belong there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sitejobs_local.template.resources import Template
from tests.documentation import PAGES, lines_of
from tests.skips import Lacking, skip
from tools.bundle import LAMBDA_LIMIT_MB, OUR_LIMIT_MB, ROOT, MissingToolError, build, find_runtime, function_sizes, sam

pytestmark = pytest.mark.bundle

LAYERS = {
    "SitejobsLayer": "sitejobs",
    "DependenciesLayer": "dependencies",
    "NumpyLayer": "numpy",
    "MediaLayer": "media",
    "TextLayer": "text",
}
# Amazon Linux 2023 has glibc 2.34.
PLATFORMS = ["manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28", "manylinux_2_34"]


def pinned(layer: str) -> set[str]:
    """`name==version` of each line of a layer's requirements, names as wheels write them; our own package has none."""
    file = ROOT / "layers" / layer / "requirements.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    pins = [line.partition("#")[0].strip().lower() for line in lines]
    return {re.sub(r"\[.*\]", "", pin).replace("-", "_") for pin in pins if pin}


def test_a_function_and_its_layers_stay_well_under_lambdas_limit(built: Path) -> None:
    sizes = {size.name: size.megabytes for size in function_sizes(built)}
    assert len(sizes) >= 4
    assert OUR_LIMIT_MB < LAMBDA_LIMIT_MB
    assert {name: size for name, size in sizes.items() if size > OUR_LIMIT_MB} == {}


@pytest.mark.parametrize(("layer", "folder"), LAYERS.items())
def test_a_layer_holds_exactly_what_its_requirements_pin(built: Path, layer: str, folder: str) -> None:
    found = {path.name.removesuffix(".dist-info") for path in (built / layer / "python").glob("*.dist-info")}
    assert {re.sub(r"-(?=\d)", "==", name, count=1).lower() for name in found} == pinned(folder)


def test_the_package_is_built_whole_and_with_bytecode(built: Path) -> None:
    source, copy = ROOT / "layers" / "sitejobs", built / "SitejobsLayer" / "python"
    modules = {path.relative_to(source) for path in (source / "sitejobs").rglob("*.py")}
    assert modules == {path.relative_to(copy) for path in copy.rglob("*.py")}
    for module in modules:
        assert (copy / module).read_bytes() == (source / module).read_bytes()
        # Beside the source, and not checked against its time, which a zip changes (PEP 552: the flags are 1).
        [bytecode] = (copy / module.parent / "__pycache__").glob(f"{module.stem}.cpython-313.pyc")
        assert int.from_bytes(bytecode.read_bytes()[4:8], "little") == 1


def test_the_sieve_is_compiled_and_what_it_was_compiled_with_stays_out(built: Path) -> None:
    assert [path.name for path in (built / "SitejobsLayer" / "python").iterdir()] == ["sitejobs"]
    library = built / "SitejobsLayer" / "python" / "sitejobs" / "matching" / "topk" / "sieve.library"
    assert 5_000 < library.stat().st_size < 100_000
    # Of the C library it wants what every one has, so that the runtime's can be older than the machine's that built it.
    assert set(re.findall(rb"GLIBC_[0-9.]+", library.read_bytes())) <= {b"GLIBC_2.2.5", b"GLIBC_2.14", b"GLIBC_2.17"}


def test_a_function_carries_the_few_lines_of_each_and_no_dependency(built: Path, functions: Template) -> None:
    for function in functions.functions.values():
        files = [path for path in function.code.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".py", ".pyc"}
        assert all(path.name.startswith("app.") and path.stat().st_size < 5_000 for path in files)
        assert function.code.joinpath(*function.handler.split(".")[:-1]).with_suffix(".py") in files
    for size in function_sizes(built):
        assert size.parts["code"] < 100_000


@pytest.mark.parametrize("layer", ["dependencies", "media", "numpy", "text"])
def test_every_dependency_has_a_wheel_for_arm64(layer: str, tmp_path: Path) -> None:
    wanted = ["--python-version", "3.13", "--implementation", "cp", "--only-binary", ":all:", "--no-deps", "--dry-run"]
    for platform in PLATFORMS:
        wanted += ["--platform", f"{platform}_aarch64"]
    requirements = str(ROOT / "layers" / layer / "requirements.txt")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--target",
        str(tmp_path),
        *wanted,
        "--requirement",
        requirements,
    ]
    asked = subprocess.run(command, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stderr


def test_without_a_python_3_13_the_message_says_what_to_install(tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "python3.13"  # as pyenv's shim of a version that is not there
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    if sys.version_info[:2] == (3, 13):
        skip(Lacking.ANOTHER_PYTHON)
    with pytest.raises(MissingToolError, match=r"install Python 3\.13"):
        find_runtime({"PATH": str(broken.parent), "PYENV_ROOT": str(tmp_path)})


@pytest.mark.parametrize(("architecture", "machine"), [("x86_64", 62), ("arm64", 183)])
def test_all_that_is_compiled_is_for_the_architecture_that_was_built_for(
    runtime: Path, built: Path, tmp_path: Path, architecture: str, machine: int
) -> None:
    if architecture == "arm64":
        done = build(tmp_path / "built", architecture, bytecode=False)  # which is the same on every one
        assert done.returncode == 0, done.stdout
    folder = tmp_path / "built" if architecture == "arm64" else built
    files = [*folder.rglob("*.so*"), *folder.rglob("sieve.library")]
    libraries = [path for path in files if path.read_bytes()[:4] == b"\x7fELF"]
    assert [path.name for path in libraries].count("sieve.library") == 1
    assert len(libraries) > 50
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries} == {machine}


def test_answers_to_sams_questions_are_saved_where_git_does_not_look() -> None:
    asked = [line for line in lines_of(ROOT / "docs" / "deploying.md") if "--guided" in line.arguments]
    assert asked
    for line in asked:
        file = line.arguments[line.arguments.index("--config-file") + 1]
        assert subprocess.run(["git", "check-ignore", "--quiet", file], cwd=ROOT).returncode == 0


def test_sam_knows_every_option_that_the_documentation_gives_it() -> None:
    known = sam(["deploy", "--help"]).stdout
    lines = [
        line for page in PAGES for line in lines_of(page) if line.program == "sam" and line.arguments[0] == "deploy"
    ]
    given = {word for line in lines for word in line.arguments if word.startswith("--")}
    assert {"--no-confirm-changeset", "--guided"} <= given
    assert [option for option in sorted(given) if option not in known] == []
