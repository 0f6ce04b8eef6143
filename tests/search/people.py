"""A small site for searches, filled by hand and indexed."""

from typing import Any

from psycopg import Connection

from sitejobs.search import profile_search_index, searchable_user
from sitejobs.search.query import Wanted, search
from tests.search.random_sites import NOW
from tests.search.running import run


class People:
    """The site, its database and how many users it has."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url
        self.connection = connection
        self.count = 0

    def add(self, name: str = "Nobody", bio: str | None = None, **columns: Any) -> int:
        self.count += 1
        columns = {"birthdate": "1990-05-05", "locationText": "Earth", "avatarUrl": "a"} | columns
        columns |= {"userId": self.count, "displayName": name, "bio": bio}
        names = ", ".join(f'"{column}"' for column in columns)
        self.connection.execute('INSERT INTO "User" ("id") VALUES (%s)', [self.count])
        self.connection.execute(
            f'INSERT INTO "Profile" ({names}) VALUES ({", ".join(["%s"] * len(columns))})'.encode(),
            list(columns.values()),
        )
        return self.count

    def like(self, user_id: int, title: str) -> None:
        self.connection.execute(
            'INSERT INTO "Top5List" ("profileId", "title") SELECT "id", %s FROM "Profile" WHERE "userId" = %s',
            [title, user_id],
        )

    def index(self) -> None:
        run(self.url, profile_search_index.JOB, NOW, {"pauseMs": 0})
        run(self.url, searchable_user.JOB, NOW)

    def found(self, text: str, **wanted: Any) -> list[int]:
        return [hit.user_id for hit in search(self.connection, Wanted(text, **wanted))]
