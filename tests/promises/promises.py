"""What every job of the catalog promises.

Each takes copies of a site on which all jobs have run, and raises an AssertionError where the promise is broken.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sitejobs.errors import SuspiciousLoss
from sitejobs.jobs.losses import LEAST_ROWS
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.roles import role_script
from sitejobs_local.places import REPOSITORY
from tests.promises.described import LATER, NOW, Described, described
from tests.promises.shifting import ENTITIES, shift
from tests.promises.site import PromiseSite

Rows = Mapping[tuple[Any, ...], Mapping[str, Any]]

TIMES = {"scoredAt", "computedAt", "updatedAt", "indexedAt", "checkedAt", "expiresAt", "madeAt", "checks"}
"""Columns that depend on the run, not on the site."""
OF_COMPANY = {"rank", "reasons", "items", "phase1Json", "fingerprint"}
"""Columns that depend on which other users exist."""
_TOLERANCE = 1e-3
_AHEAD = """
SELECT format('UPDATE %%I SET %%I = %%I + interval ''1 year'' ', table_name, column_name, column_name)
FROM information_schema.columns WHERE table_name = %s AND data_type = 'timestamp with time zone'
    AND column_name = ANY (%s)
"""


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal but for a second's age."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one.keys() - TIMES)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def finite(value: Any) -> bool:
    """Whether a value, or each of a list's, is a finite number, or no number."""
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float | Decimal) or math.isfinite(value)


def differences(one: Rows, other: Rows, passed_over: set[str] = TIMES) -> list[str]:
    """What is not the same in two results."""
    told = [f"only before: {key}" for key in one.keys() - other.keys()]
    told += [f"only after: {key}" for key in other.keys() - one.keys()]
    for key in one.keys() & other.keys():
        told += [
            f"{key} {name}: {value!r} and {other[key].get(name)!r}"
            for name, value in one[key].items()
            if name not in passed_over and not same(value, other[key].get(name))
        ]
    return told


def assert_same(one: Rows, other: Rows, passed_over: set[str] = TIMES) -> None:
    found = differences(one, other, passed_over)
    assert not found, f"{len(found)} differences, such as {found[:3]}"


def assert_kept(before: Rows, after: Rows, of: Described) -> None:
    """All earlier rows are still there, equal except for the columns that depend on other users."""
    kept = {key: after[key] for key in before if key in after}
    lost = before.keys() - kept.keys()
    assert not lost, f"{len(lost)} of {len(before)} rows lost, such as {sorted(map(str, lost))[:3]}"
    if not of.keys_only:
        assert_same(before, kept, TIMES | OF_COMPANY)


def again_finds_nothing(site: PromiseSite, of: Described) -> None:
    """An incremental run after a full one finds nothing to do and changes nothing."""
    site.run(of, NOW)
    before = site.rows(of)
    assert before, "no results: the site does not suit"
    ran = site.run(of, NOW, **of.incremental())
    assert of.looks_always or ran.looked_into == 0, f"looked into {ran.looked_into} keys"
    assert_same(before, site.rows(of), set() if not of.looks_always else TIMES)


def twice_equals_once(site: PromiseSite, of: Described) -> None:
    """A second full run ends with what the first one stored."""
    site.run(of, NOW)
    before = site.rows(of)
    site.run(of, NOW)
    assert_same(before, site.rows(of))


def vanished_keys_go(site: PromiseSite, of: Described, *, incremental: bool = False) -> None:
    """The rows of a key go with it, and no other key's."""
    assert of.vanish is not None
    before = site.rows(of)
    key = sorted({row[1] for row in before})[len(before) % 7]
    site.connection.execute(of.vanish.format(key=key).encode())
    site.run(of, LATER, **(of.incremental() if incremental else {}))
    left = [row for row in site.rows(of) if row[1] == key]
    assert not left, f"{len(left)} rows of the vanished {key} are left"
    assert len(site.rows(of)) > len(before) / 2


def a_vanished_site_stops_the_run(site: PromiseSite, of: Described) -> None:
    """If all keys seem to have gone, the run stops and removes nothing, unless `allowLoss` permits it."""
    before = site.rows(of)
    many = any(sum(key[0] == table for key in before) >= LEAST_ROWS for table in of.tables)
    site.connection.execute('DELETE FROM "User"')
    for more in ({}, of.incremental()):
        try:
            site.run(of, LATER, **more)
        except SuspiciousLoss:
            assert_same(before, site.rows(of), set())
        else:
            assert not many, f"{len(before)} rows might go, and the run went on"
    site.run(of, LATER, **of.allowing_loss())
    assert of.no_vanish or not site.rows(of)


def changes_are_seen(site: PromiseSite, other: PromiseSite, of: Described) -> None:
    """An incremental run sees a change, and ends with what a full run ends with."""
    before = site.rows(of)
    for one in (site, other):
        one.connection.execute(of.change.encode())
    site.run(of, LATER, **of.incremental())
    found = site.rows(of)
    assert differences(before, found), "the change was not seen"
    other.run(of, LATER)
    assert_same(found, other.rows(of))


def runs_under_grants(site: PromiseSite, of: Described) -> None:
    """A role with what `sitejobs db roles` prints, and with the contract's columns alone, can run it."""
    role = f"promise_{abs(hash(site.url)) % 10**9}"
    site.connection.execute((of.grants.format(role=role) if of.grants else role_script(role, [of.name])).encode())
    try:
        for table, columns in of.read():
            names = ", ".join(f'"{column.name}"' for column in columns)
            site.connection.execute(f'REVOKE SELECT ON "{table.name}" FROM {role}'.encode())
            site.connection.execute(f'GRANT SELECT ({names}) ON "{table.name}" TO {role}'.encode())
        site.connection.execute(f"ALTER ROLE {role} LOGIN".encode())
        site.connection.execute(of.change.encode())
        for more in ({}, of.incremental()):
            with succeeding():
                site.run(of, LATER, user=role, **more)
    finally:
        site.connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


@contextmanager
def succeeding() -> Iterator[None]:
    """Whatever a run raises breaks the promise."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error


def any_bigint_is_an_id(site: PromiseSite, of: Described) -> None:
    """With ids at both ends of bigint, in the same order, the results are the same."""
    before = site.rows(of)
    moved = shift(site.connection)
    options = {name: moved["Media"][value] if name == "mediaId" else value for name, value in of.options.items()}
    with succeeding():
        for job in of.before:
            site.run(described(job), NOW, **described(job).allowing_loss())
        # What feeds hold as JSON still has the old ids.
        site.run(of, NOW, options=options, **of.allowing_loss())
    expected = {
        (key[0], *(_moved(moved, name, part) for name, part in zip(of.tables[key[0]], key[1:], strict=True))): row
        for key, row in before.items()
    }
    plain = {
        key: {name: value for name, value in row.items() if not name.endswith("Id")} for key, row in expected.items()
    }
    assert_same(plain, site.rows(of), TIMES | OF_COMPANY | {"sharedInterestIds", "topCreators", "fingerprint"})


def _moved(moved: Mapping[str, Mapping[int, int]], name: str, value: Any) -> Any:
    return moved[ENTITIES[name]].get(value, value) if name in ENTITIES else value


def rows_of_a_run(site: PromiseSite, of: Described) -> Rows:
    """A job's results on a site without poison."""
    site.run(of, NOW)
    return site.rows(of)


def poison_spoils_nobody_else(before: Rows, poisoned: PromiseSite, of: Described) -> None:
    """A poisoned site's runs succeed, and others' rows are as without the poison: `before`."""
    with succeeding():
        for job in of.before:
            poisoned.run(described(job), NOW)
        for more in (of.incremental(), {}, of.incremental()):
            poisoned.run(of, NOW, **more)
    assert_kept(before, poisoned.rows(of), of)
    finite_numbers_only(poisoned, of)


def finite_numbers_only(site: PromiseSite, of: Described) -> None:
    """No result is NaN or infinite."""
    for key, row in site.rows(of).items():
        odd = [name for name, value in row.items() if not finite(value)]
        assert not odd, f"{key}: {odd}"


def results_from_the_future_freeze_nobody(
    site: PromiseSite, other: PromiseSite, of: Described, *, incremental: bool = False
) -> None:
    """Results that a wrong clock dated a year ahead are renewed by the next run."""
    states = {table.name for table in BUNDLE_TABLES if of.name in (table.jobs or ()) and not table.view}
    views = {table.name for table in BUNDLE_TABLES if table.view}
    for table in (states | of.tables.keys()) - views:
        for (statement,) in site.connection.execute(_AHEAD.encode(), [table, list(TIMES)]).fetchall():
            site.connection.execute(statement.encode())
    for one in (site, other):
        one.connection.execute(of.change.encode())
    other.run(of, LATER)
    site.run(of, LATER, **(of.incremental() if incremental else {}))
    assert_same(other.rows(of), site.rows(of))


def ready_event_is_plans(site: PromiseSite, of: Described, folder: Path = REPOSITORY / "events") -> None:
    """The event under events/ has the shape of those that Plan makes."""
    ready = json.loads((folder / f"{of.name}.json").read_text())
    assert ready["run"]["job"] == of.name
    site.connection.execute("""UPDATE "Media" SET "status" = 'UPLOADED'""")
    ran = site.run(of, NOW, options=ready["run"]["options"] | ({"mediaId": 902} if "mediaId" in of.options else {}))
    assert shape(ran.context) == shape(ready["run"]["context"]), f"Plan's context is {ran.context}"
    assert ran.pages, "Plan makes no page of the event's options"
    assert shape(ran.pages[0]) == shape(ready["page"])


def shape(value: Any) -> Any:
    """Names and kinds of a JSON value."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return "number" if isinstance(value, int | float) else type(value).__name__
