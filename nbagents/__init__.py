"""Multi-agent systems that live in a Jupyter notebook."""

import lazy_loader  # pyright: ignore[reportMissingTypeStubs]

__version__ = "0.1.0"

# The names come from `__init__.pyi`, and each is imported when it is first used: `import nbagents`
# costs less than the pydantic below it.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # pyright: ignore[reportUnknownVariableType]


def load_ipython_extension(ipython: object) -> None:
    """Add the magics and the live output to IPython: `%load_ext nbagents`."""
    from nbagents.notebook import extension

    extension.load(ipython)


def unload_ipython_extension(ipython: object) -> None:
    """Undo all that `%load_ext nbagents` did."""
    from nbagents.notebook import extension

    extension.unload(ipython)
