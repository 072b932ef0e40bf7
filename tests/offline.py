"""What keeps the tests on this machine: no way out, no key, no money spent."""

from __future__ import annotations

import ipaddress
import os
import re
import sys

__all__ = ["child_environment", "go_offline"]

OURS = re.compile(r"^(NBAGENTS_(LOCAL_)?MODEL$|OPENAI_|ANTHROPIC_|AWS_)|(KEY|TOKEN|SECRET)$")
OUTWARD = {"socket.connect", "socket.sendto", "socket.sendmsg"}
LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
NOWHERE = "http://127.0.0.1:9"
LOCAL = "127.0.0.1,::1,localhost"


def go_offline() -> None:
    """Forget all keys, and refuse every connection that would leave the machine."""
    for name in [name for name in os.environ if OURS.search(name)]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    sys.addaudithook(_stay_here)


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a process that a test starts: its HTTP goes to a closed port."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    return os.environ | proxies | {"NO_PROXY": LOCAL, "no_proxy": LOCAL} | more


def _stay_here(event: str, args: tuple[object, ...]) -> None:
    if event in OUTWARD and isinstance(args[1], tuple):
        host = args[1][0]
    elif event in LOOKUPS:
        host = args[0]
    else:
        return
    if not _is_here(host):
        # Not an OSError: code under test would take that for a lost connection and try again.
        raise RuntimeError(f"A test tried to reach {host!r}; tests stay on this machine.")


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
