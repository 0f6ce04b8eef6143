"""What people post: words, pictures and films, some for followers only, some deleted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import (
    WHOLE_USERS,
    Ints,
    below,
    log_normal,
    picked,
    spread,
    stream,
    times_between,
    weighted,
)
from sitejobs_local.population.model import Column, Kind, Table, bigints, integers, objects, texts, timestamps
from sitejobs_local.population.people import People
from sitejobs_local.population.post_texts import post_texts

_FIRST_POST_ID, _FIRST_MEDIA_ID = 1001, 501
# Per mille of all posts.
_PRIVATE, _DELETED, _EDITED = 150, 30, 50
# How many media a post has: none for most that have text.
_MEDIA_COUNTS = (0, 1, 2, 3, 4, 6)
_MEDIA_WEIGHTS = (55, 30, 7, 4, 3, 1)
_MINUTE_MS = 60_000


class Posts:
    """All posts in the order of their ids and times, from which likes are drawn."""

    def __init__(self, crowd: People, seed: int) -> None:
        rng = stream(seed, "Post")
        # A long tail: many post never, a few all the time; about three posts a user.
        diligence = np.where(rng.integers(0, 100, len(crowd)) < 75, 3, 0)
        count = log_normal(rng, len(crowd)) * diligence // 1000
        count = np.where(crowd.profile_ids > 0, count, 0)
        count[:WHOLE_USERS] = np.maximum(count[:WHOLE_USERS], 2)
        authors = np.repeat(np.arange(len(crowd)), count)
        created = times_between(rng, crowd.joined[authors], crowd.now)
        order = np.argsort(created, kind="stable")
        self.author: Ints = authors[order]
        """Index into the crowd."""
        self.created = created[order]
        steps = np.array([1, 2, 3, 40])[weighted(rng, (900, 60, 35, 5), len(authors))]
        self.ids: Ints = _FIRST_POST_ID - 1 + np.cumsum(steps)
        self.media_count: Ints = np.array(_MEDIA_COUNTS)[weighted(rng, _MEDIA_WEIGHTS, len(authors))]
        self._crowd, self._seed, self._rng = crowd, seed, rng

    def __len__(self) -> int:
        return len(self.ids)

    def table(self) -> Table:
        """Post."""
        rng, crowd = self._rng, self._crowd
        visibility = (rng.integers(0, 1000, len(self)) < _PRIVATE).astype(np.int64)
        edited = rng.integers(0, 1000, len(self)) < _EDITED
        deleted = rng.integers(0, 1000, len(self)) < _DELETED
        columns = {
            "id": bigints(self.ids),
            "userId": bigints(crowd.ids[self.author]),
            "visibility": texts(objects(("PUBLIC", "PRIVATE"))[visibility]),
            "text": texts(post_texts(crowd, self.author, self.media_count > 0, self._seed)),
            "createdAt": timestamps(self.created),
            "updatedAt": timestamps(np.where(edited, times_between(rng, self.created, crowd.now), self.created)),
            "deletedAt": timestamps(times_between(rng, self.created, crowd.now), deleted),
        }
        return Table("Post", columns)


def media_tables(crowd: People, posts: Posts, seed: int) -> list[Table]:
    """Media and PostMedia: what posts show. Nearly all of it is checked and READY."""
    rng = stream(seed, "Media")
    post = np.repeat(np.arange(len(posts)), posts.media_count)
    size = len(post)
    ids = _FIRST_MEDIA_ID + np.arange(size) * 2
    kind = weighted(rng, (75, 20, 5), size)
    ready = ~picked(rng, size, 30)
    owners = crowd.ids[posts.author[post]]
    shown = ready & (kind < 2)
    shape = rng.integers(0, len(_SHAPES), size)
    columns = {
        "id": bigints(ids),
        "ownerUserId": bigints(owners),
        "type": texts(objects(("IMAGE", "VIDEO", "AUDIO"))[kind]),
        "status": texts(objects(("PENDING", "READY"))[ready.astype(np.int64)]),
        "storageKey": texts(_keys(owners, ids, kind)),
        "mimeType": texts(objects(("image/jpeg", "video/mp4", "audio/mpeg"))[kind]),
        "sizeBytes": Column(
            Kind.BIGINT, 20_000 + below(rng, np.array([4_000_000, 60_000_000, 9_000_000])[kind]), ready
        ),
        "width": integers(_SHAPES[shape, 0], shown),
        "height": integers(_SHAPES[shape, 1], shown),
        "durationSec": Column(Kind.DOUBLE, rng.integers(1, 720, size) / 4, ready & (kind > 0)),
        "createdAt": timestamps(posts.created[post] - (rng.integers(0, 30, size) * _MINUTE_MS).astype("m8[ms]")),
        "deletedAt": timestamps(times_between(rng, posts.created[post], crowd.now), spread(rng, size, 10) == 1),
    }
    firsts = np.cumsum(posts.media_count) - posts.media_count
    links = {
        "postId": bigints(posts.ids[post]),
        "mediaId": bigints(ids),
        "order": integers(np.arange(size) - firsts[post]),
    }
    return [Table("Media", columns), Table("PostMedia", links)]


_SHAPES = np.array([(1080, 1080), (1080, 1350), (1920, 1080), (1080, 1920), (4032, 3024), (640, 480)])


def _keys(owners: Ints, ids: Ints, kind: Ints) -> NDArray[Any]:
    """Where the objects lie in the media bucket."""
    endings = objects((".jpg", ".mp4", ".mp3"))[kind].tolist()
    pairs = zip(owners.tolist(), ids.tolist(), endings, strict=True)
    return objects([f"media/{owner}/{media}{ending}" for owner, media, ending in pairs])
