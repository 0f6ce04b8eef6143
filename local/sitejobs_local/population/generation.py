"""One call makes the whole site."""

from datetime import UTC, datetime

import numpy as np

from sitejobs.errors import InvalidInput
from sitejobs_local.population.encounters import Encounters
from sitejobs_local.population.interests import interest_tables
from sitejobs_local.population.likenesses import likenesses
from sitejobs_local.population.model import Population
from sitejobs_local.population.people import people
from sitejobs_local.population.post_likes import like_table
from sitejobs_local.population.posts import Posts, media_tables
from sitejobs_local.population.profiles import user_tables
from sitejobs_local.population.quizzes import quiz_tables
from sitejobs_local.population.ratings import rating_table, top_list_tables
from sitejobs_local.population.relations import relation_tables
from sitejobs_local.population.tastes import Tastes, tastes

MOST_USERS = 5_000_000


def generate(users: int, seed: int, now: datetime) -> Population:
    """Make a synthetic dating and social site: the same arguments give the same site, on every platform.

    Parameters
    ----------
    users : number of users, 1 to `MOST_USERS`; ids have gaps, the first eight users miss nothing.
    seed : 0 or greater.
    now : the moment at which the site is seen, with a time zone; used to the millisecond.

    Raises
    ------
    InvalidInput : an argument is out of its range.
    """
    if not 1 <= users <= MOST_USERS:
        raise InvalidInput(f"users: {users} given, 1 to {MOST_USERS} allowed")
    if seed < 0:
        raise InvalidInput(f"seed: {seed} given, 0 or greater allowed")
    if now.tzinfo is None:
        raise InvalidInput("now: a time without a time zone given, one with a time zone needed")
    return _site(users, seed, now)[0]


def planted(users: int, seed: int, now: datetime) -> tuple[Population, Tastes]:
    """The site that `generate` makes, and the truth behind its likes: for tests, the site's tables hold none of it."""
    return _site(users, seed, now)


def _site(users: int, seed: int, now: datetime) -> tuple[Population, Tastes]:
    moment = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "ms")
    crowd = people(users, seed, moment)
    encounters = Encounters(crowd)
    posts = Posts(crowd, seed)
    own, quizzes, interests = user_tables(crowd, seed), quiz_tables(crowd, seed), interest_tables(crowd, seed)
    by_name = {table.name: table for table in (*own, *quizzes, *interests)}
    alike = likenesses(crowd, by_name["Profile"], by_name["UserTrait"], by_name["UserInterest"])
    likings = tastes(crowd, alike, seed)
    tables = (
        *own,
        *quizzes,
        *interests,
        rating_table(crowd, encounters, seed),
        *top_list_tables(crowd, seed),
        *relation_tables(crowd, encounters, likings, seed),
        posts.table(),
        *media_tables(crowd, posts, seed),
        like_table(crowd, encounters, posts, seed),
    )
    return Population(users=users, seed=seed, now=now, tables=tables), likings
