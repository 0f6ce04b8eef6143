"""From decisions to stored matches: what MatchScore says of pairs that have not met, beside what they would decide."""

from pathlib import Path

import numpy as np
from psycopg import Connection

from sitejobs.matching.match_model.job import JOB
from tests.matching.learning.evenings import NOW, evenings, load
from tests.matching.learning.running import run_job
from tests.matching.learning.test_match_model import half_of_the_pairs, within_viewer
from tests.matching.running import Site

STORED = """SELECT "userId", "candidateUserId", "score", "scoreLike", "scoreBack" FROM "MatchScore" """


def test_stored_scores_foretell_the_dates_that_were_not_seen(site: Connection, site_url: str, tmp_path: Path) -> None:
    dates = evenings(1)
    known = half_of_the_pairs(dates)
    load(site, dates, known)
    run_job(JOB, site_url, tmp_path, NOW)
    Site(site_url, tmp_path).run(NOW, {"topK": 1000, "batchSize": 1000})
    stored = {(viewer, candidate): row for viewer, candidate, *row in site.execute(STORED).fetchall()}
    asked = np.flatnonzero(~known)
    viewer, candidate, liked = dates.viewer[asked], dates.candidate[asked], dates.liked[asked]
    found = np.array([stored[i + 1, j + 1] for i, j in zip(viewer.tolist(), candidate.tolist(), strict=True)], float)
    score, like, back = found.T
    np.testing.assert_allclose(score, np.sqrt(like * back), atol=1e-4)
    decided = {(i, j): yes for i, j, yes in zip(viewer.tolist(), candidate.tolist(), liked.tolist(), strict=True)}
    matched = np.array([yes and decided[j, i] for (i, j), yes in decided.items()])
    oracle = within_viewer(viewer, dates.log_odds[asked], liked)
    assert within_viewer(viewer, like, liked) > oracle - 0.03
    assert within_viewer(viewer, score, matched) > 0.68
    assert np.mean((like - liked) ** 2) < 0.20
    assert np.mean((like * back - matched) ** 2) < 0.123
    for i, j in zip(dates.viewer[known].tolist(), dates.candidate[known].tolist(), strict=True):
        assert (i + 1, j + 1) not in stored, "whoever was decided about is no match"


def test_dates_with_much_missing_at_few_moments_are_foretold_too(
    site: Connection, site_url: str, tmp_path: Path
) -> None:
    dates = evenings(4)
    dates.days[:] = np.floor(dates.days / 7) * 7
    known = half_of_the_pairs(dates)
    load(site, dates, known)
    site.execute("""UPDATE "Profile" SET "birthdate" = NULL WHERE "id" % 3 = 0""")
    site.execute("""DELETE FROM "UserInterest" WHERE "userId" % 4 = 0""")
    site.execute("""DELETE FROM "UserPreference" WHERE "userId" % 5 = 0""")
    done = run_job(JOB, site_url, tmp_path, NOW)
    assert "is active" in str(done.message)
    Site(site_url, tmp_path).run(NOW, {"topK": 1000, "batchSize": 1000})
    stored = {(viewer, candidate): row for viewer, candidate, *row in site.execute(STORED).fetchall()}
    asked = np.flatnonzero(~known)
    pairs = zip((dates.viewer[asked] + 1).tolist(), (dates.candidate[asked] + 1).tolist(), strict=True)
    like = np.array([stored[pair][1] for pair in pairs], float)
    assert within_viewer(dates.viewer[asked], like, dates.liked[asked]) > 0.7
    assert np.mean((like - dates.liked[asked]) ** 2) < 0.2
