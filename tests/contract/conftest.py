"""The vendors that the contract holds for, one at a time."""

from __future__ import annotations

import pytest

from tests.contract.vendors import SECRET, VENDORS, Vendor


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request, monkeypatch) -> Vendor:
    """Give each vendor in turn, in an environment where boto3, too, finds its key."""
    if request.param.name == "bedrock":
        # A bearer token, the simpler key, is only sent over TLS.
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return request.param
