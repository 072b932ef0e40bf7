"""Multi-agent systems that live in a Jupyter notebook."""
