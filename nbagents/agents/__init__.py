"""Agents: the declaration, the loop that runs it, and what the loop needs."""
