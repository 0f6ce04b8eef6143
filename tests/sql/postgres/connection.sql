-- _READ_OTHERS
SELECT given."name" FROM unnest(%s::text[], %s::text[]) AS given ("name", "value")
JOIN pg_catalog.pg_settings AS now ON lower(now."name") = lower(given."name")
WHERE now."setting" <> given."value";

-- _TAKES_NO_WRITES
SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean;
