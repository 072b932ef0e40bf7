"""A real language model on this machine's processor, with no key."""

from nbagents.providers.local.model import LocalModel
from nbagents.providers.local.process import check_runtime, stop_all
from nbagents.providers.local.weights import DEFAULT, KNOWN, Progress, available, fetch

__all__ = [
    "DEFAULT",
    "KNOWN",
    "LocalModel",
    "Progress",
    "available",
    "check_runtime",
    "fetch",
    "stop_all",
]
