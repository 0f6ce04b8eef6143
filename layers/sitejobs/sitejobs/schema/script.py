"""The migrations as a script for psql, for a database that only its owners reach."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sitejobs.postgres.search_path import BUNDLE_SCHEMA
from sitejobs.schema.mend import literal
from sitejobs.schema.migrations import ADD_OBJECTS, CREATE_RECORD, LOCK, MIGRATIONS, Migration, read

_START: Final = """
-- Where the bundle lives: in the schema whose record tells of it. Nothing of the site's is taken for the bundle's.
DO $start$
DECLARE
    "home"  text;
    "found" text;
BEGIN
    PERFORM pg_advisory_xact_lock(7305808869243);
    FOR "home" IN
        SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = 'SitejobsMigration' AND n.nspname = ANY (current_schemas(false) || {schema}::name)
        ORDER BY n.nspname <> {schema}
    LOOP
        EXECUTE format('SELECT min("name") FROM %I."SitejobsMigration" WHERE "name" ~ ''^[0-9]+_''', "home")
        INTO "found";
        EXIT WHEN "found" IS NOT NULL;
    END LOOP;
    IF "found" IS NULL THEN
        "home" := {schema};
        SELECT string_agg(quote_ident(taken."name"), ', ') INTO "found" FROM (
            SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = to_regnamespace(quote_ident("home"))
            UNION SELECT t.typname FROM pg_type t WHERE t.typnamespace = to_regnamespace(quote_ident("home"))
            UNION SELECT p.proname || '()' FROM pg_proc p WHERE p.pronamespace = to_regnamespace(quote_ident("home"))
        ) AS taken ("name") WHERE taken."name" = ANY (ARRAY[{names}]);
        IF "found" IS NOT NULL THEN
            RAISE EXCEPTION 'the bundle needs names that are taken in schema %: %', "home", "found";
        END IF;
    END IF;
    IF to_regnamespace(quote_ident("home")) IS NULL THEN EXECUTE format('CREATE SCHEMA %I', "home"); END IF;
    PERFORM set_config('sitejobs.home', quote_ident("home"), false),
            set_config('sitejobs.paths', quote_ident("home") || ', ' || current_setting('search_path'), false),
            set_config('search_path', quote_ident("home"), true);
    {record};
    {add};
END $start$;
"""
_PATH: Final = "SELECT set_config('search_path', current_setting('sitejobs.{}'), true)"
_RECORD: Final = """INSERT INTO "SitejobsMigration" ("name", "checksum", "objects")
VALUES ({name}, {checksum}, ARRAY[{made}]::text[])
ON CONFLICT ("name") DO UPDATE SET "checksum" = excluded."checksum", "objects" = excluded."objects",
    "appliedAt" = now()"""


def script(folder: Path = MIGRATIONS, schema: str = BUNDLE_SCHEMA) -> str:
    """All migrations; each is a transaction with its record, as `apply` does it.

    They are safe to apply again, so the script is, too. Where the bundle lives it stays, else it goes into `schema`.
    """
    migrations = read(folder)
    names = {name for migration in migrations for name in migration.made}
    start = _START.format(schema=literal(schema), names=_texts(names), record=CREATE_RECORD.strip(), add=ADD_OBJECTS)
    return "".join(["\\set ON_ERROR_STOP on\n", start, *map(_part, migrations)])


def _part(migration: Migration) -> str:
    values = {"name": literal(migration.name), "checksum": literal(migration.checksum)}
    record = _RECORD.format(**values, made=_texts(migration.made))
    path = _PATH.format("paths" if migration.reads_site else "home")
    text = migration.sql.decode().strip().removesuffix(";")
    steps = (LOCK, path, text, _PATH.format("home"), record)
    return f"\n-- {migration.name}\nBEGIN;\n" + ";\n".join(steps) + ";\nCOMMIT;\n"


def _texts(names: Iterable[str]) -> str:
    return ", ".join(map(literal, sorted(names)))
