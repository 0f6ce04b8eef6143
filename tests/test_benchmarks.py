"""The benchmark measures what it says and fills its tables. No test looks at a time."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks import beside, compatibility, feed, hourly, keyed_jobs, merging, million, uploads
from benchmarks.command import PAGE
from benchmarks.figures import Figures, MergeFigures, Millions, PhasedRun, SizeFigures
from benchmarks.match_scores import SIZES, main, run
from benchmarks.phases import functions_so_far, scheduled_options, snapshot_since, stored_sizes
from benchmarks.projection import Projection, project
from benchmarks.projection_table import LAMBDA_MB, LAMBDA_SECONDS, projected
from benchmarks.report import PARTS
from benchmarks.sampled import sampled_run
from benchmarks.servers import running_server
from benchmarks.site import bench_site
from sitejobs.catalog import JOBS
from sitejobs.matching.snapshot.file import MAGIC
from sitejobs.postgres.connection import connect
from sitejobs_local.aws.environment import own_python
from sitejobs_local.cost.prices import prices
from sitejobs_local.database.accounts import server_account
from sitejobs_local.database.binaries import server_binaries
from sitejobs_local.database.cluster import Cluster
from tests import forks
from tests.conftest import folder_parent

USERS = 200


@pytest.fixture(scope="module", autouse=True)
def own_pythons() -> Iterator[None]:
    """The benchmarks measure environments as they start at home."""
    with forks.used(own_python):
        yield


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """Everything of a tiny site whose snapshots are made of parts, run once."""
    folder = Path(folder_parent() or tempfile.gettempdir())
    results = tmp_path_factory.mktemp("results") / "figures.json"
    parts = {"SNAPSHOT_PART_USERS": "90"}
    return run([USERS], 1, folder, results, times=1, single_users=1, variables=parts)


def test_every_part_of_a_run_is_measured(figures: Figures) -> None:
    size = figures.sizes[0]
    assert (size.users, len(size.whole), len(size.raw)) == (USERS, 1, 1)
    assert size.whole[0].rows == size.scheduled.rows == size.rows
    assert size.scheduled.page_viewers == scheduled_options()["batchSize"]
    assert size.rows > USERS * 10
    assert size.batch_peak_kb > 20_000
    assert size.plan_peak_kb > 20_000
    assert size.parts.plain_viewers == size.parts.viewers
    assert 0 < size.scheduled.search.scored <= size.scheduled.search.looked_at <= 1
    assert size.changes.nothing.rows == 0
    assert 0 < size.changes.users <= 3
    assert size.changes.some.rows > 0


def test_the_benchmark_of_feeds_measures_what_it_says() -> None:
    it = feed.measure(60, 1, Path(folder_parent() or tempfile.gettempdir()))
    assert it.users == 60
    assert it.rows > 60
    assert 0 < it.private_rows <= it.public_rows <= it.rows
    assert min(it.full, it.raw, it.again, it.nothing, it.private, it.public) > 0
    assert feed.feeds_table([it]).count("\n") == 2


def test_the_benchmark_of_compatibility_measures_what_it_says() -> None:
    it = compatibility.measure(60, 1, Path(folder_parent() or tempfile.gettempdir()), times=1)
    assert it.users == 60
    assert it.rows > 60
    assert min(*it.whole, it.raw, it.again, it.nothing, it.some) > 0
    assert compatibility.shown([it]).count("\n") == 2


def test_figures_come_back_from_their_file(figures: Figures) -> None:
    assert Figures.from_json(figures.to_json()) == figures


def test_every_table_has_a_row_a_size_and_whole_rows(figures: Figures) -> None:
    two = replace(figures, sizes=[*figures.sizes, _ten_times(figures.sizes[0])])
    for name in ("whole runs", "small runs", "parts"):
        lines = [line for line in PARTS[name](two).splitlines() if line.startswith("|")]
        assert [line.split("|")[1].strip() for line in lines[2:]] == ["200", "2,000"]
        assert len({line.count("|") for line in lines}) == 1
    assert "From 200 to 2,000 users" in PARTS["whole runs"](two)


def test_tables_are_written_between_their_marks(figures: Figures, tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text("before\n" + "".join(f"<!-- begin: {name} -->\nold\n<!-- end: {name} -->\n" for name in PARTS))
    results.write_text(json.dumps(figures.to_json()))
    assert main(["--render", "--results", str(results), "--docs", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n<!-- begin: machine -->\n| machine")
    assert "old" not in text
    assert all(make(figures) in text for make in PARTS.values())


def test_the_page_has_a_place_for_every_table() -> None:
    parts = [*PARTS, *hourly.PARTS, *keyed_jobs.PARTS, *feed.PARTS, *compatibility.PARTS, *uploads.PARTS]
    parts += [*merging.PARTS, *million.PARTS]
    assert sorted(re.findall(r"<!-- begin: (.*?) -->", PAGE.read_text())) == sorted(parts)
    assert SIZES == (2000, 10_000, 50_000, 100_000)


# Millions ----------------------------------------------------------------------------------------------------


def test_a_run_is_measured_phase_by_phase(figures: Figures) -> None:
    found = figures.sizes[0].scheduled
    calls = {name: phase.calls for name, phase in found.phases.items()}
    assert calls == {"plan": 1, "parts": 3, "merge": 1, "pages": 1}
    assert sum(phase.seconds for phase in found.phases.values()) < found.seconds
    assert all(phase.peak_mb > 20 for phase in found.phases.values())
    assert found.viewers * 20 < found.rows
    assert 0 < found.table_bytes < found.database_bytes
    assert min(found.wal_bytes, found.server_mb, found.snapshot_bytes, found.search.touched) > 0
    kept = Millions({"processor": "one", "memory": "much", "date": "today"}, "nothing", [found])
    assert Millions.from_json(json.loads(json.dumps(asdict(kept)))) == kept
    assert million.shown(kept).count(f"| {USERS} |") == 1 + len(found.phases)


def test_the_time_of_a_process_that_nobody_waited_for_yet_counts() -> None:
    before, _ = functions_so_far()
    burning = "import time\nwhile time.process_time() < 0.5: pass"
    with subprocess.Popen([sys.executable, "-c", burning], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()  # ends with the process
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        unwaited, _ = functions_so_far()
    waited, _ = functions_so_far()
    assert unwaited - before > 0.4
    assert waited == pytest.approx(unwaited, abs=0.1)


def test_a_sample_of_pages_counts_for_all() -> None:
    folder = Path(folder_parent() or tempfile.gettempdir())
    with bench_site(folder, 60, 1) as site:
        found = sampled_run(site.url, {"SNAPSHOT_PART_USERS": "40"}, 60, {"batchSize": 10, "pauseMs": 0}, 2, folder)
        with connect(site.url) as connection:
            taken, *_ = stored_sizes(connection)
    calls = {name: phase.calls for name, phase in found.phases.items()}
    assert (calls["parts"], calls["merge"], calls["pages"]) == (2, 1, 6)
    assert found.viewers == pytest.approx(3 * taken, rel=0.05)  # a user without a profile is no viewer
    assert found.sampled_pages == 2
    whole = replace(found, sampled_pages=0)
    kept = Millions({"processor": "", "memory": "", "date": ""}, "nothing", []).with_run(whole).with_run(found)
    assert "2 pages of it" in million.shown(kept)
    assert (kept.runs, kept.samples, kept.newest) == ([whole], [found], [found])
    assert kept.with_run(whole).newest == [whole]


def test_the_snapshot_is_found_beside_a_larger_file_of_its_run(tmp_path: Path) -> None:
    (tmp_path / "rows.data").write_bytes(bytes(100))
    with pytest.raises(FileNotFoundError):
        snapshot_since(tmp_path, 0)
    snapshot = tmp_path / "snapshot.data"
    snapshot.write_bytes(bytes(10) + MAGIC)
    assert snapshot_since(tmp_path, 0) == snapshot


def test_a_larger_merge_begins_with_the_parts_of_the_one_before(tmp_path: Path) -> None:
    small, large = merging.measure([60, 120], 30, tmp_path)
    assert (small.parts, large.parts) == (2, 4)
    assert small.file_bytes < large.file_bytes
    assert min(small.part_seconds, large.part_seconds, small.seconds, large.seconds) > 0
    assert merging.shown([small, large]).count("\n") == 3


@pytest.fixture(scope="module")
def runs(figures: Figures) -> list[PhasedRun]:
    """The run of the tiny site, and one on a site of ten times the users, whose pages take twice as much a viewer.

    The seconds are given: the tiny site's are near nothing, and others each time.
    """
    small = figures.sizes[0].scheduled
    timed = {name: replace(phase, functions=0.4, server=0.1) for name, phase in small.phases.items()}
    pages = replace(timed["pages"], functions=0.4 * 20, server=0.1 * 10)
    counts = ("users", "viewers", "rows", "wal_bytes", "table_bytes", "database_bytes", "snapshot_bytes")
    larger = {name: getattr(small, name) * 10 for name in counts}
    return [replace(small, phases=timed), replace(small, **larger, phases={**timed, "pages": pages})]


MERGES = [
    MergeFigures(users, users // 100_000, 1.5, 400, users / 1e5, 300 + users / 6e3, users * 550)
    for users in merging.SIZES
]


def _projected(runs: list[PhasedRun], users: int, concurrency: int = 200) -> Projection:
    return project(runs, MERGES, users, concurrency)


def test_a_projection_to_the_largest_size_is_what_was_measured_there(runs: list[PhasedRun]) -> None:
    largest = runs[-1]
    found = _projected(runs, largest.users)
    viewers = found.page_viewers / largest.users
    assert found.page.server.low == pytest.approx(largest.pages.server * viewers)
    assert found.page.functions.low == pytest.approx(largest.pages.functions * viewers)
    assert found.page.mb == pytest.approx(largest.pages.own_mb)
    assert found.rows == pytest.approx(largest.rows)
    assert found.database_gb * 1e9 == pytest.approx(largest.table_bytes)


def test_a_projection_costs_at_least_its_processor_time(runs: list[PhasedRun]) -> None:
    small, large = (_projected(runs, users) for users in (1_000_000, 10_000_000))
    for found in (small, large):
        gb_seconds = found.page.functions.low * found.pages * 1769 / 1024
        assert prices()["gb_second"].of(gb_seconds) < found.dollars.low <= found.dollars.high
        assert found.run_seconds.low > found.merge.seconds.low + found.database_seconds.low
        assert found.run_seconds.low > found.page.functions.low * found.pages / found.concurrency
    assert large.rows == pytest.approx(10 * small.rows)
    assert large.parts == 10 * small.parts
    assert large.dollars.low > 9 * small.dollars.low


def test_fewer_pages_in_flight_take_longer(runs: list[PhasedRun]) -> None:
    fewer, more = (_projected(runs, 10_000_000, concurrency) for concurrency in (100, 200))
    assert fewer.lambda_seconds.low > 1.5 * more.lambda_seconds.low


def test_a_time_below_the_clocks_resolution_grows_along_the_line(runs: list[PhasedRun]) -> None:
    small, large = runs
    unmeasured = replace(small, phases={**small.phases, "pages": replace(small.pages, functions=0.0)})
    measured = replace(large, phases={**large.phases, "pages": replace(large.pages, functions=2.0)})
    found = _projected([unmeasured, measured], large.users * 2)
    a_viewer = 2.0 / large.users * (1 + large.users / (large.users - small.users))
    assert found.page.functions.low == found.page.functions.high == pytest.approx(a_viewer * found.page_viewers)


def test_a_figure_beyond_a_limit_is_marked(runs: list[PhasedRun]) -> None:
    pages = replace(runs[-1].pages, functions=1e7, own_mb=1e6)
    slow = replace(runs[-1], phases={**runs[-1].phases, "pages": pages})
    lines = {line.split("|")[1].strip(): line for line in projected([runs[0], slow], MERGES).splitlines()}
    assert f"beyond Lambda's limit of {LAMBDA_SECONDS} s" in lines["a page: call of Lambda"]
    assert f"beyond Lambda's limit of {LAMBDA_MB:,} MB" in lines["a page: memory"]
    assert "beyond 2,700 s" in lines["the run"]
    assert "beyond" not in lines["a part: memory"]
    assert len({line.count("|") for line in lines.values()}) == 1


# The other jobs ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of their figures on a tiny site, run once."""
    folder = Path(folder_parent() or tempfile.gettempdir())
    results = tmp_path_factory.mktemp("results") / "keyed.json"
    keyed_jobs.run([USERS], [job.name for job in keyed_jobs.JOBS], 1, folder, results, times=1)
    return results


def test_the_other_jobs_are_measured_whole_and_incremental(keyed: Path) -> None:
    figures = [keyed_jobs.Figures(**value) for value in json.loads(keyed.read_text())]
    assert [it.job for it in figures] == [job.name for job in keyed_jobs.JOBS]
    assert {it.job for it in figures} <= set(JOBS)
    for it in figures:
        assert it.rows > USERS * 0.9  # users with nothing to be found by have no row
        assert it.changed == 2
        assert all(seconds > 0 for seconds in (*it.full, *it.raw, *it.nothing, *it.incremental))


def test_the_table_of_the_other_jobs_is_written_between_its_marks(keyed: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: keyed jobs -->\nold\n<!-- end: keyed jobs -->\n")
    assert keyed_jobs.main(["--render", "--results", str(keyed), "--docs", str(page)]) == 0
    text = page.read_text()
    assert "old" not in text
    assert len(re.findall(rf"^\| [a-z-]+ \| {USERS} \|", text, re.MULTILINE)) == len(keyed_jobs.JOBS)


# Uploads -----------------------------------------------------------------------------------------------------


def test_uploads_survive_a_database_that_is_away(tmp_path: Path) -> None:
    folder = Path(folder_parent() or tempfile.gettempdir())
    figures = uploads.run(60, 2, folder, retry_seconds=1)
    assert figures.faults() == []
    assert 20 <= figures.checked_before < 60
    assert figures.down < figures.up < figures.ended
    assert 1 <= figures.connections <= 2
    assert figures.redeliveries > 0
    assert 1 < figures.most_receives < figures.allowed_receives == 9
    page, results = tmp_path / "page.md", tmp_path / "uploads.json"
    page.write_text("before\n<!-- begin: uploads -->\nold\n<!-- end: uploads -->\n")
    results.write_text(json.dumps(asdict(figures)))
    assert uploads.main(["--render", "--results", str(results), "--docs", str(page)]) == 0
    assert uploads.uploads_table(figures) in page.read_text()

    lost = replace(figures, without_metadata=2, not_ready=3, dead_letters=1, left=4, connections=3, checked_before=60)
    assert len(lost.faults()) == 6
    results.write_text(json.dumps(asdict(lost)))
    assert uploads.main(["--render", "--results", str(results), "--docs", str(page)]) == 1


def _ten_times(size: SizeFigures) -> SizeFigures:
    """A site of ten times the users whose whole runs take as much longer."""
    whole = [replace(run, seconds=run.seconds * 10, rows=run.rows * 10) for run in size.whole]
    return replace(size, users=size.users * 10, whole=whole)


def test_an_older_version_stands_beside_this_one() -> None:
    first = {"old": beside.Cost(10, 4, 8, 3e6, 2e6), "new": beside.Cost(5, 1, 8, 1e6, 0)}
    second = {"old": beside.Second(0, 2), "new": beside.Second(5e5, 0.5)}
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in beside.shown(first, second).splitlines()]
    assert rows[2] == ["whole run", "10.00 s", "5.00 s", "0.50"]
    assert rows[5] == ["write-ahead log", "3.00 MB", "1.00 MB", "0.33"]
    assert rows[7] == ["dead after a second full run", "0.00 MB", "0.50 MB", ""]
    assert rows[8] == ["processor time to vacuum them", "2.00 s", "0.50 s", "0.25"]


def test_algorithms_stand_beside_each_other_by_what_a_full_run_takes() -> None:
    first = {"v1": beside.Cost(10, 4, 8, 3e6, 2e6), "v2": beside.Cost(11, 4, 9, 3e6, 2e6)}
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in beside.shown(first, {}).splitlines()]
    assert rows[0] == ["", "v1", "v2", "v2 / v1"]
    assert rows[2] == ["whole run", "10.00 s", "11.00 s", "1.10"]
    assert len(rows) == 7


def test_a_site_may_have_a_server_of_other_programs() -> None:
    with tempfile.TemporaryDirectory(dir=folder_parent()) as folder:
        home = Path(folder)
        home.chmod(0o755)
        programs = server_binaries(Cluster(home), server_account(Cluster(home)))
        with running_server(home, programs) as url, connect(url) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
    assert row == (str(home / "data"),)
