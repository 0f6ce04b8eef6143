"""A snapshot as one file in the work bucket, read by byte ranges.

Layout: 8 bytes of magic, 8 bytes with the head's length, the head (npz: meta, dictionaries, bounds, sizes of arrays),
the index (npz: ids and hashes by position), then the blocks: the bytes of each `Users` array, padded to 8. A page reads
the head and the blocks that it needs; a snapshot up to READ_WHOLE_BYTES is read whole.
"""

import io
import json
import mmap
import os
import struct
import tempfile
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sitejobs.errors import DataUnavailable
from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.ragged import Ragged
from sitejobs.matching.scoring.users import Dictionaries, Users
from sitejobs.matching.snapshot.snapshot import Snapshot
from sitejobs.matching.topk.bounds import Bounds
from sitejobs.workstore import WorkStore

MAGIC = b"SJSNAP01"
_PREFIX = struct.Struct("<8sQ")
_FIRST_READ = 256 * 1024

READ_WHOLE_BYTES = 192 * 1024 * 1024
"""Bytes of a snapshot up to which one sequential read is cheaper than reading single blocks."""

READ_BYTES = 16 * 1024 * 1024
"""Bytes of one ranged read, at most."""


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write the file; `open_snapshot` reads it from a work store."""
    encoded = [_block_arrays(block) for block in snapshot.blocks]
    lengths = np.array([[array.nbytes for array in arrays] for arrays in encoded], np.int64).reshape(
        len(encoded), len(_LAYOUT)
    )
    index = _npz(
        ids=_column(snapshot, "ids"),
        viewer_hash=_column(snapshot, "viewer_hash"),
        candidate_hash=_column(snapshot, "candidate_hash"),
        without_profile=snapshot.without_profile,
    )
    meta = {
        "now": snapshot.now,
        "parameters": snapshot.parameters.to_json(),
        "indexBytes": len(index),
        "withoutProfile": len(snapshot.without_profile),
    }
    head = _npz(
        meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
        starts=snapshot.starts,
        lengths=lengths,
        **{f"dictionary_{name}": value for name, value in vars(snapshot.dictionaries).items()},
        **{f"bound_{name}": value for name, value in vars(snapshot.bounds).items()},
    )
    with path.open("wb") as file:
        file.write(_PREFIX.pack(MAGIC, len(head)))
        file.write(head)
        file.write(index)
        for arrays in encoded:
            for array in arrays:
                file.write(array.data)
                file.write(bytes(_padding(array.nbytes)))


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
        first = store.read(key, 0, min(size, _FIRST_READ))
        if len(first) < _PREFIX.size or not first.startswith(MAGIC):
            raise DataUnavailable(f"work file {key} is no snapshot of this version")
        head_bytes = _PREFIX.unpack_from(first)[1]
        whole_head = first[_PREFIX.size :][:head_bytes]
        if len(whole_head) < head_bytes:
            whole_head += _read(store, key, len(first), _PREFIX.size + head_bytes - len(first))
        head = np.load(io.BytesIO(whole_head), allow_pickle=False)
        meta = json.loads(head["meta"].tobytes())
        self.now: float = meta["now"]
        self.parameters = Parameters.from_json(meta["parameters"])
        self.without_profile: int = meta["withoutProfile"]
        self.starts: Indices = head["starts"]
        self.dictionaries = Dictionaries(**_prefixed(head, "dictionary_"))
        self.bounds = Bounds(**_prefixed(head, "bound_"))
        self._lengths: Indices = head["lengths"]
        self._index_at = _PREFIX.size + head_bytes
        self._index_bytes: int = meta["indexBytes"]
        padded = self._lengths + _padding(self._lengths)
        self._offsets = np.cumsum([0, *padded.sum(axis=1)]) + self._index_at + self._index_bytes
        if self._offsets[-1] != size:
            raise DataUnavailable(f"work file {key} has {size} bytes instead of {self._offsets[-1]}")
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
        arrays: dict[str, Any] = {}
        for name, (kind, width) in _PLAIN.items():
            shape = (0,) if width == 1 else (0, len(self.dictionaries.traits) if width < 0 else width)
            arrays[name] = np.empty(shape, kind)
        for name, kind in _RAGGED.items():
            arrays[name] = Ragged(np.zeros(1, np.int64), np.empty(0, kind))
        return Users(**arrays)

    def block(self, index: int) -> Users:
        """The users of one block."""
        if not self._present[index]:
            self._fetch(index, index + 1)
        at = int(self._offsets[index])
        return _block_users(self._copy.buffer, at, self._lengths[index], len(self.dictionaries.traits))

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
        """`ids`, `viewer_hash` and `candidate_hash` by position, and the ids `without_profile`."""
        if self._index is None:
            data = _read(self._store, self.key, self._index_at, self._index_bytes)
            self._index = dict(np.load(io.BytesIO(data), allow_pickle=False))
        return self._index

    @cached_property
    def candidates_by_id(self) -> tuple[Indices, Indices]:
        """Ids of the candidates, ascending, and the position of each."""
        ids = self.index()["ids"][: self.candidates]
        positions = np.argsort(ids)
        return ids[positions], positions

    def _fetch(self, first: int, stop: int) -> None:
        start, end = int(self._offsets[first]), int(self._offsets[stop])
        for at in range(start, end, READ_BYTES):
            self._copy.write(at, self._store.read(self.key, at, min(READ_BYTES, end - at)))
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
    return _read(store, key, 0, store.size(key))


def _read(store: WorkStore, key: str, start: int, length: int) -> bytes:
    parts = [
        store.read(key, at, min(READ_BYTES, start + length - at)) for at in range(start, start + length, READ_BYTES)
    ]
    return b"".join(parts)


# Name -> dtype and number of columns of each stored array (-1: one for each trait).
_PLAIN: dict[str, tuple[str, int]] = {
    "ids": ("i8", 1),
    "visible": ("?", 1),
    "xyz": ("f8", 3),
    "place": ("i8", 1),
    "gender": ("i1", 1),
    "age": ("i2", 1),
    "updated_at": ("f8", 1),
    "wants": ("i2", 1),
    "age_min": ("i2", 1),
    "age_max": ("i2", 1),
    "distance": ("f8", 1),
    "quality": ("f4", 1),
    "averages": ("f4", 4),
    "rating_count": ("i4", 1),
    "gives": ("f4", 4),
    "gets": ("f4", 4),
    "traits": ("f4", -1),
    "trait_count": ("i4", 1),
    "interest_count": ("i4", 1),
    "latest": ("i4", 1),
    "block_hash": ("u8", 1),
    "viewer_hash": ("u8", 1),
    "candidate_hash": ("u8", 1),
}
_RAGGED = {"interests": "i4", "quiz": "i4", "vectors": "f4", "answers": "i4", "questions": "i4"}
_LAYOUT = [item.name for item in fields(Users)] + list(_RAGGED)
"""Arrays of a block in file order: the fields (of a `Ragged` its values), then the offsets of each `Ragged`."""


def _block_arrays(block: Users) -> list[NDArray[Any]]:
    arrays = []
    for item in fields(Users):
        value = getattr(block, item.name)
        plain = (
            value.values.astype(_RAGGED[item.name]) if isinstance(value, Ragged) else value.astype(_PLAIN[item.name][0])
        )
        arrays.append(np.ascontiguousarray(plain))
    return arrays + [np.ascontiguousarray(getattr(block, name).offsets, np.int64) for name in _RAGGED]


def _block_users(buffer: mmap.mmap, at: int, lengths: Indices, traits: int) -> Users:
    """Views into the buffer: nothing is copied."""
    raw: dict[str, Any] = {}
    for position, name in enumerate(_LAYOUT):
        size = int(lengths[position])
        if position >= len(_LAYOUT) - len(_RAGGED):
            raw[name] = Ragged(np.frombuffer(buffer, "i8", size // 8, at), raw[name])
        elif name in _RAGGED:
            raw[name] = _flat(buffer, _RAGGED[name], size, at)
        else:
            kind, width = _PLAIN[name]
            flat = _flat(buffer, kind, size, at)
            raw[name] = flat if width == 1 else flat.reshape(int(lengths[0]) // 8, traits if width < 0 else width)
        at += size + int(_padding(size))
    return Users(**raw)


def _flat(buffer: mmap.mmap, kind: str, size: int, at: int) -> NDArray[Any]:
    dtype = np.dtype(kind)
    return np.frombuffer(buffer, dtype, size // dtype.itemsize, at)


def _column(snapshot: Snapshot, name: str) -> NDArray[Any]:
    columns = [getattr(block, name) for block in snapshot.blocks]
    return np.concatenate(columns) if columns else np.empty(0, _PLAIN[name][0])


def _prefixed(head: Any, prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): head[name] for name in head.files if name.startswith(prefix)}


def _npz(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _padding(size: Any) -> Any:
    """Bytes that bring a size to a multiple of 8."""
    return -size % 8
