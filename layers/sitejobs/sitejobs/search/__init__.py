"""Which users can be found, what is searched of each, and the search itself."""
