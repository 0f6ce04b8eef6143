# ruff: noqa: RUF001 - texts in their own scripts
"""Random sites for the search jobs: every kind of missing value, ties, extremes and texts in many scripts."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from psycopg import Connection

NOW = datetime(2026, 11, 20, 9, 30, 15, 123000, tzinfo=UTC)
"""Start of the runs over these sites, unless a test sets another: birthdays lie around its date."""

NAMES = (
    "Anna",
    "Jean-Luc D’Arcy",
    "O'Neil",
    "李娜",
    "さくら",
    "ليلى",
    "נועה",
    "Ирина",
    "अनन्या",
    "กิตติ",
    "✨Noor✨",
    "x_7",
)
NO_NAMES = (None, "", " ", "\t\n", "\u200b\u3164", "\u00a0")
BIOS = (
    "Coffee first, then we talk. I collect vinyl, mostly jazz.",
    "喜欢做饭和旅行。Jazz/blues!",
    "週末は山にいます。ラーメン",
    "أحب السفر والقراءة، وقهوة",
    "אוהבת ים וקפה",
    "Два кота и старая гитара… ЁЛКА",
    "मुझे पहाड़ और चाय पसंद है",
    "กินข้าวกับเพื่อน",
    "커피와 산책을 좋아해요 ☕",
    "👋🏽 hi 🏳️‍🌈 <b>bold</b> a:b 3.14 e-mail@example.com",
    "ﬁne Ｆｕｌｌ ½",
    "\x01\x02 quotes ' \" \\ ''",
)
PLACES = (
    "Paris, France",
    "Berlin, Berlin, Germany",
    "New York, New York, United States, North America, Earth",
    "東京",
    " , ,",
    ",Rome, ,Italy",
    "São Paulo, SP, Brazil",
    "\u00a0Oslo\u00a0",
)
TITLES = ("Top 5 films", "好きな食べ物", "Любимые книги", "ab cd", "Ça va", "TOP", "एक दो तीन", "")
ITEMS = ("Amélie", "Мастер и Маргарита", "Ramen at 2 a.m.", "jazz-jazz JAZZ", "김치찌개", "foo1bar", "x", "", "🍜")
GENDERS = ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
INTENTS = ("UNSPECIFIED", "FRIENDS", "CASUAL", "LONG_TERM", "MARRIAGE")
NUMBERS = (None, 0.0, -0.0, 52.5, -33.9, 90.0, -90.0, 90.0001, 180.0, -180.0, 180.0001, "NaN", "Infinity", "-Infinity")
SUBJECTS, INTERESTS = 3, 12


def load(connection: Connection, seed: int, users: int) -> list[int]:
    """Fill an empty site with `users` users, the same for the same seed; returns their ids."""
    random = Random(seed)
    ids = sorted(random.sample(range(1, 4 * users), users))
    with connection.transaction():
        for subject in range(1, SUBJECTS + 1):
            connection.execute('INSERT INTO "InterestSubject" VALUES (%s, %s, %s)', [subject, f"s{subject}", "s"])
        for interest in range(1, INTERESTS + 1):
            subject = interest % SUBJECTS + 1
            connection.execute(
                'INSERT INTO "Interest" VALUES (%s, %s, %s, %s)', [interest, subject, f"i{interest}", "i"]
            )
        for user_id in ids:
            add_user(connection, random, user_id)
        # Rows whose users are gone.
        connection.execute(
            """INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n") VALUES (999999, 'x', 1, 1)"""
        )
    return ids


def add_user(connection: Connection, random: Random, user_id: int) -> None:
    """Add one user with its rows of all tables."""
    gone = NOW - timedelta(days=1)
    created = NOW - timedelta(days=random.randint(0, 900))
    _insert(connection, "User", id=user_id, createdAt=created, deletedAt=gone if random.random() < 0.07 else None)
    if random.random() > 0.07:
        profile_id = 1_000_000 - user_id
        _insert(connection, "Profile", id=profile_id, userId=user_id, **draw_profile(random))
        for list_id in range(profile_id * 10, profile_id * 10 + random.choice((0, 0, 1, 3))):
            _insert(connection, "Top5List", id=list_id, profileId=profile_id, title=random.choice(TITLES))
            for order in random.sample(range(9), random.randint(0, 5)):
                _insert(connection, "Top5Item", listId=list_id, order=order, text=random.choice(ITEMS))
    for interest in random.sample(range(1, INTERESTS + 1), random.choice((0, 1, 2, 5))):
        subject = interest % SUBJECTS + 1
        _insert(connection, "UserInterest", userId=user_id, subjectId=subject, interestId=interest)
    for key in random.sample(("calm", "", "勇気", 'a"b', "x"), random.choice((0, 1, 4))):
        value = random.choice(("-0.01", "0", "-10", "3.25", "99999999.99"))
        _insert(connection, "UserTrait", userId=user_id, traitKey=key, value=value, n=random.choice((0, 1, 7)))


def draw_profile(random: Random) -> dict[str, Any]:
    """Columns of a "Profile" row, without its ids."""
    gone = NOW - timedelta(days=2)
    return {
        "displayName": random.choice(NO_NAMES) if random.random() < 0.15 else random.choice(NAMES),
        "bio": random.choice((None, "", " \u2003")) if random.random() < 0.25 else random.choice(BIOS),
        "avatarUrl": random.choice((None, "", "https://media.example.com/a.jpg")),
        "birthdate": draw_birthdate(random),
        "locationText": random.choice((None, "", " ", *PLACES)),
        "lat": random.choice(NUMBERS),
        "lng": random.choice(NUMBERS),
        "geoPrecision": random.choice((None, "EXACT", "CITY")),
        "locationAccuracy": random.choice((None, 0, 15, 100_000)),
        "gender": random.choice(GENDERS),
        "intent": random.choice(INTENTS),
        "isVisible": random.random() > 0.1,
        "deletedAt": gone if random.random() < 0.05 else None,
    }


def draw_birthdate(random: Random) -> Any:
    today = NOW.date()
    around_today = date(
        today.year - random.choice((17, 18, 19, 23, 40)), today.month, today.day + random.choice((-1, 0, 1))
    )
    odd = (None, today, today + timedelta(days=1), date(2100, 2, 28), date(1, 1, 1), date(2004, 2, 29), "infinity")
    if random.random() < 0.35:
        return random.choice((*odd, "-infinity", around_today, around_today, around_today))
    return today - timedelta(days=random.randint(16 * 365, 70 * 365))


def _insert(connection: Connection, table: str, **columns: Any) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    places = ", ".join(["%s"] * len(columns))
    connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})'.encode(), list(columns.values()))
