"""template.yaml stays one that a person can read, and `sam deploy --guided` one that a person can answer."""

import difflib
import tomllib

import yaml

from sitejobs.catalog import JOBS
from tests.bundle.resources import DOCUMENT, RESOURCES, TEMPLATE
from tools.bundle import ROOT
from tools.new_job import PACKAGES, edits_of

LINES = 1550
LINES_OF_A_JOB = 12
PARAMETERS = 31
QUESTIONS = 39
OTHER_QUESTIONS = 8
"""Name, region, confirm changes, roles, keep on failure, save the answers, in which file, under which name."""
LARGEST_MB = 1
"""CloudFormation's limit of a template, which holds for the loops written out."""


def test_the_template_is_no_longer_than_a_person_reads() -> None:
    assert len(TEMPLATE.read_text().splitlines()) <= LINES
    written_out = yaml.safe_dump(DOCUMENT)
    assert len(RESOURCES) > 10 * len(JOBS)
    assert len(written_out) < LARGEST_MB << 20


def test_a_new_job_is_an_entry_and_its_name_in_lists() -> None:
    before = TEMPLATE.read_text().splitlines()
    for group in PACKAGES:
        after = edits_of(ROOT, "interest-count", group).texts["template.yaml"].splitlines()
        assert len(after) - len(before) <= LINES_OF_A_JOB
        added = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("+ ")]
        assert len(added) <= 2 * LINES_OF_A_JOB
        assert not [line for line in added if line.endswith(":")], "a resource is written out"
        # Its name in the rights of workflow-job, beside the entry.
        assert sum("interest-count:" in line for line in added) == 2


def test_the_stack_asks_for_few_parameters_and_needs_fewer() -> None:
    assert len(DOCUMENT["Parameters"]) <= PARAMETERS
    assert len(DOCUMENT["Parameters"]) + OTHER_QUESTIONS <= QUESTIONS
    assert [name for name, parameter in DOCUMENT["Parameters"].items() if "Default" not in parameter] == []


def test_sam_expands_loops_and_may_deploy_them() -> None:
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert DOCUMENT["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]
    for name in ("default", "arm64"):
        assert configuration[name]["global"]["parameters"]["language_extensions"] is True
        assert "CAPABILITY_AUTO_EXPAND" in configuration[name]["deploy"]["parameters"]["capabilities"].split()
