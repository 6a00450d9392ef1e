"""A web server on loopback that misbehaves on request."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.weights.loopback import Quiet, answering


@dataclass
class Page:
    """What one address answers with; each entry of `faults` is used up by one request."""

    body: bytes
    tag: str | None = '"1"'
    ranges: bool = True
    announce: bool = True
    faults: list[Any] = field(default_factory=list)


@dataclass
class Site:
    """The pages by path, and the requests that came: (path, Range, If-Range)."""

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)


class _Handler(Quiet):
    site: Site

    def do_GET(self) -> None:
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        self.site.asked.append((self.path, wanted, condition))
        self.close_connection = True
        page = self.site.pages.get(self.path)
        fault = page.faults.pop(0) if page and page.faults else {}
        if page is None or "status" in fault:
            return self._plain(fault.get("status", 404), fault.get("location"))
        start = 0
        if page.ranges and wanted and condition == page.tag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
        if start >= len(page.body) and start:
            return self._plain(416, None, f"bytes */{len(page.body)}")
        body = page.body[start:]
        self.send_response(206 if start else 200)
        if page.tag:
            self.send_header("ETag", fault.get("tag", page.tag))
        if start:
            said = fault.get("range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
            self.send_header("Content-Range", said)
        if page.announce:
            self.send_header("Content-Length", str(fault.get("length", len(body))))
        if "coding" in fault:
            self.send_header("Content-Encoding", fault["coding"])
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body[: fault.get("cut", len(body))])
            if "hold" in fault:
                self.site.hold.wait(60)

    def _plain(self, status: int, location: str | None, span: str | None = None) -> None:
        self.send_response(status)
        for name, value in (("Location", location), ("Content-Range", span)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving() -> Iterator[Site]:
    """A site on loopback for as long as the block lasts."""
    site = Site()
    with answering(_Handler, site=site) as site.url:
        try:
            yield site
        finally:
            site.hold.set()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
