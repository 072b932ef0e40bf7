"""The notebook: magics, live output, Stop."""
