"""A page of an incremental run: viewers whose own inputs changed are scored anew, for the others only the candidates
that changed are scored, as of the time of the viewer's list, and stored beside it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from sitejobs.matching.match_scores import visibility
from sitejobs.matching.match_scores.changes import Changes
from sitejobs.matching.match_scores.concerned import Entering, concerned, find_entering
from sitejobs.matching.match_scores.lists import EncodedChange, are_finite, encode_changes
from sitejobs.matching.match_scores.merging import Order, close, differing, merge
from sitejobs.matching.match_scores.page_run import PageRun
from sitejobs.matching.match_scores.stored_lists import read_lists
from sitejobs.matching.scoring.arrays import Flags, Floats, Indices
from sitejobs.matching.scoring.chances import judge_pairs
from sitejobs.matching.scoring.pair_scores import Pairs, joined_pairs
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.snapshot.exclusions import Barred, barred, between
from sitejobs.matching.topk.keys import tier_step
from sitejobs.matching.topk.search import Matches

MOST_CHANGES: Final = 32
"""Most candidates that are stored beside a list: with more of them it is computed anew."""


@dataclass(frozen=True)
class Refreshed:
    """Outcome for viewers whose own inputs are as they were.

    changes : what to store beside lists. again: rows of the viewers who must be scored anew. unchanged: how many lists
    stay although a changed candidate was looked at for them.
    """

    changes: list[EncodedChange]
    again: Indices
    unchanged: int


@dataclass(frozen=True)
class _Found:
    """Candidates to rank: rows of viewers, positions, and index into the changed candidates, -1 for earlier ones."""

    row: Indices
    position: Indices
    changed: Indices

    def take(self, kept: Flags | Indices) -> "_Found":
        return _Found(self.row[kept], self.position[kept], self.changed[kept])


class _Refresh:
    """One page's work. `again` collects the viewers for whom what is stored does not suffice."""

    def __init__(self, page: PageRun, viewers: Users, changes: Changes, found: Entering | None) -> None:
        self._page, self._viewers, self._changes, self._entering = page, viewers, changes, found
        self._lists = read_lists(page.connection, viewers, page.parameters, page.stored_worth)
        self._stale = np.isin(self._lists.members.id, changes.left) & (self._lists.members.place >= 0)
        self._dropped = np.isin(self._lists.changes.id, changes.left)
        self._affected, self._again = np.zeros((2, len(viewers)), bool)
        for part in (self._lists.members, self._lists.changes):  # a score too small for its column
            self._again[part.row[~np.isfinite(part.key)]] = True
        if page.parameters.model is not None:
            # What the last of a list was worth is told by its price, which may have changed since.
            self._again[self._last_of_unknown_worth()] = True

    @property
    def _active(self) -> Flags:
        """Viewers whose lists may go on with what is stored beside them."""
        return self._affected & ~self._again

    def _last_of_unknown_worth(self) -> Indices:
        """Viewers whose list ends with somebody who changed since it was computed."""
        members = self._lists.members
        last = np.flatnonzero(np.diff(members.row, append=-1))
        return members.row[last[self._stale[last] | (members.place[last] < 0)]]

    def run(self) -> Refreshed:
        found = self._found()
        candidates, pairs, changed = self._scored(self._without_excluded(found))
        ids, page = candidates.ids[pairs.candidate], self._page
        order = merge(self._lists, self._stale, self._active, pairs, ids, page.parameters)
        self._again |= self._affected & order.unsure
        differs = differing(
            self._lists, self._stale, order, self._active, pairs, ids, page.parameters, page.rewrite_epsilon
        )
        of_now = np.flatnonzero(changed >= 0)
        # Of the others ids and scores show all that differs.
        differs[pairs.viewer[of_now[~self._changes.aged[changed[of_now]]]]] = True
        beside, order = self._with_successors(Matches(candidates, pairs, order.pairs), order)
        self._again |= np.bincount(beside.pairs.viewer, minlength=len(self._viewers)) > MOST_CHANGES
        rows = np.flatnonzero(self._active & differs)
        encoded = encode_changes(
            beside,
            self._viewers,
            rows,
            self._lists,
            order.ranks(page.parameters.top_k),
            page.snapshot.dictionaries.interests[:, 1],
            page.started_at,
        )
        return Refreshed(list(encoded), np.flatnonzero(self._again), int((self._active & ~differs).sum()))

    def _found(self) -> _Found:
        """The changed candidates that may belong to a list, and those that earlier runs stored beside it."""
        page, lists, changes = self._page, self._lists, self._changes
        lag = lists.lag(page.now, page.parameters)
        entering = self._entering or find_entering(page, self._viewers, changes, lists)
        row, changed = entering.row, entering.changed
        kept = np.flatnonzero(~self._dropped)
        at, known = page.at(lists.changes.id[kept])
        self._affected[row] = True
        self._affected[lists.members.row[self._stale]] = True
        self._affected[lists.changes.row[self._dropped]] = True
        self._again |= self._affected & ~(lag < page.rewrite_epsilon)
        self._again[lists.changes.row[kept[~known]]] = True
        found = _Found(
            np.concatenate([row, lists.changes.row[kept[known]]]),
            np.concatenate([changes.candidates[changed], at[known]]),
            np.concatenate([changed, np.full(int(known.sum()), -1)]),
        )
        return found.take(self._active[found.row])

    def _without_excluded(self, found: _Found) -> _Found:
        """Those found who are still candidates; viewers with others than at the snapshot are scored anew.

        Of few changed candidates it is asked first from whom they are kept, and only these viewers are compared. So one
        who was kept from a viewer at the snapshot, but is no more, enters its list: see `changes._excluded_beside`.
        """
        page, rows = self._page, np.flatnonzero(self._active)
        ids, (known_ids, positions) = self._viewers.ids, page.snapshot.candidates_by_id
        changed = known_ids[np.isin(positions, found.position[found.changed >= 0])]
        if len(changed) < len(rows):
            pairs = between(page.connection, ids[rows], changed, page.parameters, page.started_at)
            rows = np.unique(found.row[self._are(found, *pairs)])
        left_out = self._barred(rows, known_ids[np.isin(positions, found.position)])
        found = found.take(self._active[found.row])
        return found.take(~self._are(found, left_out.user, left_out.other))

    def _barred(self, rows: Indices, others: Indices) -> Barred:
        """Who of the others is kept from these viewers now; those with others than at the snapshot are scored anew."""
        page, viewers = self._page, self._viewers
        rows = rows[np.argsort(viewers.ids[rows])]
        left_out = barred(page.connection, viewers.ids[rows], others, page.parameters, page.started_at)
        self._again[rows[left_out.hash != viewers.excluded_hash[rows]]] = True
        return left_out

    def _are(self, found: _Found, users: Indices, others: Indices) -> Flags:
        """Which of those found are these pairs of ids."""
        ids, by_id = self._viewers.by_id
        (position, known), candidates = self._page.at(others), self._page.snapshot.users
        row = by_id[np.searchsorted(ids, users)]
        return np.isin(found.position + found.row * candidates, (position + row * candidates)[known])

    def _scored(self, found: _Found) -> tuple[Users, Pairs, Indices]:
        """Candidates, pairs by viewer that are better than the last of their list, and which changed one each is."""
        found = found.take(np.argsort(found.row, kind="stable"))
        page, lists = self._page, self._lists
        candidates, pairs, key = self._judged(found.row, found.position)
        finite = are_finite(Matches(candidates, pairs, found.row)) | pairs.barred
        last = lists.last[found.row]
        # What the stored scores do not tell is scored anew, and so is what cannot be stored: it fails there.
        self._again[found.row[~finite | (np.abs(key - last) <= close(page.parameters)) & ~pairs.barred]] = True
        kept = np.flatnonzero(finite & ~pairs.barred & (key > last) & self._active[found.row])
        return candidates, pairs.take(kept), found.changed[kept]

    def _judged(self, row: Indices, position: Indices) -> tuple[Users, Pairs, Floats]:
        """Candidates, the pairs as of the time of the viewers' lists, and their keys."""
        page = self._page
        distinct, candidate = np.unique(position, return_inverse=True)
        candidates = page.pool.users(distinct)
        gone = ~np.isin(candidates.ids, visibility.still_candidates(page.connection, candidates.ids))
        self._again[row[gone[candidate]]] = True
        pairs = judge_pairs(self._viewers, candidates, row, candidate, self._lists.seconds[row], page.parameters)
        return candidates, pairs, pairs.worth + tier_step(page.parameters) * pairs.tier_a

    def _with_successors(self, beside: Matches, order: Order) -> tuple[Matches, Order]:
        """Spares that are among the best now stand beside the list, as changed candidates do."""
        members, top_k = self._lists.members, self._page.parameters.top_k
        shown = (order.members > 0) & (order.members <= top_k) & self._active[members.row]
        taken = np.flatnonzero(self._lists.is_spare & shown)
        if not len(taken):
            return beside, order
        row, (position, known) = members.row[taken], self._page.at(members.id[taken])
        self._barred(np.unique(row), members.id[:0])
        candidates, pairs, key = self._judged(row, position)
        as_stored = np.abs(key - members.key[taken]) <= close(self._page.parameters)
        fit = known & as_stored & ~pairs.barred & are_finite(Matches(candidates, pairs, row))
        self._again[row[~fit]] = True
        rank = np.concatenate([order.pairs, order.members[taken]])
        whole = joined_pairs([beside.pairs, replace(pairs, candidate=pairs.candidate + len(beside.candidates))])
        by_viewer = np.argsort(whole.viewer, kind="stable")
        ranks = order.members.copy()
        ranks[taken] = -1
        matches = Matches(concatenate([beside.candidates, candidates]), whole.take(by_viewer), rank[by_viewer])
        return matches, replace(order, members=ranks, pairs=matches.rank)


def refresh(page: PageRun, viewers: Users, changes: Changes) -> Refreshed:
    """Find what the changed candidates change in the lists of the viewers."""
    basis = page.open_basis()
    if basis is None:
        return _Refresh(page, viewers, changes, None).run()
    rows, entering = concerned(page, basis, viewers, changes)
    if not len(rows):
        return Refreshed([], rows, 0)
    found = _Refresh(page, viewers.take(rows), changes, entering).run()
    return replace(found, again=rows[found.again])
