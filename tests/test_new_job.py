"""`tools/new_job.py` makes a job that is green from the start: in a copy of the repository, by its own tests."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sitejobs_local.template.loops import read_template
from tests.bundle.resources import RESOURCES
from tests.limits import PATIENCE_S
from tools.new_job import PACKAGES, ROOT, edits_of
from tools.new_job_template import Refused

NAME = "interest-count"
MODULE = "interest_count"
OF_EVERY_JOB = (
    *(
        "tests/test_catalog.py",
        "tests/test_docs.py",
        "tests/test_docs_tables.py",
        "tests/workflows/test_guide.py",
        "tests/workflows/test_graph.py",
    ),
    *("tests/bundle/test_template.py", "tests/bundle/test_watching.py", "tests/workflows/test_stack.py"),
    *("tests/local/test_contract.py", "tests/test_row_security.py::test_the_tables_of_a_job_are_the_contracts"),
    "tests/sql",
)
"""Tests of documentation, template and contract that go through the catalog."""

WITHOUT = "not documented_command and not example_of_the_guide_runs and not sql_of_a_finding_mends_it"
OF_THE_JOB = ("tests/feed", "tests/promises/test_catalog.py", "tests/test_events.py", "tests/test_losses.py")


def tracked(folder: Path) -> Path:
    """A copy of the files that git keeps."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A Python program in the copy, with the copy's code."""
    folders = (root, root / "layers" / "sitejobs", root / "local")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**kept, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def content(root: Path) -> Mapping[Path, bytes]:
    return {
        file.relative_to(root): file.read_bytes()
        for file in root.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_a_new_job_is_green_from_the_start(tmp_path: Path) -> None:
    root = tracked(tmp_path)
    before = content(root)
    made = run(root, "tools/new_job.py", NAME, "--group", "feed")
    assert made.returncode == 0, made.stdout + made.stderr
    told = set(re.findall(r"^(?:made|changed) +(\S+)$", made.stdout, re.MULTILINE))
    after = content(root)
    changed = {str(file) for file in after if after[file] != before.get(file)}
    assert changed == told
    python = [file for file in sorted(told) if file.endswith(".py")]
    # Types of what is new alone: the whole takes a minute without mypy's cache.
    typed = [file for file in python if MODULE in file and not file.startswith("functions/")]
    for command in (
        ("-m", "ruff", "check", *python),
        ("-m", "ruff", "format", "--check", *python),
        ("-m", "mypy", "--follow-imports=silent", *typed),
        ("-m", "pytest", "-m", "not bundle", "-k", WITHOUT, *OF_EVERY_JOB),
        ("-m", "pytest", "-m", "not bundle", "-k", f"{NAME} or {MODULE}", *OF_THE_JOB),
    ):
        done = run(root, *command)
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"
    again = run(root, "tools/new_job.py", NAME, "--group", "feed")
    assert again.returncode == 2
    assert "is taken" in again.stderr
    assert {file: (root / file).read_bytes() for file in after} == after


@pytest.mark.parametrize("group", PACKAGES)
def test_every_group_of_keyed_jobs_takes_one(group: str, tmp_path: Path) -> None:
    edits = edits_of(ROOT, NAME, group)
    assert f"layers/sitejobs/sitejobs/{PACKAGES[group]}/{MODULE}.py" in edits.new
    template = tmp_path / "template.yaml"
    template.write_text(edits.texts["template.yaml"])
    made = {name: it for name, it in read_template(template)["Resources"].items() if name.startswith("InterestCount")}
    twins = {name: it for name, it in RESOURCES.items() if name.startswith("UserInterestSets")}
    assert {name.removeprefix("InterestCount") for name in made} == {
        name.removeprefix("UserInterestSets") for name in twins
    }
    function = made["InterestCountFunction"]["Properties"]
    assert function["Handler"] == f"{MODULE}.app.handler"
    assert function.get("Layers", []) == ([{"Ref": "NumpyLayer"}] if group == "matching" else [])


@pytest.mark.parametrize(
    ("name", "group", "message"),
    [
        ("Interest_Count", "feed", "is no name of a job: lower-case words"),
        ("top5-count", "feed", "is no name of a job: lower-case words"),
        ("a-count", "feed", "is no name of a job: lower-case words"),
        ("x" * 41, "feed", "40 letters at most"),
        ("interest-count", "media", "are made by hand"),
        ("interest-count", "sport", "there is no group 'sport': one of matching, feed, search, supporting"),
        ("media-count", "feed", "those of media jobs"),
        ("trending", "feed", "taken"),
        ("runs", "feed", "functions/runs exists"),
        ("import", "feed", "would be no module's name"),
        ("check", "feed", "is a command already"),
        ("onboard-user", "feed", "is a command already"),
        ("post-features", "feed", 'there is a table "PostFeatures" already'),
        ("search-index", "search", "has a SEARCH_INDEX"),
        ("scoring", "feed", "exists already"),
        ("runs-record", "feed", "events/runs-record.json exists already"),
    ],
)
def test_what_will_not_do_is_refused_with_the_reason(name: str, group: str, message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        edits_of(ROOT, name, group)


def test_nothing_is_written_when_a_place_is_not_found(tmp_path: Path) -> None:
    root = tracked(tmp_path)
    guide = root / "docs" / "guide.md"
    guide.write_text(guide.read_text().replace("## Feed\n", "## Feeds\n"))
    before = content(root)
    refused = run(root, "tools/new_job.py", NAME, "--group", "feed")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "docs/guide.md: no block of commands under Feed. Nothing was written.\n"
    assert content(root) == before
