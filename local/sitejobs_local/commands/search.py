"""`sitejobs search`: the search that a site would run, on this database."""

import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs_local.commands.common import output, prepared, print_json
from sitejobs_local.commands.meant import meant, question
from sitejobs_local.terminal import harmless

if TYPE_CHECKING:
    from psycopg import Connection

    from sitejobs.search.query import Hit, Place, Wanted

JOBS = ("profile-search-index", "searchable-user")
GENDERS = ("MALE", "FEMALE", "NONBINARY", "OTHER", "UNSPECIFIED")
HALF_ROUND_KM = 20_016.0
DEFAULT_KM = 50.0

_MARKED = re.compile(r"\x02([^\x03]*)\x03")
_COUNTS = """
SELECT (SELECT count(*) FROM "ProfileSearchIndex"), (SELECT count(*) FROM "SearchableUser" WHERE "isSearchable")
"""


@click.command(short_help="who is found by some words, near a place, of an age")
@click.argument("text")
@click.option("--near", metavar="<lat,lng>", help="only around this place, in degrees: --near=52.52,13.40")
@click.option("--km", metavar="<n>", help=f"how far around it  [above 0 to {HALF_ROUND_KM:,.0f}; default 50]")
@click.option("--age", metavar="<from-to>", help="only of these ages, both included: --age=25-35")
@click.option("--gender", metavar="<name>", help=f"only of this gender: {', '.join(GENDERS)}")
@click.option("--limit", metavar="<n>", type=click.IntRange(1, 1000), default=10, show_default=True, help="how many")
@click.option("--after", metavar="<place>", help="whoever comes next: what a search of the same says at its end")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def search(
    text: str,
    near: str | None,
    km: str | None,
    age: str | None,
    gender: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """Search the profiles of users who may be found, best hits first.

    Words of TEXT may stand in the name, the lists, the place or the bio, which count in this order; whoever has all
    of them comes first. Where nobody has any, names like TEXT are shown.
    """
    wanted = wanted_of(text, near, km, age, gender, limit, after)
    with prepared(*JOBS) as (_, connection):
        hits, following = page_of(connection, wanted)
        if as_json:
            print_json({"found": [_as_json(hit) for hit in hits], "next": following})
            return
        if hits:
            output().print(_table(hits, wanted))
            if following is not None:
                output().print(f"more: --after={following}", markup=False, highlight=False, soft_wrap=True)
            return
        if wanted.after is not None:
            output().print("nobody comes after")
            return
        told = why_none(connection)
    output().print(told, markup=False, highlight=False)


def page_of(connection: "Connection", wanted: "Wanted") -> "tuple[list[Hit], str | None]":
    """The hits, and what --after takes for those that follow; None if there are no more."""
    from sitejobs.search.query import search as find

    hits = find(connection, wanted)
    return hits, _written(hits[-1].place()) if len(hits) == wanted.limit else None


def _as_json(hit: "Hit") -> dict[str, Any]:
    """A hit, without the marks around the words found."""
    texts = {name: getattr(hit, name) for name in ("name", "location", "keywords", "bio")}
    plain = {name: text and text.translate({2: None, 3: None}) for name, text in texts.items()}
    return {"userId": hit.user_id, "age": hit.age, "km": hit.km, "rank": hit.rank, "allWords": hit.every, **plain}


def why_none(connection: "Connection") -> str:
    """Why a search found nobody."""
    indexed, searchable = connection.execute(_COUNTS).fetchall()[0]
    for count, job in ((indexed, JOBS[0]), (searchable, JOBS[1])):
        if not count:
            return f"nobody can be found yet: run `sitejobs {job}`"
    return f"nobody of {indexed:,} is like that"


def wanted_of(
    text: str, near: str | None, km: str | None, age: str | None, gender: str | None, limit: int, after: str | None
) -> "Wanted":
    """What is searched for, from the options as they are typed.

    Raises
    ------
    InvalidInput : says which of them cannot be taken, and what it takes.
    """
    from sitejobs.search.query import Wanted

    if km is not None and near is None:
        raise InvalidInput("--km says how far around a place: give it with --near=<lat,lng>")
    youngest, oldest = _ages(age)
    return Wanted(
        text=_typed(text),
        near=None if near is None else _place(near),
        km=DEFAULT_KM if km is None else _kilometres(km),
        youngest=youngest,
        oldest=oldest,
        gender=_gender(gender),
        limit=limit,
        after=None if after is None else _after(after),
    )


def _typed(text: str) -> str:
    # Control characters, and bytes of the command line that are no text; joiners of emoji and letters may be there.
    if not text.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidInput(f"say what to search for, in words, not {text[:60]!r}")
    return text


def _place(text: str) -> tuple[float, float]:
    lat, lng = (_number(part) for part in (text.split(",") if text.count(",") == 1 else ("", "")))
    if not (abs(lat) <= 90 and abs(lng) <= 180):
        raise InvalidInput(
            f"--near must be a latitude from -90 to 90 and a longitude from -180 to 180, as 52.52,13.40, not {text!r}"
        )
    return lat, lng


def _kilometres(text: str) -> float:
    number = _number(text)
    if not 0 < number <= HALF_ROUND_KM:
        raise InvalidInput(f"--km must be a number above 0, at most {HALF_ROUND_KM:,.0f}, not {text!r}")
    return number


def _ages(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = re.fullmatch(r"\s*(\d{1,3})\s*-\s*(\d{1,3})\s*", text, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        raise InvalidInput(f"--age must be two ages, the lower one first, as 25-35, not {text!r}")
    return int(found[1]), int(found[2])


def _gender(text: str | None) -> str | None:
    if text is not None and text.upper() not in GENDERS:
        raise InvalidInput(
            f"--gender must be one of {', '.join(GENDERS)}, not {text!r}.{question(meant(text, GENDERS))}"
        )
    return None if text is None else text.upper()


def _written(place: "Place") -> str:
    """A place as --after takes it: whether all words were found, the rank, the distance and the user."""
    return ",".join(("all" if place.every else "some", repr(place.rank), repr(place.km), str(place.user_id)))


def _after(text: str) -> "Place":
    from sitejobs.search.query import Place

    found = re.fullmatch(r"(all|some),([-+.e\d]+),(None|[-+.e\d]+),(-?\d{1,19})", text, re.ASCII)
    rank, km = (_number(found[2]), 0.0 if found[3] == "None" else _number(found[3])) if found else (math.nan, math.nan)
    if found is None or math.isnan(rank) or math.isnan(km) or not MIN_ID <= int(found[4]) <= MAX_ID:
        raise InvalidInput(f"--after must be as a search's last line gives it, as all,0.1,2.5,8, not {text[:60]!r}")
    return Place(found[1] == "all", rank, None if found[3] == "None" else km, int(found[4]))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _table(hits: "list[Hit]", wanted: "Wanted") -> Any:
    from rich.table import Table

    table = Table(title=f"{len(hits)} found", title_justify="left", show_lines=True)
    table.add_column("#", justify="right")
    table.add_column("who", overflow="fold")
    table.add_column("where", overflow="fold")
    table.add_column("what was found", overflow="fold", ratio=1)
    table.add_column("rank", justify="right")
    for number, hit in enumerate(hits, 1):
        table.add_row(str(number), _who(hit), _where(hit), _what(hit), f"{hit.rank:.3f}")
    return table


def _who(hit: "Hit") -> Any:
    age = "" if hit.age is None else f", {hit.age}"
    return _styled(f"{hit.name or '(no name)'}{age}\nuser {hit.user_id}")


def _where(hit: "Hit") -> Any:
    return _styled("\n".join(filter(None, (hit.location, None if hit.km is None else f"{hit.km:,.0f} km away"))))


def _what(hit: "Hit") -> Any:
    """The bio's best passages, and the lists' words if the search found something in them."""
    lists = f"lists: {hit.keywords}" if _MARKED.search(hit.keywords or "") else None
    return _styled("\n".join(filter(None, (hit.bio, lists))))


def _styled(marked: str) -> Any:
    """The text with its hits marked and control characters replaced."""
    from rich.text import Text

    text = Text()
    for position, part in enumerate(_MARKED.split(harmless(marked, but="\x02\x03"))):
        text.append(part.translate({2: None, 3: None}), style="bold green" if position % 2 else "")
    return text
