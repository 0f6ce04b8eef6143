"""Numbers that are not finite are not stored: their viewers fail and keep their rows, the others are written."""

from dataclasses import replace
from random import Random

import numpy as np
import psycopg
import pytest
from psycopg import Connection

from sitejobs.matching.compatibility import people
from sitejobs.matching.compatibility.comparing import compare
from sitejobs.matching.compatibility.store import fit_to_store as comparisons_fit_to_store
from sitejobs.matching.compatibility.targets import targets_of
from sitejobs.matching.match_scores.page import fit_to_store
from sitejobs.matching.match_scores.store import Part
from sitejobs.matching.topk.exclusions import Exclusions
from sitejobs.matching.topk.search import search
from tests.matching import compatibility_runs as compatibility
from tests.matching.pools import open_site
from tests.matching.random_sites import NOW, SiteRows, draw, someone
from tests.matching.site_loading import load


@pytest.mark.parametrize("part", ["score", "distance_km"])
def test_a_score_that_is_no_number_fails_its_viewer_alone(site: Connection, part: str) -> None:
    load(site, draw(16, 20, "one city"))
    opened = open_site(site, 7, 5)
    everyone = np.arange(len(opened.viewers))
    own = Exclusions(everyone, opened.viewers.ids)
    matches = search(opened.viewers, opened.pool, own, opened.now, opened.parameters)
    none = matches.pairs.take(np.empty(0, np.int64))
    bad = int(matches.pairs.viewer[7])
    values = getattr(matches.pairs, part).copy()
    values[7] = np.inf
    spoilt = replace(matches, pairs=replace(matches.pairs, **{part: values}))
    (fit,), unfit = fit_to_store([Part(opened.viewers, spoilt, none, everyone, np.array([bad, bad + 1]))])
    assert unfit.tolist() == [opened.viewers.ids[bad]]
    assert fit.rows.tolist() == [row for row in everyone if row != bad]
    assert fit.provisional.tolist() == [bad + 1]
    others = matches.pairs.viewer != bad
    assert np.array_equal(fit.matches.pairs.score, matches.pairs.score[others])
    assert np.array_equal(fit.matches.rank, matches.rank[others])
    (whole,), unfit = fit_to_store([Part(opened.viewers, matches, none, everyone, everyone)])
    assert whole.matches is matches
    assert not len(unfit)


def test_a_comparison_that_is_no_number_leaves_its_viewer_out(site: Connection, site_url: str) -> None:
    load(site, draw(15, 20))
    compatibility.relate(site, Random(15))
    compatibility.run(site_url, NOW)
    ids = people.still_here(site, np.array([row[0] for row in site.execute("""SELECT "id" FROM "User" """)]))
    compared = compare(site, targets_of(site, ids.tolist(), 100), 500)
    bad = int(compared.scores.viewer[0])
    quiz = np.where(compared.scores.viewer == bad, np.nan, compared.scores.quiz)
    fit, unfit = comparisons_fit_to_store(replace(compared, scores=replace(compared.scores, quiz=quiz)))
    assert unfit.tolist() == [bad]
    assert sorted([*fit.viewers.tolist(), bad]) == compared.viewers.tolist()
    assert set(fit.scores.viewer.tolist()) == set(compared.scores.viewer.tolist()) - {bad}
    assert len(fit.totals) == len(fit.counts) == len(fit.hashes) == len(fit.viewers)
    assert comparisons_fit_to_store(compared)[0] is compared


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("table", ["MatchList", "UserCompatibility"])
def test_the_tables_take_no_number_that_is_none(site: Connection, site_url: str, table: str, value: str) -> None:
    drafts = [someone(1), someone(2)]
    drafts[1].received = {0: (1, 2, 3, 4)}
    load(site, SiteRows(drafts, set()))
    compatibility.suggest(site, 1, [2])
    compatibility.run(site_url, NOW)
    columns = site.execute(
        """SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s)
                                             AND atttypid IN ('real'::regtype, 'real[]'::regtype)""",
        [f'"{table}"'],
    ).fetchall()
    assert len(columns) >= 9
    for (column,) in columns:
        rated = [name for (name,) in columns if name.startswith("avg") and name != column]
        given, one = (f"'{{{value}}}'", "'{1}'") if table == "MatchList" else (f"'{value}'", "1")
        others = "".join(f', "{name}" = {one}' for name in rated)
        with pytest.raises(psycopg.errors.CheckViolation):
            site.execute(f"""UPDATE "{table}" SET "{column}" = {given}{others}""".encode())
