"""`sbtools eval --from-scores`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbtools.cli.eval_output import write
from sbtools.errors import UsageError
from sbtools.inputs import Inputs
from sbtools.records import Record

if TYPE_CHECKING:
    from sbtools.index.labels import Labels

KEPT = ("model", "method", "training", "protocol")
"""What a store of scores says of a result besides scores."""


def from_scores(flags: Mapping[str, Any]) -> int:
    """Every metric again, without a model."""
    wrong = [name for name in ("model", "protocol", "scores", "base", "novel", "top", "views",
                               "controls")
             if flags[name]]  # fmt: skip
    if flags["mask_band"] is not None:
        raise UsageError("--from-scores has the band that its scores hold: leave --mask-band out")
    if wrong or flags["paths"]:
        what = f"--{wrong[0]}" if wrong else flags["paths"][0]
        raise UsageError(f"--from-scores needs neither a model nor clips: leave {what} out")
    from sbtools.evaluate import measure, scores

    table = classes_of(flags["classes"])
    classes = table.names if table else None
    paths = flags["from_scores"]
    missing: list[str] = []
    if all(map(os.path.isdir, paths)):
        missing = _missing_shards(paths, flags["allow_missing"])
        found = scores.from_stores(paths, classes)
    elif len(paths) > 1 or classes is None:
        why = "needs --classes" if len(paths) == 1 else "cannot be one of several"
        raise UsageError(f"--from-scores {paths[0]}: a stream of records {why}")
    else:
        found = scores.from_records(_stream(paths[0], flags), classes)
    ids: set[str] = set()
    made = measure.from_scores(
        scores.noting(found, ids), p_view=flags["p_view"], group_by=flags["group_by"],
        pairs=flags["pairs"], draws=flags["draws"], seed=flags["seed"],
        about=_about(flags, missing),
    )  # fmt: skip
    require_expected(ids, flags["expect"])
    return finished(made, flags)


def finished(made: Mapping[str, Any], flags: Mapping[str, Any]) -> int:
    """Write the result; the exit status: 3 where too many clips failed."""
    write({"": made}, flags["output"], not flags["no_per_clip"])
    failed, tolerance = len(made["clips"]["failed"]), flags["max_failed"]
    return 0 if tolerance.allows(failed, made["clips"]["asked"]) else 3


def _missing_shards(folders: Sequence[str], allowed: bool) -> list[str]:
    from sbtools.store.shards import require_whole

    return [told for folder in folders if (told := require_whole(folder, allowed))]


def require_expected(ids: set[str], path: str | None) -> None:
    """UsageError that names the clips of a file that are not among the ids."""
    if path is None:
        return
    from sbtools.train.gather import Gathered, require_expected
    from sbtools.train.prepare import read_file

    require_expected(Gathered("", ids=set(map(hash, ids))), read_file(path, "--expect"))


def classes_of(text: str | None) -> Labels | None:
    """The classes of --classes."""
    from sbtools.index import labels

    return labels.listed(text) if text else None


def _stream(path: str, flags: Mapping[str, Any]) -> Iterable[Record]:
    return Inputs([path], flags["root"], limit=flags["limit"], stage="eval")


def _about(flags: Mapping[str, Any], missing: Sequence[str]) -> dict[str, Any]:
    from sbtools.store.rows_reader import what_of

    first = os.path.abspath(flags["from_scores"][0])
    origin = {"store": ", ".join(flags["from_scores"]), "digest": None}
    kept = what_of(first).get("about", {}) if os.path.isdir(first) else {}
    return {
        **({"scores": {**origin, "missing_shards": list(missing)}} if missing else {}),
        **{name: kept[name] for name in KEPT if isinstance(kept.get(name), dict)},
        **named(flags, first),
    }


def named(flags: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What the caller of a result without a model knows: its name, that of -o or of the input."""
    import platform
    import socket

    stem = os.path.splitext(os.path.basename(flags["output"] or ""))[0]
    return {
        "name": stem or os.path.basename(path),
        "run": {
            "command": shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
            "host": socket.gethostname(),
            "versions": {"python": platform.python_version()},
        },
    }
