# ruff: noqa: RUF001 - texts in their own scripts
"""The search over the index: who is found by which words, in which order, how near, and what of it is marked."""

import itertools
import math
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from sitejobs.search import profile_search_index, searchable_user
from sitejobs.search.query import Hit, Wanted, search
from tests.search.people import People
from tests.search.random_sites import NOW
from tests.search.running import run


def test_whoever_has_every_word_comes_first_then_names_lists_places_and_bios_count_in_this_order(
    people: People,
) -> None:
    bio = people.add(bio="jazz")
    place = people.add(locationText="Jazz")
    keyword = people.add()
    people.like(keyword, "Jazz")
    name = people.add("Jazz")
    both = people.add(bio="climbing at night, and a little bit of jazz")
    people.add(bio="neither")
    people.index()
    assert people.found("climbing jazz") == [both, name, keyword, place, bio]


def test_only_visible_searchable_users_are_found_and_who_hid_since_is_not(people: People) -> None:
    shown = people.add(bio="jazz")
    people.add(bio="jazz", isVisible=False)
    people.add(bio="jazz", birthdate="2015-01-01")
    people.add(bio="jazz", birthdate=None)
    people.add(" ", bio="jazz")
    since = [people.add(bio="jazz") for _ in range(3)]
    people.index()
    people.connection.execute('UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s', [since[0]])
    people.connection.execute('UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %s', [since[1]])
    people.connection.execute('UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s', [since[2]])
    assert people.found("jazz") == [shown]


def test_ages_and_gender_narrow_the_search(people: People) -> None:
    ids = {year: people.add(bio="jazz", birthdate=f"{year}-01-01", gender="MALE") for year in (1986, 1991, 2001, 2006)}
    woman = people.add(bio="jazz", birthdate="1991-01-01", gender="FEMALE")
    people.index()
    assert people.found("jazz", youngest=25, oldest=35) == [ids[1991], ids[2001], woman]
    assert people.found("jazz", youngest=25, gender="FEMALE") == [woman]
    assert people.found("jazz", limit=2) == [ids[1986], ids[1991]]


PLACES = [
    (52.52, 13.40),
    (-17.8, 179.99),
    (-17.8, -179.98),
    (89.95, 10.0),
    (89.95, -170.0),
    (-90.0, 0.0),
    (0.0, 180.0),
    (0.0, -180.0),
    (52.9, 13.4),
    (52.52, 14.2),
    (40.7, -74.0),
]


def test_nearness_is_measured_on_the_globe_across_its_poles_and_the_date_line(people: People) -> None:
    places = {people.add(bio="jazz", lat=lat, lng=lng): (lat, lng) for lat, lng in PLACES}
    people.add(bio="jazz")
    people.index()
    for near, km in itertools.product(PLACES, (0.5, 60.0, 1200.0, 20_016.0)):
        away = {user_id: kilometres(near, place) for user_id, place in places.items()}
        hits = search(people.connection, Wanted("jazz", near=near, km=km, limit=100))
        wanted = {user_id: distance for user_id, distance in away.items() if distance <= km}
        assert {hit.user_id: hit.km for hit in hits} == pytest.approx(wanted, abs=1e-3), (near, km)
        assert [hit.km for hit in hits] == sorted(hit.km or 0.0 for hit in hits)


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance by the angle between two vectors; the SQL uses another formula."""
    one, two = (
        (
            math.cos(math.radians(lat)) * math.cos(math.radians(lng)),
            math.cos(math.radians(lat)) * math.sin(math.radians(lng)),
            math.sin(math.radians(lat)),
        )
        for lat, lng in (a, b)
    )
    return 6371 * 2 * math.asin(min(1.0, math.dist(one, two) / 2))


def test_without_a_place_distance_is_unknown_and_with_one_it_orders_equal_ranks(people: People) -> None:
    far = people.add(bio="jazz", lat=48.0, lng=2.0)
    near = people.add(bio="jazz", lat=52.0, lng=13.0)
    nowhere = people.add(bio="jazz")
    people.index()
    assert people.found("jazz") == [far, near, nowhere]
    assert {hit.km for hit in search(people.connection, Wanted("jazz"))} == {None}
    assert people.found("jazz", near=(52.0, 13.1), km=2000.0) == [near, far]


@pytest.mark.parametrize(("text", "near"), [("jazz blues", None), ("jazz blues", (10.0, 20.0)), ("Jonh", None)])
def test_pages_follow_each_other_without_a_gap_or_a_repetition(
    people: People, text: str, near: tuple[float, float] | None
) -> None:
    """Holds for equal ranks and distances, by words and by names."""
    for number in range(23):
        bio = ("jazz", "blues jazz", "jazz and blues and more jazz")[number % 3]
        people.add(("John", "Johnny Jones", "Jon")[number % 3], bio, lat=10 + number % 4 * 0.1, lng=20)
    people.index()
    wanted = Wanted(text, near=near, km=5000, limit=100)
    whole = search(people.connection, wanted)
    assert len(whole) > 15
    paged: list[Hit] = []
    while hits := search(people.connection, replace(wanted, limit=4, after=paged[-1].place() if paged else None)):
        paged += hits
    assert paged == whole


def test_a_misspelt_name_is_found_where_no_word_is(people: People) -> None:
    joan, john, _, berg = (people.add(name) for name in ("Joan", "John B.", "Maria", "Anna van der Berg"))
    people.index()
    assert people.found("Jonh") == [john, joan]
    assert people.found("anna vander berg")[0] == berg
    assert people.found("jonh", near=(1.0, 1.0)) == []
    # A word of a user who may not be found does not keep names from being searched.
    for columns in ({"isVisible": False}, {"birthdate": "2015-01-01"}):
        people.add(bio="Jonh", **columns)
    left = [people.add(bio="Jonh") for _ in range(3)]
    people.index()
    people.connection.execute('UPDATE "Profile" SET "isVisible" = false WHERE "userId" = %s', [left[0]])
    people.connection.execute('UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = %s', [left[1]])
    people.connection.execute('UPDATE "User" SET "deletedAt" = now() WHERE "id" = %s', [left[2]])
    assert people.found("Jonh") == [john, joan]
    people.connection.execute("DROP EXTENSION pg_trgm CASCADE")
    assert people.found("Jonh") == []
    assert people.found("john") == [john]


def test_what_was_found_is_marked_and_texts_are_as_they_were(people: People) -> None:
    user_id = people.add("Jazz O'Neil", "我喜欢做饭。 Jazz/blues <b>&amp;</b> 🎸, mostly.")
    people.like(user_id, "Jazz hands")
    people.index()
    [hit] = search(people.connection, Wanted("jazz 做饭 🎸"))
    assert hit.name == "\x02Jazz\x03 O'Neil"
    assert hit.keywords == "\x02jazz\x03 hands"
    assert hit.bio is not None
    assert hit.bio.replace("\x02", "").replace("\x03", "") == "我喜欢做饭。 Jazz/blues <b>&amp;</b> 🎸, mostly."
    assert "\x02做\x03\x02饭\x03" in hit.bio
    assert "\x02Jazz\x03/blues" in hit.bio


def test_no_text_is_shown_otherwise_than_it_was_written(people: People) -> None:
    """Even where a word is found by another form than the one written. Only accents are shown in one form."""
    name, bio = "𝓐𝓷𝓷𝓪 ½ Ｆｕｌｌ ﬁne", "Jazz… №5, ½ price; ①–② and so on… 🏳️‍🌈 café ㍿"
    people.add(name, bio)
    people.add("Rene\u0301", "jazz")
    people.index()
    plain, accented = search(people.connection, Wanted("jazz"))
    assert (plain.name, plain.bio) == (name, bio.replace("Jazz", "\x02Jazz\x03"))
    assert accented.name == "Ren\u00e9"
    [anna] = search(people.connection, Wanted("anna"))
    assert (anna.name, anna.bio) == (name, bio)


def test_a_text_cannot_mark_itself(people: People) -> None:
    people.add("\x03Eve\x02", "\x02\x01not found\x03 but jazz \x02")
    people.index()
    [hit] = search(people.connection, Wanted("jazz"))
    assert (hit.name, hit.bio) == ("Eve", "not found but \x02jazz\x03 ")


@pytest.mark.parametrize("text", ["…", "' OR 1=1 --", ":* & | ! ( ) <->", "\\", "%", '"', "a" * 5000, "%s %(x)s"])
def test_any_text_can_be_searched_for(people: People, text: str) -> None:
    people.add(bio="jazz")
    people.index()
    assert people.found(text) == []


# Indexes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def large(site: Connection, site_url: str) -> Connection:
    """Enough rows for PostgreSQL to prefer indexes, all of them stored already."""
    site.execute("""
        INSERT INTO "User" ("id") SELECT g FROM generate_series(1, 6000) g;
        INSERT INTO "Profile" ("id", "userId", "displayName", "bio", "birthdate", "lat", "lng", "avatarUrl")
        SELECT g + 7000, g, 'Name' || g, 'word' || g % 500, '1990-01-01', g % 90, g % 180, 'a'
        FROM generate_series(1, 6000) g;
        INSERT INTO "InterestSubject" VALUES (1, 's', 's');
        INSERT INTO "Interest" SELECT g, 1, g, g FROM generate_series(1, 3) g;
        INSERT INTO "UserInterest" SELECT g, 1, i FROM generate_series(1, 6000) g, generate_series(1, 3) i;
        INSERT INTO "UserTrait" ("userId", "traitKey", "value", "n")
        SELECT g, 'k' || i, 1, 1 FROM generate_series(1, 6000) g, generate_series(1, 3) i;
        INSERT INTO "Top5List" ("id", "profileId", "title") SELECT g, g + 7000, 'list' FROM generate_series(1, 6000) g;
        INSERT INTO "Top5Item" SELECT g, i, 'item' FROM generate_series(1, 6000) g, generate_series(1, 3) i;
    """)
    run(site_url, profile_search_index.JOB, NOW, {"pauseMs": 0, "userBatchSize": 3000})
    run(site_url, searchable_user.JOB, NOW)
    site.execute("VACUUM ANALYZE")
    return site


def test_no_statement_of_a_page_or_a_search_reads_a_whole_table(large: Connection) -> None:
    plans: list[str] = []

    class Explaining(psycopg.Cursor[Any]):
        """Explains each statement before it runs it."""

        def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
            if str(query).lstrip().startswith(("SELECT", "WITH")):
                plan = psycopg.Cursor(self.connection).execute("EXPLAIN " + query, params).fetchall()
                plans.append("\n".join(row[0] for row in plan))
            return super().execute(query, params, **how)

    parameters = searchable_user.read_parameters(searchable_user.JOB.options(), {})
    values = {**parameters, "today": NOW.date(), "now": NOW}
    found = {**values, "first": 3001, "last": 3050, "limit": 50}
    with psycopg.connect(large.info.dsn, autocommit=True, cursor_factory=Explaining) as connection:
        for module in (searchable_user, profile_search_index):
            assert len(connection.execute(module.KEYS.known, found).fetchall()) == 50
            assert connection.execute(module.KEYS.stale, found).fetchall() == []
            module.refresh(connection, list(range(3001, 3051)), values)
        of_pages = len(plans)
        assert search(connection, Wanted("word77 word78", near=(52.0, 13.0), km=5000.0))
        assert search(connection, Wanted("Nmae4711"))
    assert of_pages == 7
    assert sum("ts_headline" in plan or "searchVector_idx" in plan for plan in plans) == 2
    assert not [plan for plan in plans if "Seq Scan on" in plan]
