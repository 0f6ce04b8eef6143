"""The feeds that feed-presort stores, computed as plainly as possible: user by user, over every candidate."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sitejobs.feed.cards import preview
from tests.feed.feed_sites import FeedSite
from tests.feed.sites import Post

Item = dict[str, Any]
PATTERN = ["highlight", *["suggestion"] * 3, *["grid"] * 3, "post", "post", "question", "post"]
KINDS = {"highlight": "post", "post": "post", "suggestion": "suggestion", "grid": "suggestion", "question": "question"}
FIRST_PUBLIC, FIRST_OWN, FIRST_OF_AUTHOR, FIRST_SUGGESTIONS = 500, 10, 10, 200


def feed(site: FeedSite, user: int, now: datetime, size: int = 20, most: int = 3) -> list[list[Item]]:
    """The segments of a user; [] for a deleted user and without candidates."""
    if user not in site.people or site.people[user].deleted:
        return []
    posts, suggestions, questions = (
        post_items(site, user, now),
        suggestion_items(site, user),
        question_items(site, user),
    )
    segments = arrange({"post": posts, "suggestion": suggestions, "question": questions}, size, most)
    return [[with_ids_as_text(item) for item in segment] for segment in segments]


def with_ids_as_text(item: Item) -> Item:
    """The id as text, as it is stored: JavaScript rounds large numbers."""
    author = item["author"] and {**item["author"], "id": str(item["author"]["id"])}
    quiz = {"quizId": str(item["quizId"])} if "quizId" in item else {}
    return {**item, "id": str(item["id"]), "author": author, **quiz}


def arrange(left: dict[str, list[Item]], size: int, most: int) -> list[list[Item]]:
    segments: list[list[Item]] = [[]]
    missed = at = 0
    while True:
        if len(segments[-1]) == size or (missed == len(PATTERN) and segments[-1]):
            segments.append([])
            missed = 0
        if missed == len(PATTERN) or len(segments) > most:
            return [segment for segment in segments[:most] if segment]
        presentation = PATTERN[at % len(PATTERN)]
        at += 1
        kind = KINDS[presentation]
        for item in left[kind]:
            if may_follow(item, segments):
                left[kind].remove(item)
                segments[-1].append({**item, "presentation": presentation})
                missed = 0
                break
        else:
            missed += 1


def may_follow(item: Item, segments: list[list[Item]]) -> bool:
    if item["kind"] == "question":
        return True
    author: int = item["author"]["id"]
    of_author = [
        other for segment in segments for other in segment if other["author"] and other["author"]["id"] == author
    ]
    if any(other["kind"] != item["kind"] for other in of_author):
        return False
    return shown_authors(segments[-1:])[author] < 3


def are_blocked(site: FeedSite, a: int, b: int) -> bool:
    return (a, b) in site.blocks or (b, a) in site.blocks


def may_appear(site: FeedSite, viewer: int, other: int) -> bool:
    return other != viewer and site.people[other].shown and not are_blocked(site, viewer, other)


def post_items(site: FeedSite, user: int, now: datetime) -> list[Item]:
    recent = [
        post for post in site.posts.values() if not post.deleted and now - timedelta(days=7) < post.created <= now
    ]
    recent.sort(key=lambda post: (post.created, post.id), reverse=True)
    public = fair([post for post in recent if post.public and site.people[post.user].shown])[:FIRST_PUBLIC]
    mine = [post for post in recent if post.user == user][:FIRST_OWN]
    followed = [
        post
        for post in recent
        if not post.public and site.access.get((post.user, user)) == "GRANTED" and may_appear(site, user, post.user)
    ]
    followed = fair(followed)
    others = [post for post in public if may_appear(site, user, post.user)]
    items = [post_item(site, user, post, now) for post in mine + followed + others]
    return sorted(items, key=lambda item: (-item["score"], -site.posts[item["id"]].created.timestamp(), -item["id"]))


def fair(posts: list[Post]) -> list[Post]:
    """The first few of each author."""
    seen: Counter[int] = Counter()
    kept = []
    for post in posts:
        seen[post.user] += 1
        if seen[post.user] <= FIRST_OF_AUTHOR:
            kept.append(post)
    return kept


def post_item(site: FeedSite, user: int, post: Post, now: datetime) -> Item:
    topics, quality = site.features.get(post.id, ([], 0))
    popularity, expires = site.trending.get(post.id, (0.0, None))
    trending = popularity / (popularity + 10) if expires is not None and expires > now else 0.0
    hours = max((now - post.created).total_seconds() / 3600, 0)
    recency = min(1.0, 1 / math.log(2 + hours))
    affinity = affinity_of(site, user, post, topics)
    score = 0.6 * recency + 0.3 * affinity + 0.1 * quality + 0.1 * trending
    parts = {"recency": recency, "affinity": affinity, "quality": quality, "trending": trending}
    media = [medium.type for medium in post.media if medium.shown]
    return {
        "kind": "post",
        "id": post.id,
        "author": author_of(site, post.user),
        "preview": preview(post.text),
        "mediaType": media[0] if media else None,
        "createdAt": post.created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "score": round(score, 6),
        "parts": {name: round(value, 6) for name, value in parts.items()},
    }


def affinity_of(site: FeedSite, user: int, post: Post, topics: list[str]) -> float:
    profile = site.affinities.get(user)
    if profile is None:
        return 0.0
    found = 0.0
    if profile.creators:
        found += 0.5 * profile.creators.get(post.user, 0) / max(profile.creators.values())
    if profile.topics:
        found += 0.3 * min(sum(profile.topics.get(topic, 0) / max(profile.topics.values()) for topic in topics), 1)
    if max(profile.types.values()) > 0:
        found += 0.2 * profile.types[post.kind] / max(profile.types.values())
    return found


def author_of(site: FeedSite, user: int) -> Item:
    person = site.people[user]
    if not person.profile or person.profile_deleted:
        return {"id": user, "name": None, "avatar": None}
    avatar = person.avatar if person.avatar and len(person.avatar) <= 1000 else None
    return {"id": user, "name": preview(person.name, 80), "avatar": avatar}


def is_decided(site: FeedSite, user: int, other: int) -> bool:
    """Whether the user said something of the other, the other dislikes the user, or they talk."""
    said = (user, other) in site.actions or site.actions.get((other, user)) == "DISLIKE"
    return said or (user, other) in site.talks or (other, user) in site.talks


def suggestion_items(site: FeedSite, user: int) -> list[Item]:
    matched = [
        (at, b if a == user else a)
        for (a, b), (state, at) in site.matches.items()
        if user in (a, b) and state == "ACTIVE"
    ]
    matched.sort(key=lambda match: (-match[0].timestamp(), match[1]))
    chosen = {other: 1.0 for _, other in [match for match in matched if may_appear(site, user, match[1])][:3]}
    scored = site.scores.get(user, [])[:FIRST_SUGGESTIONS]
    if not scored:
        newest = sorted((other for other, person in site.people.items() if person.shown), reverse=True)
        scored = [(other, 0.0) for other in newest[:FIRST_SUGGESTIONS]]
    for other, score in scored:
        if other not in chosen and may_appear(site, user, other) and not is_decided(site, user, other):
            chosen[other] = score
    return [
        {
            "kind": "suggestion",
            "id": other,
            "author": author_of(site, other),
            "preview": preview(site.people[other].bio),
            "mediaType": None,
            "createdAt": None,
            "score": round(0.3 * score, 6),
            "parts": {"match": round(score, 6)},
        }
        for other, score in chosen.items()
    ]


def question_items(site: FeedSite, user: int) -> list[Item]:
    active = [quiz for quiz in site.quizzes if quiz.active]
    if not active:
        return []
    newest = max(active, key=lambda quiz: (quiz.updated, quiz.id))
    answered = site.answers.get((user, newest.id), {})
    asked = sorted(newest.questions, key=lambda question: (question[1], question[0]))
    return [
        {
            "kind": "question",
            "id": id_,
            "author": None,
            "preview": preview(prompt),
            "mediaType": None,
            "createdAt": newest.updated.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "quizId": newest.id,
            "options": [{"label": "yes", "value": "y"}, {"label": "no", "value": "n"}],
            "score": 0.0,
            "parts": {},
        }
        for id_, _, prompt in asked
        if str(id_) not in answered
    ][:5]


def shown_authors(segments: list[list[Item]]) -> Counter[int]:
    return Counter(int(item["author"]["id"]) for segment in segments for item in segment if item["author"])
