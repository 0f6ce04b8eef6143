"""The synthetic site: the same everywhere, and missing everything that can be missing."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from sitejobs.errors import InvalidInput
from sitejobs_local.population import Kind, Population, Table, generate
from sitejobs_local.population.copying import encoded

NOW = datetime(2026, 11, 23, 12, 34, 56, 789_000, tzinfo=UTC)

# Of generate(300, 7, NOW). A change means that everybody's synthetic site changes.
PINNED = "238aef9cb52795995f21f32dd0befbce29eddad34c3540356d6d0c677430248f"


def checksum(population: Population) -> str:
    digest = hashlib.sha256()
    for table in population.tables:
        digest.update(f"{table.name}({','.join(table.columns)})".encode())
        for _, chunk in encoded(table):
            digest.update(chunk)
    return digest.hexdigest()


@pytest.fixture(scope="module")
def site() -> Population:
    return generate(2000, 3, NOW)


# Determinism ------------------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert checksum(generate(700, 11, NOW)) == checksum(generate(700, 11, NOW))


def test_a_small_site_is_the_one_it_has_always_been() -> None:
    assert checksum(generate(300, 7, NOW)) == PINNED


def test_another_seed_and_another_size_give_another_site() -> None:
    assert len({checksum(generate(users, seed, NOW)) for users, seed in ((50, 1), (50, 2), (51, 1))}) == 3


def test_the_time_zone_of_now_does_not_matter() -> None:
    elsewhere = NOW.astimezone(datetime.strptime("+0530", "%z").tzinfo)
    assert checksum(generate(40, 1, elsewhere)) == checksum(generate(40, 1, NOW))


@pytest.mark.parametrize(
    ("users", "seed", "now", "field"),
    [
        (0, 1, NOW, "users"),
        (-5, 1, NOW, "users"),
        (10**9, 1, NOW, "users"),
        (5, -1, NOW, "seed"),
        (5, 1, NOW.replace(tzinfo=None), "now"),
    ],
)
def test_arguments_out_of_range_are_named(users: int, seed: int, now: datetime, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}: .* given, .*(allowed|needed)"):
        generate(users, seed, now)


def test_chunks_of_any_size_make_the_same_stream(site: Population) -> None:
    table = site["Profile"]
    whole = b"".join(chunk for _, chunk in encoded(table))
    assert b"".join(chunk for _, chunk in encoded(table, rows_per_chunk=7)) == whole


# What is missing --------------------------------------------------------------------------------------------


def nulls(table: str, column: str) -> Callable[[Population], int]:
    return lambda site: int(site[table].columns[column].is_null().sum())


def equal(table: str, column: str, value: object) -> Callable[[Population], int]:
    return lambda site: int(((site[table][column] == value) & ~site[table].columns[column].is_null()).sum())


def users_without(table: str, column: str = "userId") -> Callable[[Population], int]:
    return lambda site: len(set(site["User"]["id"].tolist()) - set(site[table][column].tolist()))


def located(lat: bool, lng: bool, text: bool) -> Callable[[Population], int]:
    def rows(site: Population) -> int:
        columns = site["Profile"].columns
        found = (columns["lat"].is_null() != lat) & (columns["lng"].is_null() != lng)
        return int((found & (columns["locationText"].is_null() != text)).sum())

    return rows


def vectors(wanted: Callable[[Any], bool]) -> Callable[[Population], int]:
    return lambda site: sum(
        wanted(json.loads(text)) for text in site["QuizResult"]["scoreVec"].tolist() if text is not None
    )


def deleted_users(site: Population) -> list[int]:
    deleted: list[int] = site["User"]["id"][~site["User"].columns["deletedAt"].is_null()].tolist()
    return deleted


def authors_of_likes(site: Population) -> Any:
    """The author of each like's post: ids of posts ascend."""
    return site["Post"]["userId"][np.searchsorted(site["Post"]["id"], site["LikedPost"]["postId"])]


GAPS: dict[str, Callable[[Population], int]] = {
    "deleted users": lambda site: int((~site["User"].columns["deletedAt"].is_null()).sum()),
    "users without a profile": users_without("Profile"),
    "deleted profiles": lambda site: int((~site["Profile"].columns["deletedAt"].is_null()).sum()),
    "hidden profiles": equal("Profile", "isVisible", False),
    **{
        f"no {column}": nulls("Profile", column)
        for column in ("displayName", "bio", "avatarUrl", "birthdate", "locationText", "lat", "lng")
    },
    "no geoPrecision": nulls("Profile", "geoPrecision"),
    "no locationAccuracy": nulls("Profile", "locationAccuracy"),
    "empty displayName": equal("Profile", "displayName", ""),
    "empty bio": equal("Profile", "bio", ""),
    "empty locationText": equal("Profile", "locationText", ""),
    "coordinates and a text": located(lat=True, lng=True, text=True),
    "coordinates alone": located(lat=True, lng=True, text=False),
    "a text alone": located(lat=False, lng=False, text=True),
    "no place at all": located(lat=False, lng=False, text=False),
    "latitude alone": located(lat=True, lng=False, text=True),
    "longitude alone": located(lat=False, lng=True, text=True),
    "impossible coordinates": equal("Profile", "lat", 999.0),
    **{
        f"gender {gender}": equal("Profile", "gender", gender)
        for gender in ("UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER")
    },
    "users without preferences": users_without("UserPreference"),
    "no preferredAgeMin": nulls("UserPreference", "preferredAgeMin"),
    "no preferredAgeMax": nulls("UserPreference", "preferredAgeMax"),
    "no preferredDistanceKm": nulls("UserPreference", "preferredDistanceKm"),
    "a distance of 0": equal("UserPreference", "preferredDistanceKm", 0),
    "no preferredGenders": nulls("UserPreference", "preferredGenders"),
    "preferredGenders of JSON null": equal("UserPreference", "preferredGenders", "null"),
    "preferredGenders of nobody": equal("UserPreference", "preferredGenders", "[]"),
    "users without a quiz": users_without("QuizResult"),
    "users without traits": users_without("UserTrait"),
    "users with a quiz but no traits": lambda site: len(
        set(site["QuizResult"]["userId"].tolist()) - set(site["UserTrait"]["userId"].tolist())
    ),
    "users without interests": users_without("UserInterest"),
    "results without a vector": nulls("QuizResult", "scoreVec"),
    "results without answers": equal("QuizResult", "answers", "{}"),
    "zero vectors": vectors(lambda vector: len(vector) > 0 and not any(vector)),
    "empty vectors": vectors(lambda vector: vector == []),
    "vectors that are not numbers": vectors(lambda vector: None in vector),
    "options without trait values": nulls("QuizOption", "traitValues"),
    "inactive quizzes": equal("Quiz", "isActive", False),
    "profiles nobody rated": lambda site: len(
        set(site["Profile"]["id"].tolist()) - set(site["ProfileRating"]["targetProfileId"].tolist())
    ),
    "people who rated nobody": lambda site: len(
        set(site["Profile"]["id"].tolist()) - set(site["ProfileRating"]["raterProfileId"].tolist())
    ),
    "lists without items": lambda site: len(
        set(site["Top5List"]["id"].tolist()) - set(site["Top5Item"]["listId"].tolist())
    ),
    "posts without a text": nulls("Post", "text"),
    "posts with an empty text": equal("Post", "text", ""),
    "private posts": equal("Post", "visibility", "PRIVATE"),
    "deleted posts": lambda site: int((~site["Post"].columns["deletedAt"].is_null()).sum()),
    "posts of deleted users": lambda site: int(np.isin(site["Post"]["userId"], deleted_users(site)).sum()),
    "users who never posted": users_without("Post"),
    "posts that nobody likes": lambda site: len(
        set(site["Post"]["id"].tolist()) - set(site["LikedPost"]["postId"].tolist())
    ),
    "users who like no post": users_without("LikedPost"),
    "likes of deleted users": lambda site: int(np.isin(site["LikedPost"]["userId"], deleted_users(site)).sum()),
    "likes of one's own post": lambda site: int((authors_of_likes(site) == site["LikedPost"]["userId"]).sum()),
    **{f"media of type {kind}": equal("Media", "type", kind) for kind in ("IMAGE", "VIDEO", "AUDIO")},
    "media that were never uploaded": equal("Media", "status", "PENDING"),
    "deleted media": lambda site: int((~site["Media"].columns["deletedAt"].is_null()).sum()),
}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_everything_that_can_be_missing_is_missing_for_some_of_2000_users(seed: int) -> None:
    site = generate(2000, seed, NOW)
    assert [gap for gap, rows in GAPS.items() if not rows(site)] == []


def test_every_quiz_has_usable_vectors_of_different_lengths(site: Population) -> None:
    lengths: dict[int, set[int]] = {quiz: set() for quiz in site["Quiz"]["id"].tolist()}
    for quiz, text in zip(site["QuizResult"]["quizId"].tolist(), site["QuizResult"]["scoreVec"].tolist(), strict=True):
        vector = json.loads(text) if text is not None else []
        if vector and None not in vector:
            lengths[quiz].add(len(vector))
    assert all(len(found) == 2 for found in lengths.values())


def test_the_shares_of_what_is_missing_are_those_of_a_real_site(site: Population) -> None:
    users = site.users
    assert GAPS["deleted users"](site) == pytest.approx(0.02 * users, abs=2)
    assert GAPS["users without a profile"](site) == pytest.approx(0.01 * users, abs=2)
    assert GAPS["hidden profiles"](site) == pytest.approx(0.04 * users, abs=5)
    assert GAPS["users without a quiz"](site) == pytest.approx(0.15 * users, rel=0.2)


@pytest.mark.parametrize("users", [8, 2000])
def test_the_first_eight_users_miss_nothing(users: int) -> None:
    site = generate(users, 5, NOW)
    assert site["User"]["id"][:8].tolist() == list(range(1, 9))
    for table in ("User", "Profile", "UserPreference"):
        for name, column in site[table].columns.items():
            assert column.is_null()[:8].all() if name == "deletedAt" else not column.is_null()[:8].any(), name
    assert site["Profile"]["userId"][:8].tolist() == list(range(1, 9))
    assert site["Profile"]["isVisible"][:8].all()
    for table in ("UserTrait", "UserInterest", "QuizResult"):
        assert set(range(1, 9)) <= set(site[table]["userId"].tolist())


# What is always so ------------------------------------------------------------------------------------------


def pairs(table: Table, first: str, second: str) -> list[tuple[int, int]]:
    return list(zip(table[first].tolist(), table[second].tolist(), strict=True))


@pytest.mark.parametrize(
    ("table", "first", "second"),
    [
        ("UserBlock", "blockerId", "blockedId"),
        ("ProfileRating", "raterProfileId", "targetProfileId"),
        ("Match", "userAId", "userBId"),
        ("Like", "fromUserId", "toUserId"),
        ("ProfileAccess", "ownerUserId", "viewerUserId"),
        ("Conversation", "userAId", "userBId"),
    ],
)
def test_nobody_relates_to_themselves_or_twice_to_another(
    site: Population, table: str, first: str, second: str
) -> None:
    found = pairs(site[table], first, second)
    assert len(found) > site.users // 5
    assert len(set(found)) == len(found)
    assert all(a != b for a, b in found)


def test_ids_ascend_with_gaps_and_profiles_have_ids_of_their_own(site: Population) -> None:
    for table in ("User", "Profile"):
        steps = {after - before for before, after in pairwise(site[table]["id"].tolist())}
        assert min(steps) == 1
        assert max(steps) > 1
    assert not (site["Profile"]["id"] == site["Profile"]["userId"]).any()


def test_ratings_run_from_1_to_5_and_some_raters_always_give_the_same(site: Population) -> None:
    stars = np.stack([site["ProfileRating"][name] for name in ("attractive", "smart", "funny", "interesting")], axis=1)
    assert set(np.unique(stars).tolist()) == {1, 2, 3, 4, 5}
    given = np.unique(site["ProfileRating"]["raterProfileId"], return_counts=True)[1]
    received = np.unique(site["ProfileRating"]["targetProfileId"], return_counts=True)[1]
    assert given.max() <= 30
    assert received.max() > 10 * np.median(received)
    assert (stars == stars[:, :1]).all(axis=1).any()


def test_traits_stay_within_ten_and_come_of_at_least_one_answer(site: Population) -> None:
    values = site["UserTrait"]["value"]
    assert (values.min(), values.max()) == (-1000, 1000)
    assert site["UserTrait"]["n"].min() == 1
    said = [
        value
        for text in site["QuizOption"]["traitValues"].tolist()
        if text is not None
        for value in json.loads(text).values()
    ]
    assert max(said) > 10, "no option reaches past the limit: holding answers to it is never tried"


def test_interests_have_a_long_tail(site: Population) -> None:
    of_user = np.unique(site["UserInterest"]["userId"], return_counts=True)[1]
    of_interest = np.unique(site["UserInterest"]["interestId"], return_counts=True)[1]
    assert of_user.max() <= 40
    assert of_user.max() > 25
    assert 6 < of_user.mean() < 10
    assert of_interest.max() > 8 * np.median(of_interest)


def test_ages_run_from_18_to_80_whatever_the_day() -> None:
    for now in (NOW, datetime(2024, 2, 29, tzinfo=UTC), datetime(2027, 3, 1, 23, 59, tzinfo=UTC)):
        born = generate(3000, 1, now)["Profile"]["birthdate"].tolist()
        today = (now.month, now.day)
        ages = [now.year - day.year - (today < (day.month, day.day)) for day in born]
        assert min(ages) == 18
        assert 75 < max(ages) <= 80


def test_nothing_but_a_few_profiles_comes_from_the_future(site: Population) -> None:
    now = np.datetime64(NOW.replace(tzinfo=None), "ms")
    for table in site.tables:
        for name, column in table.columns.items():
            if column.kind is Kind.TIMESTAMP and (table.name, name) != ("Profile", "updatedAt"):
                assert column.values.max() <= now, (table.name, name)
    ahead = site["Profile"]["updatedAt"] > now
    assert 0 < ahead.sum() < 10
    assert (site["Profile"]["createdAt"] <= np.maximum(site["Profile"]["updatedAt"], now)).all()


def test_coordinates_are_on_the_globe_but_for_the_impossible_ones(site: Population) -> None:
    profile = site["Profile"]
    known = ~profile.columns["lat"].is_null() & (profile["lat"] != 999.0)
    assert np.abs(profile["lat"][known]).max() <= 90
    assert np.abs(profile["lng"]).max() <= 180
    assert len(set(profile["lat"][known].tolist())) < known.sum(), "nobody shares a city's centre"


def test_cities_differ_in_size_like_cities_do(site: Population) -> None:
    texts = [text for text in site["Profile"]["locationText"].tolist() if text]
    sizes = sorted((texts.count(text) for text in set(texts)), reverse=True)
    assert len(sizes) > 60
    assert sizes[0] > 3 * sizes[10] > 0


def test_names_and_bios_come_in_many_scripts(site: Population) -> None:
    for column in ("displayName", "bio"):
        joined = "".join(text for text in site["Profile"][column].tolist() if text)
        assert any("\u0400" <= letter <= "\u04ff" for letter in joined), "no Cyrillic"
        assert any("\u3040" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff" for letter in joined), "no CJK"
        assert any("\u0590" <= letter <= "\u06ff" for letter in joined), "nothing from right to left"
        assert any(letter > "\U0001f000" for letter in joined), "no emoji"
        assert "'" in joined


def test_matched_people_have_more_in_common_than_strangers(site: Population) -> None:
    interests: dict[int, set[int]] = {user: set() for user in site["User"]["id"].tolist()}
    for user, interest in pairs(site["UserInterest"], "userId", "interestId"):
        interests[user].add(interest)

    def shared(couples: list[tuple[int, int]]) -> float:
        return float(
            np.mean([len(interests[a] & interests[b]) / max(len(interests[a] | interests[b]), 1) for a, b in couples])
        )

    matched = pairs(site["Match"], "userAId", "userBId")
    strangers = [(a, b) for (a, _), (_, b) in pairwise(matched) if a != b]
    assert shared(matched) > 1.15 * shared(strangers)


def test_likes_mind_the_gender_that_is_looked_for(site: Population) -> None:
    genders = dict(zip(site["Profile"]["userId"].tolist(), site["Profile"]["gender"].tolist(), strict=True))
    wanted = dict(zip(*(site["UserPreference"][name].tolist() for name in ("userId", "preferredGenders")), strict=True))
    heard = [
        genders[b] in json.loads(wanted[a])
        for a, b in pairs(site["Match"], "userAId", "userBId")
        if wanted.get(a) not in (None, "null", "[]") and b in genders
    ]
    assert np.mean(heard) > 0.8
