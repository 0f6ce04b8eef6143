"""`sitejobs matches --userId=8 --candidate=9`: one pair, as a person likes to read it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sitejobs.handlers.tuning import tuned
from sitejobs.matching.match_scores.pair import Explained, Preferences, explain
from sitejobs.matching.match_scores.settings import run_parameters
from sitejobs.matching.options import MatchScoresOptions
from sitejobs.matching.scoring.parameters import Parameters

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console

    from sitejobs.matching.scoring.pair_scores import Pairs

_PARTS = {
    "traits": "traits",
    "interests": "interests",
    "rating_quality": "rating quality",
    "rating_fit": "rating fit",
    "newness": "newness",
    "proximity": "proximity",
}


def show_pair(console: "Console", connection: "Connection", viewer: int, candidate: int) -> None:
    """Print all parts of the pair's score, or why it is no match."""
    found, parameters = explained(connection, viewer, candidate)
    for line in lines_of(found, viewer, candidate, parameters):
        console.print(line, markup=False, highlight=False)


def explained(connection: "Connection", viewer: int, candidate: int) -> tuple[Explained, Parameters]:
    """The pair as of now, and the parameters by which it is judged."""
    parameters = run_parameters(connection, tuned(os.environ), MatchScoresOptions().top_k)
    return explain(connection, viewer, candidate, datetime.now(UTC), parameters), parameters


def lines_of(found: Explained, viewer: int, candidate: int, parameters: Parameters) -> Iterator[str]:
    """What to say of the pair."""
    yield f"user {candidate} for user {viewer}, as of now: {_verdict(found)}"
    if found.pair is None or found.viewer_wants is None or found.candidate_wants is None:
        return
    yield from _parts(found.pair, parameters)
    yield f"user {viewer} wants: {_told(found.viewer_wants)}"
    yield f"user {candidate} wants: {_told(found.candidate_wants)}" + ("" if parameters.mutual else " (not asked)")


def _verdict(found: Explained) -> str:
    if found.obstacles:
        return "no match: " + "; ".join(found.obstacles)
    assert found.pair is not None
    tier = "A" if found.pair.tier_a[0] else "B"
    if found.rank is None:
        return f"tier {tier}, no matches are stored yet"
    if found.place is not None:
        rank, candidates = found.place
        return f"tier {tier}, rank {rank:,} of {candidates:,} candidates, none of the {found.matches} stored"
    return f"tier {tier}, rank {found.rank} of {found.matches} stored"


def _parts(pair: "Pairs", parameters: Parameters) -> Iterator[str]:
    if parameters.model is not None:
        yield f"score {pair.score[0]:.4f}: chances of a yes {pair.like[0]:.4f} and {pair.back[0]:.4f}, by the model"
        yield "what the two have in common:"
    else:
        yield f"score {pair.score[0]:.4f}"
    weights = vars(parameters.weights)
    for name, words in _PARTS.items():
        value = float(getattr(pair, name)[0])
        weighted = f" x {weights[name]:.2f} = {value * weights[name]:.4f}" if parameters.model is None else ""
        yield f"  {words:<15}{value:.4f}{weighted}"
    distance = float(pair.distance_km[0])
    where = "distance unknown" if distance != distance else f"{distance:,.1f} km apart"
    yield f"{where}, {int(pair.common_traits[0])} traits and {int(pair.shared_count[0])} interests in common"


def _told(wants: Preferences) -> str:
    words = {True: "met", False: "not met", None: "no preference"}
    return ", ".join(f"{name} {words[value]}" for name, value in vars(wants).items())
