"""Which of some others are no candidates of a user: the same whether all its pairs are read, or only those."""

from dataclasses import replace

import numpy as np
import pytest
from psycopg import Connection

from sitejobs.matching.scoring.parameters import Parameters
from sitejobs.matching.snapshot.exclusions import barred, between, excluded
from tests.matching.models import store_model
from tests.matching.random_sites import NOW, draw
from tests.matching.site_loading import load


@pytest.mark.parametrize("repeat_days", [None, 0.0, 40.0])
@pytest.mark.parametrize("flavour", ["mixed", "enemies", "everybody asked"])
def test_of_some_others_the_same_are_left_out(site: Connection, flavour: str, repeat_days: float | None) -> None:
    load(site, draw(95, 60, flavour))
    everybody = np.array([row[0] for row in site.execute('SELECT "id" FROM "User" ORDER BY "id"')], np.int64)
    random = np.random.default_rng(95)
    for model in (None, store_model(site, 95)):
        parameters = replace(Parameters(), repeat_days=repeat_days, model=model)
        for share_of_users, share_of_others in ((1, 1), (0.7, 0.1), (0.2, 0.9), (1, 0), (0, 1)):
            ids, others = (everybody[random.random(len(everybody)) < at] for at in (share_of_users, share_of_others))
            them = barred(site, ids, others, parameters, NOW)
            everything = excluded(site, ids, parameters, NOW)
            of_others = np.isin(everything.other, others)
            pairs = sorted(zip(everything.user[of_others].tolist(), everything.other[of_others].tolist(), strict=True))
            for user, other in ((them.user, them.other), between(site, ids, others, parameters, NOW)):
                assert sorted(zip(user.tolist(), other.tolist(), strict=True)) == pairs
            assert them.hash.tolist() == everything.hash.tolist()
