"""The Lambda entries: events in, summaries out, and what all functions share."""
