"""Whole runs of match-scores that take the snapshot in parts."""
