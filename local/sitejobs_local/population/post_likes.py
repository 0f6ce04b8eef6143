"""Who likes which post: few posts get most of the likes, many at once, and some long after."""

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import Bools, Ints, below, log_normal, stream, unique_pairs
from sitejobs_local.population.encounters import Encounters
from sitejobs_local.population.model import Table, bigints, timestamps
from sitejobs_local.population.people import People
from sitejobs_local.population.posts import Posts

LIKES_A_USER = 14
# Per mille of the likes.
_OWN = 15
# Per mille of the posts that somebody with many readers passes on, and how long their readers take.
_PASSED_ON = 60
_BURST_MS = 3 * 3_600_000


def like_table(crowd: People, encounters: Encounters, posts: Posts, seed: int) -> Table:
    """LikedPost: likes of people who have left, of one's own posts, and of private and deleted posts are among them."""
    rng = stream(seed, "LikedPost")
    charm = np.minimum(crowd.popularity[posts.author], 2000) + 20
    fame = np.cumsum(log_normal(rng, len(posts)) * log_normal(rng, len(posts)) // 1000 * charm + 1)
    liked = np.searchsorted(fame, below(rng, np.full(len(crowd) * LIKES_A_USER, fame[-1])), side="right")
    likers = encounters.liked(rng, posts.author[liked], tries=2)
    own = rng.integers(0, 1000, len(liked)) < _OWN
    likers = np.where(own, posts.author[liked], likers)
    kept = _first_of_each(likers, liked)
    likers, liked = likers[kept], liked[kept]
    columns = {
        "userId": bigints(crowd.ids[likers]),
        "postId": bigints(posts.ids[liked]),
        "createdAt": timestamps(_times(rng, crowd, posts, likers, liked)),
    }
    return Table("LikedPost", columns)


def _first_of_each(likers: Ints, liked: Ints) -> Ints:
    """Positions of the first like of each (person, post), in ascending order of both."""
    # unique_pairs leaves out pairs of one number with itself: shifted, the two never meet.
    return unique_pairs(likers, liked + int(likers.max(initial=0)) + 1)


def _times(rng: np.random.Generator, crowd: People, posts: Posts, likers: Ints, liked: Ints) -> NDArray[np.datetime64]:
    """Mostly soon after the post, or all within hours once it was passed on; never before the liker had joined."""
    earliest = np.maximum(posts.created[liked], crowd.joined[likers])
    spans = (crowd.now - earliest).astype(np.int64)
    share = rng.random(len(liked))
    soon = share * share * share * share * spans
    passed_on: Bools = (rng.integers(0, 1000, len(posts)) < _PASSED_ON)[liked]
    begin = (rng.random(len(posts)) * (crowd.now - posts.created).astype(np.int64))[liked]
    burst = begin + share * share * _BURST_MS - (earliest - posts.created[liked]).astype(np.int64)
    delay = np.clip(np.where(passed_on, burst, soon), 0, spans)
    times: NDArray[np.datetime64] = (earliest + np.floor(delay).astype("m8[ms]")).astype("M8[ms]")
    return times
