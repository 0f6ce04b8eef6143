"""A snapshot as one file in the work bucket, read by byte ranges.

What is in it, in the order in which it can be written: the blocks (`layout`), the index (npz: ids and hashes by
position), the head (npz: meta, dictionaries, bounds, sizes of arrays), 8 bytes with the head's length, 8 of magic.
A page reads the head and the blocks that it needs; a snapshot up to READ_WHOLE_BYTES is read whole.
"""

import io
import json
import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sitejobs.errors import DataUnavailable
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Dictionaries, Users, concatenate
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes
from sitejobs.matching.snapshot.layout import LAYOUT, arrays_of, no_users, padding, users_of
from sitejobs.matching.snapshot.snapshot import Snapshot
from sitejobs.matching.topk.bounds import Bounds
from sitejobs.workstore import WorkStore

MAGIC = b"SJSNAP05"
_SUFFIX = struct.Struct("<Q8s")
_LAST_READ = 256 * 1024

READ_WHOLE_BYTES = 192 * 1024 * 1024
"""Bytes of a snapshot up to which one sequential read is cheaper than reading single blocks."""

READ_BYTES = 16 * 1024 * 1024
"""Bytes of one ranged read, at most."""

BLOCKS_AT_ONCE = 32
"""Blocks from which users are taken together: each call has a fixed cost."""


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write the file; `StoredSnapshot` reads it from a work store."""
    with path.open("wb") as file:
        writer = SnapshotWriter(file, int(snapshot.starts[-1]))
        for block in snapshot.blocks:
            writer.add(block)
        writer.finish(
            snapshot.now, snapshot.parameters, snapshot.dictionaries, snapshot.bounds, snapshot.without_profile
        )


class SnapshotWriter:
    """Writes the file of so many `users` block by block; nothing but the index is kept in memory."""

    def __init__(self, file: BinaryIO, users: int) -> None:
        self._file = file
        self._lengths: list[list[int]] = []
        self._starts = [0]
        self._index: dict[str, NDArray[Any]] = {
            "ids": np.empty(users, np.int64),
            "viewer_hash": np.empty(users, np.uint64),
            "candidate_hash": np.empty(users, np.uint64),
            "lasting_hash": np.empty(users, np.uint64),
            "price": np.empty(users, np.float32),
        }

    def add(self, block: Users) -> None:
        """Write the next block."""
        start = self._starts[-1]
        self._starts.append(start + len(block))
        for name, column in self._index.items():
            column[start : start + len(block)] = getattr(block, name)
        self._lengths.append(write_users(self._file, block))

    def finish(
        self, now: float, parameters: Parameters, dictionaries: Dictionaries, bounds: Bounds, without_profile: Indices
    ) -> None:
        """Write what follows the blocks; `bounds` are those of the first ones, which hold the candidates."""
        with tempfile.TemporaryFile() as index:  # a zip archive counts its offsets from the file's beginning
            np.savez(index, allow_pickle=False, **self._index, without_profile=without_profile)
            index_bytes = index.seek(0, os.SEEK_END)
            index.seek(0)
            shutil.copyfileobj(index, self._file, READ_BYTES)
        meta = {
            "now": now,
            "parameters": parameters.to_json(),
            "indexBytes": index_bytes,
            "withoutProfile": len(without_profile),
        }
        head = _npz(
            meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
            starts=np.array(self._starts, np.int64),
            lengths=np.array(self._lengths, np.int64).reshape(len(self._lengths), len(LAYOUT)),
            **{f"dictionary_{name}": value for name, value in vars(dictionaries).items()},
            **{f"bound_{name}": value for name, value in vars(bounds).items()},
        )
        self._file.write(head)
        self._file.write(_SUFFIX.pack(len(head), MAGIC))


def write_users(file: BinaryIO, users: Users) -> list[int]:
    """Write the users' arrays; returns the bytes of each."""
    arrays = arrays_of(users)
    for array in arrays:
        file.write(array.data)
        file.write(bytes(padding(array.nbytes)))
    return [array.nbytes for array in arrays]


class StoredSnapshot:
    """A snapshot in a work store. `block` returns a block and keeps it in a local file.

    Parameters
    ----------
    folder : where the local copy lies. It is at most as large as the snapshot and vanishes with the process.

    Raises
    ------
    DataUnavailable : the file is gone or is no snapshot of this version.
    """

    def __init__(self, store: WorkStore, key: str, folder: Path | None = None) -> None:
        self.key = key
        self._store = store
        size = store.size(key)
        last = store.read(key, max(size - _LAST_READ, 0), min(size, _LAST_READ))
        if len(last) < _SUFFIX.size or not last.endswith(MAGIC):
            raise DataUnavailable(f"work file {key} is no snapshot of this version")
        head_bytes = _SUFFIX.unpack_from(last, len(last) - _SUFFIX.size)[0]
        whole = head_bytes + _SUFFIX.size
        if whole > len(last):
            last = read_range(store, key, size - whole, whole - len(last)) + last
        head = np.load(io.BytesIO(last[len(last) - whole :]), allow_pickle=False)
        meta = json.loads(head["meta"].tobytes())
        self.now: float = meta["now"]
        self.parameters = Parameters.from_json(meta["parameters"])
        self.without_profile: int = meta["withoutProfile"]
        self.starts: Indices = head["starts"]
        self.dictionaries = Dictionaries(**prefixed(head, "dictionary_"))
        self.bounds = Bounds(**prefixed(head, "bound_"))
        self._lengths: Indices = head["lengths"]
        self._index_bytes: int = meta["indexBytes"]
        padded = self._lengths + padding(self._lengths)
        self._offsets = np.cumsum([0, *padded.sum(axis=1)])
        expected = int(self._offsets[-1]) + self._index_bytes + whole
        if expected != size:
            raise DataUnavailable(f"work file {key} has {size} bytes instead of {expected}")
        self._copy = _LocalCopy(size, folder)
        self._present = np.zeros(len(self._lengths), bool)
        self._index: dict[str, NDArray[Any]] | None = None
        if size <= READ_WHOLE_BYTES:
            self._fetch(0, len(self._lengths))

    @property
    def users(self) -> int:
        """Number of users: candidates and other viewers."""
        return int(self.starts[-1])

    @property
    def candidates(self) -> int:
        """Number of candidates: the users at the lowest positions."""
        return int(self.starts[len(self.bounds)])

    def nobody(self) -> Users:
        """`Users` of length 0, with the snapshot's number of traits."""
        return no_users(len(self.dictionaries.traits))

    def block(self, index: int) -> Users:
        """The users of one block."""
        if not self._present[index]:
            self._fetch(index, index + 1)
        at = int(self._offsets[index])
        return users_of(self._copy.buffer, at, self._lengths[index], len(self.dictionaries.traits))

    def quizzes(self) -> KeptQuizzes:
        """The quiz results of all users."""
        everywhere = np.arange(len(self._lengths))
        self.need(everywhere)
        return KeptQuizzes.of([self.block(at) for at in everywhere.tolist()] or [self.nobody()], self.dictionaries)

    def need(self, blocks: Indices) -> None:
        """Fetch these blocks; adjacent blocks are one read."""
        missing = np.unique(blocks[~self._present[blocks]])
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
            if len(run):
                self._fetch(int(run[0]), int(run[-1]) + 1)

    def at(self, start: int, stop: int) -> list[tuple[Users, Indices]]:
        """Users at positions start..stop-1: each block that holds some, and their rows in it."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        found = []
        for index in range(first, len(self._lengths)):
            low, high = int(self.starts[index]), int(self.starts[index + 1])
            if low >= stop:
                break
            found.append((self.block(index), np.arange(max(start, low) - low, min(stop, high) - low)))
        return found

    def index(self) -> dict[str, NDArray[Any]]:
        """`ids`, hashes and `price` by position, and the ids `without_profile`."""
        if self._index is None:
            with tempfile.TemporaryFile() as file:  # in memory the arrays would lie twice
                for at, length in _pieces(int(self._offsets[-1]), self._index_bytes):
                    file.write(self._store.read(self.key, at, length))
                file.seek(0)
                self._index = dict(np.load(file, allow_pickle=False))
        return self._index

    @cached_property
    def candidates_by_id(self) -> tuple[Indices, Indices]:
        """Ids of the candidates, ascending, and the position of each."""
        ids = self.index()["ids"][: self.candidates]
        positions = np.argsort(ids)
        return ids[positions], positions

    @cached_property
    def everybody_by_id(self) -> tuple[Indices, Indices]:
        """Ids of all users, candidates or not, ascending, and the position of each."""
        ids = self.index()["ids"]
        positions = np.argsort(ids)
        return ids[positions], positions

    def whole(self, blocks: Indices) -> Users:
        """The users of these blocks, at least one."""
        self.need(blocks)
        return concatenate([self.block(block) for block in blocks.tolist()])

    def users_at(self, positions: Indices) -> Users:
        """The users at these ascending positions."""
        blocks, first = np.unique(np.searchsorted(self.starts, positions, side="right") - 1, return_index=True)
        self.need(blocks)
        edges, parts = np.append(first, len(positions)), []
        for at in range(0, len(blocks), BLOCKS_AT_ONCE):
            some = blocks[at : at + BLOCKS_AT_ONCE]
            wanted = positions[edges[at] : edges[at + len(some)]]
            bases = np.cumsum(self.starts[some + 1] - self.starts[some]) - self.starts[some + 1]
            block = np.searchsorted(self.starts[some], wanted, side="right") - 1
            parts.append(self.whole(some).take(wanted + bases[block]))
        return concatenate(parts) if parts else self.nobody()

    def _fetch(self, first: int, stop: int) -> None:
        start, end = int(self._offsets[first]), int(self._offsets[stop])
        for at, length in _pieces(start, end - start):
            self._copy.write(at, self._store.read(self.key, at, length))
        self._present[first:stop] = True


class _LocalCopy:
    """A sparse unnamed file with the parts of the snapshot read so far, mapped into memory."""

    def __init__(self, size: int, folder: Path | None) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives with the snapshot
        self._file.truncate(max(size, 1))
        self.buffer = mmap.mmap(self._file.fileno(), max(size, 1), access=mmap.ACCESS_READ)

    def write(self, at: int, data: bytes) -> None:
        os.pwrite(self._file.fileno(), data, at)


def read_whole(store: WorkStore, key: str) -> bytes:
    """Read a whole work file."""
    return read_range(store, key, 0, store.size(key))


def read_range(store: WorkStore, key: str, start: int, length: int) -> bytes:
    """Read part of a work file."""
    return b"".join([store.read(key, at, size) for at, size in _pieces(start, length)])


def _pieces(start: int, length: int) -> Iterator[tuple[int, int]]:
    """Start and length of the reads that make up one of so many bytes."""
    for at in range(start, start + length, READ_BYTES):
        yield at, min(READ_BYTES, start + length - at)


def prefixed(head: Any, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): head[name] for name in head.files if name.startswith(prefix)}


def _npz(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
