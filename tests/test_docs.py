"""What README.md and docs/ say, compared with the code: commands, options, SQL, files."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import click
import psycopg
import pytest
import yaml

from sitejobs.catalog import JOBS
from sitejobs.handlers.tuning import NAMES
from sitejobs.options import parse_options
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.cli import sitejobs as command
from sitejobs_local.database.postgres import Server
from sitejobs_local.template.template import load_template
from tests.databases import populated_database
from tests.documentation import PACKAGE, PAGES, ROOT, Line, blocks, lines_of
from tests.local.command import environment
from tests.local.command import sitejobs as run_command
from tools.docs import PARTS, renewed

EVERYTHING = JOBS | WORKFLOWS
ELSEWHERE = {
    "cp",
    "export",
    "source",
    "psql",
    "",
    "bash",
    "ssh",
    "python",
    "python3.11",
    "pre-commit",
    "docker",
    "echo",
} | {"git"}
"""Programs of which only the files that they name are checked."""

RUN_HERE = [
    "sitejobs",
    "sitejobs match-scores",
    "sitejobs match-scores --userId=8 --json",
    "sitejobs match-scores --batchSize=100 --candidateBatchSize=500 --pauseMs=50",
    """sitejobs match-scores --dry-run --settings='{"MATCH_WEIGHTS": "traits=0.3,interests=0.15"}'""",
    "sitejobs matches --userId=8",
    "sitejobs matches --summary",
    "sitejobs explain --userId=8",
    "sitejobs runs",
    "sitejobs runs --json",
    "sitejobs runs --job=match-scores --limit=5",
    "sitejobs runs --job=all",
    "sitejobs runs --status=failed",
    "sitejobs cost --users 1000000",
    "sitejobs build-user-traits",
    "sitejobs build-user-traits --incremental",
    "sitejobs user-interest-sets --incremental",
    "sitejobs searchable-user",
    "sitejobs searchable-user --incremental",
    "SEARCHABLE_MIN_COMPLETENESS=0.7 SEARCHABLE_REQUIRED_FIELDS=displayName,avatar sitejobs searchable-user",
    "sitejobs profile-search-index --userBatchSize=100 --pauseMs=50",
    "sitejobs profile-search-index --incremental",
    'sitejobs search "jazz" --age 25-35',
    'sitejobs search "climbing jazz" --near "52.52,13.40" --km 50 --age 25-35',
    "sitejobs media-metadata-all",
    "sitejobs check",
    "sitejobs db migrate",
    "sitejobs db roles --role sitejobs",
    """sitejobs db shell -c 'SELECT count(*) FROM "MatchScore"'""",
    "RUN_STALE_SECONDS=60 sitejobs match-scores",
    "sitejobs compatibility --userId=8",
    "sitejobs compatibility --batchSize=100 --targetBatchSize=500",
    "sitejobs compatibility --incremental",
    "COMPATIBILITY_ALGO_VERSION=v2 sitejobs compatibility",
    "sitejobs content-features --maxLookbackDays=0",
    "sitejobs trending --minEngagements=3",
    "sitejobs affinity --incremental",
    "sitejobs feed-presort --userId=8",
    "sitejobs feed-presort --incremental",
    "sitejobs feed-presort --dry-run --segmentSize=10",
    "sitejobs feed --userId=8",
    "sitejobs feed-presort-cleanup",
    "MATCH_ALGO_VERSION=v2 MATCH_WEIGHTS=traits=0.3,interests=0.15 sitejobs match-scores",
]
"""Commands of the documentation that are carried out, in this order, on a small site."""


LINES = [line for page in PAGES for line in lines_of(page)]


def of_program(*programs: str) -> list[Any]:
    return [pytest.param(line, id=line.text) for line in dict.fromkeys(LINES) if line.program in programs]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def parameters() -> dict[str, Any]:
    """The stack's parameters as they stand in the template."""

    class Loader(yaml.SafeLoader):
        """A loader that ignores CloudFormation's short forms."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    found: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)["Parameters"]
    return found


# Commands ----------------------------------------------------------------------------------------------------


def test_every_program_that_the_documentation_calls_is_looked_at_here() -> None:
    assert {line.program for line in LINES} == {"make", "sitejobs", "sam", "aws"} | ELSEWHERE
    assert len(LINES) > 50


@pytest.mark.parametrize("line", of_program("make"))
def test_make_knows_the_target(line: Line) -> None:
    given = [word for word in line.arguments if "=" not in word]
    assert given
    assert set(given) <= targets()
    assert {word.partition("=")[0] for word in line.arguments if "=" in word} <= {"PYTHON", "ARGS"}


@pytest.mark.parametrize("line", of_program("sitejobs"))
def test_the_command_line_takes_the_command_with_its_options(line: Line) -> None:
    chosen: click.Command = command
    if {"--help", "--version"} & set(line.arguments):
        assert command.main(list(line.arguments), standalone_mode=False) == 0
        return
    context, rest = chosen.make_context("sitejobs", list(line.arguments)), line.arguments
    while isinstance(chosen, click.Group) and rest:
        _, found, rest = chosen.resolve_command(context, rest)
        assert found is not None
        chosen, context = found, found.make_context(found.name, list(rest), parent=context)
    if chosen.name in EVERYTHING:
        of_command = {"as_json", "stack", "detach"}
        given = {name: value for name, value in context.params.items() if value is not None and name not in of_command}
        model = EVERYTHING[chosen.name].options
        names = {(info.alias or name).lower(): info.alias or name for name, info in model.model_fields.items()}
        parse_options(model, {names[name]: value for name, value in given.items()})


@pytest.mark.parametrize("line", of_program("sam"))
def test_sam_is_given_parameters_that_the_stack_has(line: Line) -> None:
    assert line.arguments[0] in {"build", "deploy", "validate", "local"}
    if "--parameter-overrides" in line.arguments:
        given = line.arguments[line.arguments.index("--parameter-overrides") + 1 :]
        assert {word.partition("=")[0] for word in given} <= set(parameters())


@pytest.mark.parametrize("line", [it for it in of_program("sam") if "--event" in it.values[0].arguments])
def test_sam_is_given_a_function_that_the_stack_has_with_its_event(line: Line) -> None:
    local, invoke, name, *rest = line.arguments
    assert (local, invoke) == ("local", "invoke")
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    assert name in load_template(ROOT / "template.yaml").functions
    assert given["--event"] == "plan.json" or (ROOT / given["--event"]).is_file()


@pytest.mark.parametrize("line", of_program("aws"))
def test_aws_knows_the_call_and_the_job_its_input(line: Line) -> None:
    service, operation, *rest = line.arguments
    model = botocore.session.get_session().get_service_model(service)
    called = model.operation_model("".join(part.capitalize() for part in operation.split("-")))
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    members = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in called.input_shape.members}
    assert {name.removeprefix("--") for name in given} <= members
    if "--input" in given:
        parse_options(JOBS["match-scores"].options, json.loads(given["--input"]))


@pytest.mark.parametrize("variable", sorted({name for line in LINES for name in line.variables}))
def test_a_variable_in_front_of_a_command_is_one_that_something_reads(variable: str) -> None:
    functions = load_template(ROOT / "template.yaml").functions.values()
    read = {*NAMES} | {name for function in functions for name in function.environment}
    assert variable in read | {"DATABASE_URL", "MEDIA_FOLDER", "CHECK_SILENCE", "PYTHON"}


def test_the_commands_that_are_carried_out_here_stand_in_the_documentation() -> None:
    assert set(RUN_HERE) <= {line.text for line in LINES}


@pytest.fixture(scope="module")
def site(postgres_server: Server) -> Iterator[str]:
    with populated_database(postgres_server, 60, 1, datetime(2026, 6, 1, tzinfo=UTC)) as url:
        yield url


@pytest.mark.parametrize("text", RUN_HERE)
def test_a_documented_command_does_what_it_is_told(site: str, tmp_path: Path, text: str) -> None:
    line = Line("README.md", text)
    uploads = str(ROOT / "tests" / "media" / "files")
    variables = {"DATABASE_URL": site, "SITEJOBS_HOME": str(tmp_path), "MEDIA_FOLDER": uploads, **line.variables}
    done = run_command(*line.arguments, env=environment(**variables))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


# Parts written by the code, SQL and files ------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "name"), PARTS, ids=lambda value: str(value))
def test_what_the_code_tells_of_itself_is_up_to_date(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    assert renewed(text, name, PARTS[file, name]()) == text, "make docs"


@pytest.mark.parametrize(
    "statement",
    [pytest.param(body, id=f"{page.name}-{at}") for page in PAGES for at, body in enumerate(blocks(page, {"sql"}))],
)
def test_the_sql_runs(site: str, statement: str) -> None:
    with psycopg.connect(site) as connection:
        assert connection.execute(statement.encode()).description


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) + re.findall(r'src="([^"]+)"', text)
    named = {page.parent / link for link in links if "://" not in link}
    quoted = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:yaml|toml|txt|md))`", text)
    named |= {
        PACKAGE / name if (PACKAGE / name).exists() else ROOT / name for name in quoted if not name.startswith(MADE)
    }
    assert {str(path.relative_to(ROOT)) for path in named if not path.resolve().exists()} == set()


MADE = (".aws-sam/", "build/", "logs/", "snapshots/", "media/", "video/", "requirements.txt", "app.py", "docs/sitejobs")
"""What is there only after a build or a run, or in several places."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_documentation_leads_to_a_heading(page: Path) -> None:
    for file, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        target = (page.parent / file) if file else page
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
