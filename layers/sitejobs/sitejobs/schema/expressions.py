"""SQL that makes of a site's column what the contract's holds. Numbers and times that have no cast become NULL."""

from collections.abc import Mapping

from sitejobs.schema import mend
from sitejobs.schema.kinds import converted, fits
from sitejobs.schema.mend import literal
from sitejobs.schema.model import Column, Table
from sitejobs.schema.names import plain
from sitejobs.schema.site_catalog import SiteColumn
from sitejobs.schema.values import VALUES, Shape, Words

_ANYBODY = ("", "all", "any", "both", "everyone", "everybody")
_ISO = r"^\s*\d{4}-\d\d-\d\d"


def expression(table: Table, column: Column, one: SiteColumn, value: str, words: Mapping[str, str]) -> str:
    """The SQL; `value` is the column as SQL names it, `words` the site's words with those that they stand for."""
    key = (table.name, column.name)
    special = _of_boolean(key, one, value) if one.found.category == "B" else None
    if special is not None:
        return special
    if key == ("Media", "type") and plain(one.name) in ("mimetype", "contenttype"):
        return f"upper(split_part({value}::text, '/', 1))"
    if isinstance(VALUES.get(key), Words):
        return words_case(f"{value}::text", words) if words else _cast(table, column, one, value)
    if isinstance(VALUES.get(key), Shape) and column.type == "names":
        return _genders(one, value, words)
    return _cast(table, column, one, value)


def words_case(text: str, words: Mapping[str, str]) -> str:
    """The CASE that translates words; any other word stays."""
    cases = " ".join(f"WHEN {literal(site)} THEN {literal(word)}" for site, word in words.items())
    return f"CASE {text} {cases} ELSE {text} END"


def _of_boolean(key: tuple[str, str], one: SiteColumn, value: str) -> str | None:
    negative = plain(one.name) in ("hidden", "ishidden", "isprivate", "private", "isactive", "active")
    if key[1] == "deletedAt":
        return f"CASE WHEN {f'NOT {value}' if negative else value} THEN timestamp '2000-01-01' END"
    if key == ("Post", "visibility"):
        yes, no = ("PRIVATE", "PUBLIC") if negative else ("PUBLIC", "PRIVATE")
        no = "DRAFT" if "published" in plain(one.name) else no  # nobody but its author sees it
        return f"CASE WHEN {value} THEN '{yes}' ELSE '{no}' END"
    if key == ("Like", "action"):
        return f"CASE WHEN {value} THEN 'LIKE' ELSE 'DISLIKE' END"
    if key == ("Profile", "isVisible") and plain(one.name) in ("hidden", "ishidden"):
        return f"NOT {value}"
    return None


def _genders(one: SiteColumn, value: str, words: Mapping[str, str]) -> str:
    """A list of genders, from an array, a JSON list or one word."""
    translated = words_case('g."word"', words) if words else 'g."word"'
    listed = f'(SELECT jsonb_agg({translated}) FROM {{}} AS g ("word"))'
    if one.found.category == "A":
        return listed.format(f"unnest({value}::text[])")
    if one.found.category == "U":
        lists = f"CASE WHEN jsonb_typeof(to_jsonb({value})) = 'array' THEN to_jsonb({value}) END"
        return listed.format(f"jsonb_array_elements_text({lists})")
    anybody = ", ".join(map(literal, _ANYBODY))
    one_word = words_case(f"{value}::text", words) if words else f"{value}::text"
    return f"CASE WHEN lower({value}::text) NOT IN ({anybody}) THEN jsonb_build_array({one_word}) END"


def _cast(table: Table, column: Column, one: SiteColumn, value: str) -> str:
    if fits(table, column, one.found):
        return value
    convert = converted(column, one.found)
    if convert is None:
        return f"NULL::{column.sql_type}"
    cast = convert(value)
    if one.found.category == "S":
        pattern = mend.PATTERNS.get(column.type, _ISO if column.type in ("timestamp", "date") else None)
        if pattern is not None:
            return f"CASE WHEN {value}::text ~ {literal(pattern)} THEN {cast} END"
    return cast
