"""Write the parts of the documentation that the code itself tells: tables of options and parameters, the diagram.

    python tools/docs.py

Each part stands between `<!-- begin: name -->` and `<!-- end: name -->` in its file; a test compares them.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from sitejobs.catalog import JOBS
from sitejobs.handlers.tuning import MODELS
from sitejobs.media.attributes import KINDS, Attributes
from sitejobs.media.rules import Rules
from sitejobs.options import MAX_ID, JobOptions, limits
from sitejobs.schema.values import VALUES, Shape, Words
from sitejobs.schemas import describe
from sitejobs.search.query import NAMES_ALIKE, search_statement
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs.workflows.graph import STEPS
from sitejobs_local.commands.jobs import flags_of
from sitejobs_local.cost.estimate import Machine, machines_of, month, watching
from sitejobs_local.cost.levers import levers
from sitejobs_local.cost.prices import prices
from sitejobs_local.cost.ranges import Range
from sitejobs_local.cost.rates import read_rates
from sitejobs_local.cost.schedules import Schedule, schedules_of
from sitejobs_local.template.loops import read_template
from sitejobs_local.template.template import load_template

ROOT = Path(__file__).resolve().parent.parent

JsonObject = Mapping[str, Any]


def options_table(model: type[JobOptions]) -> str:
    """A row an option, in the order in which the command line lists them."""
    by_alias = {info.alias or name: name for name, info in model.model_fields.items()}
    rows = []
    for flag in flags_of(model):
        name = by_alias[flag.name]
        info = model.model_fields[name]
        low, high = limits(model, name)
        if flag.takes is None:
            takes = "switch"
        elif low is None or high is None:
            takes = "text"
        else:
            takes = "an id" if info.default is None or high == MAX_ID else f"{low:,} to {high:,}"
        default = "" if info.default is None or info.default is False else str(info.default)
        default = "required" if info.is_required() else "" if info.default == () else default
        rows.append((f"`--{flag.name}`", takes, default, str(info.description)))
    return table(("option", "takes", "default", "what it does"), rows)


def media_attributes() -> str:
    """The dictionary of what is extracted of uploads."""
    rows = []
    for item in fields(Attributes):
        kinds = item.metadata["kinds"]
        type_ = str(item.type).removesuffix(" | None")
        names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
        type_ = "date and time" if item.name == "capturedAt" else names[type_]
        of = "all" if kinds == KINDS else ", ".join(kind.lower() for kind in kinds)
        meta = item.metadata
        rows.append((f"`{item.name}`", type_, meta["unit"], of, meta["source"], meta["meaning"]))
    return table(("attribute", "type", "unit", "of", "from", "what it is"), rows)


def media_settings() -> str:
    """The variables of the media functions: rules and limits."""
    rows = [(f"`{info.alias}`", f"`{info.default}`", str(info.description)) for info in Rules.model_fields.values()]
    return table(("variable", "default", "what it is"), rows)


def settings_of_stack() -> str:
    """The keys of the parameter Settings."""
    rows = []
    for model in MODELS:
        for info in model.model_fields.values():
            default = f"`{info.default}`" if isinstance(info.default, str | int | float) else ""
            takes = describe(model, str(info.alias))
            rows.append((f"`{info.alias}`", default, takes, str(info.description)))
    return table(("setting", "default", "takes", "what it is"), rows)


def parameters_of_template() -> str:
    """The parameters of the stack that `sam deploy` asks for."""
    template = read_template(ROOT / "template.yaml")
    rows = []
    for name, parameter in template["Parameters"].items():
        allowed = parameter.get("AllowedValues")
        described = str(parameter.get("Description", ""))
        if allowed and len(allowed) <= 4:
            described = f"{described} ({', '.join(map(str, allowed))})".strip()
        default = str(parameter.get("Default", ""))
        rows.append((f"`{name}`", f"`{default}`" if default else "", described))
    return table(("parameter", "default", "what it is"), rows)


def diagram_of_paged_job() -> str:
    """The state machine of a paged job as a Mermaid flowchart."""
    definition = json.loads((ROOT / "statemachines" / "paged-job.asl.json").read_text())
    lines = ["flowchart TD", *(f"    {line}" for line in _flow(definition))]
    return "\n".join(["```mermaid", *lines, "```"])


def sql_of_search() -> str:
    """The statement of `sitejobs search` with everything that can be asked of it."""
    statement = search_statement(near=True, names=True).replace("%%", "%")
    body = "\n".join(line.rstrip() for line in f"{_ASKED.strip()}\n){statement}".splitlines() if line.strip())
    return f"```sql\n{_ALIKE}\n{body};\n```"


_ALIKE = f"SELECT set_config('pg_trgm.word_similarity_threshold', '{NAMES_ALIKE}', true);"
_ASKED = """
WITH asked AS MATERIALIZED (
SELECT "profileSearchQuery"('climbing jazz', true) AS "every", "profileSearchQuery"('climbing jazz', false) AS "any",
       'climbing jazz'::text AS "typed",
       52.52::float8 AS "lat", 13.40::float8 AS "lng", 50::float8 AS "km",
       25::integer AS "youngest", 35::integer AS "oldest", NULL::text AS "gender",
       10::integer AS "limit",
       -- The last hit of the page before, NULLs for the first page: "every", "rank", "km" and "user_id"
       NULL::boolean AS "afterEvery", NULL::float8 AS "afterRank", NULL::float8 AS "afterKm", NULL::bigint AS "afterId"
"""


def graph_of_the_jobs() -> str:
    """Which job waits for which, as a Mermaid flowchart: a dotted arrow where the first one may fail."""
    names = {job: f"j{number}" for number, job in enumerate(STEPS, 1)}
    when = {"always": "", "with media": "<br/><i>with includeMedia</i>", "named": "<br/><i>with only</i>"}
    lines = [f'{names[job]}["{job}{when[step.part]}"]' for job, step in STEPS.items()]
    for job, step in STEPS.items():
        lines += [f"{names[other]} --> {names[job]}" for other in step.needs]
        lines += [f"{names[other]} -.-> {names[job]}" for other in step.after]
    return "\n".join(["```mermaid", "flowchart LR", *(f"    {line}" for line in lines), "```"])


def schedules_of_template() -> str:
    """The rules that start `all`: when, with which input, and after how long without a start an alarm is raised."""
    template = read_template(ROOT / "template.yaml")
    alarms = {
        resource["Properties"]["Dimensions"][0]["Value"]["Ref"]: resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"]["Namespace"] == "AWS/Events"
    }
    rows = []
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Events::Rule" and "ScheduleExpression" in resource["Properties"]:
            given = {key: value for key, value in _input_of(resource).items() if key != "trigger"}
            expression = resource["Properties"]["ScheduleExpression"]
            described = resource["Properties"]["Description"]
            after = _alarm_after(alarms[name])
            rows.append((described, f"`{expression}`", f"`{json.dumps(given)}`", f"`{name}`", after))
    return table(("what runs", "when (UTC)", "input of `all`", "its rule", "alarm after"), rows)


USERS, CHANGED = 1_000_000, 0.01
"""The site of the tables about costs."""


def month_of_the_schedules() -> str:
    """What a month costs, by schedule."""
    schedules, machines, template = _reckoned()
    by_when: dict[tuple[str, str], Range] = {}
    for each in month(schedules, machines, read_rates(), USERS, CHANGED, prices()):
        key = each.when, each.job
        by_when[key] = by_when.get(key, Range(0, 0)) + each.dollars
    watched = watching(template["Resources"], len(JOBS), prices()).dollars
    rows = [(job, when, _dollars(dollars)) for (when, job), dollars in by_when.items()]
    total = sum(by_when.values(), Range(watched, watched))
    return table(
        ("job", "when", "$ a month"),
        [*rows, ("watching", "", f"{watched:,.2f}"), ("**together**", "", f"**{_dollars(total)}**")],
    )


def levers_of_the_bill() -> str:
    """What the month would cost without each thing that lowers it."""
    schedules, machines, template = _reckoned()
    found = levers(schedules, machines, read_rates(), template["Resources"], USERS, CHANGED, prices())
    rows = [(it.name, f"{it.without:,.0f}", f"{it.now:,.0f}") for it in found]
    return table(("lever", "$ a month without it", "with it"), rows)


def _reckoned() -> tuple[list[Schedule], dict[str, Machine], JsonObject]:
    document = read_template(ROOT / "template.yaml")
    return list(schedules_of(document)), machines_of(load_template(ROOT / "template.yaml"), JOBS), document


def _dollars(value: Range) -> str:
    low, high = f"{value.low:,.2f}", f"{value.high:,.2f}"
    return low if low == high else f"{low} to {high}"


def _alarm_after(alarm: JsonObject) -> str:
    if alarm["TreatMissingData"] == "breaching":
        return f"{alarm['EvaluationPeriods']} hours without a start"
    return "a start that failed"


def _input_of(rule: JsonObject) -> JsonObject:
    [target] = rule["Properties"]["Targets"]
    given: JsonObject = json.loads(target["Input"])
    return given


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; bars within cells are escaped."""
    cells = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    lines = [head, tuple("---" for _ in head), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def words_table() -> str:
    """A row a word that the jobs know, by column."""
    rows = []
    for (owner, column), words in VALUES.items():
        if isinstance(words, Words):
            known = {**{f"`{word}`": meaning for word, meaning in words.meanings.items()}, "any other": words.otherwise}
            rows += [(f"`{owner}.{column}`" * (at == 0), *row) for at, row in enumerate(known.items())]
    return table(("column", "word", "what jobs make of it"), rows)


def shapes_table() -> str:
    """A row a JSON column, and a column of numbers with bounds."""
    rows = []
    for (owner, column), it in VALUES.items():
        if not isinstance(it, Words):
            shape = (
                (it.text, f"`{it.example}`") if isinstance(it, Shape) else (f"a number, {it.low:g} to {it.high:g}", "")
            )
            rows.append((f"`{owner}.{column}`", *shape, it.otherwise))
    return table(("column", "what it holds", "for example", "anything else"), rows)


PARTS: dict[tuple[str, str], Callable[[], str]] = {
    ("docs/site-tables.md", "words"): words_table,
    ("docs/site-tables.md", "shapes"): shapes_table,
    **{("docs/jobs.md", f"{name} options"): partial(options_table, job.options) for name, job in JOBS.items()},
    **{
        ("docs/workflows.md", f"{name} options"): partial(options_table, workflow.options)
        for name, workflow in WORKFLOWS.items()
        if list(flags_of(workflow.options))
    },
    ("docs/cost.md", "month"): month_of_the_schedules,
    ("docs/cost.md", "levers"): levers_of_the_bill,
    ("docs/workflows.md", "graph"): graph_of_the_jobs,
    ("docs/workflows.md", "schedules"): schedules_of_template,
    ("docs/search.md", "search"): sql_of_search,
    ("docs/media.md", "media attributes"): media_attributes,
    ("docs/media.md", "media settings"): media_settings,
    ("docs/deploying.md", "stack parameters"): parameters_of_template,
    ("docs/deploying.md", "stack settings"): settings_of_stack,
    ("docs/architecture.md", "paged job"): diagram_of_paged_job,
}
"""What makes each part: by file and name."""


def renewed(text: str, name: str, content: str) -> str:
    """The text with the part `name` replaced.

    Raises
    ------
    ValueError : the text has no such part.
    """
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    found = re.search(f"{re.escape(begin)}\n.*?{re.escape(end)}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"there is no part {name!r}")
    return text[: found.start()] + f"{begin}\n{content}\n{end}" + text[found.end() :]


def main() -> int:
    """Renew every part; returns the exit status."""
    for (file, name), make in PARTS.items():
        path = ROOT / file
        before = path.read_text()
        after = renewed(before, name, make())
        path.write_text(after)
        print(f"{file}: {name} {'renewed' if after != before else 'is as it was'}")
    return 0


_SHAPES = {"Choice": ('{"', '"}'), "Pass": ('("', '")'), "Succeed": ('(["', '"])'), "Fail": ('(["', '"])')}


def _flow(definition: JsonObject, prefix: str = "s") -> Iterator[str]:
    """The nodes and arrows of a definition; what a Map does for each item is a box of its own."""
    names = {name: f"{prefix}{number}" for number, name in enumerate(dict(_states(definition)), 1)}
    # An arrow to the box as a whole would confuse the layout: it goes to the first state within.
    into = {name: f"{names[name]}_1" if state["Type"] == "Map" else names[name] for name, state in _states(definition)}
    for name, state in _states(definition):
        if state["Type"] == "Map":
            yield f'subgraph {names[name]}["{name}: each page of the chapter"]'
            yield from (f"    {line}" for line in _flow(state["ItemProcessor"], names[name] + "_"))
            yield "end"
        else:
            before, after = _SHAPES.get(state["Type"], ('["', '"]'))
            yield f"{names[name]}{before}{name}{after}"
    for name, state in _states(definition):
        for target, label, arrow in _ways(state):
            yield f"{names[name]} {arrow}{f'|{label}|' if label else ''} {into[target]}"


def _states(definition: JsonObject) -> list[tuple[str, JsonObject]]:
    """The states, the first one first."""
    states: Mapping[str, JsonObject] = definition["States"]
    return sorted(states.items(), key=lambda item: item[0] != definition["StartAt"])


def _ways(state: JsonObject) -> Iterator[tuple[str, str, str]]:
    """Where a state leads: the next state, a label, and the arrow."""
    for choice in state.get("Choices", ()):
        yield choice["Next"], _condition(choice), "-->"
    if "Default" in state:
        yield state["Default"], "else", "-->"
    if "Next" in state:
        yield state["Next"], "", "-->"
    for caught in state.get("Catch", ()):
        yield caught["Next"], "error", "-.->"


def _condition(choice: JsonObject) -> str:
    """A choice's condition in words; an unknown one is an error, so that the diagram is complete."""
    if "Not" in choice:
        return "not: " + _condition(choice["Not"])
    for operator in ("And", "Or"):
        if operator in choice:
            return f" {operator.lower()} ".join(map(_condition, choice[operator]))
    subject = str(choice["Variable"]).removeprefix("$.").rpartition(".")[2]
    if "IsNull" in choice:
        return f"{subject} is {'' if choice['IsNull'] else 'not '}null"
    if "IsPresent" in choice:
        return f"{subject} is {'' if choice['IsPresent'] else 'not '}there"
    for operator in ("StringEquals", "StringMatches"):
        if operator in choice:
            return f"{subject} is {choice[operator]}"
    raise ValueError(f"no words for {dict(choice)}")


if __name__ == "__main__":
    sys.exit(main())
