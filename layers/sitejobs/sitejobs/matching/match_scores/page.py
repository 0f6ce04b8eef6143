"""One page of match-scores: search, check what has changed since the snapshot, write."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from psycopg import Connection

from sitejobs.jobs.job import PageSummary
from sitejobs.jobs.skip_reasons import SkipReason
from sitejobs.matching.match_scores import visibility
from sitejobs.matching.match_scores.admirers import admirers_of
from sitejobs.matching.match_scores.changes import Changes
from sitejobs.matching.match_scores.comparing import compare_page
from sitejobs.matching.match_scores.incremental import Refreshed, refresh
from sitejobs.matching.match_scores.lists import EncodedChange, EncodedList, are_finite, encode_lists, without_spares
from sitejobs.matching.match_scores.page_run import PageRun
from sitejobs.matching.match_scores.store import Outcome, Part, Written, unchanged_lists, write_page
from sitejobs.matching.passed_over import NOT_FINITE
from sitejobs.matching.scoring.arrays import Flags, Indices
from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.scoring.users import Users, concatenate
from sitejobs.matching.snapshot.encoding import encode
from sitejobs.matching.snapshot.exclusions import excluded
from sitejobs.matching.snapshot.file import StoredSnapshot
from sitejobs.matching.snapshot.population import read_population
from sitejobs.matching.topk.admirers import Admirers
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.pool import CandidatePool
from sitejobs.matching.topk.search import Matches, search

_LOG = logging.getLogger(__name__)


def score_page(page: PageRun, start: int, stop: int) -> PageSummary:
    """The users at positions start..stop-1 of the snapshot; beyond its viewers come those without a profile."""
    viewers, others = _users_at(page.snapshot, start, stop)
    return _write(page, viewers, others)


def score_user(page: PageRun, user_id: int) -> PageSummary:
    """One user whose own data is read now; the candidates are those of the snapshot."""
    population = read_population(page.connection, page.started_at, user_id, page.parameters)
    viewers = encode(population, page.snapshot.dictionaries, page.parameters)
    others = np.array([] if len(viewers) else [user_id], np.int64)
    return _write(page, viewers, others)


def refresh_page(page: PageRun, changes: Changes, start: int, stop: int) -> PageSummary:
    """The same users as `score_page` in an incremental run: only what changed is computed."""
    viewers, others = _users_at(page.snapshot, start, stop)
    changed = changes.viewers[start:stop]
    changed, gone = changed[: len(viewers)], others[changed[len(viewers) :]]
    anew, fresh = viewers.take(np.flatnonzero(changed)), viewers.take(np.flatnonzero(~changed))
    found = Refreshed([], np.empty(0, np.int64), 0)
    if len(fresh) and (len(changes.candidates) or len(changes.left)):
        found = refresh(page, fresh, changes)
        again = found.again
        if page.dry_run:  # what would be stored beside a list is compared as the whole list that it makes
            beside = np.array([change.user_id for change in found.changes], np.int64)
            again = np.union1d(again, np.flatnonzero(np.isin(fresh.ids, beside)))
            found = replace(found, changes=[])
        anew = concatenate([anew, fresh.take(again)])
    summary = _write(page, anew, gone, found.changes)
    summary.processed += found.unchanged
    summary.skip(SkipReason.UNCHANGED, found.unchanged)
    untouched = stop - start - summary.processed
    summary.processed += untouched
    summary.skip(SkipReason.FRESH, untouched)
    return summary


def _users_at(stored: StoredSnapshot, start: int, stop: int) -> tuple[Users, Indices]:
    """Viewers at these positions, and ids of those without a profile."""
    parts = [users.take(rows) for users, rows in stored.at(start, min(stop, stored.users))]
    others = np.empty(0, np.int64)
    if stop > stored.users:
        others = stored.index()["without_profile"][max(start - stored.users, 0) : stop - stored.users]
    return concatenate(parts) if parts else stored.nobody(), others


def _write(page: PageRun, viewers: Users, others: Indices, changes: Sequence[EncodedChange] = ()) -> PageSummary:
    """Score the viewers and write them and the changes of other lists; the rows of the users `others` go."""
    present = np.isin(viewers.ids, visibility.still_viewers(page.connection, viewers.ids))
    absent = viewers.ids[~present]
    others = np.concatenate([others, absent])
    parts, unfit = fit_to_store(find_matches(page, viewers.take(np.flatnonzero(present))))
    outcomes = [*_outcomes(parts), *_without_rows(page.connection, others, set(absent.tolist()))]
    interest_ids = page.snapshot.dictionaries.interests[:, 1]
    lists = [
        it
        for part in parts
        for it in encode_lists(part.matches, part.spares, part.viewers, interest_ids, page.started_at, page.parameters)
    ]
    if page.dry_run:
        return _compared(page, outcomes, parts, lists, unfit)
    version = page.parameters.algorithm_version
    outcomes += [Outcome(it.user_id, it.rows, None, provisional=False) for it in changes]
    written = write_page(
        page.connection, page.run_id, outcomes, lists, page.started_at, version, page.rewrite_epsilon, changes
    )
    return _summary(outcomes, written, unfit)


def _compared(
    page: PageRun, outcomes: list[Outcome], parts: list[Part], lists: list[EncodedList], unfit: Indices
) -> PageSummary:
    """What writing would have counted, and the lists beside the stored ones; nothing is written."""
    unchanged = unchanged_lists(page.connection, lists, page.started_at, page.rewrite_epsilon)
    everyone = np.array([outcome.user_id for outcome in outcomes], np.int64)
    summary = _summary(outcomes, Written(everyone, unchanged), unfit)
    summary.compared = compare_page(page.connection, outcomes, parts)
    summary.compared["written"] += summary.written
    summary.written = 0
    return summary


@dataclass(frozen=True)
class _Asked:
    """Viewers whose matches are asked for.

    exclusions, lasting : all pairs that must not be found, and those of them that no decision of either has excluded.
    decides, provisional : (v,) who decided or was decided about, and for whom there is newer data than the snapshot's.
    """

    viewers: Users
    exclusions: Exclusions
    lasting: Exclusions
    admirers: Admirers
    decides: Flags
    provisional: Flags

    def again(self, rows: Indices, gone: Indices) -> "_Asked":
        """The viewers at these ascending rows, who were to be matched with candidates who have gone meanwhile."""
        without = self.exclusions.of(rows).plus(np.repeat(np.arange(len(rows)), len(gone)), np.tile(gone, len(rows)))
        admirers = self.admirers.of(rows).without(gone)
        provisional = np.ones(len(rows), bool)
        return _Asked(
            self.viewers.take(rows), without, self.lasting.of(rows), admirers, self.decides[rows], provisional
        )


def find_matches(page: PageRun, viewers: Users) -> Iterator[Part]:
    """The viewers' best candidates who are visible, undeleted, not blocked and not decided about at this moment.

    Viewers some of whose candidates have gone since the snapshot follow in a part of their own.
    """
    if not len(viewers):
        return
    asked = _asked(page, viewers)
    while len(asked.viewers):
        viewers, now, parameters = asked.viewers, page.now, page.parameters
        more = replace(parameters, top_k=parameters.top_k + parameters.spares)
        matches = search(viewers, page.pool, asked.exclusions, now, more, admirers=asked.admirers)
        ids = matches.candidates.ids
        gone = np.setdiff1d(ids, visibility.still_candidates(page.connection, ids))
        lost = np.unique(matches.pairs.viewer[np.isin(ids[matches.pairs.candidate], gone)])
        decided = np.intersect1d(_without_matches(matches, viewers), np.flatnonzero(asked.decides))
        others = _has_candidates(viewers.take(decided), page.pool, asked.lasting.of(decided), now, parameters)
        found = without_spares(matches, parameters.top_k)
        part = Part(viewers, *found, np.arange(len(viewers)), np.flatnonzero(asked.provisional), decided[others])
        yield part.without(lost) if len(lost) else part
        asked = asked.again(lost, gone)


def _asked(page: PageRun, viewers: Users) -> _Asked:
    order = np.argsort(viewers.ids)
    barred = excluded(page.connection, viewers.ids[order], page.parameters, page.started_at)
    rows, admired = (
        order[np.searchsorted(viewers.ids, users, sorter=order)] for users in (barred.user, barred.admired)
    )
    oneself = Exclusions(np.arange(len(viewers)), viewers.ids)
    exclusions = oneself.plus(rows, barred.other)
    provisional = np.zeros(len(viewers), bool)
    provisional[order] = barred.hash != viewers.excluded_hash[order]
    return _Asked(
        viewers=viewers,
        exclusions=exclusions,
        lasting=oneself.plus(rows[~barred.decided], barred.other[~barred.decided]),
        admirers=admirers_of(page, admired, barred.admirer, exclusions),
        decides=np.isin(np.arange(len(viewers)), rows[barred.decided]),
        provisional=provisional,
    )


def _without_matches(matches: Matches, viewers: Users) -> Indices:
    return np.setdiff1d(np.arange(len(viewers)), matches.pairs.viewer)


def _has_candidates(
    viewers: Users, pool: CandidatePool, exclusions: Exclusions, now: float, parameters: Parameters
) -> Flags:
    """Which viewers have any candidate beyond these exclusions."""
    if not len(viewers):
        return np.zeros(0, bool)
    found = search(viewers, pool, exclusions, now, replace(parameters, top_k=1))
    return np.isin(np.arange(len(viewers)), found.pairs.viewer)


def fit_to_store(parts: Iterable[Part]) -> tuple[list[Part], Indices]:
    """The parts without viewers who have a row that is not finite, and the ids of these."""
    fit, unfit = [], [np.empty(0, np.int64)]
    for part in parts:
        finite = are_finite(part.matches)
        if not finite.all():
            rows = np.unique(part.matches.pairs.viewer[~finite])
            unfit.append(part.viewers.ids[rows])
            _LOG.error("scores that are no numbers: nothing is written for viewers %s", unfit[-1].tolist())
            part = part.without(rows)
        fit.append(part)
    return fit, np.concatenate(unfit)


def _outcomes(parts: list[Part]) -> list[Outcome]:
    outcomes = []
    for part in parts:
        counts = np.bincount(part.matches.pairs.viewer, minlength=len(part.viewers)).tolist()
        provisional, decided = set(part.provisional.tolist()), set(part.decided.tolist())
        for row in part.rows.tolist():
            rows = counts[row]
            none = SkipReason.ALL_DECIDED if row in decided else SkipReason.NO_CANDIDATES
            skipped = None if rows else none
            outcomes.append(Outcome(int(part.viewers.ids[row]), rows, skipped, row in provisional))
    return outcomes


def _without_rows(connection: Connection, ids: Indices, provisional: set[int]) -> list[Outcome]:
    if not len(ids):
        return []
    deleted = set(visibility.deleted_users(connection, ids).tolist())
    return [
        Outcome(user_id, 0, SkipReason.DELETED if user_id in deleted else SkipReason.NO_PROFILE, user_id in provisional)
        for user_id in ids.tolist()
    ]


def _summary(outcomes: list[Outcome], written: Written, unfit: Indices) -> PageSummary:
    summary = PageSummary(processed=len(outcomes) + len(unfit))
    summary.fail(NOT_FINITE, len(unfit))
    kept, unchanged = set(written.claimed.tolist()), set(written.unchanged.tolist())
    for outcome in outcomes:
        if outcome.user_id not in kept:
            summary.skip(SkipReason.SUPERSEDED)
        elif outcome.skipped:
            summary.skip(outcome.skipped)
        elif outcome.user_id in unchanged:
            summary.skip(SkipReason.UNCHANGED)
        else:
            summary.written += outcome.rows
    return summary
