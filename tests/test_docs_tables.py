"""What README.md and docs/ say of tables, settings, weights and reasons, compared with the code."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from sitejobs.errors import SitejobsError
from sitejobs.feed import feed_presort_cleanup
from sitejobs.feed.rules import FeedVariables, Rules, read_rules
from sitejobs.feed.topics import topics_of
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.compatibility.scoring import WEIGHTS
from sitejobs.matching.options import SnapshotVariables
from sitejobs.matching.scoring.parameters import MatchVariables, read_parameters
from sitejobs.postgres.reasons import REASONS, UNKNOWN
from sitejobs.search.options import SearchableUserOptions
from sitejobs.search.searchable_user import SearchableVariables
from sitejobs.search.searchable_user import read_parameters as read_searchable_parameters
from sitejobs.variables import Variables
from sitejobs_local.database.postgres import Server
from tests.databases import populated_database
from tests.documentation import ROOT

OF_STATEMENTS = {"canceling", "terminating"}
"""First words of reasons that concern statements, not logins."""


@pytest.fixture(scope="module")
def site(postgres_server: Server) -> Iterator[str]:
    with populated_database(postgres_server, 60, 1, datetime(2026, 6, 1, tzinfo=UTC)) as url:
        yield url


def defaults_of(model: type[Variables]) -> dict[str, str]:
    """The settings of a model with their defaults as a table shows them."""
    return {
        str(info.alias): f"{info.default:g}" if isinstance(info.default, float) else str(info.default)
        for info in model.model_fields.values()
    }


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
    skipped = {reason.value for reason in SkipReason if f"SkipReason.{reason.name}" in code}
    assert {reason for reason in reasons if f"'{reason}'" in code or f'"{reason}"' in code} | skipped >= reasons
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
    assert rows == defaults_of(SearchableVariables)
    options = SearchableUserOptions()
    assert read_searchable_parameters(options, rows) == read_searchable_parameters(options, {})


@pytest.mark.parametrize("table", ["FeedPresorted", "FeedPresortedUser", "FeedSegment", "FeedCard", "FeedPublicPosts"])
def test_every_column_of_the_presorted_feeds_is_explained_and_no_other(site: str, table: str) -> None:
    text = (ROOT / "docs" / "feed-presort.md").read_text().partition(f"`{table}`, one row a ")[2]
    cells = "".join(re.findall(r"^\| (`.*?) \|", text.partition("\n\n")[2].partition("\n\n")[0], re.MULTILINE))
    assert columns_of(site, table) == set(re.findall(r"`(\w+)`", cells))


def test_the_settings_of_feeds_have_the_defaults_that_are_given() -> None:
    text = (ROOT / "docs" / "feed-presort.md").read_text()
    rows = dict(re.findall(r"^\| `(FEED_[A-Z_]+)` \| `(.*?)` \|", text, re.MULTILINE))
    assert rows == defaults_of(FeedVariables)
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
    without = dict.fromkeys(("MATCH_WEIGHTS", "MATCH_REPEAT_DAYS"))
    assert rows | without == (defaults_of(MatchVariables) | defaults_of(SnapshotVariables)) | without
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
