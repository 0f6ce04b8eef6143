"""A new job in template.yaml: an entry in the mapping Jobs, and its name in every list that has a turn for each job."""

import re

from tools.new_job_parts import NewJob

_ENDINGS = "StateMachine(?:Role|LogGroup|Arn)?|Function|Role|LogGroup"
"""What a logical id ends with, after the job's name."""


_BEFORE, _AFTER = r"(?:!Ref |\"\$\{)", r"(?:StateMachine|ThrottledAlarm|FailedAlarm\.Arn\}\")"
"""What stands beside a job's name in lists."""


class Refused(Exception):
    """A job that cannot be made; says why."""


def camel(name: str) -> str:
    """A job's name as logical ids spell it."""
    return "".join(word.capitalize() for word in name.split("-"))


def twins_in_template(text: str, model: str, job: NewJob) -> str:
    """The template with the new job beside the job `model`; in matching its function is one of those with numpy.

    Raises
    ------
    Refused : a resource has the name already, or the template does not name the model as it should.
    """
    taken = re.search(rf"\b{job.camel}(?:{_ENDINGS})?\b", text)
    if taken:
        raise Refused(f"{job.name} is taken: template.yaml has a {taken.group()} already")
    made = "".join(_with_twin(line, model, job) for line in text.splitlines(keepends=True))
    made, entries = re.subn(rf"(?m)^    {camel(model)}: \{{ Name: {model},.*\n.*\}}\n", _with_entry(job), made)
    lists = len(re.findall(rf"\b{job.camel}{_AFTER}?,", made))
    if entries != 1 or lists != len(re.findall(rf"\b{camel(model)}{_AFTER}?,", text)) or lists == 0:
        raise Refused(f"template.yaml: {entries} entries and {lists} lists name {camel(model)}")
    return _with_arrays(made, job) if job.package == "matching" else made


def _with_twin(line: str, model: str, job: NewJob) -> str:
    """A line of a list with the new job after the model: within the line's brackets, or as a line of its own."""
    if re.match(rf" +- .*\}}-{model}:", line):
        return line + line.replace(f"}}-{model}:", f"}}-{job.name}:")
    item = re.search(rf"({_BEFORE}?)\b{camel(model)}({_AFTER}?,)", line)
    if item is None:
        return line
    begin = re.match(r" *(?:- )?\[?", line)
    assert begin is not None  # it matches the empty text
    rest = line[item.end() :].strip()
    twin = f"{' ' * begin.end()}{item[1]}{job.camel}{item[2]}{' ' if rest else ''}{rest}\n"
    return f"{line[: item.end()].rstrip()}\n{twin}"


def _with_entry(job: NewJob) -> str:
    described = f'"{job.name}: {job.summary}, Plan and pages"'
    place = f"Name: {job.name}, Handler: {job.module}.app.handler, Memory: 512"
    if job.package == "matching":  # functions that compute with arrays say how long they may
        place += ", Timeout: 300, StatementTimeout: 270000"
    return rf"\g<0>    {job.camel}: {{ {place}," + f"\n      Description: {described} }}\n"


def _with_arrays(text: str, job: NewJob) -> str:
    """The function of the new job moved from the plain ones to those with numpy."""
    plain, arrays = (re.search(rf"  Fn::ForEach::{loop}:\n    - Job\n    - \[", text) for loop in _LOOPS)
    if plain is None or arrays is None:
        raise Refused(f"template.yaml: there are no loops {' and '.join(_LOOPS)}")
    text = text[: arrays.end()] + f"{job.camel}, " + text[arrays.end() :]
    end = text.index("]", plain.end())
    items = re.sub(rf"\n? *\b{job.camel},", "", text[plain.end() : end])
    return text[: plain.end()] + items + text[end:]


_LOOPS = ("PlainFunctions", "ArrayFunctions")
