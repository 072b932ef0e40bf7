"""From a model's name to the model, and the choice when none is named."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
from typing import NamedTuple

from nbagents.errors import UserError, unknown_name
from nbagents.models.base import Model

__all__ = ["VENDORS", "DefaultModel", "Vendor", "default_model", "resolve_model"]


class Vendor(NamedTuple):
    """Where a vendor's code lives and how to see that its user is at home."""

    factory: str
    """`module:callable`; the callable takes the model's name after the colon."""
    key: str | None
    """The environment variable whose presence makes the vendor a default."""
    default: str
    """The model to use when only the vendor is known."""


VENDORS = {
    "openai": Vendor("nbagents.providers.openai:OpenAIModel", "OPENAI_API_KEY", "gpt-5.4-mini"),
    "anthropic": Vendor(
        "nbagents.providers.anthropic:AnthropicModel", "ANTHROPIC_API_KEY", "claude-sonnet-5-5"
    ),
    "bedrock": Vendor(
        "nbagents.providers.bedrock:BedrockModel",
        "AWS_BEARER_TOKEN_BEDROCK",
        "us.anthropic.claude-sonnet-5-5",
    ),
    "local": Vendor("nbagents.providers.local:LocalModel", None, "qwen2.5-coder-0.5b"),
}


class DefaultModel(NamedTuple):
    """The model used when none is named, and why it is this one."""

    name: str
    reason: str


def default_model() -> DefaultModel:
    """Choose: `NBAGENTS_MODEL`, else the first vendor whose key is set, else the local model."""
    if named := os.environ.get("NBAGENTS_MODEL"):
        return DefaultModel(named, "NBAGENTS_MODEL is set")
    for prefix, vendor in VENDORS.items():
        if vendor.key and os.environ.get(vendor.key):
            return DefaultModel(f"{prefix}:{vendor.default}", f"{vendor.key} is set")
    return DefaultModel(f"local:{VENDORS['local'].default}", "no vendor's key is set")


def resolve_model(model: str | Model | None) -> Model:
    """Return the model that is meant; the same name gives the same object.

    Raises `UserError` for an unknown vendor. A missing package or key is an error of the first
    request, so that agents can be defined without them.
    """
    if model is None:
        model = default_model().name
    if not isinstance(model, str):
        return model
    prefix = model.partition(":")[0]
    vendor = VENDORS.get(prefix)
    settings = (vendor and vendor.key, f"{prefix.upper()}_BASE_URL")
    return _by_name(model, tuple(os.environ.get(name or "") for name in settings))


@functools.cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    found = importlib.metadata.entry_points(group="nbagents.models")
    return {point.name: point for point in found}


@functools.lru_cache(maxsize=64)
def _by_name(name: str, _settings: tuple[str | None, ...]) -> Model:
    """Make a model, once for each name and each key: a corrected key makes another one."""
    prefix, colon, rest = name.partition(":")
    vendor = VENDORS.get(prefix)
    if vendor is not None:
        module, _, attribute = vendor.factory.partition(":")
        return getattr(importlib.import_module(module), attribute)(rest or vendor.default)
    if prefix in _entry_points():
        return _entry_points()[prefix].load()(rest)
    if not colon:
        msg = f"A model is named 'provider:model', such as 'openai:{name}'. Got {name!r}."
        raise UserError(msg)
    raise unknown_name("model provider", prefix, [*VENDORS, *_entry_points()])
