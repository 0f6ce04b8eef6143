"""Random small sites with all inputs of a feed: hidden users, blocks, follows, matches, scores, questions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tests.feed.sites import NOW, TEXTS, Media, Post, fill
from tests.match_lists import store_lists

MARKUP = "</script><script>alert(1)</script><!-- \u2028 & 'quotes' \"double\" \\ -->"
LONG = "👨‍👩‍👧‍👦é̂ " * 60
NAMES = ("Ada", "Zoë", "<b>Bo</b>", MARKUP, "", None, "N" * 300, "  \n ")
AVATARS = ("https://cdn.example/a.jpg", None, "", "https://cdn.example/" + "x" * 2000, MARKUP)
AGES = (
    *(timedelta(0), timedelta(minutes=10), timedelta(minutes=50), timedelta(hours=2), timedelta(hours=30)),
    *(timedelta(days=6.9), timedelta(days=7), timedelta(days=7, seconds=1), timedelta(days=40), timedelta(hours=-1)),
)
TOPICS = ("jazz", "piano", "море", "山", "tango", "salsa")
STATES = ("ACTIVE", "ACTIVE", "ACTIVE", "BLOCKED", "CLOSED")
STATUSES = ("GRANTED", "GRANTED", "GRANTED", "PENDING", "DENIED", "REVOKED", "CANCELED")
GONE = NOW - timedelta(days=1)
TABLES = (*("User", "Quiz", "PostFeatures", "TrendingScore", "UserAffinityProfile", "MatchList"),)


@dataclass(frozen=True)
class Person:
    """A user. `profile`: whether it has one."""

    name: str | None = "Ada"
    avatar: str | None = None
    bio: str | None = None
    visible: bool = True
    profile: bool = True
    profile_deleted: bool = False
    deleted: bool = False

    @property
    def shown(self) -> bool:
        return self.profile and self.visible and not self.profile_deleted and not self.deleted


@dataclass(frozen=True)
class Affinity:
    creators: dict[int, float]
    topics: dict[str, float]
    types: dict[str, float]


@dataclass(frozen=True)
class Quiz:
    id: int
    active: bool
    updated: Any
    questions: tuple[tuple[int, int, str], ...]
    """(id, order, prompt)."""


@dataclass
class FeedSite:
    """The site as the plain implementation reads it. Pairs are (user, other)."""

    people: dict[int, Person] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)
    blocks: set[tuple[int, int]] = field(default_factory=set)
    access: dict[tuple[int, int], str] = field(default_factory=dict)
    """(owner, viewer) -> status."""
    actions: dict[tuple[int, int], str] = field(default_factory=dict)
    talks: set[tuple[int, int]] = field(default_factory=set)
    matches: dict[tuple[int, int], tuple[str, Any]] = field(default_factory=dict)
    scores: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """user -> (candidate, score), best first."""
    features: dict[int, tuple[list[str], float]] = field(default_factory=dict)
    trending: dict[int, tuple[float, Any]] = field(default_factory=dict)
    """post -> (popularity, when it expires)."""
    affinities: dict[int, Affinity] = field(default_factory=dict)
    quizzes: list[Quiz] = field(default_factory=list)
    answers: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    """(user, quiz) -> question -> value."""
    scored_again: Counter[int] = field(default_factory=Counter)
    """user -> how many times match-scores has written the user's rows anew."""

    def store(self, connection: Connection) -> None:
        """Replace the rows of the site's tables by this site."""
        with connection.transaction(), connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f'DELETE FROM "{table}"'.encode())
            people = self.people.items()
            posts = self.posts.values()
            media = [(post, medium) for post in posts for medium in post.media]
            fill(cursor, "User", "id deletedAt", ((user, GONE if it.deleted else None) for user, it in people))
            fill(
                cursor,
                "Profile",
                "userId displayName avatarUrl bio isVisible deletedAt",
                (
                    (user, it.name, it.avatar, it.bio, it.visible, GONE if it.profile_deleted else None)
                    for user, it in people
                    if it.profile
                ),
            )
            fill(
                cursor,
                "Post",
                "id userId visibility text createdAt deletedAt",
                (
                    (
                        it.id,
                        it.user,
                        "PUBLIC" if it.public else "PRIVATE",
                        it.text,
                        it.created,
                        GONE if it.deleted else None,
                    )
                    for it in posts
                ),
            )
            fill(
                cursor,
                "Media",
                "id ownerUserId type status deletedAt",
                ((it.id, post.user, it.type, it.status, GONE if it.deleted else None) for post, it in media),
            )
            fill(
                cursor,
                "PostMedia",
                "postId mediaId order",
                ((post.id, it.id, number) for post in posts for number, it in enumerate(post.media)),
            )
            fill(cursor, "UserBlock", "blockerId blockedId", self.blocks)
            fill(
                cursor,
                "ProfileAccess",
                "ownerUserId viewerUserId status",
                ((*pair, status) for pair, status in self.access.items()),
            )
            fill(cursor, "Like", "fromUserId toUserId action", ((*pair, it) for pair, it in self.actions.items()))
            fill(cursor, "Conversation", "userAId userBId", self.talks)
            fill(
                cursor, "Match", "userAId userBId state updatedAt", ((*pair, *it) for pair, it in self.matches.items())
            )
            self._store_results(cursor)
            self._store_quizzes(cursor)

    def _store_results(self, cursor: Any) -> None:
        """Store the results of other jobs."""
        store_lists(cursor, {user: found for user, found in self.scores.items() if not self.scored_again[user]}, NOW)
        for user, again in self.scored_again.items():
            store_lists(cursor, {user: self.scores.get(user, [])}, NOW + timedelta(seconds=again))
        fill(
            cursor,
            "PostFeatures",
            "postId topics quality computedAt fingerprint",
            ((post, topics, quality, NOW, 0) for post, (topics, quality) in self.features.items()),
        )
        fill(
            cursor,
            "TrendingScore",
            "postId popularity velocity peakVelocity peakTime computedAt expiresAt",
            ((post, popularity, 1, 1, NOW, NOW, expires) for post, (popularity, expires) in self.trending.items()),
        )
        fill(
            cursor,
            "UserAffinityProfile",
            "userId topCreators topCreatorShares topTopics topTopicShares contentTypePrefs engagementVelocity"
            " explorationFactor computedAt fingerprint",
            (
                (
                    *(user, list(it.creators), list(it.creators.values()), list(it.topics), list(it.topics.values())),
                    *(Jsonb(it.types), 1, 0.5, NOW, 0),
                )
                for user, it in self.affinities.items()
            ),
        )

    def _store_quizzes(self, cursor: Any) -> None:
        fill(
            cursor, "Quiz", "id title isActive updatedAt", ((it.id, "Q", it.active, it.updated) for it in self.quizzes)
        )
        questions = [(quiz, *question) for quiz in self.quizzes for question in quiz.questions]
        fill(
            cursor,
            "QuizQuestion",
            "id quizId order prompt",
            ((id_, quiz.id, order, prompt) for quiz, id_, order, prompt in questions),
        )
        fill(
            cursor,
            "QuizOption",
            "questionId label value order",
            ((id_, label, label[0], at) for _, id_, *_ in questions for at, label in enumerate(("yes", "no"))),
        )
        fill(
            cursor,
            "QuizResult",
            "userId quizId answers",
            ((user, quiz, Jsonb(answers)) for (user, quiz), answers in self.answers.items()),
        )


def random_feed_site(seed: int, users: int = 30, posts: int = 90, *, scored: float = 0.7) -> FeedSite:
    random = Random(seed)
    site = FeedSite()
    for user in random.sample(range(1, 3 * users), users):
        site.people[user] = random_person(random)
    for post in random.sample(range(1, 3 * posts), posts):
        add_post(random, site, post)
    connect_people(random, site)
    for user in site.people:
        if random.random() < scored:
            add_scores(random, site, user)
        if random.random() < 0.7:
            site.affinities[user] = random_affinity(random, list(site.people))
    for number in (1, 2, 3):
        add_quiz(random, site, number)
    return site


def connect_people(random: Random, site: FeedSite) -> None:
    """Blocks, follows, likes, conversations and matches."""
    everybody, users = list(site.people), len(site.people)
    for _ in range(users):
        a, b = random.sample(everybody, 2)
        site.blocks.add((a, b))
    for _ in range(users * 4):
        a, b = random.sample(everybody, 2)
        site.access[a, b] = random.choice(STATUSES)
    for _ in range(users * 3):
        a, b = random.sample(everybody, 2)
        site.actions[a, b] = random.choice(("LIKE", "DISLIKE"))
    for _ in range(users):
        a, b = random.sample(everybody, 2)
        site.talks.add((a, b))
    for _ in range(users * 2):
        a, b = sorted(random.sample(everybody, 2))
        site.matches[a, b] = (random.choice(STATES), NOW - timedelta(hours=random.randrange(5)))


def random_person(random: Random) -> Person:
    return Person(
        name=random.choice(NAMES),
        avatar=random.choice(AVATARS),
        bio=random.choice((None, "", "I like jazz.", LONG, MARKUP)),
        visible=random.random() > 0.15,
        profile=random.random() > 0.05,
        profile_deleted=random.random() < 0.05,
        deleted=random.random() < 0.1,
    )


def add_post(random: Random, site: FeedSite, number: int) -> None:
    site.posts[number] = Post(
        id=number,
        user=random.choice(list(site.people)),
        public=random.random() > 0.35,
        text=random.choice((*TEXTS, LONG, MARKUP)),
        created=NOW - (random.choice(AGES) if random.random() < 0.6 else timedelta(hours=random.random() * 100)),
        deleted=random.random() < 0.1,
        media=tuple(
            Media(
                number * 10 + at,
                random.choice(("IMAGE", "VIDEO", "AUDIO", "EMBED")),
                random.choice(("READY", "UPLOADED", "PENDING", "REJECTED")),
                random.random() < 0.2,
            )
            for at in range(random.choice((0, 0, 1, 3)))
        ),
    )
    if random.random() < 0.7:
        quality = random.choice((0, 0.5, 1, random.random()))
        site.features[number] = (random.sample(TOPICS, random.randrange(len(TOPICS))), quality)
    if random.random() < 0.2:
        site.trending[number] = (random.random() * 30, NOW + timedelta(hours=random.choice((-1, 0, 48))))


def add_scores(random: Random, site: FeedSite, user: int) -> None:
    others = random.sample(list(site.people), random.randrange(len(site.people)))
    site.scored_again[user] += 1
    scores = sorted((random.choice((0.5, round(random.random(), 3))) for _ in others), reverse=True)
    site.scores[user] = [(other, score) for other, score in zip(others, scores, strict=True) if other != user]


def random_affinity(random: Random, everybody: list[int]) -> Affinity:
    def shares(names: list[Any]) -> dict[Any, float]:
        parts = sorted((random.randrange(1, 9) for _ in names), reverse=True)
        return {name: part / sum(parts) for name, part in zip(names, parts, strict=True)}

    if random.random() < 0.2:
        return Affinity({}, {}, {"photos": 0.0, "videos": 0.0, "text": 0.0})
    return Affinity(
        shares(random.sample(everybody, 5)),
        shares(random.sample(TOPICS, random.randrange(len(TOPICS)))),
        shares(random.sample(["photos", "videos", "text"], 3)),
    )


def add_quiz(random: Random, site: FeedSite, number: int) -> None:
    questions = tuple(
        (number * 100 + at, random.randrange(3), random.choice(("Tea?", LONG, MARKUP))) for at in range(8)
    )
    site.quizzes.append(Quiz(number, number != 3, NOW - timedelta(days=random.randrange(2)), questions))
    for user in random.sample(list(site.people), len(site.people) // 2):
        answered = random.sample(questions, random.randrange(len(questions) + 1))
        site.answers[user, number] = {str(question): "y" for question, *_ in answered}
