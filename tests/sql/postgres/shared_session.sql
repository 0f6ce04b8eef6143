-- transaction: of a session
SET LOCAL "TimeZone" TO 'UTC'; SET LOCAL "DateStyle" TO 'ISO, MDY'; SET LOCAL "IntervalStyle" TO 'postgres'; SET LOCAL "bytea_output" TO 'hex'; SET LOCAL "extra_float_digits" TO '1'; SET LOCAL "standard_conforming_strings" TO 'on'; SET LOCAL "array_nulls" TO 'on'; SET LOCAL "transform_null_equals" TO 'off'; SET LOCAL "search_path" TO 'site', 'public';
