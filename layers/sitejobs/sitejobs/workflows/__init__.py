"""Workflows: several jobs, each started as soon as the jobs it needs are done."""
