"""What holds for every test."""

from __future__ import annotations

from tests.offline import go_offline


def pytest_configure():
    """Close the ways out before anything else is imported."""
    go_offline()
