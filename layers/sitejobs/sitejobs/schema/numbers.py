"""Whole numbers for ids that are none: a table of numbers for each type, and triggers that number new rows."""

from collections.abc import Iterator, Sequence

from sitejobs.schema.mend import literal
from sitejobs.schema.model import identifier
from sitejobs.schema.site_catalog import SiteColumn, SiteTable


class Numbers:
    """The tables of numbers that views ask for."""

    def __init__(self, schema: str) -> None:
        self._schema = identifier(schema)
        self._types: dict[str, None] = {}

    def place(self, column: SiteColumn) -> str:
        """The table of numbers for ids of this column's type."""
        type_ = "uuid" if column.found.base == "uuid" else "text"
        self._types[type_] = None
        return f'{self._schema}."Number_{type_}"'

    def sql(self, entities: Sequence[tuple[SiteTable, SiteColumn | None]]) -> Iterator[str]:
        """The tables, the triggers' functions, and for each table with such ids its trigger and its first numbers."""
        odd = {site.oid: (site, column) for site, column in entities if column is not None and column.is_odd_id}
        for _, column in odd.values():
            self.place(column)
        if self._types:
            yield "-- Numbers of ids. They are what the bundle's tables hold: join them to find the site's own ids.\n"
        for type_ in self._types:
            yield self._table(type_)
        for site, column in odd.values():
            place, name = self.place(column), identifier(column.name)
            yield f"""INSERT INTO {place} ("key")
SELECT t.{name} FROM {site.place} t ORDER BY t.{name} ON CONFLICT DO NOTHING;
"""
            if site.kind in "rp":
                function = f'{self._schema}."number_{"uuid" if column.found.base == "uuid" else "text"}"'
                yield f"""CREATE TRIGGER "sitejobs_number" AFTER INSERT ON {site.place}
FOR EACH ROW EXECUTE FUNCTION {function}({literal(column.name)});
"""

    def _table(self, type_: str) -> str:
        place = f'{self._schema}."Number_{type_}"'
        return f"""CREATE TABLE {place} (
    "key" {type_} PRIMARY KEY, "number" bigint GENERATED ALWAYS AS IDENTITY UNIQUE
);
CREATE FUNCTION {self._schema}."number_{type_}"() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO {place} ("key") VALUES ((to_jsonb(NEW) ->> TG_ARGV[0])::{type_}) ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
"""
