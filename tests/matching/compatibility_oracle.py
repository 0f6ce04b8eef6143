"""compatibility again, pair by pair: slow, obvious, and written from the job's description alone.

Nothing of the package is imported here: whatever mistake the job makes, this does not share it.
"""

import math
from dataclasses import dataclass

from psycopg import Connection

from tests.matching.oracle import averages, cosine, equal_answers_share, is_vector
from tests.matching.oracle_site import Person, Site, read_site


@dataclass(frozen=True)
class Pair:
    """One row of UserCompatibility."""

    status: str
    score: float | None
    quiz: float
    interests: float
    quality: float
    fit: float
    shared_interest_count: int
    shared_interest_ids: tuple[int, ...]
    rating_count: int
    averages: tuple[float, ...] | None


@dataclass
class Relations:
    """Related users and blocked users, both ways; suggestions by rank; users whose profiles are all deleted."""

    related: set[tuple[int, int]]
    blocked: set[tuple[int, int]]
    suggested: dict[int, list[tuple[int, int]]]
    without_profile: set[int]


def expected(connection: Connection, suggestions: int = 100) -> dict[int, dict[int, Pair]]:
    """Viewer -> target -> the row to store, for every undeleted user; empty for a user without targets."""
    site, relations = read_site(connection), read_relations(connection)
    for person in site.people.values():
        if not person.has_profile:
            person.given, person.received = [], []
    return {
        viewer: {
            target: compare(site.people[viewer], site.people[target])
            for target in targets_of(site, relations, viewer, suggestions)
        }
        for viewer in site.people
    }


def read_relations(connection: Connection) -> Relations:
    """Read all of them from the site's tables."""
    related: set[tuple[int, int]] = set()
    for query in (
        """SELECT "userAId", "userBId" FROM "Match" WHERE "state" = 'ACTIVE'""",
        """SELECT "ownerUserId", "viewerUserId" FROM "ProfileAccess" WHERE "status" IN ('PENDING', 'GRANTED')""",
        """SELECT "userAId", "userBId" FROM "Conversation" """,
    ):
        for a, b in connection.execute(query.encode()):
            related |= {(a, b), (b, a)} if a is not None and b is not None else set()
    blocked = set()
    for a, b in connection.execute("""SELECT "blockerId", "blockedId" FROM "UserBlock" """):
        blocked |= {(a, b), (b, a)}
    suggested: dict[int, list[tuple[int, int]]] = {}
    for viewer, rank, target in connection.execute("""SELECT "userId", "rank", "candidateUserId" FROM "MatchScore" """):
        suggested.setdefault(viewer, []).append((rank, target))
    gone = connection.execute("""SELECT "userId" FROM "Profile" GROUP BY 1 HAVING bool_and("deletedAt" IS NOT NULL)""")
    return Relations(related, blocked, suggested, {row[0] for row in gone})


def targets_of(site: Site, relations: Relations, viewer: int, suggestions: int) -> list[int]:
    """A viewer's targets: the related users without deleted and blocked ones and itself."""
    targets = {b for a, b in relations.related if a == viewer}
    targets |= {target for rank, target in relations.suggested.get(viewer, []) if rank <= suggestions}
    return sorted(
        target
        for target in targets
        if target != viewer
        and target in site.people
        and target not in relations.without_profile
        and (viewer, target) not in relations.blocked
    )


def compare(viewer: Person, target: Person) -> Pair:
    """The score of one pair."""
    mine = max(viewer.quizzes.values(), key=lambda result: (result.updated_at, result.quiz_id), default=None)
    theirs = target.quizzes.get(mine.quiz_id) if mine else None
    viewer_tells = bool(viewer.quizzes or viewer.interests or viewer.given)
    target_tells = bool(theirs or target.interests or target.received)
    quiz = quiz_part(viewer, target)
    shared = sorted(viewer.interests & target.interests)
    interests = 0.0
    if viewer.interests and target.interests:
        interests = len(shared) / math.sqrt(len(viewer.interests) * len(target.interests))
    means = averages(target.received)
    quality = sum(means) / 4 / 5 if means else 0.0
    fit = fit_part(viewer, target)
    ready = viewer_tells and target_tells
    return Pair(
        status="READY" if ready else "INSUFFICIENT_DATA",
        score=0.45 * quiz + 0.25 * interests + 0.10 * quality + 0.20 * fit if ready else None,
        quiz=quiz,
        interests=interests,
        quality=quality,
        fit=fit,
        shared_interest_count=len(shared),
        shared_interest_ids=tuple(interest for _, interest in shared[:5]),
        rating_count=len(target.received),
        averages=means,
    )


def quiz_part(viewer: Person, target: Person) -> float:
    """The viewer's latest result compared with the target's result of the same quiz."""
    if not viewer.quizzes:
        return 0.0
    mine = max(viewer.quizzes.values(), key=lambda result: (result.updated_at, result.quiz_id))
    theirs = target.quizzes.get(mine.quiz_id)
    if theirs is None:
        return 0.0
    a, b = mine.score_vec, theirs.score_vec
    if is_vector(a) and is_vector(b) and len(a) == len(b):
        return max(0.0, cosine([float(x) for x in a], [float(x) for x in b]))
    return equal_answers_share(mine.answers, theirs.answers)


def fit_part(viewer: Person, target: Person) -> float:
    """Cosine of the ratings that the target gets and those that the viewer gives."""
    given, received = averages(viewer.given), averages(target.received)
    if given is None or received is None:
        return 0.0
    a, b = _about_the_mean(given), _about_the_mean(received)
    if all(abs(x) < 1e-6 for x in a) or all(abs(x) < 1e-6 for x in b):
        return 0.0
    return max(0.0, cosine(a, b))


def _about_the_mean(means: tuple[float, ...]) -> list[float]:
    middle = sum(means) / 4
    return [(mean - middle) / 5 for mean in means]
