"""Posts of the synthetic site: their ages, texts, media and likes are distributed as on a real one."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from sitejobs_local.population import Population, generate

NOW = datetime(2026, 11, 23, 12, 34, 56, 789_000, tzinfo=UTC)


@pytest.fixture(scope="module")
def site() -> Population:
    return generate(2000, 3, NOW)


def hours_ago(values: Any) -> Any:
    return (np.datetime64(NOW.replace(tzinfo=None), "ms") - values) / np.timedelta64(1, "h")


def test_posts_are_mostly_recent_and_their_ids_follow_their_times(site: Population) -> None:
    age = hours_ago(site["Post"]["createdAt"])
    assert 2 * site.users < len(age) < 4 * site.users
    assert (age < 48).sum() > 200
    assert (age < 7 * 24).sum() > 400
    assert (age > 365 * 24).sum() > 400
    assert (np.diff(site["Post"]["id"]) > 0).all()
    assert (np.diff(age) <= 0).all()


def test_few_posts_get_most_of_the_likes_and_some_get_theirs_long_after(site: Population) -> None:
    likes = site["LikedPost"]
    found = list(zip(likes["userId"].tolist(), likes["postId"].tolist(), strict=True))
    assert len(set(found)) == len(found) > 10 * site.users
    of_post = np.sort(np.unique(likes["postId"], return_counts=True)[1])[::-1]
    assert of_post[: site["Post"].rows // 10].sum() > 0.4 * of_post.sum()
    post = np.searchsorted(site["Post"]["id"], likes["postId"])
    new = hours_ago(likes["createdAt"]) < 48
    old_post = hours_ago(site["Post"]["createdAt"])[post] > 48
    assert (np.bincount(post[new & ~old_post]) >= 5).sum() > 20
    assert (np.bincount(post[new & old_post]) >= 5).sum() > 5


def test_likes_come_after_the_post_and_after_the_liker(site: Population) -> None:
    likes = site["LikedPost"]
    joined = site["User"]["createdAt"][np.searchsorted(site["User"]["id"], likes["userId"])]
    posted = site["Post"]["createdAt"][np.searchsorted(site["Post"]["id"], likes["postId"])]
    assert (likes["createdAt"] >= np.maximum(joined, posted)).all()


def test_posts_speak_many_languages_and_carry_tags_addresses_and_mentions(site: Population) -> None:
    joined = " ".join(text for text in site["Post"]["text"].tolist() if text)
    for first, last in ("АЯ", "اي", "一龥", "ぁん", "가힣", "את", "अह", "กฮ"):
        assert any(first <= letter <= last for letter in joined), f"nothing from {first} to {last}"
    tags = [word for word in joined.split() if word.startswith("#")]
    of_tag = sorted((tags.count(tag) for tag in set(tags)), reverse=True)
    assert len(of_tag) > 500
    assert of_tag[0] > 30 * of_tag[len(of_tag) // 2]
    assert "https://" in joined
    assert " @" in joined


def test_media_belong_to_the_authors_of_their_posts(site: Population) -> None:
    links, media = site["PostMedia"], site["Media"]
    author = site["Post"]["userId"][np.searchsorted(site["Post"]["id"], links["postId"])]
    owner = media["ownerUserId"][np.searchsorted(media["id"], links["mediaId"])]
    assert (author == owner).all()
    assert len(set(media["storageKey"].tolist())) == media.rows
