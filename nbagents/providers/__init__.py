"""One module a vendor: a codec around its own SDK."""
