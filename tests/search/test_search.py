# ruff: noqa: RUF001 - texts in their own scripts
"""The search over the index: who is found by which words, in which order, how near, and what of it is marked."""

import itertools
import math
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from sitejobs.postgres.connection import connect
from sitejobs.search import profile_search_index, searchable_user
from sitejobs.search.query import Hit, Wanted, search
from sitejobs.search.texts import keywords_of
from sitejobs.writing import lower, plain
from sitejobs_local.database.migrations import apply, apply_site_schema
from sitejobs_local.places import MIGRATIONS
from tests.search.random_sites import NOW
from tests.search.running import run
from tests.skips import Lacking, skip

LANGUAGES = {
    "climbing": ("Most evenings at the Climbing-wall.", "climbing", "climb"),
    "Chinese": ("我喜欢做饭和旅行。", "做饭", "饭做"),
    "Japanese": ("週末は山にいます", "山", "海"),
    "Thai": ("ฉันชอบกินข้าวกับเพื่อน", "กินข้าว", "ข้าวกิน"),
    "Korean": ("커피와 산책을 좋아해요", "커피", "차"),
    "Arabic": ("أحب السفر والقراءة، قهوة", "قهوة", "شاي"),
    "Hebrew": ("אוהבת ים וקפה", "וקפה", "תה"),
    "Russian": ("Два кота и старая ГИТАРА.", "гитара", "рояль"),
    "Greek": ("Μου αρέσει η θάλασσα", "ΘΆΛΑΣΣΑ", "βουνό"),
    "Hindi": ("मुझे पहाड़ और चाय पसंद है", "पहाड़", "नदी"),
    "emoji": ("bass player by night 🎸🏳️‍🌈", "🎸", "🎻"),
    "tone of skin": ("say hi 👋🏽", "👋", "👍"),
    "full width": ("Ｆｕｌｌ ｗｉｄｔｈ", "full", "half"),
    "apostrophe": ("made by D’Arcy", "D'Arcy", "Arcy'd"),
    "composed": ("cafe\u0301 noir", "caf\u00e9", "cafeteria"),
}


class People:
    """A site that is filled by hand and indexed."""

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


@pytest.fixture
def people(site_url: str, site: Connection) -> People:
    return People(site_url, site)


@pytest.fixture(params=["builtin", "libc", "C"])
def people_of_a_locale(request: pytest.FixtureRequest, postgres_server: Any) -> Iterator[People]:
    """What a letter is and what punctuation differs between a database's locales."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.database_url("postgres"), autocommit=True) as administrator:
        provider, locale = ("libc", "C") if request.param == "C" else (request.param, "C.UTF-8")
        statement = f"""CREATE DATABASE "{name}" TEMPLATE template0 LOCALE_PROVIDER {provider} LOCALE '{locale}'
            {"BUILTIN_LOCALE 'C.UTF-8'" if provider == "builtin" else ""}"""
        try:
            administrator.execute(statement.encode())
        except psycopg.errors.WrongObjectType:
            skip(Lacking.C_UTF8)
        url = postgres_server.database_url(name)
        with connect(url) as connection:
            apply_site_schema(connection)
            apply(connection)
            yield People(url, connection)
        administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_texts_in_every_script_are_found_by_their_words_in_any_locale(people_of_a_locale: People) -> None:
    people = people_of_a_locale
    ids = {language: people.add("x", bio) for language, (bio, _, _) in LANGUAGES.items()}
    named = {language: people.add(bio) for language, (bio, _, _) in LANGUAGES.items()}
    people.index()
    found = {language: people.found(word, limit=100) for language, (_, word, _) in LANGUAGES.items()}
    # A word of the name counts more than one of the bio.
    assert found == {language: [named[language], ids[language]] for language in LANGUAGES}
    other = {language: people.found(word, limit=100) for language, (_, _, word) in LANGUAGES.items()}
    assert not {language for language in LANGUAGES if ids[language] in other[language]}


SLIPS = {
    "Cyrillic": ("Екатерина", "Екатернна"),
    "Cyrillic capitals": ("ДМИТРИЙ", "дмитнрий"),
    "Greek": ("Κωνσταντίνος", "Κωνσταντινοσς"),
    "Arabic": ("عبدالرحمن", "عبدالرجمن"),
    "Hebrew": ("אברהם", "אברהןם"),
    "Hangul": ("김철수", "김철주"),
    "Thai": ("สมชาย", "สมชาว"),
    "Devanagari": ("राजेश्वरी", "राजश्वरी"),
    "Armenian": ("Հովհաննես", "Հովհանես"),
    "Georgian": ("თამარი", "თამრაი"),
    "Sinhala": ("ශ්‍රීමාලි", "ශ්‍රීමාළි"),
    "Han": ("欧阳小明", "欧阳小民"),
    "accents": ("François", "Francios"),
    "Latin": ("Jonathan", "Jonahtan"),
}


def test_a_name_with_a_slip_is_found_in_every_script_and_locale(people_of_a_locale: People) -> None:
    people = people_of_a_locale
    ids = {script: people.add(name) for script, (name, _) in SLIPS.items()}
    people.index()
    assert {script: people.found(slip)[:1] for script, (_, slip) in SLIPS.items()} == {
        script: [id_] for script, id_ in ids.items()
    }


ONE_FORM = {
    "variant": ("☕️coffee", "coffee"),
    "hidden in a word": ("kaf\u00adfee", "KAFFEE"),
    "direction": ("\u202bשלום\u202c", "שלום"),
    "mark of order": ("\ufeffjazz", "jazz"),
    "keycap": ("1\ufe0f\u20e3tango", "tango"),
    "Persian": ("می\u200cخواهم", "میخواهم"),
    "Sinhala": ("ශ්\u200dරී", "ශ්රී"),
    "Hindi": ("क्\u200dषत्रिय", "क्षत्रिय"),
    "Malayalam": ("അവന്\u200d", "അവൻ"),
    "capitals": ("ПРИВЕТ", "привет"),
    "Greek capitals": ("ΟΔΟΣ", "οδος"),
    "Turkish capitals": ("İstanbul", "istanbul"),
}


def test_words_have_one_form_in_profiles_keywords_and_queries_in_any_locale(people_of_a_locale: People) -> None:
    people = people_of_a_locale
    of_bio = {kind: people.add("x", written) for kind, (written, _) in ONE_FORM.items()}
    of_list = {kind: people.add("x") for kind in ONE_FORM}
    for kind, user in of_list.items():
        people.like(user, ONE_FORM[kind][0])
    people.index()
    for kind, forms in ONE_FORM.items():
        for asked in forms:
            assert sorted(people.found(asked)) == [of_bio[kind], of_list[kind]], (kind, asked)


NEWER = (0x34F, 0x3A3, 0x3C2, 0x3C3, 0x488, 0x489, *range(0x20D0, 0x20F1))
"""Characters that the function of before took as they are: unseen ones, those around others, the forms of a Greek s."""

HARD = st.text(
    st.sampled_from(
        "ab Éßİийс́ΣΟςأبيخم"
        + "क्षश्රශන්ന്രക"
        + "กำ한글漢字"
        + "1#_-'"
        + "\u00ad\u200b\u200c\u200d\u200e\u2060\ufe0f\ufeff\u20e3\u0301❤☕"
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HARD)
def test_python_and_sql_agree_on_the_one_form(site: Connection, text: str) -> None:
    [[shown, found]] = site.execute(
        """SELECT "profileSearchPlain"(%(text)s), COALESCE(bool_and("profileSearchWords"(keyword)
                      @@ "profileSearchQuery"(keyword)), true)
           FROM unnest(%(keywords)s::text[]) AS keyword""",
        {"text": text, "keywords": keywords_of([text])},
    ).fetchall()
    without_joiners = lower(re.sub("[\u200c\u200d]", "", plain(text)))
    assert shown == re.sub("\u20e3", " ", without_joiners)
    assert found, "a keyword finds itself"


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
    """By the angle between two vectors; the SQL has another formula."""
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


def test_the_words_of_a_text_are_those_that_the_plain_function_in_sql_makes(people: People) -> None:
    """The one of migration 7, which says in one expression what the faster one does step by step."""
    plain = (MIGRATIONS / "0007_profile_search_index.sql").read_text().split("CREATE OR REPLACE FUNCTION ")[2]
    assert plain.startswith('"profileSearchWords"')
    people.connection.execute(f"CREATE FUNCTION {plain}".replace("profileSearchWords", "plainWords").encode())
    random = Random(8)
    ranges = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x600), (0xE00, 0xE80), (0x1F1E6, 0x1FB00), (0x2000, 0x3100)]
    texts = [bio for bio, *_ in LANGUAGES.values()]
    for _ in range(2000):
        alphabet = random.choices([chr(random.randrange(*random.choice(ranges))) for _ in range(6)] + ["a", " "], k=12)
        texts.append("".join(alphabet).translate(dict.fromkeys(NEWER)))
    unequal = people.connection.execute(
        """SELECT t FROM unnest(%s::text[]) AS t WHERE "profileSearchWords"(t) IS DISTINCT FROM "plainWords"(t)""",
        [texts],
    ).fetchall()
    assert unequal == []


@pytest.mark.parametrize(("text", "near"), [("jazz blues", None), ("jazz blues", (10.0, 20.0)), ("Jonh", None)])
def test_pages_follow_each_other_without_a_gap_or_a_repetition(
    people: People, text: str, near: tuple[float, float] | None
) -> None:
    """Equal ranks and equal distances included; by words and by names."""
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
    # Somebody who may not be found says nothing of whether there are better hits
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
    """Where words are found by another form than the one they are written in, too; only accents have one form."""
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
        """Asks for the plan of each statement before it runs it."""

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
