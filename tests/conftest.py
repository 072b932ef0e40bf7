"""What holds for every test."""

from __future__ import annotations

import pytest

from tests.offline import go_offline


def pytest_addoption(parser: pytest.Parser):
    """`--all`: what takes longer than it tells on most days."""
    parser.addoption(
        "--all",
        action="store_true",
        help="run all kernel tests on all kernels, and kill with new random seeds, for longer",
    )


def pytest_configure():
    """Close the ways out before anything else is imported."""
    go_offline()
