"""Thirty traits and the quizzes that ask about them."""

from dataclasses import dataclass

# Trait key: two prompts, each answered on a scale from "not at all" to "very much".
TRAIT_PROMPTS: dict[str, tuple[str, str]] = {
    "adventure": ("A trip without a plan sounds like fun.", "I try dishes I can't pronounce."),
    "affection": ("I hold hands in public.", "I say what I feel, out loud."),
    "ambition": ("My work is a large part of who I am.", "I have a plan for the next five years."),
    "animals": ("A home needs an animal.", "I stop for every dog."),
    "art": ("I'd spend a rainy day in a museum.", "I make things with my hands."),
    "calm": ("I keep my head when plans fall apart.", "I sleep well before a big day."),
    "career-balance": ("I switch my phone off after work.", "Weekends belong to friends."),
    "cleanliness": ("Dishes are done before bed.", "My desk is tidy."),
    "commitment": ("I'm looking for something that lasts.", "I keep promises, also small ones."),
    "communication": ("I'd rather talk it through tonight.", "I answer messages quickly."),
    "cooking": ("I cook most evenings.", "Dinner for eight? Gladly."),
    "culture": ("I read about places before I go.", "I like films with subtitles."),
    "curiosity": ("I look things up in the middle of dinner.", "I like being wrong when I learn something."),
    "drinking": ("A drink is part of a good evening.", "I enjoy a bar more than a café."),
    "empathy": ("I notice when somebody is quiet.", "Friends call me first."),
    "extraversion": ("A full room gives me energy.", "I talk to strangers on trains."),
    "family": ("I see my family often.", "I'd like children one day."),
    "fitness": ("I move every day.", "I've a race or a match in my diary."),
    "generosity": ("I pick up the bill without counting.", "I lend my books."),
    "honesty": ("I tell the truth when it costs me.", "I'd want to be told."),
    "humor": ("I laugh at funerals.", "Bad puns are good puns."),
    "independence": ("I need evenings alone.", "I travel well by myself."),
    "jealousy": ("I'd mind if you kept in touch with an ex.", "I look at who liked your pictures."),
    "nature": ("I'd rather wake up in a tent.", "I know the names of trees."),
    "nightlife": ("The night starts at eleven.", "I'm usually last to leave."),
    "openness": ("I change my mind.", "Rules are suggestions."),
    "politics": ("I follow the news every day.", "I couldn't date across the aisle."),
    "romance": ("I believe in grand gestures.", "Candles, even on a Tuesday."),
    "spirituality": ("There is more than we can see.", "I pray or meditate."),
    "thrift": ("I know what is in my account.", "I wait for the sale."),
}
TRAITS = tuple(TRAIT_PROMPTS)

# A quiz without traits: only its score vector and its answers say how two people compare.
JUST_FOR_FUN = (
    *("Beach or mountains?", "Tea or coffee?", "Early bird or night owl?", "Cats or dogs?", "Book or film?"),
    *("Sweet or salty?", "Call or text?", "Window or aisle?", "City or village?", "Plan or improvise?"),
    *("Summer or winter?", "Stairs or lift?"),
)


@dataclass(frozen=True)
class QuizPlan:
    """A quiz to make: its prompts with the trait that each asks about (None: no traits at all)."""

    id: int
    title: str
    is_active: bool
    prompts: tuple[tuple[str, str | None], ...]
    options: int
    vector_length: int
    share_per_mille: int
    """Of the users who take quizzes at all, how many took this one."""


def quiz_plans() -> tuple[QuizPlan, ...]:
    """Five quizzes: four that share the 60 trait prompts between them (24 + 14 + 12 + 10) and one just for fun."""
    first = [(prompts[0], trait) for trait, prompts in TRAIT_PROMPTS.items()]
    second = [(prompts[1], trait) for trait, prompts in TRAIT_PROMPTS.items()]
    prompts = tuple(first + second)
    fun = tuple((prompt, None) for prompt in JUST_FOR_FUN)
    return (
        QuizPlan(1, "Who are you?", True, prompts[:24], 5, 8, 800),
        QuizPlan(2, "Living together", True, prompts[24:38], 4, 6, 450),
        QuizPlan(5, "Love, actually", True, prompts[38:50], 5, 8, 350),
        QuizPlan(6, "Values (2019 edition)", False, prompts[50:], 3, 5, 150),
        QuizPlan(9, "This or that", True, fun, 2, 12, 400),
    )
