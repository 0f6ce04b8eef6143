"""What the site's columns may hold: words, JSON shapes, bounds. `check` and the documentation are made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """The words of a column, by what the jobs make of each. Case counts.

    `needs`: words that an enum must have, because jobs write them or look for them by an index. `synonyms`: what
    other sites write, in lower case. `otherwise`: what jobs make of any other word.
    """

    meanings: Mapping[str, str]
    otherwise: str
    needs: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict)

    def word_for(self, value: str) -> str | None:
        """The word of this list that another site's word stands for, as far as one knows."""
        plain = value.strip().lower().replace("-", "_").replace(" ", "_")
        return next((word for word in self.meanings if word.lower() == plain), None) or self.synonyms.get(plain)


@dataclass(frozen=True)
class Shape:
    """The form of a JSON column.

    `wrong`: what jobs cannot use, each a name and an SQL condition on `{}`. `elements`: the words that a list may hold.
    """

    text: str
    example: str
    otherwise: str
    wrong: tuple[tuple[str, str], ...]
    elements: Words | None = None


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest number that counts."""

    low: float
    high: float
    otherwise: str


Values = Words | Shape | Bounds


def _synonyms(**words: str) -> dict[str, str]:
    """`MALE="m man"`, by synonym."""
    return {other: word for word, others in words.items() for other in others.split()}


_GENDERS = Words(
    {
        "MALE": "matched by preferredGenders",
        "FEMALE": "matched by preferredGenders",
        "NONBINARY": "matched by preferredGenders",
        "OTHER": "matched by preferredGenders",
        "UNSPECIFIED": "not given: the profile is incomplete",
    },
    "suits only those who wish for no gender",
    synonyms=_synonyms(
        MALE="m man men boy",
        FEMALE="f w woman women girl",
        NONBINARY="nb x non_binary enby genderqueer",
        OTHER="o another diverse",
        UNSPECIFIED="unknown none not_specified prefer_not_to_say undisclosed",
    ),
)

VALUES: Mapping[tuple[str, str], Values] = {
    ("Profile", "gender"): _GENDERS,
    ("Profile", "lat"): Bounds(-90, 90, "the place counts as unknown"),
    ("Profile", "lng"): Bounds(-180, 180, "the place counts as unknown"),
    ("UserPreference", "preferredGenders"): Shape(
        "a list of genders, null or empty for any",
        '["FEMALE", "NONBINARY"]',
        "no wish is read",
        (("no list", "jsonb_typeof(to_jsonb({})) NOT IN ('array', 'null')"),),
        elements=_GENDERS,
    ),
    ("QuizResult", "answers"): Shape(
        "an object: a question's id and the `value` of the chosen option",
        '{"17": "often", "18": "3"}',
        "the answers do not count",
        (
            ("no object", "jsonb_typeof({}) NOT IN ('object', 'null')"),
            (
                "keys that are no ids",
                "jsonb_path_exists({}, 'strict $.keyvalue() ? (!(@.key like_regex \"^[0-9]+$\"))', '{{}}', true)",
            ),
        ),
    ),
    ("QuizResult", "scoreVec"): Shape(
        "a list of numbers, as many for each result of a quiz, or null",
        "[0.2, -1, 3]",
        "answers are compared instead",
        (
            ("no list", "jsonb_typeof({}) NOT IN ('array', 'null')"),
            (
                "elements that are no numbers",
                "jsonb_path_exists({}, 'strict $[*] ? (@.type() != \"number\")', '{{}}', true)",
            ),
        ),
    ),
    ("QuizOption", "traitValues"): Shape(
        "an object: a trait's key and a number, or null",
        '{"curious": 2, "calm": -1}',
        "the option adds to no trait",
        (
            ("no object", "jsonb_typeof({}) NOT IN ('object', 'null')"),
            (
                "values that are no numbers",
                "jsonb_path_exists({}, 'strict $.* ? (@.type() != \"number\")', '{{}}', true)",
            ),
        ),
    ),
    **{
        ("ProfileRating", name): Bounds(1, 5, "the rating does not count")
        for name in ("attractive", "smart", "funny", "interesting")
    },
    ("Match", "state"): Words(
        {
            "ACTIVE": "a match: both are decided about",
            "BLOCKED": "no match any more",
            "CLOSED": "no match any more",
        },
        "counts as no match",
        synonyms=_synonyms(
            ACTIVE="open matched mutual accepted", CLOSED="ended unmatched inactive expired archived deleted"
        ),
    ),
    ("Like", "action"): Words(
        {"LIKE": "a like", "DISLIKE": "a dislike: nobody is shown again who got it"},
        "counts as a like in exclusions, and as nothing when a model learns",
        synonyms=_synonyms(
            LIKE="liked yes right heart superlike super_like", DISLIKE="disliked no nope pass passed skip left reject"
        ),
    ),
    ("ProfileAccess", "status"): Words(
        {
            "GRANTED": "private posts of the owner are in the viewer's feed; compatibility is computed",
            "PENDING": "compatibility is computed",
            "DENIED": "no access",
            "REVOKED": "no access",
            "CANCELED": "no access",
        },
        "no access",
        synonyms=_synonyms(
            GRANTED="approved accepted allowed active",
            PENDING="requested open waiting",
            DENIED="rejected declined refused",
            REVOKED="withdrawn removed",
            CANCELED="cancelled",
        ),
    ),
    ("Post", "visibility"): Words(
        {"PUBLIC": "in everybody's feed", "PRIVATE": "in feeds of those with access"},
        "in its author's feed alone",
        synonyms=_synonyms(PUBLIC="everyone all published", PRIVATE="friends followers members hidden"),
    ),
    ("Media", "type"): Words(
        {
            "IMAGE": "checked; makes a post one with photos",
            "VIDEO": "checked; makes a post one with videos",
            "AUDIO": "checked",
            "EMBED": "from elsewhere: not checked",
        },
        "not checked",
        synonyms=_synonyms(
            IMAGE="photo picture img", VIDEO="film movie clip", AUDIO="sound voice", EMBED="link external"
        ),
    ),
    ("Media", "status"): Words(
        {
            "PENDING": "not uploaded yet: neither checked nor shown",
            "UPLOADED": "to be checked; shown",
            "PROCESSING": "shown",
            "READY": "a verdict: keeps all rules; shown",
            "REJECTED": "a verdict: breaks rules; not shown",
            "FAILED_PROCESSING": "a verdict: not readable; not shown",
        },
        "neither checked nor shown",
        needs=("UPLOADED", "READY", "REJECTED", "FAILED_PROCESSING"),
        synonyms=_synonyms(
            PENDING="new uploading created",
            READY="active ok done processed available",
            REJECTED="blocked refused",
            FAILED_PROCESSING="failed error failed_upload",
        ),
    ),
}
"""By table and column."""
