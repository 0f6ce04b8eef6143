# ruff: noqa: RUF001 - texts in their own scripts
"""What posts say: about what their authors are drawn to, in many languages, with hashtags, addresses and mentions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import Bools, Ints, below, stream, weighted
from sitejobs_local.population.model import objects
from sitejobs_local.population.people import People
from sitejobs_local.population.subjects import SUBJECTS, interest_key

# "{}" is an interest.
ENGLISH = (
    *("Spent the whole evening on {} again. No regrets.", "Does anybody here know a good place for {}?"),
    *("Day 12 of learning {}. It's harder than it looks, but I'm hooked!", "{}, coffee, repeat ☕"),
    *("Three hours of {} and I still can't stop smiling 😊", "Unpopular opinion: {} is better in winter."),
    *("My grandmother taught me {} when I was seven. Today I taught my niece.", "Who's in for {} this weekend?"),
    *(
        "I used to think {} wasn't for me. Then a friend dragged me along and now I own all the gear.",
        "More {}, please.",
    ),
    *("Finally some sunshine, finally some {}!", "What I learned from ten years of {}: patience, mostly."),
    *(
        "Rainy Sunday, warm kitchen, a little {} in the background.",
        "If you don't like {}, we can't be friends. Kidding.",
    ),
    *("Looking for a beginner-friendly {} group near the harbour. Any recommendations?", "{} {} {}!!!"),
    *("Last night's {} meetup was wonderful: forty strangers, one tiny room, and nobody wanted to go home.", "{}?"),
)
# Language: sentences of its own, and how many of a thousand posts are in it. The rest is English.
OTHER_LANGUAGES: dict[str, tuple[int, tuple[str, ...]]] = {
    "es": (
        80,
        (
            *(
                "Por fin llegó la primavera y volvemos a la montaña.",
                "¿Alguien conoce una buena panadería en el centro?",
            ),
            *(
                "Hoy cociné la sopa de mi abuela y salió perfecta.",
                "El concierto de anoche fue increíble, no puedo dormir.",
            ),
            *("Domingo de guitarra y vino con los amigos de siempre.", "Busco compañeros para el torneo de ajedrez."),
        ),
    ),
    "fr": (
        60,
        (
            *(
                "Balade au bord de la mer, puis chocolat chaud chez ma sœur.",
                "L'exposition de photographie est magnifique !",
            ),
            *("Qui veut jouer au tennis ce week-end ?", "J'ai enfin terminé le roman dont tout le monde parle."),
            *("Aujourd'hui c'est marché, fromage et soleil.", "Mon chat a encore dormi sur le piano."),
        ),
    ),
    "de": (
        60,
        (
            *(
                "Endlich wieder Schnee auf den Bergen, morgen geht es los!",
                "Das Brot ist heute besonders gut geworden.",
            ),
            *(
                "Wer kommt mit zum Flohmarkt am Sonntag?",
                "Ich habe den ganzen Tag im Garten gearbeitet und bin glücklich.",
            ),
            *(
                "Der neue Film war langweilig, aber das Kino ist wunderschön.",
                "Fahrradtour an der Elbe mit Rückenwind.",
            ),
        ),
    ),
    "pt": (
        50,
        (
            *("Domingo de praia e samba com a família inteira.", "Alguém tem uma receita boa de pão de queijo?"),
            *(
                "O pôr do sol de ontem em Ipanema foi lindo demais.",
                "Aprendendo violão aos quarenta anos, nunca é tarde.",
            ),
        ),
    ),
    "it": (
        30,
        (
            *("La pasta fatta in casa è un'altra cosa.", "Stasera teatro, domani montagna, che settimana!"),
            *("Ho adottato un cane e adesso comanda lui.", "Il tramonto sul lago era bellissimo."),
        ),
    ),
    "tr": (20, ("Bugün deniz çok güzeldi, akşam da müzik vardı.", "Kahve ve kitap, başka bir şey istemem.")),
    "ru": (
        60,
        (
            *("Наконец-то выходные: лес, палатка и гитара.", "Кто знает хорошую кофейню в центре города?"),
            *("Вчера был на концерте, до сих пор под впечатлением!", "Моя кошка опять спит на клавиатуре."),
            *("Учусь готовить борщ по рецепту бабушки.", "Зимой мы катаемся на лыжах каждое воскресенье."),
        ),
    ),
    "uk": (20, ("Сьогодні ми гуляли старим містом і пили каву.", "Хто хоче на концерт у неділю?")),
    "el": (15, ("Η θάλασσα σήμερα ήταν υπέροχη.", "Ψάχνω παρέα για πεζοπορία στο βουνό.")),
    "ar": (
        50,
        (
            *("أحب السفر والقراءة في المساء مع فنجان قهوة.", "كانت الحفلة أمس رائعة جدا، شكرا لكم جميعا!"),
            *("من يعرف مطعما جيدا في وسط المدينة؟", "اليوم تعلمت وصفة جديدة من أمي."),
        ),
    ),
    "he": (15, ("היום היה יום מושלם בים עם חברים.", "מישהו מכיר בית קפה טוב בתל אביב?")),
    "fa": (10, ("امروز در کوه برف سنگینی بارید.", "این کتاب را به همه پیشنهاد می‌کنم.")),
    "hi": (20, ("आज पहाड़ों में बहुत ठंड थी लेकिन चाय ने सब ठीक कर दिया।", "क्या कोई अच्छी किताब बता सकता है?")),
    "th": (10, ("วันนี้ไปเที่ยวทะเลกับเพื่อน อากาศดีมาก", "ชอบกินอาหารไทยที่ตลาดกลางคืน")),
    "zh": (
        60,
        (
            *("今天和朋友一起去爬山，风景非常美丽。", "周末在家做饭，红烧肉太好吃了！", "有人想一起学习吉他吗？"),
            *("昨天的音乐会真的很精彩，我们都很开心。", "新开的咖啡馆环境不错，推荐给大家。"),
        ),
    ),
    "ja": (
        50,
        (
            *("週末は友達と山に登りました。", "新しいカメラを買ったので、京都で写真を撮りたいです。"),
            *("今日のラーメンは最高だった！", "映画を見てから、喫茶店で本を読んでいます。"),
        ),
    ),
    "ko": (
        20,
        ("주말에 친구들과 산책을 했어요.", "새로 생긴 카페에서 커피를 마셨습니다.", "오늘 공연 정말 최고였어요!"),
    ),
}
# Some written differently each time: the same tag all the same.
_WORLD_TAGS = (
    *("#love", "#Sunday", "#weekend", "#NoFilter", "#throwback", "#città", "#море", "#кофе", "#旅行", "#写真", "#سفر"),
    *("#München", "#fyp", "#goodvibes", "#사진", "#ＬＯＶＥ", "#LOVE", "#weekendvibes", "#monday_mood", "#2026"),
)
_TAG_ENDINGS = ("", "", "", "", "lovers", "life", "2026", "time", "club", "_daily", "addict", "ofinstagram")
_SENTENCES = (
    "Photo by a friend.",
    "More tomorrow!",
    "Thanks everyone 💛",
    "Full story in the comments.",
    "You know who you are.",
)
_ADDRESSES = (
    *(" https://www.example.com/articles/2026?id=7&utm_source=feed", " www.example.org", " example.net/watch/abc123"),
    *(" http://xn--mnchen-3ya.example/straße", " https://example.com/a_(b)"),
)
_TAGS_AT_MOST = 5


def post_texts(crowd: People, author: Ints, has_media: Bools, seed: int) -> NDArray[Any]:
    """One text a post; none, empty or only blanks for some that show a picture."""
    rng = stream(seed, "PostText")
    size = len(author)
    subject = np.where(rng.integers(0, 100, size) < 70, _leaning(crowd)[author], rng.integers(0, len(SUBJECTS), size))
    result, is_english = _sentences(rng, subject)
    chance = rng.integers(0, 1000, (4, size))
    extra = objects(_SENTENCES)[rng.integers(0, len(_SENTENCES), size)]
    result = np.where(is_english & (chance[0] < 250), result + " " + extra, result)
    mention = objects(["@sam_90 ", "@Łukasz ", "@team.berlin: "])[rng.integers(0, 3, size)]
    result = np.where(chance[1] < 60, mention + result, result)
    result = np.where(chance[2] < 70, result + objects(_ADDRESSES)[rng.integers(0, len(_ADDRESSES), size)], result)
    result = _with_tags(rng, result, subject)
    result[has_media & (chance[3] < 120)] = None
    result[has_media & (chance[3] >= 120) & (chance[3] < 200)] = ""
    result[has_media & (chance[3] >= 200) & (chance[3] < 205)] = " \n "
    return result


def _leaning(crowd: People) -> Ints:
    """The subject that each person mostly writes about, the same for people of one taste."""
    signs = (crowd.taste > 0).astype(np.int64)
    indices: Ints = (signs * 2 ** np.arange(signs.shape[1])).sum(axis=1) * 7 % len(SUBJECTS)
    return indices


def _labels() -> list[list[str]]:
    """Labels of interests by subject."""
    return [joined.split("|") for _, joined in SUBJECTS.values()]


def _sentences(rng: np.random.Generator, subject: Ints) -> tuple[NDArray[Any], Bools]:
    """A sentence each, English ones about the subject, and which are English."""
    labels = _labels()
    english = objects([_about(form, label) for group in labels for label in group for form in ENGLISH])
    a_subject = len(labels[0]) * len(ENGLISH)
    result = english[subject * a_subject + rng.integers(0, a_subject, len(subject))]
    shares = [share for share, _ in OTHER_LANGUAGES.values()]
    language = weighted(rng, [1000 - sum(shares), *shares], len(subject))
    for number, (_, sentences) in enumerate(OTHER_LANGUAGES.values(), 1):
        rows = np.flatnonzero(language == number)
        result[rows] = objects(sentences)[rng.integers(0, len(sentences), len(rows))]
    return result, language == 0


def _about(form: str, label: str) -> str:
    """A sentence about an interest, whose name has a capital only where the sentence begins."""
    return form.format(*[label if form.startswith("{}") else label.lower()] * 3)


def _with_tags(rng: np.random.Generator, sentences: NDArray[Any], subject: Ints) -> NDArray[Any]:
    """Up to five hashtags behind each text: common ones, and a long tail that hardly anybody uses."""
    size = len(sentences)
    keys = [[interest_key(label).replace("-", "") for label in group] for group in _labels()]
    own = objects([f"#{key}{ending}" for group in keys for key in group for ending in _TAG_ENDINGS])
    a_subject = len(keys[0]) * len(_TAG_ENDINGS)
    count = weighted(rng, (50, 20, 14, 10, 4, 2), size)
    for number in range(_TAGS_AT_MOST):
        rows = np.flatnonzero(count > number)
        # The smaller of two draws: the first interests of a subject are tagged more often.
        drawn = below(rng, rng.integers(1, a_subject + 1, len(rows)))
        tags = own[subject[rows] * a_subject + drawn]
        kind = rng.integers(0, 100, len(rows))
        world = objects(_WORLD_TAGS)[rng.integers(0, len(_WORLD_TAGS), len(rows))]
        rare = objects([f"#moment{draw}" for draw in rng.integers(0, 1_000_000, len(rows)).tolist()])
        tags = np.where(kind < 70, tags, np.where(kind < 96, world, rare))
        sentences[rows] = sentences[rows] + " " + tags
    return sentences
