"""Rows that a site may hold and nobody expects: of every kind one in every column that a job reads."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from psycopg import Connection
from psycopg.errors import DataError
from psycopg.types.json import Jsonb

from sitejobs.schema.site import SITE_TABLES

_TIMES = ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01")
_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e308", "-1e308")
_TEXTS = ("", " ", "\u0001\u001b[2J\u200d\u202e\ufeff", "😀" * 300, "\u0001", "</script><!--", "#" * 50)
_JSON: tuple[Any, ...] = (
    None,
    5,
    "x",
    [],
    {},
    [None],
    ["x", {}],
    {"1": None, "x": 5},
    {"1": ["x"]},
    [1e308, -1e308],
    {"1": 1e308},
)

KINDS: dict[str, dict[str, Sequence[Any]]] = {
    "nothing": dict.fromkeys(("bigint", "text", "timestamp", "date", "double precision", "boolean", "jsonb"), (None,)),
    "times": {"timestamp": _TIMES, "date": _TIMES},
    "numbers": {"double precision": _NUMBERS},
    "texts": {"text": _TEXTS},
    "json": {"jsonb": [Jsonb(value) for value in _JSON]},
}
"""Values by the contract's types: each stands in a row of its own."""

_USERS = {
    *(
        "userId",
        "blockerId",
        "blockedId",
        "fromUserId",
        "toUserId",
        "ownerUserId",
        "viewerUserId",
        "userAId",
        "userBId",
    ),
}
_PROFILES = {"raterProfileId", "targetProfileId", "profileId"}
_SECOND = {"blockedId", "toUserId", "viewerUserId", "userBId", "targetProfileId"}
_OTHERS = {"postId": "Post", "mediaId": "Media", "listId": "Top5List", "subjectId": "InterestSubject"} | {
    "interestId": "Interest", "quizId": "Quiz", "questionId": "QuizQuestion"
}  # fmt: skip
FIRST_FRESH = 10_000_000
_CONSTRAINTS = """
SELECT format('ALTER TABLE %%s DROP CONSTRAINT IF EXISTS %%I CASCADE', conrelid::regclass, conname)
FROM pg_constraint WHERE contype IN ('p', 'u', 'f', 'c') AND conrelid = to_regclass(format('%%I', %s::text))
"""
_NOT_NULL = """
SELECT format('ALTER TABLE %%I ALTER COLUMN %%I DROP NOT NULL', table_name, column_name) FROM information_schema.columns
WHERE table_name = %s AND is_nullable = 'NO' AND is_identity = 'NO'
"""
_WIDER = """
SELECT format('ALTER TABLE %%I ALTER %%I DROP DEFAULT, ALTER %%I TYPE %%s USING %%I::%%s', table_name, column_name,
    column_name, "wider", column_name, "wider")
FROM (SELECT *, CASE data_type WHEN 'integer' THEN 'double precision' WHEN 'USER-DEFINED' THEN 'text' END AS "wider"
      FROM information_schema.columns) AS c
WHERE table_name = %s AND "wider" IS NOT NULL
"""
_TWICE = (
    *("UserPreference", "UserBlock", "QuizResult", "UserInterest", "ProfileRating", "Match", "Like", "ProfileAccess"),
    *("Conversation", "PostMedia", "LikedPost"),
)


def bare(connection: Connection) -> None:
    """The site's tables without a constraint, but with indexes: its columns hold what their types allow."""
    for table in SITE_TABLES:
        if any(column.name == "id" for column in table.columns):
            connection.execute(f'ALTER TABLE "{table.name}" ALTER "id" DROP IDENTITY IF EXISTS'.encode())
        for query in (_CONSTRAINTS, _NOT_NULL, _WIDER):
            for (statement,) in connection.execute(query.encode(), [table.name]).fetchall():
                connection.execute(statement.encode())
        for index in table.indexes:
            names = ", ".join(f'"{name}"' for name in index.columns)
            connection.execute(f'CREATE INDEX ON "{table.name}" ({names})'.encode())


class Poisoner:
    """Adds rows that belong to no user to a site without constraints."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._known: dict[str, list[str]] = {}
        self.fresh = count(FIRST_FRESH)
        self.second = self.person()
        self.shared = {name: next(self.fresh) for name in dict.fromkeys(_OTHERS.values())}
        for name, key in self.shared.items():
            self.insert(name, self._references(self.second) | {"id": key, "isActive": False})

    def person(self) -> int:
        """A new user with a profile of the same id."""
        key = next(self.fresh)
        self.insert("User", {"id": key})
        self.insert("Profile", {"id": key, "userId": key})
        return key

    def insert(self, table: str, changes: dict[str, Any]) -> None:
        """A copy of an existing row with some columns changed."""
        columns = self._columns(table)
        kept = {name: value for name, value in changes.items() if name in columns}
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(f"%({name})s" if name in kept else f'base."{name}"' for name in columns)
        query = f'INSERT INTO "{table}" ({names}) SELECT {values} FROM (SELECT 1) AS one LEFT JOIN ' + (
            f'(SELECT * FROM "{table}" LIMIT 1) AS base ON true'
        )
        self.connection.execute(query.encode(), kept)

    def _columns(self, table: str) -> list[str]:
        if table not in self._known:
            found = self.connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table]
            ).fetchall()
            self._known[table] = [name for (name,) in found]
        return self._known[table]

    def poison(self, kind: str) -> None:
        """For each column a row with each of the kind's values."""
        for table in SITE_TABLES:
            for column in table.columns:
                for value in KINDS[kind].get(column.type, ()):
                    self._put(table.name, column.name, value)

    def _put(self, table: str, column: str, value: Any) -> None:
        own = next(self.fresh) if table == "User" else self.person() if table != "Profile" else next(self.fresh)
        if table == "Profile":
            self.insert("User", {"id": own})
        row: dict[str, Any] = {"id": own if table in ("User", "Profile") else next(self.fresh)}
        row |= self._references(own) | {column: value}
        try:
            with self.connection.transaction():
                self.insert(table, row)
        except DataError:
            pass  # the column's type does not allow it

    def _references(self, own: int) -> dict[str, Any]:
        """Every column that may refer to another row: to somebody's new, or to what is shared among these."""
        people = {name: self.second if name in _SECOND else own for name in _USERS | _PROFILES}
        return people | {name: self.shared[of] for name, of in _OTHERS.items()}

    def double(self) -> None:
        """Every row twice of the tables that lie between others."""
        for table in _TWICE:
            self.connection.execute(f'INSERT INTO "{table}" SELECT * FROM "{table}"'.encode())

    def older_profiles(self) -> None:
        """Each user's deleted profile beside the one that lives."""
        self.connection.execute(b"""
            CREATE TEMPORARY TABLE "older" AS SELECT * FROM "Profile";
            UPDATE "older" SET "id" = "id" + 20000000, "deletedAt" = '2026-01-01', "displayName" = 'Gone',
                "isVisible" = NOT "isVisible", "lat" = 0, "lng" = 0, "birthdate" = '1930-01-01';
            INSERT INTO "Profile" SELECT * FROM "older"; DROP TABLE "older" """)


def poisoned(connection: Connection, kind: str) -> None:
    """Poison a site with one kind."""
    bare(connection)
    poisoner = Poisoner(connection)
    if kind == "rows twice":
        poisoner.double()
    elif kind == "a deleted profile beside the live one":
        poisoner.older_profiles()
    else:
        poisoner.poison(kind)


ALL_KINDS = (*KINDS, "rows twice", "a deleted profile beside the live one")
