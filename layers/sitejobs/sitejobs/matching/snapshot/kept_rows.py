"""The site's rows as an earlier run read them: a run that compares with it reads only what was written since.

Traits, interests, quiz results, ratings and likes are kept; a row of them is read again when it, or another one of
its user, has a new version (`row_versions`). Profiles, preferences, blocks, matches and conversations are read whole:
there are few of them, or they change all the time.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString

import numpy as np
from psycopg import Connection

from sitejobs.errors import DataUnavailable
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.codes import rows_of
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.exclusions import IN_RANGE
from sitejobs.matching.snapshot.kept_quizzes import KeptQuizzes
from sitejobs.matching.snapshot.population import (
    OF_RESULTS,
    Population,
    begin,
    joined,
    not_kept,
    of_run,
    of_these_profiles,
    read_as_seen,
    read_everybody,
)
from sitejobs.matching.snapshot.population_sql import (
    IN_LIST,
    TYPES,
    USABLE_INTEREST,
    USABLE_RESULT,
    USABLE_TRAIT,
    queries,
)
from sitejobs.matching.snapshot.row_versions import Moment, Rows, Table, count_rows, read_moment
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs.postgres.columns import Column, fetch_columns

Columns = dict[str, Column]

FORMAT: Final = 1
MOST_READ_AGAIN: Final = 4
"""With changes of more than one user in so many all is read: finding rows of a user each takes longer."""

_USABLE: Final[Mapping[str, tuple[LiteralString, LiteralString]]] = {
    "traits": ("UserTrait", f'{USABLE_TRAIT} AND "userId" IS NOT NULL'),
    "interests": ("UserInterest", f'{USABLE_INTEREST} AND "userId" IS NOT NULL'),
    "results": ("QuizResult", f'{USABLE_RESULT} AND "userId" IS NOT NULL'),
}
"""Fields of which each row is kept as it was read, with their tables and the condition for rows that count."""

_COUNT_A_USER: Final[LiteralString] = """
SELECT "userId", count(*) AS "count" FROM <table> WHERE <usable> GROUP BY "userId"
"""

ROWS: Final = {name: Table.of(table, ("userId",), usable) for name, (table, usable) in _USABLE.items()}
COUNTS: Final[Mapping[str, LiteralString]] = {
    name: _COUNT_A_USER.replace("<table>", f'"{table}"').replace("<usable>", usable)
    for name, (table, usable) in _USABLE.items()
}
"""Count the rows of each user."""

LIKES: Final = Table.of("Like", ("fromUserId", "toUserId"))
RATINGS: Final = Table.of("ProfileRating", ("raterProfileId", "targetProfileId"))
SUMMED: Final = (LIKES, RATINGS)
"""Tables of which sums are kept: where an older row has gone they are read whole."""

_TABLES: Final = tuple(table.name for table in (*ROWS.values(), *SUMMED))
_KEPT: Final = (*ROWS, "received", "given", "liked")


@dataclass(frozen=True)
class KeptRows:
    """What was read of the site at a moment: columns of `Population` by field, and each user's profile.

    unsettled : whose rows of the summed tables were written around that moment (`Rows.unsettled`), by table and column.
    """

    moment: Moment
    profiles: Columns
    unsettled: Columns
    fields: dict[str, Columns]

    def write(self, path: Path) -> None:
        """Write the file that `of_bytes` reads."""
        meta = json.dumps({"format": FORMAT, "moment": self.moment.to_json()}).encode()
        fields = {"profiles": self.profiles, "unsettled": self.unsettled, **self.fields}
        arrays = {f"{name}.{column}": values for name, them in fields.items() for column, values in them.items()}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, meta=np.frombuffer(meta, np.uint8), **arrays)

    @classmethod
    def of_bytes(cls, content: bytes) -> "KeptRows":
        """Read the file; raises `DataUnavailable` when it is of another version."""
        arrays = dict(np.load(io.BytesIO(content), allow_pickle=False))
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["format"] != FORMAT:
            raise DataUnavailable("rows of an earlier run are of another version")
        fields: dict[str, Columns] = {}
        for name, values in arrays.items():
            field, column = name.split(".")
            fields.setdefault(field, {})[column] = values
        return cls(Moment(**meta["moment"]), fields.pop("profiles"), fields.pop("unsettled", {}), fields)


def read_since(
    connection: Connection,
    now: datetime,
    parameters: Parameters,
    quizzes: KeptQuizzes | None = None,
    earlier: KeptRows | None = None,
) -> tuple[Population, KeptRows | None]:
    """Read all users as `read_population` does, and what a later run may keep of it.

    `earlier`: rows that need not be read again unless they changed. The rows are None where versions are not told.
    """
    with connection.transaction():
        begin(connection)
        moment = read_moment(connection, _TABLES)
        if moment is None:
            return read_as_seen(connection, now, MIN_ID, MAX_ID, parameters, quizzes), None
        if earlier is None or earlier.moment.server != moment.server:
            population = read_as_seen(connection, now, MIN_ID, MAX_ID, parameters, quizzes)
            counted = {table.name: count_rows(connection, table, moment, moment) for table in _plain(moment)}
        else:
            population, counted = _Reading(connection, now, parameters, quizzes, earlier, moment).run()
    profiles = {name: population.users[name] for name in ("id", "hasProfile", "profileId")}
    unsettled = {name: them for table in _plain(moment) for name, them in _named(table, counted[table.name].unsettled)}
    past = {name: rows.over for name, rows in counted.items()}
    fields = {name: getattr(population, name) for name in _KEPT}
    return population, KeptRows(replace(moment, past=past), profiles, unsettled, fields)


def _plain(moment: Moment) -> Iterator[Table]:
    """The summed tables whose rows have versions: a view's have none."""
    return (table for table in SUMMED if table.name in moment.tables)


def _named(table: Table, owners: Iterable[Indices]) -> Iterator[tuple[str, Indices]]:
    for column, them in zip(table.owners, owners, strict=True):
        yield f"{table.name} {column}", them


class _Reading:
    """One read that starts from earlier rows."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        parameters: Parameters,
        quizzes: KeptQuizzes | None,
        earlier: KeptRows,
        moment: Moment,
    ) -> None:
        self._connection, self._parameters, self._quizzes = connection, parameters, quizzes
        self._earlier, self._moment = earlier, moment
        self._given, self._queries = of_run(parameters, now), queries(connection)
        self._users = read_everybody(connection, now)

    def run(self) -> tuple[Population, dict[str, Rows]]:
        """The population, and what was found in the summed tables."""
        counted = {table.name: self._count(table) for table in _plain(self._moment)}
        fields = {name: self._rows(name, table) for name, table in ROWS.items()}
        fields |= self._ratings(counted.get(RATINGS.name))
        fields["liked"] = self._likes(counted.get(LIKES.name))
        fields |= {name: self._all(name) for name in ("excluded", "effects")}
        them = not_kept(fields["results"], self._quizzes) if self._quizzes else None
        fields |= {name: self._all(name) if them is None else self._of(name, them) for name in OF_RESULTS}
        return Population(users=self._users, **fields), counted

    def _count(self, table: Table) -> Rows:
        return count_rows(self._connection, table, self._earlier.moment, self._moment)

    def _rows(self, name: str, table: Table) -> Columns:
        if not self._earlier.moment.knows(self._moment, table.name):
            return self._all(name)
        found = self._count(table)
        rows = self._again(name, found.newer[0])
        if len(rows["userId"]) == found.rows:
            return rows
        # Somebody else's rows have gone.
        return self._again(name, np.union1d(found.newer[0], self._of_other_counts(name)))

    def _of_other_counts(self, name: str) -> Indices:
        """Users who had another number of rows at the earlier moment."""
        now = fetch_columns(self._connection, COUNTS[name], {}, {"userId": "int8", "count": "int8"})
        order = np.argsort(now["userId"])
        before, counts = np.unique(self._earlier.fields[name]["userId"], return_counts=True)
        at, known = rows_of(before, now["userId"][order])
        same = known & (now["count"][order][at] == counts) if len(order) else known
        return before[~same]

    def _ratings(self, found: Rows | None) -> dict[str, Columns]:
        if found is None or not self._complete(RATINGS, found):
            fields = {name: self._all(name) for name in ("given", "received")}
        else:
            fields, other = {}, self._with_other_profile()
            for name, profiles in zip(("given", "received"), self._written(RATINGS, found), strict=True):
                changed = np.isin(self._users["profileId"], profiles) & (self._users["hasProfile"] == 1) | other
                fields[name] = self._again(name, self._users["id"][changed])
        return {name: of_these_profiles(rows, self._users) for name, rows in fields.items()}

    def _written(self, table: Table, found: Rows) -> list[Indices]:
        """For each column of owners whose rows may be others than at the earlier moment, while it is complete."""
        before = self._earlier.unsettled
        return [np.union1d(before[name], them) for name, them in _named(table, found.newer)]

    def _with_other_profile(self) -> Flags:
        """(users,) whose profile is not the one of the earlier moment."""
        before = self._earlier.profiles
        at, known = rows_of(self._users["id"], before["id"])
        if not len(before["id"]):
            return ~known
        same = [self._users[name] == before[name][at] for name in ("hasProfile", "profileId")]
        return np.asarray(~(known & same[0] & same[1]))

    def _likes(self, found: Rows | None) -> Columns:
        # Dislikes that count for some days end without being written.
        if found is None or self._parameters.repeat_days is not None or not self._complete(LIKES, found):
            return self._all("liked")
        return self._again("liked", np.union1d(*self._written(LIKES, found)))

    def _complete(self, table: Table, found: Rows) -> bool:
        """Whether all rows from before the earlier moment's horizon are still there."""
        before = self._earlier.moment
        return before.knows(self._moment, table.name) and before.past.get(table.name) == found.past

    def _again(self, name: str, ids: Indices) -> Columns:
        """A field with the rows of these users read again."""
        if len(ids) * MOST_READ_AGAIN > len(self._users["id"]):
            return self._all(name)
        kept = self._earlier.fields[name]
        stay = ~np.isin(kept["userId"], ids)
        return joined([{column: values[stay] for column, values in kept.items()}, self._of(name, ids)])

    def _all(self, name: str) -> Columns:
        given = self._given | {"first": MIN_ID, "last": MAX_ID}
        return fetch_columns(self._connection, self._queries[name], given, TYPES[name])

    def _of(self, name: str, ids: Indices) -> Columns:
        query = self._queries[name].replace(IN_RANGE, IN_LIST)
        given: dict[str, Any] = self._given | {"ids": ids}
        return fetch_columns(self._connection, query, given, TYPES[name])
