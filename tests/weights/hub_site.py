"""A stand-in of the HuggingFace hub on loopback: its API, and the files of repositories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.weights.loopback import Quiet, answering

LARGE = (".safetensors", ".bin")
"""What the hub keeps by SHA-256 (LFS); the rest by git's SHA-1."""


@dataclass
class Repository:
    """The files by name, of the commit `sha`, which `revisions` name; gated: refused to all."""

    files: dict[str, bytes]
    sha: str = "a" * 40
    revisions: tuple[str, ...] = ("main",)
    gated: bool = False


@dataclass
class Hub:
    """Repositories by ORG/NAME, and the paths that were asked for."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


def digest(name: str, data: bytes) -> str:
    if name.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Handler(Quiet):
    hub: Hub

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, whole: bool) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.hub.asked.append(f"{self.command} {'/'.join(parts)}")
        api = parts[:2] == ["api", "models"]
        name, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4:] if api else parts[2:]
        found = self.hub.repositories.get(name)
        if found is None:
            return self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        if found.gated:
            return self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        if rest and rest[1] not in (*found.revisions, found.sha):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if not api:
            return self._file(found, "/".join(rest[2:]), whole)
        if rest[:1] == ["tree"]:
            return self._json([_entry(name, data) for name, data in found.files.items()])
        told = [{"rfilename": each} for each in found.files]
        return self._json({"id": name, "sha": found.sha, "siblings": told})

    def _file(self, found: Repository, name: str, whole: bool) -> None:
        data = found.files[name]
        told = {"ETag": f'"{digest(name, data)}"', "X-Repo-Commit": found.sha}
        self._send(200, data, told, whole)

    def _json(self, told: Any) -> None:
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _send(self, code: int, data: bytes, told: dict[str, str], whole: bool = True) -> None:
        self.send_response(code)
        for name, value in {**told, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if whole:
            self.wfile.write(data)


def _entry(name: str, data: bytes) -> dict[str, Any]:
    told = {"type": "file", "path": name, "size": len(data), "oid": digest(name, data)[:40]}
    if name.endswith(LARGE):
        told["lfs"] = {"size": len(data), "oid": digest(name, data), "pointerSize": 130}
    return told


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """A hub on loopback for as long as the block lasts."""
    hub = Hub()
    with answering(_Handler, hub=hub) as hub.url:
        yield hub
