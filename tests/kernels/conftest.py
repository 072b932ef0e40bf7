"""The kernels that each test in this folder runs on."""

from __future__ import annotations

import pytest

from tests.kernels.harness import VERSIONS, Kernel


@pytest.fixture(
    scope="module",
    params=[pytest.param(version, marks=pytest.mark.kernel) for version in VERSIONS],
)
def healthy_kernel(request, tmp_path_factory):
    """Start a kernel of the module's own on demand, and end all of them with the module."""
    started: list[Kernel] = []

    def healthy() -> Kernel:
        if not started or not started[-1].alive or started[-1].busy:
            started.append(Kernel(request.param, tmp_path_factory.mktemp("kernel")))
        return started[-1]

    yield healthy
    for kernel in started:
        kernel.stop()


@pytest.fixture
def kernel(healthy_kernel) -> Kernel:
    """A kernel with nothing running, shared by the tests of a module; a new one if it broke."""
    return healthy_kernel()
