"""Whatever can be run, and the one way to run it."""
