"""The rows of both search jobs computed from the tables user by user, slowly and plainly."""

import math
import unicodedata
from datetime import date, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

Row = dict[str, Any]

USERS = """
SELECT "id", "deletedAt"::text,
       CASE WHEN "createdAt" BETWEEN '0001-01-01' AND '9999-12-31' THEN "createdAt" END AS "createdAt"
FROM "User"
"""
FIELDS = ("displayName", "birthdate", "gender", "location", "bio", "avatar", "interest")
UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "HANGUL SYLLABLE")


def searchable_rows(
    connection: Connection, at: datetime, minimum: float = 0.5, required: tuple[str, ...] = ("displayName", "birthdate")
) -> dict[int, Row]:
    """What "SearchableUser" should hold, by user."""
    rows = {}
    for user in _rows(connection, f'{USERS} ORDER BY "id"'):
        rows[user["id"]] = _searchable(connection, user, at.date(), minimum, required)
    return rows


def _searchable(connection: Connection, user: Row, today: date, minimum: float, required: tuple[str, ...]) -> Row:
    profile = _profile(connection, user["id"])
    interests = _interests(connection, user["id"])
    there: dict[str, bool] = dict.fromkeys(FIELDS, False)
    there["interest"] = bool(interests)
    if profile is not None:
        there["displayName"] = _visible(profile["displayName"])
        there["birthdate"] = _born(profile, today) is not None
        there["gender"] = profile["gender"] not in (None, "UNSPECIFIED")
        there["location"] = _visible(profile["locationText"]) or _located(profile)
        there["bio"] = _visible(profile["bio"])
        there["avatar"] = _visible(profile["avatarUrl"])
    missing = [field for field in FIELDS if not there[field]]
    share = (len(FIELDS) - len(missing)) / len(FIELDS)
    deleted = user["deletedAt"] is not None or (profile is not None and profile["deletedAt"] is not None)
    age = None if profile is None else _age(profile, today)
    reasons = set()
    if deleted:
        reasons.add("deleted")
    if profile is None:
        reasons.add("profile")
    elif not profile["isVisible"]:
        reasons.add("hidden")
    if age is not None and age < 18:
        reasons.add("under-age")
    if share < minimum:
        reasons.add("completeness")
    reasons |= {field for field in missing if field in required or field == "birthdate"}
    return {
        "isVisible": profile is not None and bool(profile["isVisible"]) and profile["deletedAt"] is None,
        "isDeleted": deleted,
        "completeness": round(share, 5),
        "isSearchable": not reasons,
        "reasons": reasons,
        "missing": missing,
    }


def index_rows(connection: Connection, at: datetime) -> dict[int, Row]:
    """What "ProfileSearchIndex" should hold, by user; `words`: the words of its vector -> weights."""
    rows = {}
    for user in _rows(connection, f'{USERS} WHERE "deletedAt" IS NULL ORDER BY "id"'):
        profile = _profile(connection, user["id"])
        if profile is not None and profile["deletedAt"] is None:
            rows[user["id"]] = _indexed(connection, user, profile, at.date())
    return rows


def _indexed(connection: Connection, user: Row, profile: Row, today: date) -> Row:
    lists = _rows(connection, 'SELECT * FROM "Top5List" WHERE "profileId" = %s ORDER BY "id"', profile["id"])
    items = [
        item["text"]
        for one in lists
        for item in _rows(
            connection, 'SELECT * FROM "Top5Item" WHERE "listId" = %s ORDER BY "order", "text"', one["id"]
        )
    ]
    interests = _interests(connection, user["id"])
    traits = _rows(connection, 'SELECT "traitKey", "value" FROM "UserTrait" WHERE "userId" = %s', user["id"])
    numbers = {trait["traitKey"]: float(trait["value"]) for trait in traits}
    keywords = _keywords([text for text in [one["title"] for one in lists] + items if text is not None])
    age = _age(profile, today)
    located = _located(profile)
    copied = ("displayName", "bio", "locationText", "geoPrecision", "gender", "intent")
    return {
        **{name: profile[name] for name in copied},
        "isVisible": bool(profile["isVisible"]),
        "locationAccuracy": _finite(profile["locationAccuracy"]),
        "lat": float(profile["lat"]) if located else None,
        "lng": float(profile["lng"]) if located else None,
        "hasLocation": located,
        "age": age,
        "ageBucket": None if age is None or age < 18 else math.floor((age - 18) / 5),
        "birthdate": _born(profile, today),
        **dict(zip(("city", "state", "country"), _place(profile["locationText"]), strict=True)),
        "interestCount": len(interests),
        "traitCount": len(numbers),
        "traitSummary": numbers,
        "top5Keywords": keywords,
        "isDeleted": False,
        "accountCreatedAt": user["createdAt"],
        "words": _weighted(A=profile["displayName"], B=" ".join(keywords), C=profile["locationText"], D=profile["bio"]),
    }


def _profile(connection: Connection, user_id: int) -> Row | None:
    columns = """"id", "displayName", "bio", "avatarUrl", "locationText", "lat", "lng", "geoPrecision"::text,
        "locationAccuracy", "gender"::text, "intent"::text, "isVisible", "deletedAt"::text,
        CASE WHEN "birthdate" BETWEEN '0001-01-01' AND '9999-12-31' THEN "birthdate" END AS "birthdate" """
    found = _rows(connection, f'SELECT {columns} FROM "Profile" WHERE "userId" = %s ORDER BY "id"', user_id)
    live = [profile for profile in found if profile["deletedAt"] is None]
    return (live or found)[-1] if found else None


def _interests(connection: Connection, user_id: int) -> set[tuple[int, int]]:
    rows = _rows(connection, 'SELECT "subjectId", "interestId" FROM "UserInterest" WHERE "userId" = %s', user_id)
    return {(row["subjectId"], row["interestId"]) for row in rows if None not in row.values()}


def _finite(number: Any) -> float | None:
    """The number, which Python may hold as a Decimal."""
    return float(number) if number is not None and abs(float(number)) < 1e300 else None


def _rows(connection: Connection, query: str, *keys: int) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), keys).fetchall()


def _visible(text: str | None) -> bool:
    """Whether the text has a visible character."""
    unseen = {"\u200b", "\u3164", "\u2800", "\ufeff"}
    return any(not character.isspace() and character not in unseen for character in text or "")


def _located(profile: Row) -> bool:
    lat, lng = (None if profile[name] is None else float(profile[name]) for name in ("lat", "lng"))
    return lat is not None and lng is not None and abs(lat) <= 90 and abs(lng) <= 180


def _born(profile: Row, today: date) -> date | None:
    born: date | None = profile["birthdate"]
    return None if born is None or born > today else born


def _age(profile: Row, today: date) -> int | None:
    born = _born(profile, today)
    return None if born is None else today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _place(text: str | None) -> tuple[str | None, str | None, str | None]:
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if len(parts) == 2:
        return parts[0], None, parts[1]
    padded: list[str | None] = [*parts, None, None, None]
    return padded[0], padded[1], ", ".join(parts[2:]) or None


def _keywords(texts: list[str]) -> list[str]:
    found: list[str] = []
    for text in texts:
        letters = [c if unicodedata.category(c)[0] in "LM" else " " for c in text.lower()]
        found += [word for word in "".join(letters).split() if len(word) >= 3 and word not in found]
    return list(dict.fromkeys(found))[:50]


def _weighted(**texts: str | None) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for weight, text in texts.items():
        for word in words_of(text or ""):
            found.setdefault(word, set()).add(weight)
    return found


def words_of(text: str) -> list[str]:
    """Words in any script: runs of letters, marks and digits; single characters where a script has no spaces; emoji."""
    words = [character for character in text if unicodedata.category(character) == "So"]
    plain = "".join(" " if unicodedata.category(c) == "So" else c for c in text if not _ignored(c))
    word = ""
    for character in unicodedata.normalize("NFKC", plain).lower():
        kind = unicodedata.category(character)
        if unicodedata.name(character, "").startswith(UNSPACED) and kind != "Mn":
            words += [word]
            word = ""
            words.append(character)
        elif kind == "Mn" and not word and words and unicodedata.name(character).startswith("THAI"):
            words[-1] += character
        elif kind[0] in "LMN":
            word += character
        else:
            words += [word]
            word = ""
    return [word for word in [*words, word] if word]


def _ignored(character: str) -> bool:
    tones = "\U0001f3fb" <= character <= "\U0001f3ff"
    return tones or character in "\u00ad\u115f\u1160\u200b\u200c\u200d\u2060\u3164\ufe0f\ufeff\uffa0"
