# ruff: noqa: RUF001 - texts in their own scripts
"""Topics of texts are what people would say that a text is about, in every language."""

import pytest
import regex
import stopwordsiso
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sitejobs.feed.stop_words import normalised, stop_words
from sitejobs.feed.topics import LONGEST_TOPIC, topics_of

ABOUT = {
    "Spent the whole evening on #Jazz again. No regrets, piano piano.": [
        "jazz",
        "piano",
        "evening",
        "regrets",
        "spent",
    ],
    "Balade au bord de la mer, puis chocolat chaud chez ma sœur.": [
        "chocolat",
        "balade",
        "chaud",
        "bord",
        "sœur",
        "mer",
    ],
    "Aujourd'hui c'est marché, fromage et soleil.": ["fromage", "marché", "soleil"],
    "Endlich wieder Schnee auf den Bergen, morgen geht es los!": ["schnee", "bergen"],
    "Por fin llegó la primavera y volvemos a la montaña.": ["primavera", "volvemos", "montaña"],
    "Кто знает хорошую кофейню в центре города?": ["кофейню", "хорошую", "центре", "города"],
    "أحب السفر والقراءة في المساء مع فنجان قهوة.": ["والقراءة", "المساء", "السفر", "فنجان", "قهوة"],
    "今天和朋友一起去爬山，风景非常美丽。": ["朋友", "爬山", "风景", "美丽"],
    "新しいカメラを買ったので、京都で写真を撮りたいです。": ["カメラ", "京都", "写真"],
    "주말에 친구들과 산책을 했어요.": ["친구들과", "주말에", "산책을"],
    "ชอบกินอาหารไทยที่ตลาดกลางคืน": ["อาหาร", "ตลาด", "กลาง", "ชอบ", "กิน", "ไทย", "คืน"],
    "היום היה יום מושלם בים עם חברים.": ["מושלם", "חברים"],
}


@pytest.mark.parametrize("text", ABOUT)
def test_texts_of_many_languages_are_about_their_telling_words(text: str) -> None:
    found = topics_of(text, 8)
    assert set(ABOUT[text]) <= set(found)
    assert len(found) <= len(ABOUT[text]) + 3


def test_hashtags_come_first_in_one_form_and_each_once() -> None:
    assert topics_of("piano #ＬＯＶＥ and #Love and #LOVE, #beach_day! #2026 #a", 8) == ["love", "beach_day", "piano"]
    assert topics_of("#one#two", 8) == ["one", "two"]
    assert topics_of("#home sweet home", 8)[0] == "home", "a hashtag is a topic, even if the word alone tells nothing"


def test_words_said_more_often_come_before_longer_ones_and_these_before_earlier_ones() -> None:
    assert topics_of("tango salsa harbour kites salsa", 8) == ["salsa", "harbour", "tango", "kites"]


def test_stop_words_are_those_of_the_texts_own_language() -> None:
    assert topics_of("er hat den Hut", 8) == ["hut"]
    assert topics_of("the hat and the war", 8) == ["hat", "war"]
    assert stop_words(["the", "и", "не", "and"]) == {"the", "и", "не", "and"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "https://example.com/jazz-piano?q=salsa#tango",
            "HTTP://EXAMPLE.COM/JAZZ",
            "www.example.com/jazz",
            "ftp://jazz/x",
        ),
        *(
            "example.net/watch/jazz",
            "bit.ly/jazz",
            "example.com",
            "http://xn--mnchen-3ya.example/straße",
            "me@jazz.example",
        ),
        *(
            "@jazz_piano",
            "@Łukasz",
            "＠ｊａｚｚ",
            "(https://example.com/jazz)",
            "&amp; &#39;",
            "12 345 6.7 8,9",
            "🎷🎹 …",
            "\0",
        ),
    ],
)
def test_addresses_mentions_numbers_and_signs_are_no_topics(text: str) -> None:
    assert topics_of(text, 8) == []


def test_words_keep_their_hyphens_and_lose_articles_and_possessives() -> None:
    assert topics_of("hip-hop", 8) == ["hip-hop"]
    assert topics_of("the band’s l’amour dell'arte O'Malley", 8) == ["malley", "amour", "band", "arte"]
    assert topics_of("don’t don't DON'T", 8) == []
    assert topics_of("Well done.Next stop:Berlin", 8) == ["berlin"]


SIGNS = ("#jazz", "#Jazz", "@sam", "https://a.example/b", "l'", "-", "'", ".", "#", "_", "ー", "０", "\n")
TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from([*" ".join(ABOUT).split(), *SIGNS]), max_size=40).map(" ".join),
    st.text(alphabet="#@&;:/.'’-_aÀйж愛あアーกำ한नि\u0301\u200c\u0640 ", max_size=80),
)


@settings(deadline=None)
@given(TEXTS, st.integers(1, 12))
@example("", 1)
@example("İ" * 30 + " ﬁnd ½ Ⅻ ㍿", 8)
@example("-" * 20_000, 8)
@example("a-" * 20_000, 8)
@example("#" * 20_000, 8)
@example("a." * 20_000, 8)
@example("あ\u0301" * 20_000, 8)
@example("http" * 5_000, 8)
def test_any_text_has_topics_that_hold_what_is_promised(text: str, limit: int) -> None:
    found = topics_of(text, limit)
    assert found == topics_of(text, limit)
    assert found == topics_of(text, 10_000)[:limit], "a lower limit takes the first ones"
    assert len(found) <= limit
    assert len(set(found)) == len(found)
    for topic in found:
        assert 2 <= len(topic) <= LONGEST_TOPIC
        assert topic == normalised(topic)
        assert any(letter.isalpha() for letter in topic)
        assert not set("#@/:.") & set(topic)
        assert len(topic.split()) == 1


def plain_words(language: str) -> list[str]:
    return [word for word in sorted(stopwordsiso.stopwords(language)) if regex.fullmatch(r"[\p{L}\p{M}]+", word)]


@pytest.mark.parametrize("language", ["ar", "de", "el", "en", "es", "fr", "he", "hi", "ko", "ru", "tr", "uk"])
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_of_stop_words_and_a_telling_word_only_the_latter_is_a_topic(language: str, data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(plain_words(language)), max_size=20))
    at = data.draw(st.integers(0, len(words)))
    assert topics_of(" ".join([*words[:at], "xylophone", *words[at:]]), 8) == ["xylophone"]


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-._~/?=&%", min_size=1, max_size=60))
def test_nothing_of_an_address_is_a_topic(path: str) -> None:
    assert topics_of(f"https://example.com/{path}", 8) == []


ONE_FORM = {
    "☕️coffee and coffee": ["coffee"],
    "❤️Berlin and berlin": ["berlin"],
    "#می\u200cخواهم می\u200cخواهم میخواهم": ["می\u200cخواهم"],
    "#ශ්\u200dරී ශ්\u200dරී ලංකාව": ["ශ්\u200dරී", "ලංකාව"],
    "क्\u200dषत्रिय क्षत्रिय": ["क्\u200dषत्रिय"],
    "Kaf\u00adfee kaffee": ["kaffee"],
    "tea\u200cpot tea\u200dpot teapot": ["teapot"],
    "\u202bjazz\u202c \ufeffjazz \u2067jazz\u2069": ["jazz"],
    "1\ufe0f\u20e3tango #\ufe0f\u20e3samba": ["tango", "samba"],
    "അവന്\u200d അവൻ": ["അവൻ"],
    "İstanbul istanbul": ["istanbul"],
    "#jazz\u200b #ja\u200bzz": ["jazz"],
}


@pytest.mark.parametrize("text", ONE_FORM, ids=ascii)
def test_what_nobody_sees_makes_no_other_topic(text: str) -> None:
    assert topics_of(text, 8) == ONE_FORM[text]


UNSEEN = "\u00ad\u200b\u200c\u200d\u200e\u2060\u2067\ufe0f\ufeff\U000e0041"


@settings(deadline=None)
@example("\u094d\u200c\u062e\u062e\u062e")  # a mark that begins no word, then a joiner
@example("#\u0915\u0916\u094d\u200d\u0915\u20dd")  # the joiner before an enclosing mark, which is in no topic
@given(st.text(st.sampled_from("ab Éß" + "میخو" + "क्षश්ර" + "กำ漢字" + "1#_-'❤" + UNSEEN), max_size=30))
def test_no_topic_begins_or_ends_with_what_nobody_sees(text: str) -> None:
    for topic in topics_of(text, 8):
        assert not set(topic) & set(UNSEEN) - {"\u200c", "\u200d"}
        assert topic.strip("\u200c\u200d") == topic
        if all(character.isalnum() for character in topic):  # a hashtag ends at a hyphen or an apostrophe
            assert topics_of(f"{topic} #{topic}", 8)[:1] == [topic]
