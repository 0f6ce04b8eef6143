"""Changes of a random site of `feed_sites.py`, one kind a function."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from tests.feed.feed_sites import STATES, STATUSES, FeedSite, add_post, add_scores, random_affinity
from tests.feed.sites import NOW


def changed_feed_site(site: FeedSite, seed: int) -> FeedSite:
    """The site after one to three changes, removals included."""
    random = Random(seed)
    site = deepcopy(site)
    for change in random.sample(CHANGES, random.randrange(1, 4)):
        change(random, site)
    return site


def _any(random: Random, mapping: Any) -> Any:
    return random.choice(list(mapping))


def _hide_or_show(random: Random, site: FeedSite) -> None:
    user = _any(random, site.people)
    site.people[user] = replace(site.people[user], visible=not site.people[user].visible)


def _leave_or_come_back(random: Random, site: FeedSite) -> None:
    user = _any(random, site.people)
    site.people[user] = replace(site.people[user], deleted=not site.people[user].deleted)


def _rename(random: Random, site: FeedSite) -> None:
    user = _any(random, site.people)
    site.people[user] = replace(site.people[user], name=f"New {random.random()}")


def _block(random: Random, site: FeedSite) -> None:
    site.blocks.add((_any(random, site.people), _any(random, site.people)))


def _unblock(random: Random, site: FeedSite) -> None:
    site.blocks.discard(_any(random, site.blocks))


def _new_post(random: Random, site: FeedSite) -> None:
    add_post(random, site, max(site.posts) + 1)


def _remove_post(random: Random, site: FeedSite) -> None:
    del site.posts[_any(random, site.posts)]


def _toggle_post(random: Random, site: FeedSite) -> None:
    post = site.posts[_any(random, site.posts)]
    site.posts[post.id] = replace(post, public=not post.public)


def _edit_post(random: Random, site: FeedSite) -> None:
    post = site.posts[_any(random, site.posts)]
    site.posts[post.id] = replace(post, text=f"edited {random.random()}")


def _access(random: Random, site: FeedSite) -> None:
    a, b = random.sample(list(site.people), 2)
    site.access[a, b] = random.choice(STATUSES)


def _action(random: Random, site: FeedSite) -> None:
    a, b = random.sample(list(site.people), 2)
    site.actions[a, b] = random.choice(("LIKE", "DISLIKE"))


def _talk(random: Random, site: FeedSite) -> None:
    a, b = random.sample(list(site.people), 2)
    site.talks.add((a, b))


def _match(random: Random, site: FeedSite) -> None:
    a, b = sorted(random.sample(list(site.people), 2))
    site.matches[a, b] = (random.choice(STATES), NOW)


def _scores(random: Random, site: FeedSite) -> None:
    add_scores(random, site, _any(random, site.people))


def _no_scores(random: Random, site: FeedSite) -> None:
    site.scores.pop(_any(random, site.people), None)


def _affinity(random: Random, site: FeedSite) -> None:
    site.affinities[_any(random, site.people)] = random_affinity(random, list(site.people))


def _trending(random: Random, site: FeedSite) -> None:
    site.trending[_any(random, site.posts)] = (random.random() * 30, NOW + timedelta(hours=48))


def _answer(random: Random, site: FeedSite) -> None:
    quiz = random.choice(site.quizzes)
    site.answers[_any(random, site.people), quiz.id] = {str(quiz.questions[0][0]): "y"}


def _quiz(random: Random, site: FeedSite) -> None:
    at = random.randrange(len(site.quizzes))
    site.quizzes[at] = replace(site.quizzes[at], active=not site.quizzes[at].active)


CHANGES = (
    *(_hide_or_show, _leave_or_come_back, _rename, _block, _unblock, _new_post, _remove_post, _toggle_post),
    *(_edit_post, _access, _action, _talk, _match, _scores, _no_scores, _affinity, _trending, _answer, _quiz),
)
