"""What the tests of sessions share."""

from __future__ import annotations

import pytest


def pytest_configure():
    """Let what is asserted outside of the tests' own files be explained too."""
    pytest.register_assert_rewrite("tests.sessions.crashes")
