"""A snapshot made of parts is the file that the population gives in one piece, bit by bit."""

from datetime import timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.errors import DataUnavailable
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.file import write_snapshot
from sitejobs.matching.snapshot.merging import merge_parts
from sitejobs.matching.snapshot.parts import store_part
from sitejobs.matching.snapshot.population import read_population, read_range
from sitejobs.matching.snapshot.snapshot import take_snapshot
from sitejobs.options import MAX_ID, MIN_ID
from tests.fakes import FolderWorkStore
from tests.matching.random_sites import FLAVOURS, NOW, SiteRows, draw, someone
from tests.matching.site_loading import load

SECONDS = NOW.timestamp()
PARAMETERS = Parameters()
GONE = np.array([-5, 3, 10**12])


def in_one_piece(site: Connection, folder: Path, block_size: int) -> bytes:
    population = read_population(site, NOW)
    write_snapshot(take_snapshot(population, GONE, SECONDS, PARAMETERS, block_size), folder / "whole")
    return (folder / "whole").read_bytes()


def in_parts(site: Connection, folder: Path, ends: list[int], block_size: int, band_users: int) -> bytes:
    """The file from the parts that end at these ids."""
    store, firsts = FolderWorkStore(folder / "work"), [MIN_ID, *(end + 1 for end in ends)]
    keys = []
    for number, (first, last) in enumerate(zip(firsts, [*ends, MAX_ID], strict=True)):
        keys.append(f"part-{number}")
        store_part(store, keys[-1], read_range(site, NOW, first, last), SECONDS, PARAMETERS)
    merge_parts(store, keys, folder / "merged", GONE, SECONDS, PARAMETERS, block_size, band_users)
    left = {path.name for path in folder.iterdir()}
    assert left <= {"whole", "merged", "work"}
    return (folder / "merged").read_bytes()


def ids(site: Connection) -> list[int]:
    return [row[0] for row in site.execute("""SELECT "id" FROM "User" ORDER BY 1""")]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_file_is_the_same_whatever_the_parts(site: Connection, tmp_path: Path, flavour: str) -> None:
    random = Random(flavour)
    load(site, draw(7, 120, flavour))
    known = ids(site)
    for block_size, band_users in [(1, 1), (3, 20), (5, 7), (4096, 65_536)]:
        whole = in_one_piece(site, tmp_path, block_size)
        for parts in (1, 2, 9):
            ends = sorted(random.sample(known, parts - 1))
            assert in_parts(site, tmp_path, ends, block_size, band_users) == whole, (block_size, ends)


def test_every_user_may_be_a_part_and_parts_may_be_empty(site: Connection, tmp_path: Path) -> None:
    load(site, draw(8, 30, "mixed"))
    ends = sorted({end for user_id in ids(site) for end in (user_id - 1, user_id)} | {10**15, 10**16})
    assert in_parts(site, tmp_path, ends, 4, 6) == in_one_piece(site, tmp_path, 4)


@pytest.mark.parametrize("ends", [[], [0], [-1, 0, 1, 2, 3]])
@pytest.mark.parametrize("users", [0, 1])
def test_a_site_of_nobody_or_one(site: Connection, tmp_path: Path, users: int, ends: list[int]) -> None:
    load(site, SiteRows([someone(number + 1) for number in range(users)], set()))
    assert in_parts(site, tmp_path, ends, 4, 6) == in_one_piece(site, tmp_path, 4)


def test_people_who_differ_in_nothing_but_their_id_stand_by_id(site: Connection, tmp_path: Path) -> None:
    load(site, SiteRows([someone(number) for number in range(1, 41)], set()))
    assert in_parts(site, tmp_path, [7, 8, 31], 4, 6) == in_one_piece(site, tmp_path, 4)


def test_everybody_hidden_or_without_a_profile(site: Connection, tmp_path: Path) -> None:
    load(site, draw(9, 30, "mixed"))
    for change in ("""UPDATE "Profile" SET "isVisible" = false""", """UPDATE "Profile" SET "deletedAt" = now()"""):
        site.execute(change)
        assert in_parts(site, tmp_path, ids(site)[10:20], 4, 6) == in_one_piece(site, tmp_path, 4)


def test_a_part_that_is_missing_is_named(site: Connection, tmp_path: Path) -> None:
    load(site, draw(10, 10, "mixed"))
    store = FolderWorkStore(tmp_path / "work")
    store_part(store, "part-1", read_range(site, NOW, MIN_ID, 5), SECONDS, PARAMETERS)
    with pytest.raises(DataUnavailable, match="part-2"):
        merge_parts(store, ["part-1", "part-2"], tmp_path / "merged", GONE, SECONDS, PARAMETERS, 4)


def test_the_moment_counts_for_all_parts(site: Connection, tmp_path: Path) -> None:
    """A birthday between the run's start and the reading of a part changes nothing."""
    load(site, draw(11, 60, "one city"))
    store = FolderWorkStore(tmp_path / "work")
    later = (NOW + timedelta(days=400)).timestamp()
    store_part(store, "part", read_range(site, NOW, MIN_ID, MAX_ID), later, PARAMETERS)
    merge_parts(store, ["part"], tmp_path / "merged", GONE, later, PARAMETERS, 4)
    write_snapshot(take_snapshot(read_population(site, NOW), GONE, later, PARAMETERS, 4), tmp_path / "whole")
    assert (tmp_path / "merged").read_bytes() == (tmp_path / "whole").read_bytes()
