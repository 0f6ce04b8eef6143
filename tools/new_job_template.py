"""A new job in template.yaml: every resource of a job that is there, and every line that names it, gets a twin."""

import re
from collections.abc import Iterator
from itertools import groupby

from tools.new_job_parts import NewJob

_LINE = 119
"""Columns that a comment above a section fills."""

_RESOURCE = "(?:StateMachine(?:Role|LogGroup|Arn)?|Function|Role|LogGroup)"
"""What a logical id ends with, after the job's name."""


class Refused(Exception):
    """A job that cannot be made; says why."""


def camel(name: str) -> str:
    """A job's name as logical ids spell it."""
    return "".join(word.capitalize() for word in name.split("-"))


def twins_in_template(text: str, model: str, job: NewJob) -> str:
    """The template with the new job beside the job `model`.

    Raises
    ------
    Refused : a resource has the name already, or the template does not name the model as it should.
    """
    taken = re.search(rf"^  {job.camel}{_RESOURCE}:$", text, re.MULTILINE)
    if taken:
        raise Refused(f"{job.name} is taken: template.yaml has a resource {taken.group().strip(' :')} already")
    made: list[str] = []
    for ours, entries in groupby(_entries(text), key=lambda entry: _is_of(entry, model)):
        for entry in (run := list(entries)):
            made.append(entry if ours else _with_twin_lines(entry, model, job))
        if ours:
            made.append(_twin("".join(run), model, job))
    result = "".join(made)
    counts = [len(re.findall(rf"\b{camel(name)}{_RESOURCE}\b", result)) for name in (model, job.name)]
    if counts[0] == 0 or counts[0] != counts[1]:
        raise Refused(f"template.yaml: {counts[0]} mentions of {camel(model)}, {counts[1]} of {job.camel}")
    return result


def _entries(text: str) -> Iterator[str]:
    """The template cut before every line that begins in the first three columns: keys and comments."""
    yield from re.split(r"^(?=(?:  )?[^\s])", text, flags=re.MULTILINE)


def _is_of(entry: str, model: str) -> bool:
    return re.match(rf"  {camel(model)}{_RESOURCE}:|  # ---- {model} -", entry) is not None


def _with_twin_lines(entry: str, model: str, job: NewJob) -> str:
    lines = entry.splitlines(keepends=True)
    return "".join(line + _twin(line, model, job) if _names(line, model) else line for line in lines)


def _names(line: str, model: str) -> bool:
    return (
        line.lstrip().startswith("- !")
        and re.search(rf"\b{camel(model)}{_RESOURCE}\b|\}}{model}[:/\"]", line) is not None
    )


def _twin(text: str, model: str, job: NewJob) -> str:
    twin = text.replace(camel(model), job.camel).replace(model.replace("-", "_"), job.module).replace(model, job.name)
    twin = re.sub(r"^  # ---- (\S+) -+$", lambda found: f"  # ---- {found[1]} ".ljust(_LINE, "-"), twin, flags=re.M)
    twin = re.sub(r"(?<=^      Description: ).*$", f'"{job.name}: {job.summary}, Plan and pages"', twin, flags=re.M)
    if job.package == "matching":
        twin = re.sub(r"^      Timeout: .*\n", r"\g<0>      Layers:\n        - !Ref NumpyLayer\n", twin, flags=re.M)
    return twin
