"""The rows of the feed's jobs, computed as plainly as possible: a loop over every record."""

import math
from collections import Counter
from datetime import datetime, timedelta

from sitejobs.feed.topics import topics_of
from tests.feed.sites import Post, Site

Features = dict[int, tuple[list[str], float]]
Scores = dict[int, tuple[float, float]]


def features(site: Site, now: datetime, days: int = 7, limit: int = 8) -> Features:
    """Post -> (topics, quality). The topics themselves have tests of their own."""
    found: Features = {}
    for post in site.posts.values():
        if post.deleted or (days and post.created <= now - timedelta(days=days)):
            continue
        text = (post.text or "").strip()
        media = 0
        for medium in post.media:
            if medium.shown:
                media += 1
        quality = 0.6 * min(len(text) / 280, 1) + 0.4 * min(media / 4, 1)
        found[post.id] = (topics_of(text, limit), quality)
    return found


def trending(site: Site, now: datetime, hours: int = 48, least: int = 5) -> Scores:
    """Post -> (popularity, velocity)."""
    start = now - timedelta(hours=hours)
    found: Scores = {}
    for post in site.posts.values():
        if post.deleted or not post.public or not start <= post.created <= now:
            continue
        if not site.users[post.user] or post.user in site.hidden:
            continue
        likes = 0
        for (user, liked), at in site.likes.items():
            if liked == post.id and user != post.user and site.users[user] and start <= at <= now:
                likes += 1
        if likes >= least:
            age = (now - post.created).total_seconds() / 3600
            found[post.id] = (min(likes / math.log(2 + age), likes), likes / max(age, 1 / 60))
    return found


def affinity(site: Site, topics: Features, now: datetime, days: int = 90) -> dict[int, dict[str, object]]:
    """User -> profile, for those who have likes that count; shares rounded to 6 places."""
    found: dict[int, dict[str, object]] = {}
    for user, here in site.users.items():
        liked: list[Post] = []
        for (liker, number), at in site.likes.items():
            post = site.posts[number]
            if liker != user or not now - timedelta(days=days) < at <= now:
                continue
            if post.public and not post.deleted and post.user != user and site.users[post.user]:
                liked.append(post)
        if not here or not liked:
            continue
        creators = Counter(post.user for post in liked)
        named = Counter(topic for post in liked if post.id in topics for topic in topics[post.id][0])
        kinds = Counter(post.kind for post in liked)
        top_creators = sorted(creators, key=lambda creator: (-creators[creator], creator))[:20]
        # Ties in the order of code points.
        top_topics = sorted(named, key=lambda topic: (-named[topic], topic))[:30]
        found[user] = {
            "creators": {creator: round(creators[creator] / len(liked), 6) for creator in top_creators},
            "topics": {topic: round(named[topic] / named.total(), 6) for topic in top_topics},
            "types": {kind: round(kinds[kind] / len(liked), 6) for kind in ("photos", "videos", "text")},
            "velocity": round(len(liked) / days, 6),
            "exploration": round(min(len(named) / 30, 1) if named else 0.5, 6),
        }
    return found
