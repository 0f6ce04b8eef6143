"""Who is suggested to those who have decided about many, and when whom they passed over returns."""

from datetime import timedelta
from random import Random

from psycopg import Connection

from sitejobs.feed.feed_presort import JOB
from tests.feed.feed_sites import FeedSite, Person
from tests.feed.running import run
from tests.feed.sites import NOW
from tests.feed.test_feed_presort import MINUTE, crowd, kinds, stored

SAID = """UPDATE "Like" SET "createdAt" = %s WHERE "fromUserId" = 1 AND "toUserId" = ANY(%s)"""


def decider(users: int) -> FeedSite:
    """A site on which user 1 has decided about the 200 newest people."""
    site = crowd(posts=0, users=users)
    site.actions = {
        (1, other): Random(other).choice(("LIKE", "DISLIKE")) for other in range(max(users - 199, 2), users + 1)
    }
    return site


def suggested(connection: Connection, user: int = 1) -> set[int]:
    return kinds(stored(connection).get(user, []), "suggestion")


def test_who_has_decided_about_the_newest_sees_others(site_url: str, connection: Connection) -> None:
    site = decider(240)
    site.blocks.add((40, 1))
    site.people[39] = Person(visible=False)
    site.people[38] = Person(deleted=True)
    site.talks.add((37, 1))
    site.actions[36, 1] = "DISLIKE"
    site.store(connection)
    run(site_url, JOB, NOW, maxSegments=20)
    assert suggested(connection) == set(range(2, 36))
    assert max(suggested(connection, 2)) == 240, "others see the newest"


def test_others_are_as_fresh_as_the_newest(site_url: str, connection: Connection) -> None:
    site = decider(230)
    site.people[30] = Person(visible=False)
    site.store(connection)
    run(site_url, JOB, NOW, userId=1)
    before = stored(connection)[1]
    assert max(suggested(connection)) == 29
    assert run(site_url, JOB, NOW + MINUTE, incremental=True, userId=1).refreshed == 0
    site.people[30] = Person()
    site.store(connection)
    run(site_url, JOB, NOW + 2 * MINUTE, incremental=True)
    assert max(suggested(connection)) == 30
    site.people[231] = Person()
    site.store(connection)
    run(site_url, JOB, NOW + 3 * MINUTE, incremental=True)
    assert suggested(connection) == {231}, "one of the newest is left: the older ones wait"
    assert stored(connection)[1] != before


def test_nobody_is_suggested_where_everybody_is_decided_about(site_url: str, connection: Connection) -> None:
    site = decider(20)
    site.store(connection)
    run(site_url, JOB, NOW)
    assert suggested(connection) == set()


def test_whom_a_user_passed_over_returns_after_so_many_days(site_url: str, connection: Connection) -> None:
    site = crowd(posts=0, users=10)
    site.actions = {(1, other): "DISLIKE" for other in range(2, 9)} | {(1, 9): "LIKE", (10, 1): "DISLIKE"}
    site.scores[1] = [(other, 0.5) for other in range(2, 11)]
    site.store(connection)
    connection.execute(SAID, [NOW - timedelta(days=31), [2, 3, 9]])
    connection.execute(SAID, [NOW - timedelta(days=29), [4, 5]])
    connection.execute(SAID, ["infinity", [6]])
    run(site_url, JOB, NOW)
    assert suggested(connection) == set()
    monthly = {"MATCH_REPEAT_DAYS": "30"}
    run(site_url, JOB, NOW + MINUTE, environment=monthly, incremental=True)
    assert suggested(connection) == {2, 3, 6}, "an unusable time is long ago"
    run(site_url, JOB, NOW + timedelta(days=2), environment=monthly, incremental=True)
    assert suggested(connection) == {2, 3, 4, 5, 6}
