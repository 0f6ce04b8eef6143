"""Bytes of some users: each array of `Users` after the other, padded to 8 bytes."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Indices
from sitejobs.matching.scoring.ragged import Ragged
from sitejobs.matching.scoring.users import Users

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
    "selectivity": ("f4", 1),
    "appeal": ("f4", 1),
    "price": ("f4", 1),
    "traits": ("f4", -1),
    "trait_count": ("i4", 1),
    "interest_count": ("i4", 1),
    "latest": ("i4", 1),
    "quiz_hash": ("u8", 1),
    "excluded_hash": ("u8", 1),
    "viewer_hash": ("u8", 1),
    "candidate_hash": ("u8", 1),
    "lasting_hash": ("u8", 1),
}
_RAGGED = {"interests": "i4", "quiz": "i4", "vectors": "f4", "answers": "i4", "questions": "i4"}
LAYOUT = [item.name for item in fields(Users)] + list(_RAGGED)
"""Arrays in their order: the fields (of a `Ragged` its values), then the offsets of each `Ragged`."""
_OFFSETS = len(LAYOUT) - len(_RAGGED)
_KINDS = {name: (np.dtype(kind), width) for name, (kind, width) in _PLAIN.items()}
_KINDS |= {name: (np.dtype(kind), 1) for name, kind in _RAGGED.items()}


def arrays_of(users: Users) -> list[NDArray[Any]]:
    """The arrays to write, in the order of `LAYOUT`."""
    arrays = []
    for item in fields(Users):
        value = getattr(users, item.name)
        plain = (
            value.values.astype(_RAGGED[item.name]) if isinstance(value, Ragged) else value.astype(_PLAIN[item.name][0])
        )
        arrays.append(np.ascontiguousarray(plain))
    return arrays + [np.ascontiguousarray(getattr(users, name).offsets, np.int64) for name in _RAGGED]


def users_of(buffer: Any, at: int, lengths: Indices, traits: int) -> Users:
    """The users whose arrays, of these `lengths` in bytes, begin at `at`: views into the buffer, nothing is copied."""
    raw: dict[str, Any] = {}
    sizes = lengths.tolist()  # Python's numbers: a block is read thousands of times
    for position, (name, size) in enumerate(zip(LAYOUT, sizes, strict=True)):
        if position >= _OFFSETS:
            raw[name] = Ragged(np.frombuffer(buffer, np.int64, size // 8, at), raw[name])
        else:
            kind, width = _KINDS[name]
            flat = np.frombuffer(buffer, kind, size // kind.itemsize, at)
            raw[name] = flat if width == 1 else flat.reshape(sizes[0] // 8, traits if width < 0 else width)
        at += size + -size % 8
    return Users(**raw)


def no_users(traits: int) -> Users:
    """`Users` of length 0."""
    arrays: dict[str, Any] = {}
    for name, (kind, width) in _PLAIN.items():
        shape = (0,) if width == 1 else (0, traits if width < 0 else width)
        arrays[name] = np.empty(shape, kind)
    for name, kind in _RAGGED.items():
        arrays[name] = Ragged(np.zeros(1, np.int64), np.empty(0, kind))
    return Users(**arrays)


def padding(size: Any) -> Any:
    """Bytes that bring a size to a multiple of 8."""
    return -size % 8
