"""One daemon thread with one event loop, for callers that cannot await."""
