"""Make a new keyed job: everything that a job consists of, green from the start, for its author to edit.

    python tools/new_job.py post-count --group feed

The job that it makes counts the interests of each user. Nothing is written unless every part can be made. What each
file is for: docs/development.md.
"""

import argparse
import keyword
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a program finds its own folder only

from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.site import SITE_TABLES
from sitejobs_local.cli import sitejobs
from tools import new_job_parts as parts
from tools.new_job_parts import NewJob, filled
from tools.new_job_template import Refused, twins_in_template

ROOT = Path(__file__).resolve().parent.parent
PACKAGES: Final = {"matching": "matching", "feed": "feed", "search": "search", "supporting": "traits"}
"""The package of each group."""

OURS: Final = 'lint.isort.known-first-party = ["sitejobs", "sitejobs_local", "tests"]'
"""For ruff, which takes a module that is not there yet for somebody else's."""

LONGEST_NAME = 40
"""Letters of a name: state machines have 80, the name of their stack included."""

AS_MODEL = "user-interest-sets"
"""The job whose lines in lists of all jobs show where the new job's lines go."""


@dataclass
class Edits:
    """The files as they will be. Nothing is written before all of them are known."""

    root: Path
    texts: dict[str, str] = field(default_factory=dict)
    new: set[str] = field(default_factory=set)

    def text(self, file: str) -> str:
        if file not in self.texts:
            self.texts[file] = (self.root / file).read_text(encoding="utf-8")
        return self.texts[file]

    def create(self, file: str, text: str) -> None:
        if (self.root / file).exists():
            raise Refused(f"{file} exists already")
        self.texts[file] = text
        self.new.add(file)

    def insert(self, file: str, before: str, text: str) -> None:
        """Put a text in front of the one place that the pattern `before` finds."""
        content = self.text(file)
        found = list(re.finditer(before, content, re.MULTILINE))
        if len(found) != 1:
            raise Refused(f"{file}: {len(found)} places for {text.strip().splitlines()[0]!r} instead of one: {before}")
        at = found[0].start()
        self.texts[file] = content[:at] + text + content[at:]

    def write(self) -> None:
        """Write everything, Python as ruff formats it."""
        formatted = {file: self._formatted(file, text) for file, text in self.texts.items()}
        for file, text in formatted.items():
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            (self.root / file).write_text(text, encoding="utf-8")

    def _formatted(self, file: str, text: str) -> str:
        if not file.endswith(".py"):
            return text
        for arguments in (("check", "--quiet", "--select", "I", "--fix", "--config", OURS), ("format", "--quiet")):
            done = subprocess.run(  # noqa: S603 - ruff, with our own files
                [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(self.root / file), "-"],
                input=text,
                capture_output=True,
                text=True,
                cwd=self.root,
                check=False,
            )
            if done.returncode:
                raise Refused(f"{file}: ruff cannot format it: {done.stderr.strip()}")
            text = done.stdout
        return text


def edits_of(root: Path, name: str, group: str) -> Edits:
    """All that a new job changes.

    Raises
    ------
    Refused : the name or the group will not do, or a place is not found; says which.
    """
    job = NewJob(name, group, _package(group))
    edits = Edits(root)
    check_name(root, job)
    _job(edits, job)
    _contract(edits, job)
    edits.texts["template.yaml"] = twins_in_template(edits.text("template.yaml"), AS_MODEL, job)
    _documentation(edits, job)
    _tests(edits, job)
    return edits


def check_name(root: Path, job: NewJob) -> None:
    """Refuse a name that is ill-formed or stands for something else already."""
    name = job.name
    if not re.fullmatch(r"[a-z]{2,}(-[a-z]{2,})*", name) or len(name) > LONGEST_NAME:
        raise Refused(
            f"{name!r} is no name of a job: lower-case words of two letters or more, joined by hyphens,"
            f" {LONGEST_NAME} letters at most, such as post-count"
        )
    if name.startswith("media"):
        raise Refused(f"{name}: names that begin with media are those of media jobs")
    if keyword.iskeyword(job.module) or (root / "functions" / job.module).exists():
        raise Refused(f"{name} is taken: functions/{job.module} exists or would be no module's name")
    if name in sitejobs.list_commands(None):  # type: ignore[arg-type]
        raise Refused(f"{name} is taken: `sitejobs {name}` is a command already")
    tables = {table.name.lower() for table in (*SITE_TABLES, *BUNDLE_TABLES)}
    if job.camel.lower() in tables:
        raise Refused(f'{name} is taken: there is a table "{job.camel}" already')
    for file in (f"{job.folder}/options.py", "layers/sitejobs/sitejobs/schema/site.py"):
        if re.search(rf"^(class )?({job.constant}|{job.camel}Options)\b", (root / file).read_text(), re.MULTILINE):
            raise Refused(f"{name} is taken: {file} has a {job.constant} or {job.camel}Options already")


def _package(group: str) -> str:
    if group == "media":
        raise Refused("jobs of the group media go through files, not through keys of a table: they are made by hand")
    if group not in PACKAGES:
        raise Refused(f"there is no group {group!r}: one of {', '.join(PACKAGES)}")
    return PACKAGES[group]


def _job(edits: Edits, job: NewJob) -> None:
    """The package `sitejobs`, the function and its events."""
    edits.create(f"{job.folder}/{job.module}.py", filled(parts.MODULE, job))
    edits.texts[f"{job.folder}/options.py"] = edits.text(f"{job.folder}/options.py") + filled(parts.OPTIONS, job)
    catalog = "layers/sitejobs/sitejobs/catalog.py"
    edits.insert(catalog, r"^JOBS: ", f"from sitejobs.{job.package}.options import {job.constant}\n\n")
    edits.insert(catalog, r"^    \)\n}", f"        {job.constant},\n")
    step = f'        Step("{job.name}", part="named"),\n'
    edits.insert("layers/sitejobs/sitejobs/workflows/graph.py", r'^ +Step\("media-metadata-all"', step)
    if job.package == "matching":
        edits.insert("pyproject.toml", r'(?<=^    "match_scores \| compatibility)(?=[ |\w]*",$)', f" | {job.module}")
    edits.create(f"functions/{job.module}/app.py", filled(parts.FUNCTION, job))
    edits.create(f"events/{job.name}.json", filled(parts.EVENT, job))
    edits.create(f"events/{job.name}.input.json", parts.INPUT)


def _contract(edits: Edits, job: NewJob) -> None:
    """The tables: what the job reads and writes, and the migration of its own."""
    tables = "layers/sitejobs/sitejobs/jobs/tables.py"
    edits.insert(tables, rf'^ +"{AS_MODEL}": \("User", ', f'        "{job.name}": ("User", "UserInterest"),\n')
    edits.insert(tables, rf'^ +"{AS_MODEL}": \("InterestUserSet"', f'        "{job.name}": ("{job.camel}",),\n')
    site = "layers/sitejobs/sitejobs/schema/site.py"
    edits.insert(site, r"^MEDIA = \(", f'{job.constant} = "{job.name}"\n')
    for table in ("User", "UserInterest"):
        edits.insert(site, rf'(?<=^        "{table}",\n        jobs=\()', f"{job.constant}, ")
    bundle = "layers/sitejobs/sitejobs/schema/bundle.py"
    edits.insert(bundle, r"^from sitejobs\.schema\.site ", f"{parts.CONTRACT_IMPORT} {job.constant}\n")
    edits.insert(bundle, r"^\)\n\Z", filled(parts.TABLE, job))
    numbers = [int(file.name[:4]) for file in (edits.root / "layers/sitejobs/sitejobs/migrations").glob("[0-9]*.sql")]
    edits.create(
        f"layers/sitejobs/sitejobs/migrations/{max(numbers) + 1:04}_{job.module}.sql", filled(parts.MIGRATION, job)
    )


def _documentation(edits: Edits, job: NewJob) -> None:
    edits.create(f"docs/{job.name}.md", filled(parts.PAGE, job))
    edits.texts["docs/jobs.md"] = edits.text("docs/jobs.md").rstrip() + filled(parts.SECTION, job)
    edits.insert("README.md", r"^\| \[media-metadata\]", f"| [{job.name}](docs/{job.name}.md) | {job.summary} |\n")
    section = rf"(?<=^## {job.group.capitalize()}\n)"
    guide = edits.text("docs/guide.md")
    found = re.search(rf"{section}.*?(?=^## )", guide, re.MULTILINE | re.DOTALL)
    if found is None or "\n```\n" not in found.group():
        raise Refused(f"docs/guide.md: no block of commands under {job.group.capitalize()}")
    at = found.start() + found.group().rindex("\n```\n") + 1
    edits.texts["docs/guide.md"] = f"{guide[:at]}sitejobs {job.name}\n{guide[at:]}"


def _tests(edits: Edits, job: NewJob) -> None:
    described = "tests/promises/described.py"
    edits.insert(described, r"^NOW = ", f"from sitejobs.{job.package} import {job.module}\n\n")
    edits.insert(described, r"^    Described\(media_metadata\.JOB", filled(parts.DESCRIBED, job))
    edits.create(f"tests/{job.package}/test_{job.module}.py", filled(parts.TESTS, job))


def renew(root: Path) -> None:
    """What the code tells of itself, the new job included: parts of the documentation, the files of tests/sql.

    In processes of their own, since this one has the code as it was.
    """
    folders = (root, root / "layers" / "sitejobs", root / "local")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    for program in (("tools/docs.py",), ("-m", "tests.sql")):
        command = [sys.executable, *program]
        subprocess.run(command, env=environment, cwd=root, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the job; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make a new keyed job that works, to be edited.")
    parser.add_argument("name", help="such as post-count: also the name of its command and its state machine")
    parser.add_argument("--group", required=True, help=f"one of {', '.join(PACKAGES)}")
    given = parser.parse_args(arguments)
    try:
        edits = edits_of(ROOT, given.name, given.group)
        edits.write()
    except Refused as refused:
        print(f"{refused}. Nothing was written.", file=sys.stderr)
        return 2
    renew(ROOT)
    job = NewJob(given.name, given.group, PACKAGES[given.group])
    edits.new.add(f"tests/sql/{job.package}/{job.module}.sql")
    for file in sorted({*edits.texts, *edits.new, "docs/cost.md", "docs/workflows.md"}):
        print(f"{'made   ' if file in edits.new else 'changed'} {file}")
    print(filled(parts.NEXT, job))
    return 0


if __name__ == "__main__":
    sys.exit(main())
