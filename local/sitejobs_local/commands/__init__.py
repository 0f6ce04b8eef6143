"""The commands of `sitejobs`, one module each. What is slow to import is imported where it is used."""
