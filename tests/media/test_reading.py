"""The ranged reader returns the bytes of a file with few, small reads."""

import io
from random import Random

import pytest

from sitejobs.media.reading import FIRST_READ, KEPT_BYTES, LARGEST_READ, RangedFile
from tests.media.sources import Bytes


@pytest.mark.parametrize("seed", range(20))
def test_it_reads_what_a_file_reads(seed: int) -> None:
    random = Random(seed)
    data = random.randbytes(random.choice([1, 100, FIRST_READ, 700_000]))
    ours, theirs = RangedFile(Bytes(data), len(data)), io.BytesIO(data)
    for _ in range(200):
        if random.random() < 0.5:
            whence = random.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
            offset = random.randint(0, len(data) + 10) * (-1 if whence == io.SEEK_END else 1)
            if whence == io.SEEK_END:
                offset = max(offset, -len(data))
            assert ours.seek(offset, whence) == theirs.seek(offset, whence)
        size = random.choice([0, 1, 10, 5_000, 200_000, -1])
        assert ours.read(size) == theirs.read(size)
        assert ours.tell() == theirs.tell()


def test_reading_on_takes_ever_larger_reads_and_never_the_same_twice() -> None:
    data = bytes(20 << 20)
    source = Bytes(data)
    file = RangedFile(source, len(data))
    while file.read(64 << 10):
        pass
    lengths = [length for _, length in source.reads]
    assert lengths[0] == FIRST_READ
    assert max(lengths) == LARGEST_READ
    assert sum(lengths) == len(data)
    assert len(lengths) < 15


def test_hopping_takes_small_reads() -> None:
    data = bytes(20 << 20)
    source = Bytes(data)
    file = RangedFile(source, len(data))
    for at in range(0, len(data), 2 << 20):
        file.seek(at)
        file.read(16)
    assert {length for _, length in source.reads} == {FIRST_READ}


def test_what_was_read_just_now_is_kept() -> None:
    source = Bytes(bytes(KEPT_BYTES // 2))
    file = RangedFile(source, KEPT_BYTES // 2)
    for _ in range(3):
        file.seek(0)
        file.read()
    assert sum(length for _, length in source.reads) == KEPT_BYTES // 2


def test_a_source_that_ends_early_is_noticed() -> None:
    with pytest.raises(EOFError):
        RangedFile(Bytes(b"short"), 1000).read(10)
