"""Sessions: the record of runs, kept where a restart does not reach it."""
