"""Addresses of servers: what is wrong with one is said before anything is sent."""

from __future__ import annotations

import importlib.util
import os
import re
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from nbagents._optional import install_command
from nbagents.errors import UserError
from nbagents.redaction import remember_url

__all__ = ["checked_url", "http_client", "tls_problem", "version_hint"]

_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
_VERSION = re.compile(r"/v\d")


def checked_url(url: str | None, source: str, *endings: str) -> str | None:
    """Return the base URL of a server, or None for none; `source` is where it came from.

    The client adds one of `endings` itself. Raises `UserError` for what cannot be an address.
    """
    if not url:
        return None
    remember_url(url)
    url = url.strip()
    if "://" not in url:
        local = re.match(r"(localhost|[\d.]+|\[[\da-fA-F:]+\]|[^/]*:\d+)(:|/|$)", url)
        better = f"{'http' if local else 'https'}://{url.lstrip('/')}"
        raise UserError(f"{source} is {url!r}, which has no scheme. Write {better!r}.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UserError(f"{source} is {url!r}, which is not a valid address: {error}.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise UserError(
            f"{source} is {url!r}. Write an address such as 'http://localhost:8000/v1'."
        )
    path = parts.path.rstrip("/")
    ending = next((one for one in endings if path.endswith(one)), None)
    if ending is not None:
        better = f"{url[: url.index(parts.netloc)]}{parts.netloc}{path.removesuffix(ending)}"
        raise UserError(
            f"{source} ends with {ending!r}, which is added by itself. Write {better!r}."
        )
    return url


def version_hint(url: str) -> str:
    """Say that an address may lack its version, if it does; most servers have theirs under `/v1`."""
    path = urlsplit(url).path
    return "" if _VERSION.search(path) else ": it may lack '/v1' at its end"


def http_client(sdk: Any, url: str) -> Any:
    """Make a client for a server when the environment names a proxy that an SDK cannot use, else None.

    Raises `UserError` if the server has to be reached through that proxy.
    """
    named = {name: value for name in _PROXIES if (value := _value(name))}
    bad = next((name for name, value in named.items() if not _is_usable(value)), None)
    if bad is None:
        return None
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    mine = next(
        (name for name in (f"{parts.scheme.upper()}_PROXY", "ALL_PROXY") if name in named), None
    )
    if mine is None or proxy_bypass(host):
        proxy = None
    elif _is_usable(named[mine]):
        proxy = named[mine]
    else:
        raise _no_proxy(mine, named[mine], host)
    import httpx2

    trusted = httpx2.create_ssl_context()
    return sdk.DefaultAsyncHttpxClient(trust_env=False, verify=trusted, proxy=proxy)


def _value(name: str) -> str:
    return os.environ.get(name.lower()) or os.environ.get(name) or ""


def _is_usable(proxy: str) -> bool:
    scheme, colon, _ = proxy.partition("://")
    if scheme in {"socks5", "socks5h"}:
        return importlib.util.find_spec("socksio") is not None
    return not colon or scheme in {"http", "https"}


def _no_proxy(name: str, proxy: str, host: str) -> UserError:
    fix = f"Or add {host} to NO_PROXY if it can be reached without a proxy."
    scheme = proxy.partition("://")[0]
    if scheme in {"socks5", "socks5h"}:
        problem = f"{name} names a SOCKS proxy, for which the package 'socksio' is missing."
        return UserError(f"{problem} Install it with: {install_command(['socksio'])} {fix}")
    known = "'http://', 'https://' or 'socks5://'"
    return UserError(
        f"{name} names a proxy that begins with '{scheme}://'. It must be {known}. {fix}"
    )


def tls_problem(error: BaseException | None, host: str, variable: str) -> str | None:
    """Say what is wrong with the certificate of a server, or None if it is something else.

    `variable` is the one that names certificates to trust.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {host} is not trusted: {error.verify_message.rstrip('.')}. If its "
                f"authority is your company's or your own, set {variable} to the file of its certificate."
            )
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            return f"{host} does not speak TLS. Write 'http://' in place of 'https://'."
        reasons = [one for one in error.args if isinstance(one, BaseException)]
        error = error.__cause__ or error.__context__ or next(iter(reasons), None)
    return None


_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
