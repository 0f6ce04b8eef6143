"""The population as of one moment: read, encoded, cut in blocks, kept in a file."""
