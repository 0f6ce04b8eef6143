"""What a paged job is, and the life of its runs."""
