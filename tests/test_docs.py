"""What README.md and docs/ say, compared with the code: commands, options, tables, SQL, files."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import click
import psycopg
import pytest
import yaml

from sitejobs.catalog import JOBS
from sitejobs.errors import SitejobsError
from sitejobs.feed import feed_presort_cleanup
from sitejobs.feed.rules import Rules, read_rules
from sitejobs.feed.topics import topics_of
from sitejobs.matching.compatibility.scoring import WEIGHTS
from sitejobs.matching.scoring.parameters import read_parameters
from sitejobs.options import parse_options
from sitejobs.postgres.reasons import REASONS, UNKNOWN
from sitejobs.search.options import SearchableUserOptions
from sitejobs.search.searchable_user import read_parameters as read_searchable_parameters
from sitejobs.workflows.catalog import WORKFLOWS
from sitejobs_local.cli import sitejobs as command
from sitejobs_local.database import migrations
from sitejobs_local.population import generate, load
from sitejobs_local.template.template import load_template
from tests.local.command import environment
from tests.local.command import sitejobs as run_command
from tools.docs import PARTS, renewed

EVERYTHING = JOBS | WORKFLOWS
ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "layers" / "sitejobs" / "sitejobs"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELLS = {"bash", "sh", "console"}
ELSEWHERE = {"export", "psql", "", "bash", "python", "python3.11", "pre-commit", "docker", "echo", "git"}
"""Programs of which only the files that they name are checked."""

OF_STATEMENTS = {"canceling", "terminating"}
"""How reasons begin that are of statements, not of logins."""

RUN_HERE = [
    "sitejobs",
    "sitejobs match-scores",
    "sitejobs match-scores --userId=8 --json",
    "sitejobs match-scores --batchSize=100 --candidateBatchSize=500 --pauseMs=50",
    "sitejobs matches --userId=8",
    "sitejobs matches --summary",
    "sitejobs runs",
    "sitejobs runs --json",
    "sitejobs runs --job=match-scores --limit=5",
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
    "sitejobs feed --userId=8",
    "sitejobs feed-presort-cleanup",
    "MATCH_ALGO_VERSION=v2 MATCH_WEIGHTS=traits=0.3,interests=0.15 sitejobs match-scores",
]
"""Commands of the documentation that are carried out, in this order, on a small site."""


@dataclass(frozen=True)
class Line:
    """A command as the documentation has it, up to a pipe or the next command."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def variables(self) -> dict[str, str]:
        """Those set in front of the command."""
        pairs = (word.partition("=") for word in self.words[: self._start])
        return {name: value for name, _, value in pairs}

    @property
    def program(self) -> str:
        """Its name, without a folder."""
        return Path(self.words[self._start]).name

    @property
    def arguments(self) -> list[str]:
        """What follows the program, without redirections."""
        rest = self.words[self._start + 1 :]
        return rest[: rest.index(">")] if ">" in rest else rest

    @property
    def _start(self) -> int:
        return next(at for at, word in enumerate(self.words) if not re.match(r"[A-Z_]+=", word))


def blocks(page: Path, languages: set[str]) -> Iterator[str]:
    """The fenced blocks of a page in these languages."""
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language in languages:
            yield body


def lines_of(page: Path) -> Iterator[Line]:
    """The commands of a page: those in blocks, and those in backticks that begin with a program of ours."""
    for body in blocks(page, SHELLS):
        for line in body.replace("\\\n", " ").splitlines():
            text = line.removeprefix("$ ")
            yield from (Line(page.name, part) for part in _parts(text))
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for quoted in re.findall(r"`([^`\n]+)`", prose):
        if re.match(r"([A-Z_]+=\S+ )*(make|sitejobs|sam|psql) [a-z-]", quoted) and "..." not in quoted:
            yield from (Line(page.name, part) for part in _parts(quoted))


def _parts(text: str) -> list[str]:
    """A command line's commands, without a comment at its end."""
    words = re.findall(r"""(?:[^\s|&;'"]|'[^']*'|"[^"]*")+|[|&;]+""", re.sub(r"(^|\s)# .*", "", text))
    parts: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set("|&;"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]


LINES = [line for page in PAGES for line in lines_of(page)]


def of_program(*programs: str) -> list[Any]:
    return [pytest.param(line, id=line.text) for line in dict.fromkeys(LINES) if line.program in programs]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def parameters() -> dict[str, Any]:
    """The stack's parameters as they stand in the template."""

    class Loader(yaml.SafeLoader):
        """One that takes CloudFormation's short forms for nothing."""

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
    read = {name for function in functions for name in function.environment}
    assert variable in read | {"DATABASE_URL", "PYTHON"}


def test_the_commands_that_are_carried_out_here_stand_in_the_documentation() -> None:
    assert set(RUN_HERE) <= {line.text for line in LINES}


@pytest.fixture(scope="module")
def site(postgres_server: Any) -> Iterator[str]:
    """The URL of a database with a small site in it."""
    with psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator:
        administrator.execute("CREATE DATABASE docs TEMPLATE template0")
        url = postgres_server.database_url("docs")
        with psycopg.connect(url, autocommit=True) as connection:
            migrations.apply_site_schema(connection)
            migrations.apply(connection)
            load(connection, generate(60, 1, datetime(2026, 6, 1, tzinfo=UTC)))
        yield url
        administrator.execute("DROP DATABASE docs WITH (FORCE)")


@pytest.mark.parametrize("text", RUN_HERE)
def test_a_documented_command_does_what_it_is_told(site: str, tmp_path: Path, text: str) -> None:
    line = Line("README.md", text)
    variables = {"DATABASE_URL": site, "SITEJOBS_HOME": str(tmp_path), **line.variables}
    done = run_command(*line.arguments, env=environment(**variables))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


# Tables and settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "name"), PARTS, ids=lambda value: str(value))
def test_what_the_code_tells_of_itself_is_up_to_date(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    assert renewed(text, name, PARTS[file, name]()) == text, "make docs"


def columns_of(url: str, table: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
        return {row[0] for row in rows}


def test_every_column_of_the_matches_is_explained_and_no_other(site: str) -> None:
    stored = (ROOT / "docs" / "match-scores.md").read_text().partition("## What is stored")[2]
    first_cells = "".join(re.findall(r"^\| (`.*?) \|", stored.partition("## ")[0], re.MULTILINE))
    assert columns_of(site, "MatchScore") == set(re.findall(r"`(\w+)`", first_cells))


def test_every_column_of_compatibility_is_explained_and_no_other(site: str) -> None:
    stored = (ROOT / "docs" / "compatibility.md").read_text().partition("## What is stored")[2].partition("## ")[0]
    first_cells = "".join(re.findall(r"^\| (`.*?) \|", stored, re.MULTILINE))
    assert columns_of(site, "UserCompatibility") == set(re.findall(r"`(\w+)`", first_cells))
    explained = stored.partition("`UserCompatibilityViewer`, one row a viewer")[2].partition("\n\n")[0]
    assert columns_of(site, "UserCompatibilityViewer") <= set(re.findall(r"`(\w+)`", explained))


def test_the_weights_of_compatibility_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "compatibility.md").read_text()
    given = {
        name.replace(" ", "_"): float(weight)
        for name, weight in re.findall(r"^\| ([a-z ]+) \| ([0-9.]+) \| `score", text, re.MULTILINE)
    }
    assert given == vars(WEIGHTS)


def test_every_column_of_the_viewers_is_explained(site: str) -> None:
    text = (ROOT / "docs" / "match-scores.md").read_text()
    explained = text.partition("`MatchScoreViewer`, one row a viewer")[2].partition("\n\n")[0]
    assert columns_of(site, "MatchScoreViewer") <= set(re.findall(r"`(\w+)`", explained))


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("build-user-traits", "UserTrait"),
        ("build-user-traits", "UserTraitState"),
        ("build-user-traits", "QuizOptionSeen"),
        ("user-interest-sets", "InterestUserSet"),
        ("user-interest-sets", "InterestSubjectUserSet"),
        ("user-interest-sets", "InterestSetState"),
    ],
)
def test_every_column_of_a_jobs_tables_is_explained(site: str, page: str, table: str) -> None:
    stored = (ROOT / "docs" / f"{page}.md").read_text().partition("## What is stored")[2]
    explained = stored.partition(f"`{table}`")[2].partition("\n\n")[0]
    assert columns_of(site, table) <= set(re.findall(r"`(\w+)`", explained))


def test_every_reason_that_is_explained_is_one_that_is_given() -> None:
    text = (ROOT / "docs" / "build-user-traits.md").read_text()
    reasons = set(re.findall(r"`(\w+-[\w-]+)`", text.partition("| reason |")[2].partition("## ")[0]))
    code = (ROOT / "layers/sitejobs/sitejobs/traits/build_user_traits.py").read_text()
    assert {reason for reason in reasons if f"'{reason}'" in code or f'"{reason}"' in code} == reasons
    assert set(re.findall(r"'((?:answers?|trait)-[a-z-]+|trait-values?-[a-z-]+)'", code)) <= reasons


@pytest.mark.parametrize(
    ("table", "section"), [("SearchableUser", "searchable-user"), ("ProfileSearchIndex", "profile-search-index")]
)
def test_every_column_of_the_search_tables_is_explained_and_no_other(site: str, table: str, section: str) -> None:
    text = (ROOT / "docs" / "search.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    first_cells = "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
    assert columns_of(site, table) == set(re.findall(r"`(\w+)`", first_cells))


@pytest.mark.parametrize("table", ["PostFeatures", "TrendingScore", "UserAffinityProfile"])
def test_every_column_of_the_feeds_tables_is_explained_and_no_other(site: str, table: str) -> None:
    text = (ROOT / "docs" / "feed.md").read_text().partition(f"`{table}`, one row a ")[2].partition("```")[0]
    first_cells = "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
    assert columns_of(site, table) == set(re.findall(r"`(\w+)`", first_cells))


def test_the_settings_of_searchable_user_have_the_defaults_that_are_given() -> None:
    text = (ROOT / "docs" / "search.md").read_text().partition("## Settings")[2]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `(.*?)` \|", text, re.MULTILINE))
    function = load_template(ROOT / "template.yaml").functions["SearchableUserFunction"]
    assert len(rows) == 2
    assert rows == {name: function.environment[name] for name in rows}
    options = SearchableUserOptions()
    assert read_searchable_parameters(options, rows) == read_searchable_parameters(options, {})


@pytest.mark.parametrize("table", ["FeedPresorted", "FeedPresortedUser"])
def test_every_column_of_the_presorted_feeds_is_explained_and_no_other(site: str, table: str) -> None:
    text = (ROOT / "docs" / "feed-presort.md").read_text().partition(f"`{table}`, one row a ")[2]
    cells = "".join(re.findall(r"^\| (`.*?) \|", text.partition("\n\n")[2].partition("\n\n")[0], re.MULTILINE))
    assert columns_of(site, table) == set(re.findall(r"`(\w+)`", cells))


def test_the_settings_of_feeds_have_the_defaults_that_are_given() -> None:
    text = (ROOT / "docs" / "feed-presort.md").read_text()
    rows = dict(re.findall(r"^\| `(FEED_[A-Z_]+)` \| `(.*?)` \|", text, re.MULTILINE))
    function = load_template(ROOT / "template.yaml").functions["FeedPresortFunction"]
    assert rows == {name: function.environment[name] for name in rows}
    assert read_rules(rows, 20, 3) == read_rules({}, 20, 3) == Rules()


def test_every_reason_of_the_cleanup_is_explained() -> None:
    text = (ROOT / "docs" / "feed-presort.md").read_text().partition("| reason | the segment |")[2]
    cells = "".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))
    assert set(re.findall(r"`([a-z-]+)`", cells)) == set(re.findall(r"THEN\s+'([a-z-]+)'", feed_presort_cleanup.FIND))


def test_the_posts_that_are_shown_get_the_topics_that_stand_beside_them() -> None:
    text = (
        (ROOT / "docs" / "feed.md").read_text().partition("| post | topics |\n| --- | --- |\n")[2].partition("\n\n")[0]
    )
    shown = re.findall(r"^\| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert len(shown) == 10
    assert [(post, ", ".join(topics_of(post, 8))) for post, _ in shown] == shown


def test_the_settings_have_the_defaults_that_are_given() -> None:
    text = (ROOT / "docs" / "match-scores.md").read_text().partition("## Settings")[2]
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\|", text, re.MULTILINE))
    plan = load_template(ROOT / "template.yaml").functions["MatchScoresPlanFunction"]
    assert len(rows) == 5
    assert rows == {name: plan.environment[name] for name in rows}
    assert read_parameters(rows, 200) == read_parameters({}, 200)


def test_the_weights_are_those_of_the_formula() -> None:
    text = (ROOT / "docs" / "match-scores.md").read_text()
    given = {
        name: float(weight) for name, weight in re.findall(r"^\| ([a-z ]+) \| ([0-9.]+) \| `score", text, re.MULTILINE)
    }
    weights = vars(read_parameters({}, 200).weights)
    assert given == {name.replace("_", " "): weight for name, weight in weights.items()}


def test_every_column_of_the_uploads_is_explained(site: str) -> None:
    text = (ROOT / "docs" / "media.md").read_text().partition("## Attributes")[2]
    assert columns_of(site, "MediaMetadata") <= set(re.findall(r"`(\w+)`", text))


def test_every_reason_of_a_verdict_is_explained_and_no_other() -> None:
    table = re.findall(r"^\| `[A-Z_]+` \|.*\| (.*?) \|$", (ROOT / "docs" / "media.md").read_text(), re.MULTILINE)
    explained = set(re.findall(r"`([a-z-]+)`", " ".join(table)))
    files = (ROOT / "layers" / "sitejobs" / "sitejobs" / "media").glob("*.py")
    given = re.findall(r'(?:Reason|Unreadable)\(\s*"([a-z-]+)"', "".join(path.read_text() for path in files))
    assert explained == set(given)


def test_every_message_that_is_explained_is_one_that_is_given() -> None:
    table = (ROOT / "README.md").read_text().partition("## When something is wrong")[2]
    messages = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)))
    files = [*ROOT.glob("layers/sitejobs/**/*.py"), *ROOT.glob("local/**/*.py"), ROOT / "tools" / "environment.sh"]
    code = "".join(path.read_text() for path in files)
    of_postgresql = {"permission denied for table"}
    assert len(messages) > 8
    assert {message for message in messages if message not in code} == of_postgresql


def test_every_reason_of_the_database_is_explained_in_its_own_words_and_no_other() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    given = {reason.phrase for reason in REASONS} | {UNKNOWN}
    assert {phrase for phrase in given if f"`{phrase}`" not in page} == set()
    refusals = page.partition("## The database refuses a login")[2].partition("\n## ")[0]
    [final, passing] = refusals.split("The following pass by themselves")
    for part, passes in ((final, False), (passing, True)):
        told = re.findall(r"`([^`]+)`", " ".join(re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)))
        assert set(told) - {UNKNOWN} == {
            reason.phrase
            for reason in REASONS
            if reason.passes == passes and reason.phrase.split()[0] not in OF_STATEMENTS
        }


def test_every_error_that_is_explained_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().partition("## Errors")[2].partition("##")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    raised = {error.__name__ for error in SitejobsError.__subclasses__() if error.__module__ == "sitejobs.errors"}
    assert explained == raised | {"PagesFailed", "JobsFailed"}


# SQL and files -----------------------------------------------------------------------------------------------


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
