"""What is declared once and then only used: copied and pickled by its fields."""

from __future__ import annotations

from functools import cached_property
from typing import Any

__all__ = ["Declaration"]


class Declaration:
    """Something whose cached properties are made of its fields, and can be made again."""

    def __getstate__(self) -> dict[str, Any]:
        kinds = {name: kind for each in type(self).__mro__ for name, kind in vars(each).items()}
        made = {name for name, kind in kinds.items() if isinstance(kind, cached_property)}
        return {name: value for name, value in vars(self).items() if name not in made}
