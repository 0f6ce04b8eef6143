"""The Lambda entries: events in, summaries out; what every function repeats."""
