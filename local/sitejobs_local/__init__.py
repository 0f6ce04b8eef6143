"""The jobs on one machine without AWS: embedded PostgreSQL, Step Functions in a process, and the command line."""
