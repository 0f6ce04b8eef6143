"""Random models of a site, as `match-model` stores them: of usual size, and as extreme as effects may be."""

from random import Random

from psycopg import Connection
from psycopg.types.json import Jsonb

from sitejobs.matching.scoring.parameters import Learned

USUAL = {"intercept": -1.2, "traits": 1.5, "interests": 2.0, "proximity": 0.9, "ageGap": 0.4}
FLAT = {"intercept": 0.3, "traits": 0.0, "interests": 0.0, "proximity": 0.0, "ageGap": 0.0}
STEEP = {"intercept": -6.5, "traits": 9.0, "interests": 7.0, "proximity": 12.0, "ageGap": 3.0}
KINDS = {"usual": USUAL, "flat": FLAT, "steep": STEEP}

_MODEL = """
INSERT INTO "MatchModel"
SELECT (jsonb_populate_record(NULL::"MatchModel", jsonb_build_object(
    'id', COALESCE(max("id"), 0) + 1, 'runId', COALESCE(max("id"), 0) + 1, 'status', %s::text, 'trainedAt', now(),
    'decisions', 5000, 'parameters', %s::jsonb, 'figures', '{}'::jsonb, 'reasons', '[]'::jsonb))).*
FROM "MatchModel" RETURNING "id"
"""
_EFFECT = """
INSERT INTO "UserMatchEffect" ("modelId", "userId", "selectivity", "appeal", "price") VALUES (%s, %s, %s, %s, %s)
"""


def store_model(connection: Connection, seed: int, kind: str = "usual", status: str = "active") -> Learned:
    """A model of the site with effects for most users, many of them equal, a few of them beyond what counts."""
    random, numbers = Random(f"model {seed} {kind}"), KINDS[kind]
    row = connection.execute(_MODEL, [status, Jsonb(numbers)]).fetchone()
    assert row is not None
    for (user_id,) in connection.execute("""SELECT "id" FROM "User" ORDER BY 1""").fetchall():
        if random.random() < 0.8:
            connection.execute(_EFFECT, [row[0], user_id, *draw_effect(random, kind)])
    return Learned(
        row[0], numbers["intercept"], numbers["traits"], numbers["interests"], numbers["proximity"], numbers["ageGap"]
    )


def draw_effect(random: Random, kind: str) -> tuple[float, float, float]:
    """Selectivity, appeal and price."""
    odd = (0.0, 20.0, -20.0, 31.0, -500.0)
    deviation = {"usual": 1.0, "flat": 0.3, "steep": 8.0}[kind]
    selectivity, appeal = (
        random.choice(odd) if random.random() < 0.1 else round(random.gauss(0, deviation), random.choice((0, 3)))
        for _ in range(2)
    )
    return selectivity, appeal, random.choice((0.0, 0.0, 0.5, 4.0, round(random.uniform(0, 4), 3)))
