-- f'SET LOCAL statement_timeout = {REPEATS_MS}'
SET LOCAL statement_timeout = 20000;
