"""The kernels that each test in this folder runs on."""

from __future__ import annotations

import pytest

from tests.kernels.harness import NEWEST, VERSIONS, Kernel


def pytest_generate_tests(metafunc: pytest.Metafunc):
    """Run a test on the newest kernel, and on all of them if what it tests differs by kernel."""
    if "healthy_kernel" not in metafunc.fixturenames:
        return
    differs = metafunc.definition.get_closest_marker("every_kernel")
    versions = VERSIONS if differs or metafunc.config.getoption("all") else [NEWEST]
    each = [pytest.param(version, marks=pytest.mark.kernel) for version in versions]
    metafunc.parametrize("healthy_kernel", each, indirect=True, scope="module")


@pytest.fixture(scope="module")
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
