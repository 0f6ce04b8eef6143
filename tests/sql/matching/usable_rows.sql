-- _HAS_UNIQUE_INDEX
SELECT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = to_regclass(%(table)s) AND i.indisunique AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
          SELECT FROM generate_series(0, i.indnkeyatts - 1) AS at
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[at]
          WHERE a.attname <> ALL(%(columns)s::text[])));
