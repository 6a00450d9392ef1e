"""One file over HTTP: resumed where it was cut, checked, and put in place whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import http.client
import io
import ipaddress
import json
import logging
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sbtools import __version__
from sbtools.errors import DamagedError, LockedError, OutputError, SbtoolsError, UsageError
from sbtools.files import require_replaceable, sha256_of, write_whole
from sbtools.weights.catalogue import File

log = logging.getLogger("sbtools")

CHUNK = 1 << 20
TRIES = 5
SECONDS = 60.0
PASSING = {408, 425, 429, 500, 502, 503, 504}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Tell = Callable[[int, "int | None"], None]


class Cut(Exception):
    """The connection broke, or the server is busy: the same request may succeed later."""


def download(file: File, target: Path, tell: Tell, wait: float = 1.0) -> str:
    """Fetch `file` to `target`; its SHA-256.

    What has arrived stands in TARGET.part, which a later call continues if the server still has
    the same file; `tell(bytes, total)` follows it. Of TRIES attempts in a row without progress the
    second comes after `wait` seconds, each later one after twice as long. Raises UsageError for an
    address that is not https, SbtoolsError when the server refuses or cannot be reached,
    DamagedError when size or digest are not the expected ones, OutputError when the disk is full,
    LockedError when another process fetches the same file.
    """
    check_address(file.url)
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_replaceable(part)
        require_replaceable(target)
        with open(part, "ab", buffering=0, opener=_without_links) as out:
            _lock(out, part)
            _receive(file, out, _Memo(part), tell, wait)
            os.fsync(out.fileno())
            digest = _checked(file, part)
            os.replace(part, target)
    except OSError as error:
        raise _unwritable(error, part) from None
    except SbtoolsError:
        if part.exists() and part.stat().st_size == 0:
            part.unlink()
        raise
    _Memo(part).forget()
    return digest


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def check_address(url: str) -> None:
    """UsageError unless the address is https, or http on this very machine."""
    try:
        parts = urlsplit(url)
        local = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    except ValueError:
        raise UsageError(f"{url}: this is no address") from None
    if not parts.hostname or not (local or parts.scheme == "https"):
        raise UsageError(f"{url}: weights are fetched over https alone")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Memo:
    """What the server said of the file that is partly here: PART.json."""

    def __init__(self, part: Path) -> None:
        self.path = part.with_name(part.name + ".json")

    def validator(self, url: str) -> str | None:
        """The ETag, or date, of the version of `url` that the part is of."""
        try:
            known = json.loads(self.path.read_bytes())
            return str(known["validator"]) if known["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def keep(self, url: str, validator: str | None) -> None:
        self.forget()
        if validator:
            text = json.dumps({"url": url, "validator": validator})
            write_whole(str(self.path), text.encode("ascii"))

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        check_address(newurl)
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise UsageError(f"{req.full_url} leads to {newurl}: weights are fetched over https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _receive(file: File, out: io.FileIO, memo: _Memo, tell: Tell, wait: float) -> None:
    left = TRIES
    while True:
        before = _size(out)
        try:
            return _attempt(file, out, memo, tell)
        except Cut as cut:
            left = TRIES if _size(out) > before else left - 1
            if not left:
                raise SbtoolsError(
                    f"{file.url}: {cut}; what has arrived is kept, the same command goes on"
                ) from None
            log.warning("%s: %s; trying again", file.name, cut)
            time.sleep(wait * 2 ** max(0, TRIES - 1 - left))


def _attempt(file: File, out: io.FileIO, memo: _Memo, tell: Tell) -> None:
    """One request, and its answer to the last byte."""
    validator = memo.validator(file.url)
    if validator is None:
        out.truncate(0)
    try:
        response = _ask(file, _size(out), validator)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(file, out, memo, error)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise _unreachable(file, getattr(error, "reason", error)) from None
    with response:
        total = _begin(file, out, memo, response)
        _room(out, total)
        _pour(response, out, total, tell)


def _ask(file: File, have: int, validator: str | None) -> Any:
    """The server's answer to a request for everything, or for what is not here yet."""
    request = urllib.request.Request(file.url, headers={
        "User-Agent": f"sbtools/{__version__}", "Accept-Encoding": "identity"})  # fmt: skip
    if have and validator:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", validator)
    return urllib.request.build_opener(_Redirects).open(request, timeout=SECONDS)


def _refused(file: File, out: io.FileIO, memo: _Memo, error: urllib.error.HTTPError) -> None:
    """Returns where the part proves to be the whole file already."""
    if error.code == 416 and _size(out):
        if error.headers.get("Content-Range") == f"bytes */{_size(out)}":
            return
        _begin_anew(out, memo)
    text = f"the server said {error.code} {error.reason}"
    if error.code in PASSING:
        raise Cut(text)
    raise SbtoolsError(f"{file.url}: {text}")


def _begin_anew(out: io.FileIO, memo: _Memo) -> None:
    out.truncate(0)
    memo.forget()
    raise Cut("the file on the server is not the one that is partly here")


def _unreachable(file: File, reason: Any) -> Exception:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SbtoolsError(
            f"{file.url}: {reason.verify_message}: SSL_CERT_FILE names the certificates to trust"
        )
    if isinstance(reason, (TimeoutError, ConnectionResetError, http.client.HTTPException)):
        return Cut(str(reason) or type(reason).__name__)
    return SbtoolsError(
        f"{file.url} cannot be reached ({reason}): is there a proxy to name in https_proxy? "
        "Weights fetched elsewhere can be copied here, see $SBTOOLS_WEIGHTS"
    )


def _begin(file: File, out: io.FileIO, memo: _Memo, response: Any) -> int | None:
    """Make the part ready for what comes now; the bytes of the whole file, if announced."""
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise SbtoolsError(f"{file.url}: the server sends it as {coding}, which was not asked for")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    if response.status == 206:
        total = _range(file, response.headers.get("Content-Range", ""), _size(out))
        if _validator(response.headers) not in (None, memo.validator(file.url)):
            _begin_anew(out, memo)
    else:
        out.truncate(0)
    if total is not None and file.size is not None and total != file.size:
        raise DamagedError(f"{file.url} has {total} bytes, not {file.size}: it is another file")
    if response.status != 206:
        memo.keep(file.url, _validator(response.headers))
    return total if total is not None else file.size


def _range(file: File, text: str, have: int) -> int | None:
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", text)
    if not found or int(found[1]) != have:
        raise SbtoolsError(
            f"{file.url}: asked to go on at byte {have}, the server answered '{text}': "
            "remove the .part and fetch again"
        )
    return None if found[3] == "*" else int(found[3])


def _validator(headers: Any) -> str | None:
    tag: str | None = headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    date: str | None = headers.get("Last-Modified")
    return date


def _room(out: io.FileIO, total: int | None) -> None:
    if total is None:
        return
    free = os.fstatvfs(out.fileno())
    if free.f_bavail * free.f_frsize < total - _size(out):
        raise OSError(errno.ENOSPC, f"{total - _size(out)} bytes are needed")


def _pour(response: Any, out: io.FileIO, total: int | None, tell: Tell) -> None:
    have = _size(out)
    tell(have, total)
    while True:
        try:
            block = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise Cut(f"the connection broke after {have} bytes ({error})") from None
        if not block:
            break
        view = memoryview(block)
        while view:
            view = view[out.write(view) or 0 :]
        have += len(block)
        tell(have, total)
        if total is not None and have > total:
            raise DamagedError(f"the server sent more than the {total} bytes that it announced")
    if total is not None and have < total:
        raise Cut(f"the connection broke after {have} of {total} bytes")


def _checked(file: File, part: Path) -> str:
    size = part.stat().st_size
    digest = sha256_of(part)
    wrong = None
    if file.size is not None and size != file.size:
        wrong = f"{size} bytes arrived, not {file.size}"
    elif file.sha256 is not None and digest != file.sha256:
        wrong = f"its SHA-256 is {digest}, not {file.sha256}"
    if wrong:
        # Going on from these bytes could never come right.
        part.unlink()
        _Memo(part).forget()
        raise DamagedError(f"{file.url}: {wrong}; it was thrown away")
    return digest


def _lock(out: io.FileIO, part: Path) -> None:
    try:
        fcntl.flock(out.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(f"{part}: another process is fetching it") from None
    except OSError as error:
        log.debug("%s cannot be locked (%s); the digest decides", part, error.strerror)


def _size(out: io.FileIO) -> int:
    return os.fstat(out.fileno()).st_size


def _unwritable(error: OSError, part: Path) -> SbtoolsError:
    text = f"{part} cannot be written: {error.strerror or error}"
    if error.errno in FULL:
        return OutputError(f"{text}; what has arrived is kept: make room, the same command goes on")
    return SbtoolsError(text)
