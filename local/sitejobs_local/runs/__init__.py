"""A run followed from start to end, here or on AWS."""
