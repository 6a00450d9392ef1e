"""Results, to their files or to stdout."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import click

from sbtools.errors import UsageError
from sbtools.files import is_flow, writing

log = logging.getLogger("sbtools")


def write(results: Mapping[str, Any], output: str | None, per_clip: bool = True) -> None:
    """Write the results, each to its file, or to stdout; the chief numbers go to the log.

    per_clip: whether with what they say of every clip.
    """
    from sbtools.evaluate import result

    for name, whole in results.items():
        found = whole if per_clip else result.without_clips(whole)
        path = output and named(output, name)
        if path:
            make_folder_of(path)
            result.write(path, found)
        else:
            click.echo(result.dumps(found), nl=False)
        tell(found, path or "stdout")


def require_writable(path: str) -> None:
    """UsageError unless something can be written there: into a pipe or a device as it stands, or a
    file in a folder that is there or can be made."""
    if is_flow(path):
        return
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        raise UsageError(f"cannot write {path}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}: {folder} is not yours to write in")


def make_folder_of(path: str) -> None:
    """Make the folder that a file is to stand in; UsageError or OutputError where it cannot be."""
    with writing(path):
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)


def named(output: str, name: str) -> str:
    """FILE.json, or FILE-base.json and FILE-novel.json; a pipe or a device takes both."""
    if is_flow(output):
        return output
    stem, suffix = os.path.splitext(output)
    return f"{stem}-{name}{suffix}" if name else output


def tell(found: Mapping[str, Any], where: str) -> None:
    """The chief numbers of a result, and its warnings."""
    for warning in found["warnings"]:
        log.warning("%s", warning["message"])
    from sbtools.evaluate.catalogue import row_of
    from sbtools.evaluate.metric import DIFFERENCE, SHARE

    told = []
    for name, measure in found["metrics"].items():
        row = row_of(name)
        unit = row.unit if row else measure.get("unit", SHARE)
        if measure["value"] is not None and unit in (SHARE, DIFFERENCE):
            told.append(f"{name} {100 * measure['value']:.2f}{_band(measure)}")
    log.info("%s: %d clips, %s", where, found["clips"]["used"], ", ".join(told))
    for line in sizes(found):
        log.info("%s: %s", where, line)


def _band(measure: Mapping[str, Any]) -> str:
    """Least and most under other masks, in percent, where there are any."""
    band = measure.get("band")
    return f" ~[{100 * band['low']:.2f}, {100 * band['high']:.2f}]" if band else ""


def sizes(found: Mapping[str, Any]) -> list[str]:
    """Of each variant, or of all clips where some were left out by rule: clips in, left out, N."""
    clips = found["clips"]
    rows = {f"{name}: ": told for name, told in found.get("variants", {}).items()}
    if clips["excluded"]:
        counts = {"failed": len(clips["failed"]), "left_out": len(clips["excluded"])}
        used = clips["used"] + clips["counterparts"]
        rows[""] = {"asked": clips["asked"], "used": used, **counts}
    return [
        f"{name}{told['asked']} clips in, {told['left_out']} left out by rule, "
        f"{told['failed']} failed, N = {told['used']}"
        for name, told in rows.items()
    ]
