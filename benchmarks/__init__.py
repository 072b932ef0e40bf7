"""What nbagents costs, measured against the same work written by hand."""
