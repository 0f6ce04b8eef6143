"""Ready views for a site whose tables differ from the contract: SQL to read, edit and apply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import Connection

from sitejobs.postgres.search_path import BUNDLE_SCHEMA
from sitejobs.schema.bundle import BUNDLE_TABLES
from sitejobs.schema.expressions import expression
from sitejobs.schema.guess import Guess, guess
from sitejobs.schema.model import Column, Table, identifier
from sitejobs.schema.names import CONSTANTS, TARGETS, plain
from sitejobs.schema.numbers import Numbers
from sitejobs.schema.rows import Rows
from sitejobs.schema.site import SITE_TABLES
from sitejobs.schema.site_catalog import SiteColumn, read_site
from sitejobs.schema.values import VALUES, Shape, Values, Words
from sitejobs.schema.written_media import write_media

SCHEMA = "sitejobs_views"
"""The schema of the views."""

_SESSION = "SELECT current_user::text, current_schemas(false)::text[]"

EDIT = "EDIT:"
"""What stands before everything that somebody should look at."""


@dataclass(frozen=True)
class Views:
    """The file's text, the tables that were recognised and those that were not."""

    sql: str
    found: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass
class _View:
    """One view as it is put together: columns with remarks, and joins."""

    joins: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def joined(self, kind: str, place: str, condition: str) -> str:
        """Join a table on a condition about `{}`, the name under which it is joined; returns that name."""
        name = f"j{len(self.joins) + 1}"
        self.joins.append(f"{kind} {place} {name} ON {condition.format(name)}")
        return name


class _Writer:
    def __init__(self, guesses: Mapping[str, Guess], rows: Rows) -> None:
        self._guesses = guesses
        self._rows = rows
        self.numbers = Numbers(SCHEMA)

    def view(self, found: Guess) -> str:
        """The view over a site's table, and the trigger that writes through it if there must be one."""
        view = _View()
        words: dict[str, dict[str, str]] = {}
        for column in found.table.columns:
            one = found.columns[column.name]
            if one is None:
                view.columns[column.name] = _constant(found.table, column)
                view.remarks[column.name] = f"{EDIT} there is no column like it"
            elif column.type == "bigint":
                view.columns[column.name] = self._id(found, column, one, view)
            else:
                words[column.name] = known = self._words(found, column, one, view)
                made = expression(found.table, column, one, f"t.{identifier(one.name)}", known)
                view.columns[column.name] = self._with_numbers(found.table.name, column.name, made)
            if one is not None and plain(one.name) != plain(column.name):
                view.remarks.setdefault(column.name, f"from {one.name}")
        text = _select(found, view)
        return text + (write_media(SCHEMA, found, view.columns, words, self.numbers) if found.table.updates else "")

    def _id(self, found: Guess, column: Column, one: SiteColumn, view: _View) -> str:
        """A whole number for an id: itself, that of the user behind a profile, or one from the table of numbers."""
        value, odd = f"t.{identifier(one.name)}", one
        wanted = TARGETS.get(column.name)
        if column.name != "id" and wanted in ("User", "Profile") and found.site is not self._site_of("User"):
            value, odd = self._person(found, wanted, one, value, view)
        if not odd.is_odd_id:
            return value if odd.found.base in ("smallint", "integer", "bigint") else f"{value}::bigint"
        kind = "JOIN" if one.not_null or column.name == "id" else "LEFT JOIN"
        return f'{view.joined(kind, self.numbers.place(odd), f"""{{}}."key" = {value}""")}."number"'

    def _with_numbers(self, table: str, column: str, made: str) -> str:
        """Answers by the numbers of their questions, where a question's id is no number."""
        question = self._guesses["QuizQuestion"].columns["id"] if "QuizQuestion" in self._guesses else None
        if (table, column) != ("QuizResult", "answers") or question is None or not question.is_odd_id:
            return made
        key = "CASE WHEN a.key ~* '^[0-9a-f-]{36}$' THEN a.key::uuid END" if question.found.base == "uuid" else "a.key"
        each = f"jsonb_each(CASE WHEN jsonb_typeof({made}) = 'object' THEN {made} END)"
        numbers = f'{self.numbers.place(question)} n ON n."key" = {key}'
        return f"""(SELECT jsonb_object_agg(n."number"::text, a.value) FROM {each} a JOIN {numbers})"""

    def _person(self, found: Guess, wanted: str, one: SiteColumn, value: str, view: _View) -> tuple[str, SiteColumn]:
        """The user's id where a column holds a profile's, and the reverse."""
        profile, user = self._guesses.get("Profile"), self._guesses.get("User")
        if profile is None or user is None or profile.site is user.site or found.table.name == "Profile":
            return value, one
        other = profile if wanted == "User" else user
        named = (
            "profile" in plain(one.name)
            if wanted == "User"
            else any(word in plain(one.name) for word in ("user", "member", "account"))
        )
        if one.refers_to != other.site.oid and not (one.refers_to is None and named):
            return value, one
        key, result = ("id", "userId") if wanted == "User" else ("userId", "id")
        key_column, result_column = profile.columns[key], profile.columns[result]
        assert key_column is not None and result_column is not None  # it is whole
        kind = "JOIN" if one.not_null else "LEFT JOIN"
        name = view.joined(kind, profile.site.place, f"{{}}.{identifier(key_column.name)} = {value}")
        return f"{name}.{identifier(result_column.name)}", result_column

    def _site_of(self, table: str) -> object:
        return self._guesses[table].site if table in self._guesses else None

    def _words(self, found: Guess, column: Column, one: SiteColumn, view: _View) -> dict[str, str]:
        """The site's words with those of the contract that they stand for; words that nobody knows get a remark."""
        words = _words_of(VALUES.get((found.table.name, column.name)))
        if words is None or one.found.category == "B" or plain(one.name) in ("mimetype", "contenttype"):
            return {}
        held = one.found.labels or self._rows.words(found.site.place, found.site.kind, found.site.rows, one.name)
        known = {value: words.word_for(value) for value in held}
        unknown = [value for value, word in known.items() if word is None and value]
        if not held:
            view.remarks[column.name] = f"{EDIT} no row yet; jobs know {', '.join(words.meanings)}"
        known |= {} if one.found.labels else _words_to_write(words, known)
        if unknown:
            view.remarks[column.name] = f"{EDIT} no job knows {', '.join(map(repr, unknown))}"
        return {value: word for value, word in known.items() if word is not None and word != value}


def _words_to_write(words: Words, known: Mapping[str, str | None]) -> dict[str, str]:
    """Words that jobs write and no row holds yet, in the site's way: short, and in lower case where all words are."""
    lower = all(value.islower() for value in known)
    missing = [word for word in words.needs if word not in known.values()]
    return {(word.lower() if lower else word).split("_")[0]: word for word in missing} if known else {}


def _words_of(values: Values | None) -> Words | None:
    return values if isinstance(values, Words) else values.elements if isinstance(values, Shape) else None


def _constant(table: Table, column: Column) -> str:
    return f"{CONSTANTS.get((table.name, column.name), 'NULL')}::{column.sql_type}"


def _select(found: Guess, view: _View) -> str:
    listed = [(f"{sql} AS {identifier(name)}", view.remarks.get(name)) for name, sql in view.columns.items()]
    lines = []
    for at, (sql, remark) in enumerate(listed):
        comma = "," if at < len(listed) - 1 else ""
        lines.append(f"    {sql}{comma}" + (f" -- {remark}".replace("\n", " ") if remark else ""))
    joins = "".join(f"\n{join}" for join in view.joins)
    name = f"{identifier(SCHEMA)}.{identifier(found.table.name)}"
    return f"CREATE VIEW {name} AS SELECT\n" + "\n".join(lines) + f"\nFROM {found.site.place} t{joins};\n"


def _empty(table: Table) -> str:
    selected = ", ".join(f"{_constant(table, column)} AS {identifier(column.name)}" for column in table.columns)
    # One subject for all interests, where a site does not group them.
    subject = table.name == "InterestSubject"
    if subject:
        selected = """1::bigint AS "id", 'interests'::text AS "key\""""
    name = f"{identifier(SCHEMA)}.{identifier(table.name)}"
    where = "" if subject else " WHERE false"
    return f"-- {EDIT} no table like it was found\nCREATE VIEW {name} AS SELECT {selected}{where};\n"


def make_views(connection: Connection) -> Views:
    """The views for the site that the connection's role sees."""
    [(role, search_path)] = connection.execute(_SESSION).fetchall()
    own = [table.name for table in BUNDLE_TABLES]
    guesses = guess(read_site(connection, [*own, "SitejobsMigration"], [BUNDLE_SCHEMA, SCHEMA]))
    writer = _Writer(guesses, Rows(connection))
    parts = [writer.view(guesses[table.name]) if table.name in guesses else _empty(table) for table in SITE_TABLES]
    entities = [(it.site, it.columns["id"]) for it in guesses.values() if it.columns.get("id") is not None]
    path = dict.fromkeys((BUNDLE_SCHEMA, SCHEMA, *search_path))
    sql = "\n".join([_head(role, path), *writer.numbers.sql(entities), *parts, _foot(role)])
    missing = tuple(table.name for table in SITE_TABLES if table.name not in guesses)
    return Views(sql, tuple(name for name in guesses), missing)


def _head(role: str, path: Sequence[str] | Mapping[str, None]) -> str:
    return f"""-- Views that show a site's tables as the jobs read them, made by `sitejobs check --views`.
-- They were guessed from names and types: read every line, above all those with {EDIT.rstrip(":")}.
-- Apply it as the owner of the tables:
--
--     sitejobs db shell -1 -v ON_ERROR_STOP=1 -f FILE
--
-- From then on commands and functions look there first:
--
--     DATABASE_SEARCH_PATH={",".join(path)}
--
-- To make them anew: DROP SCHEMA {SCHEMA} CASCADE; and apply the file again. Numbers of ids would be others then.

CREATE SCHEMA {identifier(SCHEMA)};
"""


def _foot(role: str) -> str:
    name = identifier(SCHEMA)
    return f"""-- For the role of the jobs, such as {identifier(role)}:
-- GRANT USAGE ON SCHEMA {name} TO ...; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO ...;
-- `sitejobs db roles` has the rest.
"""
