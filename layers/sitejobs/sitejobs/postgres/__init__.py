"""The connection to PostgreSQL, and columns to and from numpy."""
