"""One pair explained says what the plain implementation says, and why a pair is no match."""

from typing import LiteralString

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.match_scores.pair import explain
from sitejobs.matching.scoring.parameters import Parameters
from tests.matching.comparing import TOLERANCE
from tests.matching.compatibility_runs import suggest
from tests.matching.oracle import STANDARD, bars, candidates, decided, score_pair, score_viewer
from tests.matching.oracle_site import read_site
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.site_loading import load

BARS = "looks for other genders"


@pytest.mark.parametrize("flavour", ["mixed", "one city", "enemies"])
def test_each_pair_is_explained_as_the_plain_implementation_does(site: Connection, flavour: str) -> None:
    load(site, draw(70, 14, flavour))
    people = read_site(site)
    with_profile = [user_id for user_id, person in people.people.items() if person.has_profile]
    for viewer in with_profile:
        left, done = candidates(people, viewer), decided(people, viewer, NOW, STANDARD)
        for other in set(with_profile) - {viewer}:
            found = explain(site, viewer, other, NOW, Parameters())
            one, two = people.people[viewer], people.people[other]
            want, back = score_pair(one, two, NOW), score_pair(two, one, NOW)
            assert found.pair is not None
            assert abs(found.pair.score[0] - want.score) < TOLERANCE
            assert ("A" if found.pair.tier_a[0] else "B") == want.tier
            assert found.viewer_wants is not None
            assert tuple(vars(found.viewer_wants).values()) == (want.gender_ok, want.age_ok, want.distance_ok)
            assert found.candidate_wants is not None
            assert tuple(vars(found.candidate_wants).values()) == (back.gender_ok, back.age_ok, back.distance_ok)
            assert bool(found.obstacles) == (other not in left or other in done or bars(two, one))
            assert any(BARS in text for text in found.obstacles) == bars(two, one)
            assert np.isnan(found.pair.distance_km[0]) == (want.distance_km is None)


@pytest.mark.parametrize(
    ("happening", "said"),
    [
        ("""SELECT 1""", ""),
        ("""INSERT INTO "UserBlock" VALUES (2, 1)""", "blocked"),
        ("""INSERT INTO "UserBlock" VALUES (1, 2)""", "blocked"),
        ("""INSERT INTO "Like" VALUES (1, 2, 'LIKE')""", "decided"),
        ("""INSERT INTO "Like" VALUES (2, 1, 'DISLIKE')""", "decided"),
        ("""INSERT INTO "Like" VALUES (2, 1, 'LIKE')""", ""),
        ("""INSERT INTO "Conversation" VALUES (2, 1)""", "decided"),
        ("""UPDATE "Profile" SET "isVisible" = false WHERE "userId" = 2""", "the profile of user 2 is hidden"),
        ("""UPDATE "Profile" SET "isVisible" = false WHERE "userId" = 1""", ""),
        ("""UPDATE "Profile" SET "deletedAt" = now() WHERE "userId" = 2""", "user 2 has no profile"),
        ("""UPDATE "User" SET "deletedAt" = now() WHERE "id" = 2""", "user 2 does not exist, or is deleted"),
        ("""DELETE FROM "User" WHERE "id" = 1""", "user 1 does not exist, or is deleted"),
    ],
)
def test_why_there_is_no_match(site: Connection, happening: LiteralString, said: str) -> None:
    load(site, SiteRows([someone(1, gender="MALE"), someone(2, gender="MALE")], set()))
    site.execute(happening)
    obstacles = explain(site, 1, 2, NOW, Parameters()).obstacles
    assert [text.partition(":")[0] for text in obstacles] == ([said] if said else [])


def test_whoever_is_not_stored_has_a_place_among_all(site: Connection) -> None:
    load(site, draw(71, 40, "one city"))
    people, checked = read_site(site), 0
    for viewer in [user_id for user_id, person in people.people.items() if person.has_profile][:6]:
        ranked = [row.candidate_id for row in score_viewer(people, viewer, NOW)]
        suggest(site, viewer, [1_000_000])
        for at, other in enumerate(ranked):
            if at % 5 == 0:
                assert explain(site, viewer, other, NOW, Parameters()).place == (at + 1, len(ranked))
                checked += 1
    assert checked > 20
