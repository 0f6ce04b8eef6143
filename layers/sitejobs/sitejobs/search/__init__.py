"""Who can be found, and by what."""
