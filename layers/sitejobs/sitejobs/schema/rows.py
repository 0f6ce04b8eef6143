"""What the rows of the site's tables hold, as far as the check looks. Every look has a limit, whatever their number."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from psycopg import Connection, errors

from sitejobs.schema import mend
from sitejobs.schema.inspect import FoundTable
from sitejobs.schema.kinds import Convert
from sitejobs.schema.model import identifier
from sitejobs.schema.values import Bounds, Shape, Values, Words

WHOLE_MS: Final = 20_000
"""Limit in milliseconds of a look at a whole table: for repeated rows, and whether all values can be converted."""

SAMPLE_MS: Final = 5_000
"""Limit in milliseconds of a look at the values of a column."""

SAMPLE: Final = 50_000
"""Most rows whose values are looked at."""

_LIMIT: Final = "SELECT set_config('statement_timeout', %s, true)"
_SHOWN: Final = 5
_HARMLESS: Final = re.compile(r"[\w .-]{1,24}")

Strange = tuple[str, str]
"""What is strange about a column's values, and what mends it."""


class Rows:
    """Looks at rows. Without a connection, or where it may not or takes too long, it has seen nothing."""

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    def repeat(self, place: str, columns: Sequence[str], live: bool) -> bool:
        """Whether several rows have the same values in these columns; `live`: of the undeleted rows."""
        conditions = [f"{identifier(name)} IS NOT NULL" for name in columns]
        conditions += ['"deletedAt" IS NULL'] if live else []
        rows = f"SELECT FROM {place} WHERE {' AND '.join(conditions)}"
        found = self._read(f"SELECT EXISTS ({rows} GROUP BY {mend.listed(columns)} HAVING count(*) > 1)", WHOLE_MS)
        return bool(found and found[0][0])

    def convert(self, place: str, column: str, convert: Convert, default: str | None) -> bool | None:
        """Whether all values and the default can be converted; None: that could not be seen."""
        if self._connection is None:
            return True
        statements = [f"SELECT count({convert(identifier(column))}) FROM {place}"]
        if default is not None and "(" not in default:  # a function is not called here: it may count
            statements.append(f"SELECT {convert(f'({default})')}")
        try:
            return all(self._read(statement, WHOLE_MS) for statement in statements) or None
        except (errors.DataError, errors.ProgrammingError):
            return False

    def strange(self, place: str, table: FoundTable, column: str, values: Values) -> Iterator[Strange]:
        """What jobs do not know among the values of a column."""
        try:
            if isinstance(values, Words):
                yield from self._words(self.sample(place, table, column), column, values)
            elif isinstance(values, Bounds):
                yield from self._outside(self.sample(place, table, column), column, values)
            else:
                yield from self._misshapen(self.sample(place, table, column), column, values)
        except errors.DataError:  # such as a JSON path on what it does not fit
            return

    def _words(self, sample: str, column: str, words: Words) -> Iterator[Strange]:
        grouped = "WHERE v::text <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000"
        statement = f"SELECT v::text, count(*) FROM {sample} {grouped}"
        held = self._read(statement)
        unknown = [(value, count) for value, count in held if value not in words.meanings]
        if not unknown:
            return
        told = [(value, count) for value, count in unknown if words.word_for(value) or _is_word(value, count)][:_SHOWN]
        rest = sum(count for _, count in unknown) - sum(count for _, count in told)
        shown = [f"{value!r} ({count:,})" for value, count in told] + ([f"others ({rest:,})"] if rest else [])
        looked = f"{sum(count for _, count in held):,} looked at"
        problem = f"holds {', '.join(shown)} of {looked}: {words.otherwise}; the jobs know {', '.join(words.meanings)}"
        yield problem, mend.translate(column, [(value, words.word_for(value)) for value, _ in told])

    def _outside(self, sample: str, column: str, bounds: Bounds) -> Iterator[Strange]:
        low, high = f"{bounds.low:g}", f"{bounds.high:g}"
        statement = f"SELECT count(*) FILTER (WHERE v NOT BETWEEN {low} AND {high}), count(*) FROM {sample}"
        for outside, looked in self._read(statement):
            if outside:
                name = identifier(column)
                problem = f"is not from {low} to {high} in {outside:,} of {looked:,} rows looked at: {bounds.otherwise}"
                yield (
                    problem,
                    f"-- in a view (`sitejobs check --views`): {name} on a scale from {low} to {high} AS {name}",
                )

    def _misshapen(self, sample: str, column: str, shape: Shape) -> Iterator[Strange]:
        for named, condition in shape.wrong:
            statement = f"SELECT count(*) FILTER (WHERE {condition.format('v')}), count(*) FROM {sample}"
            for wrong, looked in self._read(statement):
                if wrong:
                    problem = f"holds {named} in {wrong:,} of {looked:,} rows looked at: {shape.otherwise}"
                    yield problem, f"-- {identifier(column)} is {shape.text}, such as {shape.example}"
        if shape.elements is not None:
            as_list = "CASE WHEN jsonb_typeof(to_jsonb(v)) = 'array' THEN to_jsonb(v) END"
            elements = (
                f"(SELECT e AS v FROM {sample} CROSS JOIN LATERAL jsonb_array_elements_text({as_list}) AS e) AS l"
            )
            yield from self._words(elements, column, shape.elements)

    def words(self, place: str, kind: str, rows: int, column: str) -> list[str]:
        """The words of a column, without what one person alone wrote."""
        sample = _sample(place, kind, rows, column)
        found = self._read(
            f"SELECT v::text, count(*) FROM {sample} WHERE v IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 1000"
        )
        return [value for value, count in found if _is_word(value, count) or len(found) <= _SHOWN]

    def sample(self, place: str, table: FoundTable, column: str) -> str:
        """A few rows of a table."""
        return _sample(place, table.kind, table.rows, column)

    def _read(self, statement: str, limit_ms: int = SAMPLE_MS) -> list[tuple[Any, ...]]:
        """The rows; none if the role may not read them or it takes too long."""
        if self._connection is None:
            return []
        try:
            with self._connection.transaction():
                self._connection.execute(_LIMIT, [str(limit_ms)])
                return self._connection.execute(statement.encode()).fetchall()
        except (errors.InsufficientPrivilege, errors.QueryCanceled):
            return []


def _is_word(value: str, count: int) -> bool:
    """Whether a value may be shown: what one person wrote is nobody's to read."""
    return count > 1 and _HARMLESS.fullmatch(value) is not None


def _sample(place: str, kind: str, rows: int, column: str) -> str:
    """A few rows: of a large table random pages, of a view and the like the first rows that come."""
    pages = (
        f" TABLESAMPLE SYSTEM ({100 * SAMPLE / rows:.6f}) REPEATABLE (1)" if rows > 2 * SAMPLE and kind in "rp" else ""
    )
    return f"(SELECT {identifier(column)} AS v FROM {place}{pages} LIMIT {SAMPLE}) AS looked"
