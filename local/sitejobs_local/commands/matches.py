"""`sitejobs matches`: what match-scores found, as a person likes to read it."""

from typing import TYPE_CHECKING, Any

import click

from sitejobs.errors import InvalidInput
from sitejobs.options import MAX_ID, MIN_ID
from sitejobs_local.commands.common import output, prepared, print_json
from sitejobs_local.commands.existing import require_user
from sitejobs_local.commands.stored_matches import BUCKET, best, computed, counted, distribution
from sitejobs_local.terminal import harmless

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console
    from rich.table import Table

JOB = "match-scores"
BAR_WIDTH = 40

# The user whose ten best scores have the highest sum.
_SHOWPIECE = """
SELECT m."userId" FROM "MatchCandidates" m
CROSS JOIN LATERAL unnest(m."score"[:10]) WITH ORDINALITY AS s ("score", "rank")
GROUP BY m."userId"
ORDER BY count(*) DESC, sum(s."score") FILTER (WHERE s."rank" <= m."tierA") DESC NULLS LAST, m."userId" LIMIT 1
"""


@click.command(short_help="a user's best matches and why; or all scores")
@click.option("--userId", "user_id", metavar="<n>", type=click.IntRange(MIN_ID, MAX_ID), help="whose matches")
@click.option(
    "--candidate", metavar="<n>", type=click.IntRange(MIN_ID, MAX_ID), help="this one other user, or why it is no match"
)
@click.option("--limit", metavar="<n>", type=click.IntRange(1, 1000), default=10, show_default=True, help="how many")
@click.option("--summary", is_flag=True, help="the distribution of all scores, by tier")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object on stdout")
def matches(user_id: int | None, candidate: int | None, limit: int, summary: bool, as_json: bool) -> None:
    """Show a user's best matches with the reasons, one pair, or how all scores are distributed."""
    if candidate is not None and user_id in (None, candidate):
        raise InvalidInput("say whose match: --userId=<n>, with another user than --candidate")
    if user_id is None and not summary:
        raise InvalidInput("say whose matches: --userId=<n>, or --summary for the distribution of all scores")
    with prepared(JOB) as (_, connection):
        for asked in (user_id, candidate):
            if asked is not None:
                require_user(connection, asked)
        if as_json:
            print_json(_found(connection, user_id, candidate, limit, summary))
            return
        if user_id is not None and candidate is not None:
            from sitejobs_local.commands.pair import show_pair

            show_pair(output(), connection, user_id, candidate)
        elif user_id is not None:
            show_best(output(), connection, user_id, limit)
        if summary:
            show_distribution(output(), connection)


def _found(
    connection: "Connection", user_id: int | None, candidate: int | None, limit: int, summary: bool
) -> dict[str, Any]:
    from sitejobs_local.commands import matches_json

    found: dict[str, Any] = {}
    if user_id is not None and candidate is not None:
        found = matches_json.of_pair(connection, user_id, candidate)
    elif user_id is not None:
        found = matches_json.of_user(connection, user_id, limit)
    return {**found, "distribution": matches_json.of_all(connection)} if summary else found


def showpiece(connection: "Connection") -> int | None:
    """The user to show: the one with the best ten scores together; None if there are no matches."""
    row = connection.execute(_SHOWPIECE).fetchone()
    return None if row is None else int(row[0])


def show_best(console: "Console", connection: "Connection", user_id: int, limit: int) -> None:
    """Print a user's best matches, or why there are none."""
    from rich.table import Table

    rows = best(connection, user_id, limit)
    if not rows:
        console.print(_why_none(connection, user_id), markup=False)
        return
    table = Table(title=f"best matches of user {user_id}", title_justify="left", show_lines=True)
    table.add_column("#", justify="right")
    table.add_column("tier")
    table.add_column("who", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("why", overflow="fold", ratio=1)
    for row in rows:
        style = "green" if row["tier"] == "A" else "yellow"
        table.add_row(
            str(row["rank"]),
            f"[{style}]{row['tier']}[/]",
            _text(_who(row)),
            f"{row['score']:.3f}",
            _text("\n".join(why(row))),
        )
    console.print(table)


def show_distribution(console: "Console", connection: "Connection") -> None:
    """Print how many stored scores lie in each twentieth, by tier."""
    rows = distribution(connection)
    if not rows:
        console.print(f"no scores are stored yet: `sitejobs {JOB}` computes them", markup=False)
        return
    users, scores = counted(connection)
    console.print(f"{scores:,} scores of {users:,} users", highlight=False)
    for tier in sorted({row[0] for row in rows}):
        console.print(_histogram(tier, [(bucket, count) for of, bucket, count in rows if of == tier]))


def _histogram(tier: str, rows: list[tuple[int, int]]) -> "Table":
    from rich.table import Table

    total, most = sum(count for _, count in rows), max(count for _, count in rows)
    table = Table(title=f"tier {tier}: {total:,} scores", title_justify="left", box=None, show_header=False)
    table.add_column("from", justify="right")
    table.add_column("bar")
    table.add_column("count", justify="right")
    style = "green" if tier == "A" else "yellow"
    for bucket, count in rows:
        low = bucket * BUCKET
        bar = "█" * max(1, round(BAR_WIDTH * count / most))
        table.add_row(f"{low:.2f}-{low + BUCKET:.2f}", f"[{style}]{bar}[/]", f"{count:,}")
    return table


def _why_none(connection: "Connection", user_id: int) -> str:
    viewer = computed(connection, user_id)
    if viewer is None:
        return f"user {user_id} has no scores: `sitejobs {JOB} --userId={user_id}` computes them"
    scored_at, skipped = viewer
    at = scored_at[:16].replace("T", " ")
    return f"user {user_id} has no matches, as of {at} UTC: {skipped or 'no candidates'}"


def _who(row: dict[str, Any]) -> str:
    name = row["name"] or "(no name)"
    age = f", {row['age']}" if row["age"] is not None else ""
    lines = [f"{name}{age}", f"user {row['id']}"]
    if row["place"]:
        lines.insert(1, str(row["place"]))
    return "\n".join(lines)


def why(row: dict[str, Any]) -> list[str]:
    """The reasons in words, strongest kinds first, the six parts of v1's score, and the chances that make v2's."""
    reasons = row["reasons"]
    lines = [_distance(row["distanceKm"])]
    if shared := [name for name in reasons["sharedInterests"] if name]:
        more = reasons["sharedInterestCount"] - len(shared)
        lines.append(f"shares {', '.join(shared)}" + (f" and {more} more" if more > 0 else ""))
    traits = reasons["traits"]
    if traits["common"]:
        lines.append(f"{traits['common']} traits in common, of {traits['viewer']} and {traits['candidate']}")
    if ratings := _ratings(reasons["ratings"]):
        lines.append(ratings)
    if preferences := _preferences(reasons["preferences"]):
        lines.append(preferences)
    lines.append(
        f"traits {row['scoreQuiz']:.2f}, interests {row['scoreInterests']:.2f},"
        f" ratings {row['scoreRatingsQuality']:.2f} (fit {row['scoreRatingsFit']:.2f}),"
        f" new {row['scoreNew']:.2f}, near {row['scoreNearby']:.2f}"
    )
    if None not in (row["scoreLike"], row["scoreBack"]):
        lines.append(f"chances of a yes {row['scoreLike']:.2f} and {row['scoreBack']:.2f}, by the model")
    return lines


def _distance(kilometres: float | None) -> str:
    if kilometres is None:
        return "distance unknown"
    return "less than 1 km away" if kilometres < 1 else f"{kilometres:,.0f} km away"


def _ratings(ratings: dict[str, Any]) -> str | None:
    if not ratings["count"]:
        return None
    averages = ", ".join(f"{name} {ratings[name]:.1f}" for name in ("attractive", "smart", "funny", "interesting"))
    return f"rated by {ratings['count']}: {averages}"


def _preferences(preferences: dict[str, bool | None]) -> str | None:
    """What the user asked for and whether this is it."""
    met = [name for name, holds in preferences.items() if holds]
    unmet = [name for name, holds in preferences.items() if holds is False]
    parts = [f"{words}: {', '.join(names)}" for words, names in (("as wanted", met), ("not as wanted", unmet)) if names]
    return "; ".join(parts) or None


def _text(content: str) -> Any:
    """Text shown literally: brackets are no markup, and control characters are replaced."""
    from rich.text import Text

    return Text(harmless(content))
