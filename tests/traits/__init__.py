"""Traits and interests: what is stored, compared with plain per-user implementations."""
