"""Random small sites of users, posts, media and likes: every kind of missing value, ties, and times at every limit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from psycopg import Connection, Cursor, sql

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

TEXTS = (
    *(None, "", "  \n ", "jazz", "the jazz and the piano, the jazz!", "#Jazz #jazz #JAZZ night with @sam_90"),
    *("Наконец-то выходные: лес, палатка и гитара. #море", "週末は友達と山に登りました。", "今天和朋友一起去爬山"),
    *("see https://example.com/jazz?q=piano and www.example.org", "x" * 280, "y" * 281, "word " * 56, "#" * 50),
    *("كانت الحفلة أمس رائعة جدا", "one two three four", "salsa tango samba bachata zouk kizomba swing waltz polka"),
)
AGES = (
    *(timedelta(0), timedelta(seconds=1), timedelta(seconds=60), timedelta(minutes=61), timedelta(hours=5)),
    *(timedelta(hours=47, minutes=59), timedelta(hours=48), timedelta(hours=48, seconds=1), timedelta(days=6.9)),
    *(timedelta(days=7), timedelta(days=7, seconds=1), timedelta(days=89), timedelta(days=90), timedelta(days=91)),
    *(timedelta(days=2000), timedelta(seconds=-1), timedelta(days=-3)),
)
MEDIA_TYPES = ("IMAGE", "VIDEO", "AUDIO", "EMBED")
MEDIA_STATUSES = ("PENDING", "UPLOADED", "PROCESSING", "READY", "REJECTED", "FAILED_PROCESSING")


@dataclass(frozen=True)
class Media:
    """A medium of one post; `shown`: neither deleted, nor refused, nor missing."""

    id: int
    type: str
    status: str
    deleted: bool

    @property
    def shown(self) -> bool:
        return not self.deleted and self.status in ("UPLOADED", "PROCESSING", "READY")


@dataclass(frozen=True)
class Post:
    id: int
    user: int
    public: bool
    text: str | None
    created: datetime
    deleted: bool
    media: tuple[Media, ...] = ()

    @property
    def kind(self) -> str:
        types = {media.type for media in self.media if media.shown}
        return "videos" if "VIDEO" in types else "photos" if "IMAGE" in types else "text"


@dataclass
class Site:
    """The site as the plain implementations read it."""

    users: dict[int, bool] = field(default_factory=dict)
    """Id -> whether the user is not deleted."""
    posts: dict[int, Post] = field(default_factory=dict)
    likes: dict[tuple[int, int], datetime] = field(default_factory=dict)
    """(user, post) -> when."""
    hidden: set[int] = field(default_factory=set)
    """Users with a hidden profile."""

    def store(self, connection: Connection) -> None:
        """Replace the rows of the site's tables by this site."""
        gone = NOW - timedelta(days=1)
        posts = self.posts.values()
        media = [(post, medium) for post in posts for medium in post.media]
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute('DELETE FROM "User"')
            users = ((user, NOW - timedelta(days=3000), None if here else gone) for user, here in self.users.items())
            fill(cursor, "User", "id createdAt deletedAt", users)
            profiles = ((user, user not in self.hidden) for user in self.users)
            fill(cursor, "Profile", "userId isVisible", profiles)
            fill(
                cursor,
                "Post",
                "id userId visibility text createdAt updatedAt deletedAt",
                (
                    (
                        post.id,
                        post.user,
                        "PUBLIC" if post.public else "PRIVATE",
                        post.text,
                        post.created,
                        post.created,
                        gone if post.deleted else None,
                    )
                    for post in posts
                ),
            )
            fill(
                cursor,
                "Media",
                "id ownerUserId type status storageKey deletedAt",
                (
                    (it.id, post.user, it.type, it.status, f"media/{it.id}", gone if it.deleted else None)
                    for post, it in media
                ),
            )
            fill(cursor, "PostMedia", "postId mediaId", ((post.id, medium.id) for post, medium in media))
            fill(cursor, "LikedPost", "userId postId createdAt", ((*like, at) for like, at in self.likes.items()))


def fill(cursor: Cursor, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    names = columns.split()
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(sql.Placeholder() * len(names)),
    )
    cursor.executemany(statement, list(rows))


def random_site(seed: int, users: int = 25, posts: int = 60, likes: int = 500) -> Site:
    random = Random(seed)
    site = Site()
    for user in random.sample(range(1, 3 * users), users):
        site.users[user] = random.random() > 0.15
        if random.random() < 0.1:
            site.hidden.add(user)
    for post in random.sample(range(1, 3 * posts), posts):
        site.posts[post] = random_post(random, site, post)
    for _ in range(likes):
        add_like(random, site)
    return site


def random_post(random: Random, site: Site, post: int) -> Post:
    return Post(
        id=post,
        user=random.choice(list(site.users)),
        public=random.random() > 0.15,
        text=random.choice(TEXTS),
        created=NOW - (random.choice(AGES) if random.random() < 0.4 else timedelta(hours=random.random() * 60)),
        deleted=random.random() < 0.1,
        media=tuple(
            Media(post * 10 + number, random.choice(MEDIA_TYPES), random.choice(MEDIA_STATUSES), random.random() < 0.2)
            for number in range(random.choice((0, 0, 0, 1, 2, 6)))
        ),
    )


def add_like(random: Random, site: Site) -> None:
    """Popular posts are those of low ids."""
    posts = sorted(site.posts)
    post = posts[int(random.random() ** 2 * len(posts))]
    age = random.choice(AGES) if random.random() < 0.4 else timedelta(hours=random.random() * 40)
    site.likes[random.choice(list(site.users)), post] = NOW - age


def changed(site: Site, seed: int) -> Site:
    """The site after a few changes of every kind, removals included."""
    random = Random(seed)
    site = Site(dict(site.users), dict(site.posts), dict(site.likes), set(site.hidden))
    for user in random.sample(list(site.users), 2):
        site.users[user] = not site.users[user]
    site.hidden ^= set(random.sample(list(site.users), 2))
    for number in random.sample(list(site.posts), 8):
        post = site.posts[number]
        site.posts[number] = random.choice(
            (
                replace(post, text=random.choice(TEXTS)),
                replace(post, deleted=not post.deleted),
                replace(post, public=not post.public),
                replace(post, media=post.media[:-1]),
                replace(
                    post, media=tuple(replace(medium, status=random.choice(MEDIA_STATUSES)) for medium in post.media)
                ),
            )
        )
    new = max(site.posts) + 1
    site.posts[new] = random_post(random, site, new)
    for number in random.sample(list(site.posts), 3):
        del site.posts[number]
    site.likes = {like: at for like, at in site.likes.items() if like[1] in site.posts and random.random() > 0.02}
    for _ in range(10):
        add_like(random, site)
    return site
