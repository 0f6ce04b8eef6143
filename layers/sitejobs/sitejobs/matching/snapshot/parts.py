"""A part of a snapshot: the users of a key range, encoded by codes of their own, as two work files.

The first file has what all parts must be seen together for: the dictionaries, and what users are ordered by. The other
has the users, which are looked at part by part.
"""

import io
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.codes import codes_of, pair_codes, translated
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Dictionaries, Users
from sitejobs.matching.snapshot.blocks import Keys, keys_of, kinds_of, trait_sets
from sitejobs.matching.snapshot.encoding import counted_dictionaries, encode
from sitejobs.matching.snapshot.file import prefixed, read_whole, write_users
from sitejobs.matching.snapshot.layout import users_of
from sitejobs.matching.snapshot.population import Population
from sitejobs.matching.snapshot.snapshot import without_profile
from sitejobs.matching.topk.segment import static_scores
from sitejobs.workstore import WorkStore


@dataclass(frozen=True)
class Part:
    """What a part's first file holds.

    interest_counts : how many users have each interest of the dictionaries.
    kinds : the sets of trait keys that occur.
    keys : the columns of `Keys`, by name; `kind` numbers this part's `kinds`.
    lengths : bytes of each array in the second file.
    """

    dictionaries: Dictionaries
    interest_counts: Indices
    kinds: Flags
    keys: dict[str, NDArray[Any]]
    without_profile: Indices
    lengths: Indices


def store_part(store: WorkStore, key: str, population: Population, now: float, parameters: Parameters) -> int:
    """Encode a part and put its files under `key`; returns the number of its users."""
    dictionaries, interest_counts = counted_dictionaries(population)
    users = encode(population, dictionaries, parameters)
    kinds, kind = kinds_of(trait_sets(users.traits))
    keys = keys_of(users, static_scores(users, now, parameters), kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        with path.open("wb") as file:
            lengths = write_users(file, users)
        store.put_file(_users_key(key), path)
        with path.open("wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                interest_counts=interest_counts,
                kinds=kinds,
                without_profile=without_profile(population),
                lengths=np.array(lengths, np.int64),
                **{f"dictionary_{name}": value for name, value in vars(dictionaries).items()},
                **{f"key_{name}": value for name, value in vars(keys).items()},
            )
        store.put_file(key, path)
    return len(users)


def read_part(store: WorkStore, key: str) -> Part:
    """A part's first file."""
    found = np.load(io.BytesIO(read_whole(store, key)), allow_pickle=False)
    return Part(
        dictionaries=Dictionaries(**prefixed(found, "dictionary_")),
        interest_counts=found["interest_counts"],
        kinds=found["kinds"],
        keys=prefixed(found, "key_"),
        without_profile=found["without_profile"],
        lengths=found["lengths"],
    )


def read_users(store: WorkStore, key: str, part: Part, dictionaries: Dictionaries) -> Users:
    """The users of a part, by the codes of `dictionaries`."""
    users = users_of(read_whole(store, _users_key(key)), 0, part.lengths, len(part.dictionaries.traits))
    return recoded(users, part.dictionaries, dictionaries)


def recoded(users: Users, own: Dictionaries, others: Dictionaries) -> Users:
    """The users by the codes of other dictionaries, which hold everything that their own do.

    Codes ascend in both with what they stand for, so that whatever is in the order of its codes stays so.
    """
    traits = np.full((len(users), len(others.traits)), np.nan, np.float32)
    traits[:, codes_of(own.traits, others.traits)] = users.traits
    interests = pair_codes(own.interests[:, 0], own.interests[:, 1], others.interests)
    return replace(
        users,
        traits=traits,
        interests=translated(users.interests, interests),
        quiz=translated(users.quiz, codes_of(own.quizzes, others.quizzes)),
        answers=translated(users.answers, codes_of(own.answers, others.answers)),
        questions=translated(users.questions, codes_of(own.questions, others.questions)),
    )


def take_keys(parts: list[Part], dictionaries: Dictionaries) -> Keys:
    """The keys of all users, part after part; the parts lose theirs, so that memory holds them once."""
    sets = [_spread(part, dictionaries) for part in parts]
    kinds = kinds_of(np.concatenate(sets))[1]
    starts = np.cumsum([0, *(len(one) for one in sets)])
    for start, part in zip(starts, parts, strict=False):
        part.keys["kind"] = kinds[start:][part.keys["kind"]]
    return Keys(**{item.name: np.concatenate([part.keys.pop(item.name) for part in parts]) for item in fields(Keys)})


def _spread(part: Part, dictionaries: Dictionaries) -> Flags:
    """A part's sets of trait keys as columns of other dictionaries."""
    sets = np.zeros((len(part.kinds), len(dictionaries.traits)), bool)
    sets[:, codes_of(part.dictionaries.traits, dictionaries.traits)] = part.kinds
    return sets


def _users_key(key: str) -> str:
    return f"{key}.users"
