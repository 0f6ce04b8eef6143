"""Workflows: several jobs that belong together, each started as soon as those that it needs are done."""
