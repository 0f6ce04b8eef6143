"""Figures in words. A figure that says nothing is null in the stored JSON, and a dash here."""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NEW, PRICED, OLD, CHANCE = "v2", "v2 priced", "v1", "chance"
RANKINGS = (NEW, PRICED, OLD, "popularity", CHANCE)
FIGURES = {
    "auc": "AUC in a viewer",
    "pooledAuc": "AUC of all",
    "ndcg5": "NDCG@5",
    "ndcg10": "NDCG@10",
    "hit10": "hit@10",
    "precision1": "first shown",
    "precision3": "first three",
}
"""Name in the JSON -> name that is shown."""
EXPLAINED = {
    "AUC in a viewer": "how often what came true stands above what did not, viewer by viewer; 0.5 is chance",
    "AUC of all": "the same over the decisions of all viewers together",
    "NDCG@5": "how near the first five come to the best order there is: 1",
    "NDCG@10": "the same of the first ten",
    "hit@10": "share of viewers with something that came true among the first ten",
    "first shown": "share of what came true at the first place",
    "first three": "share of what came true at the first three places",
}
OUTCOMES = {"match": "matches", "like": "likes"}
KINDS = {"gender": "gender", "wantedGender": "wants", "ageBand": "age", "newcomer": "here"}
BECOMES = {"match": "end in a match", "like": "are liked"}
SPREADS = {"neverShown": "never shown", "topShare": "places of the top 1 %", "gini": "Gini"}
MOST_CALIBRATION_ERROR = 0.05
MOST_ANSWERED_APART = 0.05


@dataclass(frozen=True)
class Report:
    """The newest figures, and where they come from."""

    figures: Json
    active: bool
    reasons: list[str]
    model: int | None
    """None: of a check that kept no model."""
    status: str | None
    """The model's at present."""
    job: str
    run: int | None
    at: str
    """Start of the run, UTC."""

    def to_json(self) -> Json:
        """For programs: the names as stored."""
        return {
            "job": self.job,
            "run": self.run,
            "at": self.at,
            "model": self.model,
            "status": self.status,
            "mayBeActive": self.active,
            "reasons": self.reasons,
            "figures": self.figures,
        }


def rankings_of(outcome: Json) -> list[str]:
    """The rankings that were asked, in their order; v2 with prices only where they change a figure."""
    found = outcome["rankings"]
    same = found.get(PRICED) == found.get(NEW)
    return [name for name in RANKINGS if name in found and not (name == PRICED and same)]


def headline(figures: Json) -> str:
    """What becomes of the first three, under each ranking."""
    rankings = figures["match"]["rankings"]
    shown = {name: rankings[name]["precision3"][0] for name in rankings_of(figures["match"])}
    if shown.get(NEW) is None:
        return "Too few decisions to say what becomes of the first three that are shown."
    others = ", ".join(f"{name}: {_hundred(shown[name])}" for name in RANKINGS[1:] if shown.get(name) is not None)
    return f"Of the first three shown, {_hundred(shown[NEW])} of 100 {BECOMES['match']} ({others})."


def verdict(report: Report) -> str:
    """Whether v2 may be active, in a sentence."""
    what = "v2" if report.model is None else f"model {report.model}"
    state = f", {report.status}" if report.status else ""
    if report.active:
        return f"{what}{state}: its gain in matches is sure, its chances hold and no group falls."
    return f"{what}{state}: it may not be active."


def asked(figures: Json) -> str:
    """How much was asked."""
    return (
        f"{figures['decisions']:,} decisions of {figures['viewers']:,} people, which the model had not seen;"
        f" {figures['match']['decisions']:,} of them were answered"
    )


def judged(figures: Json) -> str:
    """What is asked of the chances, and whose are asked."""
    likes, dislikes = figures["answeredLikes"], figures["answeredDislikes"]
    asked_for = f"A calibration error below {MOST_CALIBRATION_ERROR} is asked for."
    if likes is None or dislikes is None or abs(likes - dislikes) <= MOST_ANSWERED_APART:
        return asked_for
    return (
        f"{asked_for} Of likes {percent(likes)} are answered, of dislikes {percent(dislikes)}:"
        " answered pairs do not stand for all, so the chances of likes are judged, those of matches are not."
    )


def share(outcome: Json) -> str:
    """How often it comes true, and of how many viewers rankings can be told apart."""
    return (
        f"{percent(outcome['rate'])} of {outcome['decisions']:,} came true;"
        f" {outcome['viewers']:,} viewers with both outcomes"
    )


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash."""
    return "—" if value is None else f"{value:.{digits}f}"


def interval(values: list[float | None] | None) -> str:
    """A difference with its interval."""
    if values is None or values[0] is None:
        return "—"
    mean, low, high = values
    return f"{mean:+.3f}" + (f" ({low:+.3f} to {high:+.3f})" if low is not None and high is not None else "")


def percent(value: float | None) -> str:
    """A share of 100."""
    return "—" if value is None else f"{100 * value:.1f} %"


def group_name(group: Json) -> str:
    """Such as "gender: WOMAN"."""
    return f"{KINDS.get(group['kind'], group['kind'])}: {group['group']}"


def tenth(at: int) -> str:
    """A tenth of chances, from 0."""
    return f"{at / 10:.1f}-{(at + 1) / 10:.1f}"


def _hundred(share: float) -> str:
    return f"{100 * share:.0f}"
