"""Models: the port to the vendors, and what is pure about talking to them."""
