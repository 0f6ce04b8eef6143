"""Every statement that the layer's package sends, found where it is sent.

Each `execute`, `copy`, `fetch_columns` and `fetch_lists` of a module is looked up in the module's own names: what is
found there is fixed before any value is known. `COMPOSED` lists the calls whose statement only a function knows, and
what it may be.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

import grimp
from psycopg import Connection, sql

import sitejobs
from sitejobs.jobs import keyed
from sitejobs.jobs.keyed import KeyedJob
from sitejobs.jobs.losses import Loss
from sitejobs.matching import passed_over
from sitejobs.matching.compatibility import inputs, people
from sitejobs.matching.snapshot import exclusions, kept_rows, population_sql
from sitejobs.postgres import columns
from sitejobs.postgres.connection import SESSION_SETTINGS
from sitejobs.postgres.shared_session import set_local
from sitejobs.search import query

Texts = Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """A statement by the module that sends it. `jobs`: any of these may send it; none where the site itself does."""

    module: str
    name: str
    text: str
    jobs: frozenset[str]


class _OneRow:
    """A connection on which every query has one row of one value."""

    def __init__(self, value: object) -> None:
        self._value = value

    def execute(self, *_: object) -> "_OneRow":
        return self

    def fetchone(self) -> tuple[object]:
        return (self._value,)


def _population() -> Texts:
    found = {}
    for unique in (True, False):
        for name, text in population_sql.queries(cast(Connection, _OneRow(unique))).items():
            case = "rows unique" if unique else "rows repeated"
            found[f"{name}, {case}"] = _wrapped(text, population_sql.TYPES[name])
    return found


def _population_by_ids() -> Texts:
    return {
        name: text.replace(exclusions.IN_RANGE, population_sql.IN_LIST)
        for name, text in {"users": population_sql.READ_USERS, **_population()}.items()
        if not name.startswith(("liked", "excluded", "effects"))
    }


def _kept_by_ids() -> Texts:
    text = _population()["liked, rows unique"]
    return {"liked": text.replace(exclusions.IN_RANGE, population_sql.IN_LIST)}


def _versions() -> Texts:
    return {table.name: table.statement for table in (*kept_rows.ROWS.values(), *kept_rows.SUMMED)}


def _passed_over() -> Texts:
    return passed_over._COUNTS | passed_over.SCORED | passed_over.RELATIONS


def _renewals(which: str) -> Callable[[], Texts]:
    return lambda: dict(zip(("forget", "keep"), getattr(inputs, which), strict=True))


def _people() -> Texts:
    return {
        name: _wrapped(getattr(people, name), people._TYPES) for name in ("_READ_STORED_INPUTS", "_READ_CURRENT_INPUTS")
    }


def _search() -> Texts:
    asked = f"WITH asked AS MATERIALIZED ({query._ASKED})"
    return {
        f"{'near' if near else 'anywhere'}, {'names' if names else 'words only'}": asked
        + query.search_statement(near=near, names=names)
        for near in (True, False)
        for names in (True, False)
    }


def _ended() -> Texts:
    from sitejobs.jobs import runs

    return {name: getattr(runs, name) for name in ("_CLOSE_ENDED", "_NEVER_OPENED")}


def _of_jobs() -> Texts:
    """Nothing here: `_of_objects` finds what each job's keys and losses say."""
    return {}


def _local_settings() -> Texts:
    return {"of a session": set_local({**SESSION_SETTINGS, "search_path": "site, public"}).as_string()}


COMPOSED: Mapping[str, Callable[[], Texts]] = {
    "sitejobs.matching.snapshot.population._read_ranges": _population,
    "sitejobs.matching.snapshot.population.read_users": _population_by_ids,
    "sitejobs.matching.snapshot.kept_rows._of_other_counts": lambda: dict(kept_rows.COUNTS),
    "sitejobs.matching.snapshot.kept_rows._all": dict,  # these two send what `_read_ranges` does, or of fewer users
    "sitejobs.matching.snapshot.kept_rows._of": _kept_by_ids,
    "sitejobs.matching.snapshot.row_versions.count_rows": _versions,
    "sitejobs.matching.passed_over.count_passed_over": _passed_over,
    "sitejobs.matching.compatibility.inputs.renew_range": _renewals("_RENEW_RANGE"),
    "sitejobs.matching.compatibility.inputs.renew": _renewals("_RENEW_LIST"),
    "sitejobs.matching.compatibility.people._fetch": _people,
    "sitejobs.search.query.search": _search,
    "sitejobs.jobs.runs.close_ended": _ended,
    "sitejobs.jobs.keyed._ranges": _of_jobs,
    "sitejobs.jobs.keyed._find": _of_jobs,
    "sitejobs.jobs.keyed._count": _of_jobs,
    "sitejobs.jobs.losses.guard": _of_jobs,
    "sitejobs.postgres.shared_session.execute": dict,  # each of these is another module's
    "sitejobs.postgres.shared_session.copy": dict,
    "sitejobs.postgres.shared_session.transaction": _local_settings,
    "sitejobs.postgres.columns.fetch_columns": _of_jobs,
    "sitejobs.postgres.columns.fetch_lists": _of_jobs,
}
"""Function -> the statements that it may send, by name."""


def modules_of_jobs() -> list[str]:
    """All but those that make and inspect the tables themselves: what they send is no job's."""
    names = (found.name for found in pkgutil.walk_packages(sitejobs.__path__, "sitejobs."))
    return [name for name in names if not f"{name}.".startswith("sitejobs.schema.")]


def statements() -> list[Statement]:
    """All of them, by module and in the order of its source."""
    modules = [importlib.import_module(name) for name in modules_of_jobs()]
    jobs = _jobs_of(modules)
    return [
        Statement(module.__name__, name, text, jobs[module.__name__])
        for module in modules
        for name, text in {**_of_objects(module), **_sent_by(module)}.items()
    ]


def unlisted(module_name: str, source: str, namespace: dict[str, Any]) -> list[str]:
    """The calls of a module whose statement neither its names nor `COMPOSED` know."""
    return [
        f"{module_name}.{function}: {ast.unparse(call)[:80]}"
        for function, call in _calls(source)
        if _text(_query(call), namespace) is None and f"{module_name}.{function}" not in COMPOSED
    ]


def _sent_by(module: ModuleType) -> dict[str, str]:
    found: dict[str, str] = {}
    for function, call in _calls(inspect.getsource(module)):
        composed = COMPOSED.get(f"{module.__name__}.{function}")
        argument = _query(call)
        text = _text(argument, vars(module))
        if text is not None:
            name = function if isinstance(argument, ast.Constant) else ast.unparse(argument)
            types = (
                _value(call.args[3], vars(module)) if len(call.args) > 3 and _called(call) == "fetch_columns" else None
            )
            found[name] = _wrapped(text, types) if isinstance(types, dict) else text
        elif composed is not None:
            found |= {f"{function}: {name}": text for name, text in composed().items()}
    return found


def _calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    """The calls that send a statement, by the function that they stand in."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and call.args and _called(call) in _SENDING:
                    yield function.name, call


_SENDING = frozenset({"execute", "executemany", "copy", "stream", "fetch_columns", "fetch_lists"})


def _query(call: ast.Call) -> ast.expr:
    return call.args[1 if _called(call) in ("fetch_columns", "fetch_lists") else 0]


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", None) or getattr(call.func, "id", ""))


def _value(node: ast.expr, namespace: dict[str, Any]) -> Any:
    try:
        return eval(ast.unparse(node), namespace)
    except (NameError, AttributeError):
        return None


def _text(node: ast.expr, namespace: dict[str, Any]) -> str | None:
    value = _value(node, namespace)
    if isinstance(value, sql.Composable):
        return str(value.as_string(None))
    return value if isinstance(value, str) else None


def _wrapped(text: str, types: dict[str, str]) -> str:
    return columns._statement(text, tuple(types.items())).decode()


def _of_objects(module: ModuleType) -> dict[str, str]:
    """What a module's jobs ask of the tables: their keys, and what they have lost."""
    found: dict[str, str] = {}
    for value in vars(module).values():
        if isinstance(value, KeyedJob) and value.refresh.__module__ == module.__name__:
            keys = value.keys
            found |= {"Keys.known": keys.known, "Keys.stale": keys.stale, "Keys.count": keys.count}
            found["Keys.known, cut into pages"] = keyed._CUT.format(known=keys.known)
            found |= _losses(keys.losses)
    if hasattr(module, "JOB"):
        found |= _losses(getattr(module, "LOSSES", ()))
    return found


def _losses(losses: tuple[Loss, ...]) -> dict[str, str]:
    return {f"Loss of {loss.rows}": loss.count for loss in losses}


def _jobs_of(modules: list[ModuleType]) -> dict[str, frozenset[str]]:
    """The jobs whose modules import a module, however many others stand between."""
    graph = grimp.build_graph("sitejobs", cache_dir=None)
    jobs: dict[str, set[str]] = {module.__name__: set() for module in modules}
    for module in modules:
        job = vars(module).get("JOB")
        if job is not None and hasattr(job, "entry"):
            for name in {module.__name__, *graph.find_upstream_modules(module.__name__)} & jobs.keys():
                jobs[name].add(job.entry.name)
    return {name: frozenset(found) for name, found in jobs.items()}
