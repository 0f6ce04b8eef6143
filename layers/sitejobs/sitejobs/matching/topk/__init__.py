"""The exact best candidates of each viewer, found without scoring every pair."""
