"""Ids as HDF5 link names and as file names, and where relative paths begin."""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import quote, unquote_to_bytes

_DOTS = re.compile(r"\.+")
_NAME_BYTES = 255
_PATH_BYTES = 2048


def key_of(id: str) -> str:
    """The id percent-encoded into one HDF5 link name, "juggle%2Fg23_c01"; `id_of` undoes it."""
    key = quote(id.encode("utf-8", "surrogatepass"), safe="")
    return key.replace(".", "%2E") if _DOTS.fullmatch(key) else key


def id_of(key: str) -> str:
    """The id that a link name stands for; ValueError for a name that `key_of` never gives."""
    id = unquote_to_bytes(key).decode("utf-8", "surrogatepass")
    if not id or key_of(id) != key:
        raise ValueError(f"{key!r} is not the key of an id")
    return id


def file_name_of(id: str, suffix: str) -> str:
    """The relative path of an output file of this id, below whatever folder it is joined to.

    "/" makes folders. Distinct ids give distinct paths, and no folder has the name of a file: what
    a file name cannot be is percent-escaped, what is too long ends in "%~" and a SHA-256.
    """
    *folders, last = id.split("/")
    parts = [_folder_name(part, suffix) for part in folders]
    parts.append(_fit(_escape(last) if last else "%", suffix))
    path = "/".join(parts)
    if len(os.fsencode(path)) > _PATH_BYTES:
        return "%~" + _sha256(id) + suffix
    return path


def _folder_name(part: str, suffix: str) -> str:
    if part in ("", ".", ".."):
        return part.replace(".", "%2E") or "%"
    name = _escape(part)
    if suffix and name.endswith(suffix):
        name = name[: -len(suffix)] + "%2E" + suffix[1:]
    return _fit(name, "")


def _escape(part: str) -> str:
    name = part.replace("%", "%25").replace("\0", "%00")
    try:
        if os.fsdecode(os.fsencode(name)) == name:
            return name
    except UnicodeEncodeError:
        pass
    return "".join(c if c < "\ud800" or c > "\udfff" else f"%u{ord(c):04X}" for c in name)


def _fit(name: str, suffix: str) -> str:
    room = _NAME_BYTES - len(suffix.encode())
    if len(os.fsencode(name)) <= room:
        return name + suffix
    end = "%~" + _sha256(name)[:32]
    head = os.fsencode(name)[: room - len(end)].decode("utf-8", "ignore")
    return head + end + suffix


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _base(root: str | None) -> str:
    return os.path.join(os.getcwd(), root or os.environ.get("SBTOOLS_ROOT") or "")


def resolve(path: str, root: str | None = None) -> str:
    """The absolute path that `path` of a record means: below root, $SBTOOLS_ROOT, or here."""
    return os.path.join(_base(root), path)


def relative(path: str, root: str | None = None) -> str:
    """`path`, as the command line gave it, as a record names it; `resolve` finds it again.

    Relative where it lies below the root, absolute elsewhere.
    """
    base = os.path.abspath(_base(root))
    full = os.path.abspath(path)
    if full == base or not full.startswith(os.path.join(base, "")):
        return full
    return os.path.relpath(full, base)
