"""The SQL that runs, as it is composed: `python -m tests.sql` writes it beside this file, a test compares."""
