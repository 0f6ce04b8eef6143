"""The trigger through which media jobs write to a view of the site's uploads."""

from collections.abc import Mapping

from sitejobs.schema.guess import Guess
from sitejobs.schema.mend import literal
from sitejobs.schema.model import identifier
from sitejobs.schema.numbers import Numbers
from sitejobs.schema.site_catalog import SiteColumn

_LIKE = {"REJECTED": "FAILED_PROCESSING", "FAILED_PROCESSING": "REJECTED"}
"""A word in the place of one that the site does not have."""


def write_media(
    schema: str,
    found: Guess,
    columns: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]],
    numbers: Numbers,
) -> str:
    """The INSTEAD OF UPDATE trigger; empty where the view can be written to as it is."""
    written = {name: one for name in found.table.updates if (one := found.columns[name]) is not None}
    as_they_are = all(columns[name] == f"t.{identifier(one.name)}" for name, one in written.items())
    if as_they_are and len(written) == len(found.table.updates) and columns["id"].startswith("t."):
        return ""
    own_id = found.columns["id"]
    assert own_id is not None  # a table without ids is not recognised
    key = 'OLD."id"'
    if own_id.is_odd_id:
        key = f'(SELECT n."key" FROM {numbers.place(own_id)} n WHERE n."number" = OLD."id")'
    places = {name: f"{found.site.place}.{identifier(one.name)}%TYPE" for name, one in written.items()}
    variables = "".join(f"    new_{name.lower()} {type_};\n" for name, type_ in places.items())
    values = "".join(f"    new_{name.lower()} := {_back(name, one, words)};\n" for name, one in written.items())
    sets = ", ".join(f"{identifier(one.name)} = new_{name.lower()}" for name, one in written.items())
    update = f"    UPDATE {found.site.place} SET {sets} WHERE {identifier(own_id.name)} = {key};\n" if sets else ""
    function = f'{identifier(schema)}."write_media"'
    return f"""CREATE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
{variables}BEGIN
{values}{update}    RETURN NEW;
END $$;
CREATE TRIGGER "write" INSTEAD OF UPDATE ON {identifier(schema)}.{identifier(found.table.name)}
FOR EACH ROW EXECUTE FUNCTION {function}();
"""


def _back(name: str, one: SiteColumn, words: Mapping[str, Mapping[str, str]]) -> str:
    """The site's value for one of the jobs'."""
    value = f"NEW.{identifier(name)}"
    if name != "status":
        whole = one.found.base in ("smallint", "integer", "bigint")
        return f"round({value}::numeric)" if whole else value
    to_site = {word: site for site, word in words.get(name, {}).items()}
    for word, like in _LIKE.items():
        if one.found.labels and word not in to_site and word not in one.found.labels:
            to_site[word] = to_site.get(like, like)
    cases = " ".join(f"WHEN {literal(word)} THEN {literal(site)}" for word, site in to_site.items())
    return f"CASE {value} {cases} ELSE {value} END" if cases else value
