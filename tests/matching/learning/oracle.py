"""What the model reads of a pair, computed plainly from docs/match-model.md; nothing of the package is imported."""

from dataclasses import replace
from datetime import UTC, datetime

from tests.matching.oracle import Rules, age_on, distance_km, interests_part, proximity_part, traits_part
from tests.matching.oracle_site import Person


def features(one: Person, two: Person, now: datetime, rules: Rules) -> tuple[float, float, float, float]:
    """Traits, interests, proximity and age gap of two people."""
    traits = (traits_part(one, two) + traits_part(two, one)) / 2
    distance = distance_km(one, two)
    proximity = proximity_part(replace(one, preferred_distance_km=rules.default_radius_km), two, distance, rules)
    today = now.astimezone(UTC).date()
    ages = age_on(one.birthdate, today), age_on(two.birthdate, today)
    years = 5.0 if ages[0] is None or ages[1] is None else min(abs(ages[0] - ages[1]), 30)
    return traits - 0.5, interests_part(one.interests, two.interests) - 0.3, proximity, -years / 10
