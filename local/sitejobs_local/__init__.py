"""The machine at home: embedded PostgreSQL, Step Functions in a process, and the command line."""
