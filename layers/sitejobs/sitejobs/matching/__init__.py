"""Who suits whom: match-scores."""
