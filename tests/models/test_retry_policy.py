"""When to ask a model again, and how long to wait before."""

from __future__ import annotations

import pytest

from nbagents import ModelError, RetryPolicy


def busy(**about) -> ModelError:
    return ModelError("busy", provider="x", **{"retryable": True} | about)


@pytest.mark.parametrize(
    ("attempt", "at_least", "at_most"), [(1, 0.5, 1), (2, 1, 2), (3, 2, 4), (4, 4, 8)]
)
def test_each_wait_is_about_twice_as_long_as_the_one_before(attempt, at_least, at_most):
    waits = [RetryPolicy().wait(busy(), attempt) for _ in range(100)]
    assert at_least <= min(waits) < max(waits) <= at_most


def test_no_wait_is_longer_than_the_longest():
    policy = RetryPolicy(attempts=50, longest=10)
    assert all(policy.wait(busy(), attempt) <= 10 for attempt in range(1, 50))


def test_what_the_vendor_asks_for_comes_first():
    assert RetryPolicy().wait(busy(retry_after=7.5), 1) == 7.5
    assert RetryPolicy().wait(busy(retry_after=0.0), 4) == 0.0


def test_a_vendor_that_asks_for_too_much_is_not_asked_again():
    assert RetryPolicy().wait(busy(retry_after=60.0), 1) == 60.0
    assert RetryPolicy().wait(busy(retry_after=61.0), 1) is None


def test_there_is_an_end_to_it():
    assert RetryPolicy(attempts=3).wait(busy(), 2) is not None
    assert RetryPolicy(attempts=3).wait(busy(), 3) is None
    assert RetryPolicy(attempts=1).wait(busy(), 1) is None


def test_what_asking_again_does_not_help_is_not_waited_for():
    assert RetryPolicy().wait(busy(retryable=False, retry_after=1.0), 1) is None
