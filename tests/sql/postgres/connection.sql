-- _READ_OTHERS
SELECT given."name", now."setting"
FROM unnest(%s::text[], %s::text[]) AS given ("name", "value")
LEFT JOIN pg_catalog.pg_settings AS now ON lower(now."name") = lower(given."name")
WHERE now."setting" IS DISTINCT FROM given."value" OR now."source" <> 'client';

-- _TAKES_NO_WRITES
SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean;
