"""Memory and storage that match-scores needs, and what tells that there is too little."""

import json
import logging
from pathlib import Path

import pytest
from psycopg import Connection

from sitejobs.matching.snapshot.needs import Room, needed, too_small
from sitejobs_local.aws.machine import LocalMachine
from sitejobs_local.places import TEMPLATE
from tests.limits import PATIENCE_S
from tests.matching.random_sites import NOW, draw
from tests.matching.running import Site
from tests.matching.site_loading import load

PART_USERS = 100_000


@pytest.mark.parametrize(
    ("users", "plan", "batch", "storage"),
    # As docs/benchmarks.md has them, measured or extrapolated from what was; a snapshot has 671 bytes a user there.
    [(2000, 99, 148, 1.3), (100_000, 778, 480, 64), (1_000_000, 370, 260, 640), (4_000_000, 859, 320, 2560)],
)
def test_needs_are_what_was_measured_with_little_to_spare(users: int, plan: int, batch: int, storage: float) -> None:
    found = needed(users, 100, PART_USERS)
    assert plan <= found.plan + 2 <= plan * 1.2
    assert batch <= found.batch + 2 <= batch * 1.1 + 80
    assert storage <= found.storage + 1 <= storage * 1.1 + 2


def test_larger_pages_need_more_memory() -> None:
    # 531 MB were measured with 2,000 viewers on a site of 6,000 users.
    assert 531 <= needed(6000, 2000, PART_USERS).batch <= 660
    # 680 MB were with 1,000 viewers on a site of 100,000 users, 768 with 2,000 on one of a million.
    assert 680 <= needed(100_000, 1000, PART_USERS).batch <= 730
    assert 768 <= needed(1_000_000, 2000, PART_USERS).batch <= 800


def test_what_is_not_known_is_not_too_small() -> None:
    assert list(too_small(Room(), needed(50_000_000, 1000, PART_USERS), 50_000_000)) == []
    assert list(too_small(Room(2048, 1769, 2048), needed(1_000_000, 2000, PART_USERS), 1_000_000)) == []


def test_each_thing_that_is_too_small_is_told_with_its_remedy() -> None:
    found = list(too_small(Room(1024, 512, 2048), needed(10_000_000, 1000, PART_USERS), 10_000_000))
    assert [text.partition(":")[0] for text in found] == ["memory of Plan", "memory of a page", "temporary storage"]
    assert [text.rpartition(": ")[2].split()[-1] for text in found] == [
        "MatchScoresPlanMemory",
        "template.yaml",
        "WorkStorage",
    ]


def test_plan_tells_what_is_too_small_in_the_log_and_in_the_summary(
    site: Connection, site_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(site, draw(1, 40, "one city"))
    machine = Site(site_url, tmp_path, {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "64", "WORK_STORAGE_MB": "512"})
    with caplog.at_level(logging.WARNING):
        ran = machine.run(NOW)
    [told] = [record for record in caplog.records if record.message == "too small for the site"]
    [text] = told.__dict__["too_small"]
    assert text.startswith("memory of Plan: 40 users need about 100 MB, and there are 64")
    assert ran.summary["message"] == text
    ran = machine.run(NOW, {"incremental": True})
    assert ran.summary["message"] == f"nothing has changed since the last run; {text}"
    enough = Site(site_url, tmp_path, {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048", "WORK_STORAGE_MB": "2048"})
    assert enough.run(NOW).message is None


def test_the_function_logs_it_as_one_structured_line(site: Connection, site_url: str, tmp_path: Path) -> None:
    load(site, draw(1, 40, "one city"))
    log = tmp_path / "log"
    with LocalMachine(
        TEMPLATE,
        database_url=site_url,
        log_file=log,
        work_folder=tmp_path / "work",
        parameters={"MatchScoresPlanMemory": "64"},
    ) as machine:
        ended = machine.run("match-scores", {"pauseMs": 0}, PATIENCE_S)
    assert ended.status == "SUCCEEDED", ended
    lines = [line for line in log.read_text().splitlines() if "too small for the site" in line]
    [told] = [json.loads(line) for line in lines]
    assert (told["level"], told["run_id"]) == ("WARNING", ended.output["runId"])
    assert told["too_small"] == [ended.output["message"]]
