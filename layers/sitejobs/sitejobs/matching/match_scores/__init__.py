"""The job match-scores."""
