# ruff: noqa: RUF001 - names and words in their own scripts
"""Word lists that names, bios and lists are made of: several scripts, apostrophes, accents and emoji."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Name lists by the gender they are mostly given to; UNSPECIFIED, NONBINARY and OTHER draw from all.
NAMES_FEMALE = (
    *_words("Anna Maria Sofia Emma Olivia Chloé Zoë Aaliyah Fatima Aisha Ingrid Małgorzata Siobhán Priya Ananya"),
    *_words("Camila Valentina Lucía Noor Yuki Hana Mei Thảo Nguyệt Amara Zainab Wanjiru Thandiwe Leilani"),
    *_words("Grace Hannah Ruby Lily Ella Nora Frida Astrid Elif Zeynep Ирина Ольга Наталія Ελένη Μαρία"),
    *_words("さくら 陽子 美咲 지우 서연 李娜 王芳 ليلى فاطمة נועה תמר अनन्या प्रिया Mary-Jane D’Arcy Ro'Shea"),
)
NAMES_MALE = (
    *_words("James Liam Noah Oliver Lucas Mateo Santiago José João Luís André François Jürgen Björn Søren"),
    *_words("Piotr Łukasz Dmitri Mohammed Omar Yusuf Ravi Arjun Kenji Hiroshi Wei Minh Kwame Chidi Tendai"),
    *_words("Jack Harry George Tom Ben Max Leo Hugo Oscar Emre Can Иван Алексей Тарас Γιώργος Νίκος"),
    *_words("太郎 健一 翔太 민준 지훈 张伟 刘洋 أحمد عمر דוד יונתן राहुल अर्जुन Jean-Luc D'Angelo O’Neil"),
)
NAMES_OPEN = (
    *_words("Alex Sam Robin Jordan Taylor Casey Kim Noa Ash River Sky Rowan Jules Charlie Quinn Sasha Wren"),
    *_words("Саша 光 하늘 晨 نور טל किरण Ari-Lynn N'Dea"),
)
# "{}" is the name.
NAME_FORMS = (
    *("{}",) * 12,
    *(f"{{}} {initial}." for initial in "ABCDEGHJKLMNPRSTW"),
    *(f"{{}}{number}" for number in (7, 22, 77, 88, 99, 1990, 2000)),
    *("{} O'Brien", "{} D’Souza", "{} van der Berg", "{} García-López", "{} Øst", "{} 🌸", "✨{}✨", "{} 🏳️‍🌈", "{} 🇧🇷"),
    *("mister {}", "{} & the dog", "Not {}", "{}_on_tour", "{} \\o/"),
)

BIO_OPENINGS = (
    *("Coffee first, then we talk.", "New in town and looking for good company.", "Ask me about my sourdough."),
    *("Part-time poet, full-time nurse.", "I'd rather be on a mountain.", "Engineer who can't fix his own bike."),
    *("Reader of long books, writer of short notes.", "Dog person. Very much a dog person 🐕", "Just here to see."),
    *("Made in Lagos, raised in London.", "Teacher by day, bass player by night 🎸", "Let's skip the small talk."),
    *("Vegetarian, but I won't mention it again.", "Два кота и старая гитара.", "週末は山にいます。"),
    *("커피와 산책을 좋아해요 ☕", "أحب السفر والقراءة", "אוהבת ים וקפה", "मुझे पहाड़ और चाय पसंद है"),
    *("Hola, ¿qué tal?", "Μου αρέσει η θάλασσα"),
    *("喜欢做饭和旅行", "Je ris trop fort au cinéma.", "Ich kann sehr gut zuhören.", "Adoro praia, samba e gatos."),
)
BIO_MIDDLES = (
    *("I cook on Sundays and you're invited.", "I've been to 31 countries & counting ✈️", "I like maps, old and new."),
    *("Most evenings you'll find me at the climbing wall.", "I never miss a pub quiz.", "I'm learning Portuguese."),
    *("I know every bench along the river.", "I collect vinyl, mostly jazz.", "I run slowly but far."),
    *("I believe in good bread and honest answers.", "I sing in a choir that nobody has heard of."),
    *("My plants are doing well, thank you 🌱", "I still write letters.", "I have strong views on pizza 🍕"),
    *("I can name 40 birds.", "I fix radios <3", 'Friends call me "the planner".', "50% tea, 50% curiosity."),
)
BIO_ENDINGS = (
    *("Looking for someone kind.", "Tell me your favourite film.", "Let's see where it goes…", "No hookups, please."),
    *("Swipe right if you like dancing 💃", "Bonus points for bad puns.", "Kids? Maybe one day.", "Be yourself!"),
    *("Let's get lost\nsomewhere nice.", "Say hi 👋", "Must love cats; O'Malley insists.", "Slow burns only."),
    *("Looking for friends first.", "Concert buddy wanted.", "Walks > bars.", "It's complicated, but in a good way."),
)

LIST_TITLES = (
    *("Top 5 films", "Songs I can't skip", "Best places I've slept", "Desert island books", "Things I cook"),
    *("Guilty pleasures", "Five things about me", "Perfect Sunday", "Cities I'd move to", "Mes chansons préférées"),
    *("好きな食べ物", "Любимые книги", "Dealbreakers", "Favourite smells", "Top 5 🍜"),
)
LIST_ITEMS = (
    *("Amélie", "Spirited Away", "The Godfather", "Blue in Green", "Bohemian Rhapsody", "A hammock in Oaxaca"),
    *("One Hundred Years of Solitude", "Мастер и Маргарита", "Ramen at 2 a.m.", "My grandmother's soup"),
    *("Night trains", "Fresh bread", "Rain on a tent", "Sunday crossword", "Karaoke", "The smell of old books"),
    *("Lisbon", "Kyoto in November", "Buenos Aires", "Cold swims", "ジブリ", "김치찌개", "Shakshuka", "Pão de queijo"),
    *("Smoking", "Being late", "Bad tippers", "Dancing in the kitchen", "Long walks, no phone", "Vinyl & wine"),
    *("Crème brûlée", "Don't Stop Me Now", "Dog videos", "Spreadsheets (yes, really)", "Breakfast for dinner 🥞"),
)
