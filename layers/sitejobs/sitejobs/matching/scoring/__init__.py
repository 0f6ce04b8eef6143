"""The six parts of a score, and the columns that they are computed from."""
