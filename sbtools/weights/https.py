"""Requests over https alone, be it that the server leads elsewhere."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from sbtools import __version__
from sbtools.errors import SbtoolsError, UsageError

SECONDS = 60.0


class Cut(Exception):
    """The connection broke, or the server is busy: the same request may succeed later."""


def check_address(url: str) -> None:
    """UsageError unless the address is https, or http on this very machine."""
    try:
        parts = urlsplit(url)
        local = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    except ValueError:
        raise UsageError(f"{url} is no address, as in https://example.org/my_sam.pth") from None
    if not parts.hostname or not (local or parts.scheme == "https"):
        raise UsageError(f"{url}: weights are only fetched over https")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection where `check_address` would, and from https to https alone."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        check_address(newurl)
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise UsageError(f"{req.full_url} leads to {newurl}: weights are fetched over https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def ask(url: str, have: int, validator: str | None) -> Any:
    """The server's answer to a request for everything, or for what lies behind `have` bytes.

    validator: the ETag, or date, of the version that those are of. Raises urllib's errors.
    """
    request = urllib.request.Request(url, headers={
        "User-Agent": f"sbtools/{__version__}", "Accept-Encoding": "identity"})  # fmt: skip
    if have and validator:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", validator)
    return urllib.request.build_opener(Redirects).open(request, timeout=SECONDS)


def unreachable(url: str, reason: Any) -> Exception:
    """What a server that gives no answer means: Cut where it may give one later."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SbtoolsError(
            f"{url}: {reason.verify_message}: SSL_CERT_FILE names the certificates to trust"
        )
    if isinstance(reason, (TimeoutError, ConnectionResetError, http.client.HTTPException)):
        return Cut(str(reason) or type(reason).__name__)
    return SbtoolsError(
        f"{url} cannot be reached ({reason}): is there a proxy to name in https_proxy? "
        "Weights fetched elsewhere can be copied here, see $SBTOOLS_WEIGHTS"
    )
