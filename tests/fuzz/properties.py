"""What must hold of every case, whatever was done to its input."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.case import LINK, SECRET, TIMEOUT, Case, Finding, Ran

STATUSES = {0, 1, 2, 3, 5, 6, 7, 75, 130, 141, 143}
"""What sbtools(1) promises."""

MEMORY = 900
"""MiB that a command may take above one that does nothing. To mask a clip of 8192x4320, as large as
frames may be, takes 784; no clip of the corpus needs a tenth of that."""

STAGES = ("index", "split", "detect", "segment", "mask", "view")
"""What prints records."""


def findings(case: Case, ran: list[Ran], work: Path, before: str, idle: int) -> Iterator[Finding]:
    """Every property that does not hold. `before`: `state` of what lies outside; `idle` in MiB."""
    for one in ran:
        for found in (_ends(one), _memory(one, idle), _secret(one), _lost(case, one)):
            if found:
                found.step = one.words
                yield found
    after = state(work.parent)
    if after != before:
        yield Finding("folder", f"something outside of the folder was changed: {after}")
    if case.same and (why := case.same(work, ran)):
        yield Finding("silent", why, ran[-1].words)


def _ends(ran: Ran) -> Finding | None:
    """It ends, with a status of the manual, and with words for people."""
    if ran.status is None:
        return Finding("hang", f"ran for more than {TIMEOUT:.0f} s")
    for word in (b"Traceback (most recent", b"this is a bug"):
        if word in ran.err or word in ran.out:
            return Finding("traceback", _last(ran.err))
    if ran.status not in STATUSES:
        return Finding("status", f"ended with {ran.status}: {_last(ran.err)}")
    if ran.status not in (0, 75, 141) and not ran.err.strip():
        return Finding("wordless", f"ended with {ran.status} and said nothing")
    return None


def _last(text: bytes) -> str:
    return text.decode(errors="replace").strip()[-600:]


def _memory(ran: Ran, idle: int) -> Finding | None:
    over = ran.peak - idle
    return Finding("memory", f"took {over} MiB") if over > MEMORY else None


def _secret(ran: Ran) -> Finding | None:
    """Nothing of a file that was not given comes out; one that a link names there was given."""
    given = SECRET in " ".join(ran.words) or LINK in ran.words
    if SECRET.encode() in ran.out and not given:
        return Finding("folder", "printed what stands in a file of another folder")
    return None


def _lost(case: Case, ran: Ran) -> Finding | None:
    """Whatever a stage prints are records that the next takes, and no clip is lost."""
    if ran.words[0] not in STAGES or ran.status not in (0, 3):
        return None
    from sbtools.records import read

    try:
        printed = {record["id"] for record in read(io.BytesIO(ran.out), "stdout")}
    except Exception as error:
        return Finding("next", f"printed what the next stage refuses: {error}")
    gone = (case.ids or set()) - printed
    return Finding("lost", f"lost {sorted(gone)}") if gone else None


def state(top: Path) -> str:
    """A digest of all that lies beside the folder `work`, whatever its times."""
    found = []
    for folder, _, files in os.walk(top):
        if Path(folder) == top or not Path(folder).is_relative_to(top / "work"):
            for name in sorted(files):
                place = Path(folder) / name
                if place != top / "peak":
                    data = os.readlink(place).encode() if place.is_symlink() else place.read_bytes()
                    found.append((str(place.relative_to(top)), hashlib.sha256(data).hexdigest()))
    return json.dumps(sorted(found))
