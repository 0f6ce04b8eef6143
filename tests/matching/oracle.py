"""match-scores computed again, pair by pair: slow, obvious, and written from the job's description alone.

Nothing of the package is imported here, so that a mistake of the job is not repeated.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.matching.oracle_model import OracleModel
from tests.matching.oracle_site import Interest, Person, Ratings, Site

EARTH_RADIUS_KM = 6371.0
GENDERS = {"UNSPECIFIED", "MALE", "FEMALE", "NONBINARY", "OTHER"}
EQUAL_SCORES = 1e-9


@dataclass(frozen=True)
class Rules:
    """The parameters of the algorithm that a site may set."""

    traits: float = 0.25
    interests: float = 0.20
    quality: float = 0.15
    fit: float = 0.10
    newness: float = 0.10
    proximity: float = 0.20
    default_radius_km: float = 100.0
    half_life_days: float = 30.0
    tiers: str = "mutual"
    repeat_days: float | None = None
    model: OracleModel | None = None


STANDARD = Rules()


@dataclass(frozen=True)
class Row:
    """One row of MatchScore; distance in kilometres."""

    candidate_id: int
    tier: str
    score: float
    traits: float
    interests: float
    quality: float
    fit: float
    newness: float
    proximity: float
    distance_km: float | None
    gender_ok: bool | None
    age_ok: bool | None
    distance_ok: bool | None
    shared_interest_count: int
    shared_interest_ids: tuple[int, ...]  # the first five by (subjectId, interestId)
    common_traits: int
    viewer_traits: int
    candidate_traits: int
    rating_count: int
    averages: tuple[float, ...] | None  # attractive, smart, funny, interesting
    like: float | None = None
    back: float | None = None
    worth: float = 0.0  # what candidates of one tier are ordered by; the score but for a model


# Who is scored ----------------------------------------------------------------------------------------------


def viewers(site: Site) -> list[int]:
    """Undeleted users with a profile, hidden or not."""
    return sorted(person.user_id for person in site.people.values() if person.has_profile)


def candidates(site: Site, viewer_id: int) -> list[int]:
    """Other users with a visible profile, where neither side blocked the other."""
    return sorted(
        person.user_id
        for person in site.people.values()
        if person.user_id != viewer_id
        and person.has_profile
        and person.is_visible
        and (viewer_id, person.user_id) not in site.blocks
        and (person.user_id, viewer_id) not in site.blocks
    )


def decided(site: Site, viewer_id: int, now: datetime, rules: Rules) -> set[int]:
    """Whom the viewer liked, disliked, matched or talks to, and who disliked the viewer."""
    since = None if rules.repeat_days is None else now - timedelta(days=rules.repeat_days)
    found = {b for a, b in site.together if a == viewer_id}
    for like in site.likes:
        if like.by == viewer_id and (like.action != "DISLIKE" or since is None or like.at > since):
            found.add(like.of)
        if like.of == viewer_id and like.action == "DISLIKE":
            found.add(like.by)
    return found


def why_none(site: Site, viewer_id: int, now: datetime, rules: Rules = STANDARD) -> str | None:
    """Why a viewer has no match, if it has none."""
    if asked_about(site, viewer_id, now, rules):
        return None
    undecided = Site(site.people, site.blocks)
    return "all-decided" if asked_about(undecided, viewer_id, now, rules) else "no-candidates"


def score_everyone(site: Site, now: datetime, rules: Rules = STANDARD) -> dict[int, list[Row]]:
    """All rows of each viewer in order, not cut: `[:top_k]` is what is stored."""
    return {viewer_id: score_viewer(site, viewer_id, now, rules) for viewer_id in viewers(site)}


def score_viewer(site: Site, viewer_id: int, now: datetime, rules: Rules = STANDARD) -> list[Row]:
    """Every candidate of a viewer, best first."""
    viewer = site.people[viewer_id]
    admirers = {like.by for like in site.likes if like.of == viewer_id and like.action == "LIKE"}
    return in_order(
        score_pair(viewer, other, now, rules, admirer=other.user_id in admirers)
        for other in asked_about(site, viewer_id, now, rules)
    )


def asked_about(site: Site, viewer_id: int, now: datetime, rules: Rules = STANDARD) -> list[Person]:
    """Whom a viewer's list is chosen from: no candidate decided about, nobody who wants others than the viewer."""
    viewer, done = site.people[viewer_id], decided(site, viewer_id, now, rules)
    others = [site.people[other] for other in candidates(site, viewer_id) if other not in done]
    return [other for other in others if not bars(other, viewer, rules)]


def bars(candidate: Person, viewer: Person, rules: Rules = STANDARD) -> bool:
    """Whether the candidate wants other genders than the viewer's, which the viewer told."""
    told = viewer.gender in GENDERS - {"UNSPECIFIED"}
    return rules.tiers == "mutual" and told and gender_ok(candidate.preferred_genders, viewer.gender) is False


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Tier A by score, then tier B by score; equal scores by candidate id."""
    ordered = sorted(rows, key=lambda row: (row.tier, -row.worth))
    result: list[Row] = []
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or not _tied(ordered[end - 1], ordered[end]):
            result += sorted(ordered[start:end], key=lambda row: row.candidate_id)
            start = end
    return result


def _tied(a: Row, b: Row) -> bool:
    return a.tier == b.tier and abs(a.worth - b.worth) <= EQUAL_SCORES


# One pair ---------------------------------------------------------------------------------------------------


def score_pair(
    viewer: Person, candidate: Person, now: datetime, rules: Rules = STANDARD, *, admirer: bool = False
) -> Row:
    """The six parts, the tier and the reasons of one pair."""
    distance = distance_km(viewer, candidate)
    traits = traits_part(viewer, candidate)
    interests = interests_part(viewer.interests, candidate.interests)
    quality = quality_part(candidate.received)
    fit = fit_part(viewer.given, candidate.received)
    newness = newness_part(candidate.updated_at, now, rules)
    proximity = proximity_part(viewer, candidate, distance, rules)
    score = (
        rules.traits * traits
        + rules.interests * interests
        + rules.quality * quality
        + rules.fit * fit
        + rules.newness * newness
        + rules.proximity * proximity
    )
    flags = (
        gender_ok(viewer.preferred_genders, candidate.gender),
        age_ok(viewer, age_on(candidate.birthdate, now.astimezone(UTC).date())),
        distance_ok(viewer.preferred_distance_km, distance),
    )
    asked_back = (
        gender_ok(candidate.preferred_genders, viewer.gender),
        age_ok(candidate, age_on(viewer.birthdate, now.astimezone(UTC).date())),
        distance_ok(candidate.preferred_distance_km, distance),
    )
    asked = flags + asked_back if rules.tiers == "mutual" else flags
    like: float | None = None
    back: float | None = None
    worth = score
    if rules.model is not None:
        alike = rules.model.alike(
            (traits + traits_part(candidate, viewer)) / 2,
            interests,
            proximity_part(replace(viewer, preferred_distance_km=None), candidate, distance, rules),
            *(age_on(person.birthdate, now.astimezone(UTC).date()) for person in (viewer, candidate)),
        )
        like, back, worth = rules.model.chances(viewer.user_id, candidate.user_id, alike, admirer=admirer)
        score = math.sqrt(like * back)
    shared = sorted(viewer.interests & candidate.interests)
    return Row(
        candidate_id=candidate.user_id,
        tier="B" if False in asked else "A",
        score=score,
        traits=traits,
        interests=interests,
        quality=quality,
        fit=fit,
        newness=newness,
        proximity=proximity,
        distance_km=distance,
        gender_ok=flags[0],
        age_ok=flags[1],
        distance_ok=flags[2],
        shared_interest_count=len(shared),
        shared_interest_ids=tuple(interest_id for _, interest_id in shared[:5]),
        common_traits=len(viewer.traits.keys() & candidate.traits.keys()),
        viewer_traits=len(viewer.traits),
        candidate_traits=len(candidate.traits),
        rating_count=len(candidate.received),
        averages=averages(candidate.received),
        like=like,
        back=back,
        worth=worth,
    )


def traits_part(viewer: Person, candidate: Person) -> float:
    """Traits where two keys are common, else the viewer's latest quiz, else 0.5."""
    common = sorted(viewer.traits.keys() & candidate.traits.keys())
    if len(common) >= 2:
        alike = (cosine([viewer.traits[key] for key in common], [candidate.traits[key] for key in common]) + 1) / 2
        return alike * math.sqrt(len(common) / min(len(viewer.traits), len(candidate.traits)))
    if not viewer.quizzes:
        return 0.5
    mine = max(viewer.quizzes.values(), key=lambda result: (result.updated_at, result.quiz_id))
    theirs = candidate.quizzes.get(mine.quiz_id)
    if theirs is None:
        return 0.5
    if is_vector(mine.score_vec) and is_vector(theirs.score_vec) and len(mine.score_vec) == len(theirs.score_vec):
        return (cosine([float(x) for x in mine.score_vec], [float(x) for x in theirs.score_vec]) + 1) / 2
    return equal_answers_share(mine.answers, theirs.answers)


def is_vector(value: Any) -> bool:
    """Whether it is a non-empty array of numbers; true and false are no numbers."""
    return isinstance(value, list) and len(value) > 0 and all(is_number(item) for item in value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def equal_answers_share(mine: Any, theirs: Any) -> float:
    """Share of equal answers among the questions that both answered; 0 without any."""
    if not isinstance(mine, dict) or not isinstance(theirs, dict):
        return 0.0
    common = [key for key in mine if key in theirs and mine[key] is not None and theirs[key] is not None]
    if not common:
        return 0.0
    return sum(same_json(mine[key], theirs[key]) for key in common) / len(common)


def same_json(a: Any, b: Any) -> bool:
    """Equality of json values: 1 is 1.0, but neither is true."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same_json(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_json(a[key], b[key]) for key in a)
    if is_number(a) and is_number(b):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)


def cosine(a: list[float], b: list[float]) -> float:
    """0 for a zero vector. Each side is scaled first, so that huge and tiny numbers neither overflow nor vanish."""
    largest_a, largest_b = max(map(abs, a)), max(map(abs, b))
    if largest_a == 0 or largest_b == 0:
        return 0.0
    a, b = [x / largest_a for x in a], [x / largest_b for x in b]
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    norms = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(x * x for x in b))
    return max(-1.0, min(1.0, dot / norms))


def interests_part(mine: set[Interest], theirs: set[Interest]) -> float:
    if not mine or not theirs:
        return 0.1
    return len(mine & theirs) / len(mine | theirs)


def averages(ratings: list[Ratings]) -> tuple[float, ...] | None:
    if not ratings:
        return None
    return tuple(sum(rating[i] for rating in ratings) / len(ratings) for i in range(4))


def quality_part(received: list[Ratings]) -> float:
    means = averages(received)
    if means is None or len(received) < 3:
        return 0.5
    return sum(means) / 4 / 5


def fit_part(given: list[Ratings], received: list[Ratings]) -> float:
    mine, theirs = averages(given), averages(received)
    if mine is None or theirs is None:
        return 0.5
    mine, theirs = _centred(mine), _centred(theirs)
    if all(abs(x) < 1e-6 for x in mine) or all(abs(x) < 1e-6 for x in theirs):
        return 0.5
    return (cosine(list(mine), list(theirs)) + 1) / 2


def _centred(means: tuple[float, ...]) -> tuple[float, ...]:
    shares = [mean / 5 for mean in means]
    middle = sum(shares) / 4
    return tuple(share - middle for share in shares)


def newness_part(updated_at: datetime, now: datetime, rules: Rules) -> float:
    days = (now - updated_at).total_seconds() / 86400
    return 1.0 if days < 0 else 0.5 ** (days / rules.half_life_days)


def proximity_part(viewer: Person, candidate: Person, distance: float | None, rules: Rules) -> float:
    if distance is None:
        same_place = bool(viewer.location_text) and viewer.location_text == candidate.location_text
        return 0.25 if same_place else 0.0
    radius = rules.default_radius_km if viewer.preferred_distance_km is None else viewer.preferred_distance_km
    if radius == 0:
        return 1.0 if distance == 0 else 0.0
    return max(0.0, 1 - distance / radius)


def distance_km(a: Person, b: Person) -> float | None:
    """Great-circle distance; None if either has no valid coordinates."""
    place_a, place_b = place(a.lat, a.lng), place(b.lat, b.lng)
    if place_a is None or place_b is None:
        return None
    if place_a == place_b:
        return 0.0
    lat_a, lat_b = math.radians(place_a[0]), math.radians(place_b[0])
    turn = abs(place_a[1] - place_b[1])
    dlng = math.radians(min(turn, 360 - turn))
    # Vincenty's formula for a sphere is precise for neighbours and antipodes.
    across = math.hypot(
        math.cos(lat_b) * math.sin(dlng),
        math.cos(lat_a) * math.sin(lat_b) - math.sin(lat_a) * math.cos(lat_b) * math.cos(dlng),
    )
    along = math.sin(lat_a) * math.sin(lat_b) + math.cos(lat_a) * math.cos(lat_b) * math.cos(dlng)
    return EARTH_RADIUS_KM * math.atan2(across, along)


def place(lat: float | None, lng: float | None) -> tuple[float, float] | None:
    """Valid coordinates, one pair for each place: the antimeridian is 180, a pole has longitude 0."""
    if lat is None or lng is None or not math.isfinite(lat) or not math.isfinite(lng):
        return None
    if abs(lat) > 90 or abs(lng) > 180:
        return None
    if abs(lat) == 90:
        return lat, 0.0
    return lat, 180.0 if lng == -180 else lng


# Tier -------------------------------------------------------------------------------------------------------


def gender_ok(preferred: Any, gender: str | None) -> bool | None:
    """The preferred genders; None without a preference, which is a non-empty array."""
    if not isinstance(preferred, list) or not preferred:
        return None
    return gender in [name for name in preferred if isinstance(name, str) and name in GENDERS]


def age_ok(viewer: Person, age: int | None) -> bool | None:
    low, high = viewer.preferred_age_min, viewer.preferred_age_max
    if low is None and high is None:
        return None
    return age is not None and (low is None or age >= low) and (high is None or age <= high)


def distance_ok(preferred: float | None, distance: float | None) -> bool | None:
    if preferred is None:
        return None
    return distance is not None and distance <= preferred


def age_on(birthdate: date | None, today: date) -> int | None:
    """Whole years; None for a birthdate in the future."""
    if birthdate is None or birthdate > today:
        return None
    not_yet = (today.month, today.day) < (birthdate.month, birthdate.day)
    return today.year - birthdate.year - int(not_yet)
