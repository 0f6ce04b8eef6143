# ruff: noqa: RUF001 - texts in their own scripts
"""Words and names in every script and every locale of a database: which are found, and which are one word."""

import re
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from sitejobs.schema.migrations import MIGRATIONS
from sitejobs.search.texts import keywords_of
from sitejobs.writing import lower, plain
from tests.search.people import People

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
"""Characters that migration 7 kept as they are: invisible and enclosing ones, the forms of a Greek s."""

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


def test_the_words_of_a_text_are_those_that_the_plain_function_in_sql_makes(people: People) -> None:
    """The function of migration 7 does in one expression what the faster one does step by step."""
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
