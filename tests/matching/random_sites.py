"""Random small sites with everything that real tables hold: gaps, ties, extremes and nonsense.

`draw` makes a site of one of the `FLAVOURS`, the same for the same seed; `site_loading.load` writes it into a database.
"""

import json
import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

NOW = datetime(2026, 11, 20, 9, 30, 15, 123000, tzinfo=UTC)
"""Start of the runs over these sites, unless a test sets another: birthdays lie around its date."""

GENDERS = ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
CITIES = ((52.5, 13.4), (48.85, 2.35), (-33.9, 151.2), (40.7, -74.0), (35.7, 139.7), (0.0, 0.0), (-17.8, 179.99))
PLACES = ("Paris, France", "paris, france", "Paris, France ", "", " ", "東京", "Orle\u0301ans", "Orl\u00e9ans", None)
SUBJECTS, INTERESTS, QUIZZES = 9, 330, 4
TRAIT_KEYS = [f"trait-{i}" for i in range(24)] + ["", "Trait-1", "openness ", "ouverture-é", "勇気"]

Stars = tuple[int, int, int, int]


@dataclass
class Draft:
    """A user before it is written, with its rows of other tables. `received`: index of the rater -> stars."""

    created_at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    deleted_at: datetime | None = None
    profile: dict[str, Any] | None = None
    preference: dict[str, Any] | None = None
    traits: dict[str, tuple[str, int]] = field(default_factory=dict)
    quizzes: dict[int, tuple[str, str | None, datetime]] = field(default_factory=dict)
    interests: set[tuple[int, int]] = field(default_factory=set)
    received: dict[int, Stars] = field(default_factory=dict)
    user_id: int = 0


@dataclass(frozen=True)
class Flavour:
    """What a kind of site is made of: shares of users 0..1, and how places and traits are drawn."""

    located: float = 0.7
    odd_place: float = 0.15
    spread_degrees: float = 0.3
    cities: int = len(CITIES)
    with_traits: float = 0.75
    with_quiz: float = 0.7
    with_preference: float = 0.8
    twins: float = 0.2
    gone: float = 0.15
    open_minded: float = 0.3
    wild_traits: float = 0.1
    trait_keys: Sequence[str] = tuple(TRAIT_KEYS)
    interested: float = 0.8
    rated: float = 0.7
    blocks_a_user: float = 0.3
    decisions_a_user: float = 2.0
    far_ids: bool = False


FLAVOURS: dict[str, Flavour] = {
    "mixed": Flavour(),
    "one city": Flavour(located=0.97, odd_place=0.02, cities=1, open_minded=0.9, twins=0.1, gone=0.05),
    "edges of the map": Flavour(located=1.0, odd_place=0.8, cities=7, with_preference=0.9),
    "nowhere": Flavour(located=0.0, with_preference=0.9),
    "no traits": Flavour(with_traits=0.0, with_quiz=0.9),
    "no quizzes": Flavour(with_quiz=0.0, with_traits=0.95, wild_traits=0.4),
    "twins": Flavour(twins=0.9, open_minded=0.8, gone=0.05),
    "blank": Flavour(
        0.0, 0.0, with_traits=0.0, with_quiz=0.0, interested=0.0, rated=0.0, twins=0.8, with_preference=0.1
    ),
    "hardly anyone": Flavour(gone=0.7),
    "enemies": Flavour(blocks_a_user=8.0, far_ids=True),
    "everybody asked": Flavour(decisions_a_user=60.0, open_minded=0.8, gone=0.05),
    "a thousand traits": Flavour(with_traits=1.0, trait_keys=tuple(f"k{i}" for i in range(1000)), twins=0.05),
}


@dataclass
class Decisions:
    """By pairs of users: action and time of a like, state of a match; and who is in conversation."""

    likes: dict[tuple[int, int], tuple[str, datetime]] = field(default_factory=dict)
    matches: dict[tuple[int, int], str] = field(default_factory=dict)
    conversations: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class SiteRows:
    """A random site: users with their rows of all tables, and what is between them."""

    drafts: list[Draft]
    blocks: set[tuple[int, int]]
    decisions: Decisions = field(default_factory=Decisions)

    @property
    def users(self) -> int:
        return len(self.drafts)


def draw(seed: int, users: int, flavour: str = "mixed") -> SiteRows:
    """A site of exactly `users` rows in "User", deleted ones included."""
    random = Random(f"{seed}/{users}/{flavour}")
    kind = FLAVOURS[flavour]
    drafts: list[Draft] = []
    while len(drafts) < users:
        if drafts and random.random() < kind.twins:
            drafts.append(deepcopy(random.choice(drafts)))
        else:
            drafts.append(draw_user(random, kind))
    _rate(random, kind, drafts)
    _name(random, kind, drafts)
    return SiteRows(drafts, _draw_blocks(random, kind, drafts), _draw_decisions(random, kind, drafts))


def draw_user(random: Random, kind: Flavour) -> Draft:
    """One user, unnamed, unrated and blocked by nobody."""
    draft = Draft()
    if random.random() < kind.gone / 3:
        draft.deleted_at = NOW - timedelta(days=1)
    if random.random() > kind.gone / 4:
        draft.profile = draw_profile(random, kind)
    if random.random() < kind.with_preference:
        draft.preference = draw_preference(random, kind)
    if random.random() < kind.with_traits:
        draft.traits = draw_traits(random, kind)
    if random.random() < kind.with_quiz:
        chosen = random.sample(range(1, QUIZZES + 1), random.choice((1, 1, 2, QUIZZES)))
        draft.quizzes = {quiz_id: draw_quiz(random) for quiz_id in chosen}
    if random.random() < kind.interested:
        draft.interests = draw_interests(random)
    return draft


def draw_profile(random: Random, kind: Flavour) -> dict[str, Any]:
    """Columns of a "Profile" row, without its ids."""
    lat, lng = draw_place(random, kind)
    return {
        "birthdate": draw_birthdate(random),
        "locationText": random.choice(PLACES),
        "lat": lat,
        "lng": lng,
        "gender": random.choice(GENDERS),
        "isVisible": random.random() > kind.gone / 3,
        "updatedAt": draw_updated_at(random),
        "deletedAt": NOW - timedelta(days=2) if random.random() < kind.gone / 4 else None,
    }


def draw_place(random: Random, kind: Flavour) -> tuple[float | None, float | None]:
    if random.random() >= kind.located:
        nothing: list[tuple[float | None, float | None]] = [
            (None, None),
            (None, 13.4),
            (52.5, None),
            (math.nan, 0.0),
            (0.0, math.inf),
            (90.0001, 0.0),
            (-91.0, 10.0),
            (12.0, 180.0001),
            (12.0, -500.0),
        ]
        return random.choice(nothing)
    if random.random() < kind.odd_place:
        odd = [
            (90.0, random.uniform(-180, 180)),
            (-90.0, random.uniform(-180, 180)),
            (89.9999999, 179.0),
            (89.9, -179.0),
            (random.choice((0.0, 10.0)), 180.0),
            (random.choice((0.0, 10.0)), -180.0),
            (10.0, 179.999999),
            (0.0, -0.0),
            (52.5, 13.4),
            (52.5, 13.4 + 1e-9),
            (52.5 + 1e-7, 13.4),
            (-52.5, -166.6),  # the other side of the world
            (random.uniform(-90, 90), random.uniform(-180, 180)),
        ]
        return random.choice(odd)
    lat, lng = CITIES[random.randrange(kind.cities)]
    lat, lng = lat + random.gauss(0, kind.spread_degrees), lng + random.gauss(0, kind.spread_degrees)
    return lat, lng if abs(lng) <= 180 else lng - math.copysign(360, lng)


def draw_birthdate(random: Random) -> date | None:
    today = NOW.date()
    around_today = date(today.year - random.randint(17, 60), today.month, today.day + random.choice((-1, 0, 1)))
    odd = (today, today + timedelta(days=1), date(2100, 2, 28), date(1, 1, 1), date(1996, 2, 29), None, around_today)
    if random.random() < 0.4:
        return random.choice(odd)
    return today - timedelta(days=random.randint(18 * 365, 70 * 365))


def draw_updated_at(random: Random) -> datetime:
    odd = (NOW, NOW + timedelta(days=3), NOW - timedelta(milliseconds=1), datetime(1, 1, 1, tzinfo=UTC))
    if random.random() < 0.25:
        return random.choice(odd)
    return NOW - timedelta(milliseconds=int(random.expovariate(1 / 60) * 86_400_000))


def draw_preference(random: Random, kind: Flavour) -> dict[str, Any]:
    """Columns of a "UserPreference" row, without its user."""
    if random.random() < kind.open_minded:
        return dict.fromkeys(("preferredAgeMin", "preferredAgeMax", "preferredDistanceKm", "preferredGenders"))
    low, high = random.choice((None, 18, 25, 40)), random.choice((None, 30, 45, 99))
    if random.random() < 0.2:
        low, high = random.choice(((50, 20), (-3, -1), (0, 0), (2_147_483_647, None), (None, 2_147_483_647), (-9, 40)))
    return {
        "preferredAgeMin": low,
        "preferredAgeMax": high,
        "preferredDistanceKm": random.choice((None, None, 0, -5, 1, 20, 50, 100, 500, 20_016, 2_147_483_647)),
        "preferredGenders": draw_genders(random),
    }


def draw_genders(random: Random) -> str | None:
    """The value as JSON text, or None for SQL's NULL."""
    if random.random() < 0.5:
        return json.dumps(random.sample(GENDERS, random.randint(1, len(GENDERS))))
    odd: list[Any] = [
        None,
        [],
        ["ALIEN"],
        ["male"],
        [1, None, "FEMALE"],
        {"MALE": True},
        "MALE",
        7,
        [["MALE"]],
        ["MALE"] * 3,
    ]
    chosen = random.choice([*odd, ...])
    return None if chosen is ... else json.dumps(chosen)


def draw_traits(random: Random, kind: Flavour) -> dict[str, tuple[str, int]]:
    """Trait key -> value as text and n."""
    keys = random.sample(kind.trait_keys, min(len(kind.trait_keys), random.choice((1, 2, 3, 8, 15, 24))))
    wild = random.random() < kind.wild_traits
    odd = ("1.5", "0", "0.00", "99999999.99", "-99999999.99", "0.01", "-0.01", "10", "-10")
    nothing = random.random() < 0.05
    traits: dict[str, tuple[str, int]] = {}
    for key in keys:
        value = random.choice(odd) if wild else f"{random.uniform(-10, 10):.2f}"
        n = random.choice((1, 2, 3, 4, 5, 6, 40))
        if random.random() < 0.05:
            n = random.choice((0, -3, 2_000_000_000))
        traits[key] = (value, 0 if nothing else n)
    return traits


def draw_quiz(random: Random) -> tuple[str, str | None, datetime]:
    """Answers and scoreVec as json text, and updatedAt: on few days, so that the latest is often a draw."""
    answers: dict[str, Any] = {
        str(question): random.choice(
            ("a", "b", "a", 1, 1.0, True, None, "", [1, 2], [1.0, 2.0], {"x": 1}, "1", 0, False)
        )
        for question in random.sample(range(12), random.randint(0, 12))
    }
    odd_answers = random.choice(("[]", "null", '"a"', "3", "{}"))
    return (
        odd_answers if random.random() < 0.15 else json.dumps(answers),
        draw_vector(random),
        NOW - timedelta(days=random.choice((1, 1, 2, 400))),
    )


def draw_vector(random: Random) -> str | None:
    usual = [round(random.uniform(-1, 1), 3) for _ in range(6)]
    kinds: list[Any] = [
        usual,
        usual,
        usual,
        [float(x) for x in random.choices((-1, 0, 1), k=6)],
        usual[:3],
        [0, 0, 0, 0, 0, 0],
        [],
        None,
        {"0": 1},
        [1, "2", 3, 4, 5, 6],
        [1, None, 3, 4, 5, 6],
        [True, False, True, True, True, True],
        [1e12, -1e12, 3e11, 0, 1e12, 5e10],
        [1e-12, 2e-12, -1e-12, 0, 1e-12, 1e-12],
        [1e9, 1, -1, 0.001, 0, 5],
        [7],
        "abc",
    ]
    chosen = random.choice([*kinds, ...])
    return None if chosen is ... else json.dumps(chosen)


def draw_interests(random: Random) -> set[tuple[int, int]]:
    count = random.choice((1, 2, 3, 5, 8, 12, 20, 40, 300))
    # Mostly popular interests, so that users share some; a few under a second subject too.
    found: set[tuple[int, int]] = set()
    while len(found) < count:
        interest = random.randint(1, INTERESTS) if count > 20 else int(random.triangular(1, INTERESTS, 1))
        subject = random.randint(1, SUBJECTS) if random.random() < 0.05 else interest % SUBJECTS + 1
        found.add((subject, interest))
    return found


def _rate(random: Random, kind: Flavour, drafts: Sequence[Draft]) -> None:
    """Ratings, of oneself too; twins mostly keep what their original has received."""
    raters = [index for index, draft in enumerate(drafts) if draft.profile is not None]
    for draft in drafts:
        if draft.profile is None or random.random() > kind.rated:
            continue
        flat = random.random() < 0.15
        for rater in random.sample(raters, min(len(raters), random.choice((1, 2, 3, 4, 10)))):
            stars = random.randint(1, 5)
            a, b, c, d = [stars] * 4 if flat else [random.randint(1, 5) for _ in range(4)]
            draft.received[rater] = (a, b, c, d)
    for index, draft in enumerate(drafts):
        twin = next((other for other in drafts[:index] if other.profile and other.profile == draft.profile), None)
        if twin is not None and random.random() < 0.8:
            draft.received = dict(twin.received)


def _name(random: Random, kind: Flavour, drafts: Sequence[Draft]) -> None:
    """Ids with gaps, in random order; `far` ones need all 63 bits."""
    names = random.sample(range(1, 5 * len(drafts) + 1), len(drafts))
    base = 2**62 if kind.far_ids else 0
    for draft, name in zip(drafts, names, strict=True):
        draft.user_id = name + base * (name % 2)


def _draw_blocks(random: Random, kind: Flavour, drafts: Sequence[Draft]) -> set[tuple[int, int]]:
    blocks: set[tuple[int, int]] = set()
    for _ in range(int(kind.blocks_a_user * len(drafts))):
        a, b = random.choice(drafts).user_id, random.choice(drafts).user_id  # sometimes one's own
        blocks.add((a, b))
        if random.random() < 0.2:
            blocks.add((b, a))
    return blocks


def _draw_decisions(random: Random, kind: Flavour, drafts: Sequence[Draft]) -> Decisions:
    found = Decisions()
    for _ in range(int(kind.decisions_a_user * len(drafts))):
        a, b = random.choice(drafts).user_id, random.choice(drafts).user_id  # sometimes oneself
        ago = timedelta(minutes=random.choice((-60, 0, 1, 20_000, 300_000)))
        what = random.choice(("LIKE", "LIKE", "DISLIKE", "DISLIKE", "ACTIVE", "CLOSED", "BLOCKED", "talk"))
        if what == "talk":
            found.conversations.add((a, b))
        elif what in ("LIKE", "DISLIKE"):
            found.likes[a, b] = (what, NOW - ago)
        else:
            found.matches[a, b] = what
    return found


def someone(user_id: int, *, preference: dict[str, Any] | None = None, **profile: Any) -> Draft:
    """A user with a visible profile updated at `NOW`, and only the data given."""
    columns: dict[str, Any] = {
        "birthdate": date(1990, 5, 5),
        "locationText": None,
        "lat": None,
        "lng": None,
        "gender": "OTHER",
        "isVisible": True,
        "updatedAt": NOW,
        "deletedAt": None,
    }
    wishes = dict.fromkeys(("preferredAgeMin", "preferredAgeMax", "preferredDistanceKm", "preferredGenders"))
    draft = Draft(profile=columns | profile, user_id=user_id)
    draft.preference = None if preference is None else wishes | preference
    return draft
