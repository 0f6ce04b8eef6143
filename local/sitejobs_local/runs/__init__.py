"""A run followed from start to end: `runner` and `workflow_runner` on this machine, `deployed` on AWS."""
