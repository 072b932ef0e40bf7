"""Loading the extension: whole, or not at all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nbagents import UserError
from nbagents.notebook import extension


class OtherKernel:
    """A kernel such as xeus-python, which knows one parent only."""

    def get_parent(self) -> dict[str, object]:
        return {}


def test_on_a_kernel_that_is_not_ipykernel_nothing_is_added_and_the_error_says_what_to_do():
    shell = SimpleNamespace(kernel=OtherKernel())
    with pytest.raises(UserError, match=r"Choose the kernel 'Python 3 \(ipykernel\)'"):
        extension.load(shell)
    assert list(vars(shell)) == ["kernel"]
    extension.unload(shell)
