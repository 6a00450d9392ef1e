"""One file over HTTP: resumed where it was cut, checked, and put in place whole or not at all."""

from __future__ import annotations

import http.client
import io
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sbtools.errors import DamagedError, SbtoolsError
from sbtools.files import require_replaceable, sha256_of
from sbtools.weights.catalogue import File
from sbtools.weights.https import Cut, ask, check_address, unreachable
from sbtools.weights.part import Memo, lock, require_room, size_of, unwritable, without_links

log = logging.getLogger("sbtools")

CHUNK = 1 << 20
TRIES = 5
PASSING = {408, 425, 429, 500, 502, 503, 504}

Tell = Callable[[int, "int | None"], None]


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
        with open(part, "ab", buffering=0, opener=without_links) as out:
            lock(out, part)
            _receive(file, out, Memo(part), tell, wait)
            os.fsync(out.fileno())
            digest = _checked(file, part)
            os.replace(part, target)
    except OSError as error:
        raise unwritable(error, part) from None
    except SbtoolsError:
        if part.exists() and part.stat().st_size == 0:
            part.unlink()
        raise
    Memo(part).forget()
    return digest


def _receive(file: File, out: io.FileIO, memo: Memo, tell: Tell, wait: float) -> None:
    left = TRIES
    while True:
        before = size_of(out)
        try:
            return _attempt(file, out, memo, tell)
        except Cut as cut:
            left = TRIES if size_of(out) > before else left - 1
            if not left:
                raise SbtoolsError(
                    f"{file.url}: {cut}; what has arrived is kept, the same command goes on"
                ) from None
            log.warning("%s: %s; trying again", file.name, cut)
            time.sleep(wait * 2 ** max(0, TRIES - 1 - left))


def _attempt(file: File, out: io.FileIO, memo: Memo, tell: Tell) -> None:
    """One request, and its answer to the last byte."""
    validator = memo.validator(file.url)
    if validator is None:
        out.truncate(0)
    try:
        response = ask(file.url, size_of(out), validator)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(file, out, memo, error)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise unreachable(file.url, getattr(error, "reason", error)) from None
    with response:
        total = _begin(file, out, memo, response)
        require_room(out, total)
        _pour(response, out, total, tell)


def _refused(file: File, out: io.FileIO, memo: Memo, error: urllib.error.HTTPError) -> None:
    """Returns where the part proves to be the whole file already."""
    if error.code == 416 and size_of(out):
        if error.headers.get("Content-Range") == f"bytes */{size_of(out)}":
            return
        _begin_anew(out, memo)
    text = f"the server said {error.code} {error.reason}"
    if error.code in PASSING:
        raise Cut(text)
    raise SbtoolsError(f"{file.url}: {text}")


def _begin_anew(out: io.FileIO, memo: Memo) -> None:
    out.truncate(0)
    memo.forget()
    raise Cut("the file on the server is not the one that is partly here")


def _begin(file: File, out: io.FileIO, memo: Memo, response: Any) -> int | None:
    """Make the part ready for what comes now; the bytes of the whole file, if announced."""
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity":
        raise SbtoolsError(f"{file.url}: the server sends it as {coding}, which was not asked for")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    if response.status == 206:
        total = _range(file, response.headers.get("Content-Range", ""), size_of(out))
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


def _pour(response: Any, out: io.FileIO, total: int | None, tell: Tell) -> None:
    have = size_of(out)
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
        Memo(part).forget()
        raise DamagedError(f"{file.url}: {wrong}; it was thrown away")
    return digest
