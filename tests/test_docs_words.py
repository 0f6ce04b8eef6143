"""What the documentation says in words: the glossary, and the worked example of a mutation."""

import re
import tomllib

import pytest

from tests.documentation import ROOT, blocks

TERMS = {
    "batch", "block", "candidate", "candidate pool", "chapter", "chunk", "contract", "fresh", "loss", "page",
    "provisional", "ready event", "run", "scope", "screening", "segment (of a feed)", "segment (of candidates)",
    "sieve", "snapshot", "stale", "superseded", "threshold", "tier", "top-K buffer", "upper bound", "viewer",
    "workflow",
}  # fmt: skip
"""The words that documentation, code and messages share."""


def test_the_glossary_explains_every_term_once_and_says_where_there_is_more() -> None:
    rows = re.findall(
        r"^\| (?!term|---)(.+?) \| (.+) \| (.+) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    assert sorted(term for term, _, _ in rows) == sorted(TERMS)
    assert {term for term, _, more in rows if not re.fullmatch(r"\[.+\]\([\w-]+\.md(#[\w-]+)?\)", more)} == set()


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md", "docs/development.md"])
def test_the_glossary_can_be_found(page: str) -> None:
    assert re.search(r"\]\((docs/)?glossary\.md\)", (ROOT / page).read_text())


def test_the_line_that_the_mutation_spot_check_changes_is_in_its_file() -> None:
    [diff] = blocks(ROOT / "docs" / "development.md", {"diff"})
    [file] = re.findall(r"^--- (.+)$", diff, re.MULTILINE)
    [before] = re.findall(r"^-(?!--)(.+)$", diff, re.MULTILINE)
    assert before in (ROOT / file).read_text().splitlines()


def test_the_layers_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert [body.splitlines() for body in blocks(ROOT / "docs" / "development.md", {"text"})] == checked
