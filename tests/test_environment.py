"""The environment that make keeps: made, mended and left alone as it should be, with nothing but a Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import PATIENCE_S
from tests.skips import Lacking, skip

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools" / "environment.sh"
LAYER = Path("layers") / "sitejobs"
SIEVE = Path("sitejobs") / "matching" / "topk" / "sieve.library"
COMMANDS = ("cat", "cksum", "dirname", "rm", "sed", "sh", "sort")

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
version = "1"
optional-dependencies = { local = [], dev = [] }
"""
# The least that an editable install asks of a package, so that nothing is fetched.
BACKEND = """
import zipfile

def build_editable(folder, settings=None, metadata=None):
    with zipfile.ZipFile(f"{folder}/tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return "tiny-1-py3-none-any.whl"
"""


def project(folder: Path) -> Path:
    """A project without dependencies."""
    (folder / "tools").mkdir(parents=True)
    shutil.copy(SCRIPT, folder / "tools")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND)
    (folder / "constraints.txt").write_text("")
    for path in (Path("compile.py"), SIEVE.with_name("sieve.c")):
        (folder / LAYER / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / LAYER / path, folder / LAYER / path)
    return folder


def make(folder: Path, kind: str = "local", **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the script with this Python, or with what the variables say."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ENVIRONMENT"))}
    return subprocess.run(
        ["sh", str(folder / "tools" / "environment.sh"), kind],
        env={**kept, "PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def python_works(folder: Path) -> bool:
    return (
        subprocess.run([folder / ".venv" / "bin" / "python", "-c", "import tiny"], capture_output=True).returncode == 0
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with what the script uses and no Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in COMMANDS:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def stand_in(folder: Path, name: str, *lines: str) -> None:
    """A program that this Python runs after some lines of its own."""
    preparation = "; ".join(lines)
    (folder / name).write_text(
        f'#!/bin/sh\nif [ "$1" = -c ]; then exec \'{sys.executable}\' -c "import sys; {preparation}\n$2"; fi\n'
    )
    (folder / name).chmod(0o755)


def test_it_is_made_once_and_again_after_an_interruption_or_a_move(tmp_path: Path) -> None:
    here = project(tmp_path / "a folder with spaces")
    made = make(here)
    assert made.returncode == 0, made.stderr
    assert "making the environment" in made.stderr
    assert python_works(here)

    again = make(here)
    assert (again.returncode, again.stderr) == (0, "")

    # Interrupted within pip: no stamp, and half a package.
    (here / ".venv" / "made-for-local").unlink()
    [half] = (here / ".venv").glob("lib/python3*/site-packages/tiny.py")
    half.unlink()
    assert make(here).returncode == 0
    assert python_works(here)

    there = here.rename(tmp_path / "elsewhere")
    moved = make(there)
    assert moved.returncode == 0, moved.stderr
    assert "making the environment" in moved.stderr
    assert python_works(there)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its environment, which a test leaves working."""
    here = project(tmp_path_factory.mktemp("made") / "project")
    assert make(here, "dev").returncode == 0
    return here


def test_what_is_made_for_development_serves_the_command_too(made: Path) -> None:
    assert make(made, "dev").returncode == 0
    assert make(made, "local").stderr == ""

    # The sieve is compiled when it is not there or older than its source, which nothing hinders.
    library = made / LAYER / SIEVE
    library.unlink(missing_ok=True)
    failed = make(made, CC="false")
    assert failed.returncode == 0
    assert "sieve.c could not be compiled" in failed.stderr
    missing = make(made, CC="no-such-compiler")
    assert (missing.returncode, missing.stderr, library.exists()) == (0, "", False)
    if shutil.which("cc") is None:
        skip(Lacking.C_COMPILER)
    assert (make(made).stderr, library.exists()) == ("", True)
    os.utime(library, (0, 0))
    assert make(made).stderr == ""
    assert library.stat().st_mtime > 0


def test_changed_pins_update_it_without_making_it_anew(made: Path) -> None:
    kept = made / ".venv" / "kept"
    kept.touch()
    (made / "constraints.txt").write_text("# changed\n")
    updated = make(made)
    assert updated.returncode == 0, updated.stderr
    assert "updating" in updated.stderr
    assert kept.exists()


def test_a_python_that_has_gone_is_replaced(made: Path, tmp_path: Path) -> None:
    (made / ".venv" / "bin" / "python").unlink()
    (made / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    assert make(made).returncode == 0
    assert python_works(made)


def test_without_a_fit_python_it_says_what_it_found_and_how_to_get_one(tmp_path: Path, programs: Path) -> None:
    stand_in(programs, "python3", "sys.version_info = (3, 9, 6)")
    told = make(project(tmp_path / "project"), PYTHON="", PATH=str(programs))
    assert told.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13 and found none; python3 is 3.9" in told.stderr
    assert "apt install" in told.stderr
    assert not (tmp_path / "project" / ".venv").exists()


def test_without_any_python_it_says_so(tmp_path: Path, programs: Path) -> None:
    told = make(project(tmp_path / "project"), PYTHON="", PATH=str(programs))
    assert told.returncode == 1
    assert "found none\n" in told.stderr


def test_a_python_without_venv_is_told_from_none(tmp_path: Path, programs: Path) -> None:
    stand_in(programs, "python3", "sys.modules['ensurepip'] = None")
    told = make(project(tmp_path / "project"), PYTHON="", PATH=str(programs))
    assert told.returncode == 1
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in told.stderr


def test_a_named_python_that_does_not_fit_is_not_passed_over(tmp_path: Path, programs: Path) -> None:
    stand_in(programs, "old python", "sys.version_info = (3, 8, 1)")
    told = make(project(tmp_path / "project"), PYTHON=str(programs / "old python"))
    assert told.returncode == 1
    assert "is 3.8" in told.stderr


def test_packages_that_cannot_be_installed_leave_no_environment_that_looks_whole(tmp_path: Path) -> None:
    here = project(tmp_path / "project")
    (here / "backend.py").write_text("raise ImportError")
    failed = make(here)
    assert failed.returncode == 1
    assert "could not be installed" in failed.stderr
    (here / "backend.py").write_text(BACKEND)
    assert make(here).returncode == 0
    assert python_works(here)


def test_where_pip_cannot_be_renewed_the_one_of_python_does(tmp_path: Path) -> None:
    here = project(tmp_path / "project")
    (here / "constraints.txt").write_text("pip==0.1\n")
    made = make(here, PIP_NO_INDEX="1")
    assert made.returncode == 0, made.stderr
    assert "ERROR" in made.stderr
    assert python_works(here)
