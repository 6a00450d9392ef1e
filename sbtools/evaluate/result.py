"""The result object: made, checked, written and read (sbtools-result(5)).

One JSON object; shares are 0 to 1, what is not defined is null, NaN never stands in it. A measure
is {"value", "interval": [low, high] | null, "chance", "count"}, with "reason" where value is null;
of views that were shown under other masks with "band": {"low", "high", "value", "count", "of":
{dilated, eroded, other: a number | null}}.

    format, version, digest (of the rest; `sbtools.evaluate.digest`), sbtools, sbtools_commit, name,
    time
    model      null | {name, kind, settings, weights, weights_sha256, frames, recipe}
    method     null | {name, settings, objective, objective_settings}
    training   null | {run, checkpoint, which, select, epoch, seed, settings, records_sha256, clips,
                       frame_source, classes, log: [epoch lines]}
    dataset    {name, split, records, records_sha256}
    protocol   {p_view, views, controls, frames, clips, crops, frame_source, fill, seed; perhaps
                mask_band: {share, pixels, store}}
    masks      {weight_free: bool | null, made: [str]}
    classes    [K names]
    clips      {asked, used, counterparts, sources, ids_sha256, failed, excluded: [{id, stage, kind,
                message; variant, perhaps}]}
    metrics    {NAME: a measure with "view"}: those of `sbtools.evaluate.catalogue` that were
                measured, and those of packages, with "title", "unit" and "direction"
    views      {NAME: {top1, top5, mean_class, per_class: {count, value, low, high},
                confusion: {label, predicted, count}, coverage: null | {frames, area, empty,
                covered, unknown}, background: null | {shacc, sberr, bg_wins}, ties, top_class;
                of static true_rank}}
    differences [{view, versus, metric, value, interval, count, discordant, exact, mid_p,
                  detectable}]
    ratios     [{view, versus, metric, value, interval, chance, count}]
    groups     null | {field, names, count, views: {NAME: {value, low, high, worst, gap}}}
    pairs      null | {VARIANT or SPLIT: {views: {NAME: {flip, both, original, counterpart; of a
                variant ratio, contrasted, and kinds and perhaps groups: {original, counterpart,
                contrasted: {value, low, high, method}}}},
                kinds, perhaps groups: {names, count},
                per_pair: null | {id, source, views: {NAME: {flip}}}}}
    per_clip   null | {id, source, label, views: {NAME: {top1, top5, predicted; of static rank}}};
                here and in per_pair, perhaps, pair_of, variant, background_kind, metrics: {NAME:
                [values]}
    variants   perhaps {VARIANT: {asked, failed, left_out, used, kinds, perhaps groups: {names,
                count}, views: {NAME: {top1, value, low, high, method, perhaps groups: {value, low,
                high, method}; of conflfg still_rate, of scufo true_rank}}}}
    bootstrap  {draws, level, seed, unit}
    warnings   [{kind, message}]
    scores     null | {store, digest}
    answers    perhaps {choices, none, no_class: {count, names: [[name, count]]}, left_out: [NAME]}:
               of answers without scores
    examples   [{id, label, views: {NAME: [data URIs]}}], perhaps
    run        {command, host, device, versions, seconds, peak_memory, threads}

`sbtools.evaluate.from_scores` makes all that follows from scores and records; what only the caller
knows (model, method, training, protocol, run, ...) comes in as `about`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from copy import copy
from datetime import datetime, timezone
from typing import Any

from sbtools import __version__, revision
from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.evaluate import consistency
from sbtools.evaluate.catalogue import RENAMED
from sbtools.evaluate.digest import FIELD, as_written, digest, ids_digest
from sbtools.store.output import read_regular, write_whole

FORMAT, VERSION = "sbtools-result", 2
BYTES_LIMIT = 1 << 30
AGAIN = "run its evaluation again"
UNCHECKED = "version 1 of the result format has no digest: a changed number would not be noticed"

_NULL = type(None)
_SECTIONS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "time": (str,),
    "sbtools": (str,),
    "model": (dict, _NULL),
    "method": (dict, _NULL),
    "training": (dict, _NULL),
    "dataset": (dict,),
    "protocol": (dict,),
    "masks": (dict,),
    "classes": (list,),
    "clips": (dict,),
    "metrics": (dict,),
    "views": (dict,),
    "differences": (list,),
    "ratios": (list,),
    "groups": (dict, _NULL),
    "pairs": (dict, _NULL),
    "per_clip": (dict, _NULL),
    "bootstrap": (dict,),
    "warnings": (list,),
    "scores": (dict, _NULL),
    "run": (dict,),
}
_FIRST = ("format", "version", FIELD, "sbtools", "sbtools_commit")
_PERHAPS = ("variants", "answers")
_ORDER = tuple(dict.fromkeys((*_FIRST, *_SECTIONS, *_PERHAPS, "examples")))

_OF_VIEW = ("top1", "top5", "mean_class", "per_class", "confusion", "coverage", "background",
            "ties", "top_class")  # fmt: skip
_ABOUT: dict[str, Any] = {
    "name": "",
    "model": None,
    "method": None,
    "training": None,
    "dataset": {"name": None, "split": None, "records": None, "records_sha256": None},
    "protocol": {"p_view": None, "views": [], "controls": [], "frames": None, "clips": None,
                 "crops": None, "frame_source": None, "fill": None, "seed": None},
    "masks": {"weight_free": None, "made": []},
    "scores": None,
    "examples": [],
    "run": {"command": None, "host": None, "device": None, "versions": {}, "seconds": None,
            "peak_memory": None, "threads": None},
}  # fmt: skip


def make(found: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The result of what was measured and of what only the caller knows.

    about: any of name, model, method, training, dataset, protocol, masks, scores, examples, run;
    the fields of its objects stand above those found. ValueError for another key.
    """
    strange = sorted(set(about) - set(_ABOUT))
    if strange:
        raise ValueError(f"about has no {strange[0]!a}")
    told = {
        name: _joined(usual, found.get(name), about.get(name)) for name, usual in _ABOUT.items()
    }
    made = {"format": FORMAT, "version": VERSION, "sbtools": __version__, **told, **{
        name: value for name, value in found.items() if name not in _ABOUT
    }}  # fmt: skip
    made["time"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    made["sbtools_commit"] = revision.commit()
    made["clips"] = {**made["clips"], "ids_sha256": ids_digest(made["per_clip"]["id"])}
    absent = {FIELD, *({*_PERHAPS} - made.keys())}
    return {name: made[name] for name in _ORDER if name not in absent}


def without_clips(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result without what it says of every clip and pair, which is most of its bytes.

    It cannot be compared clip by clip; every number that it gives stays.
    """
    pairs = result["pairs"] and {
        split: {**told, "per_pair": None} for split, told in result["pairs"].items()
    }
    return {**result, "per_clip": None, "pairs": pairs}


def among(result: Mapping[str, Any]) -> int:
    """How many classes a guess had to choose among: all, or the choices of each clip."""
    return (result.get("answers") or {}).get("choices") or len(result["classes"])


def unchecked(result: Mapping[str, Any]) -> bool:
    """Whether a result that was read has no digest, so that it may be damaged unseen."""
    return bool(result["version"] < 2)


def _joined(usual: Any, found: Any, told: Any) -> Any:
    """Objects field by field, anything else as a whole: told over found over usual."""
    if isinstance(usual, dict):
        return {**usual, **(found or {}), **(told or {})}
    return next((value for value in (told, found) if value is not None), usual)


def write(path: str, result: Mapping[str, Any]) -> None:
    """Write a result and its digest whole or not at all, in place of what stands there.

    UsageError where there is no such folder, OutputError when the disk is full.
    """
    check(result, path)
    write_whole(path, dumps(result).encode("ascii"))


def read(path: str) -> dict[str, Any]:
    """The result in a file, without its digest, which held.

    UsageError when there is none; DamagedError, which names the file, for one that is empty, cut,
    changed since it was written, of a newer version, or not a result. Of version 1, which has no
    digest, see `unchecked`.
    """
    try:
        data = read_regular(path, BYTES_LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file ({os.path.abspath(path)})") from None
    except OSError as fault:
        raise UsageError(f"{path}: {fault.strerror or fault}") from None
    found, text = _parsed(data, path)
    check(found, path)
    held = FIELD in found or not unchecked(found)
    if held:
        _require_digest(found, text, path)
    found["metrics"] = _renamed(found["metrics"])
    if held:
        consistency.check(found, path)
    return _with_usual({name: value for name, value in found.items() if name != FIELD})


def _renamed(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics by the names that they have today."""
    return {
        name if RENAMED.get(name, name) in metrics else RENAMED[name]: one
        for name, one in metrics.items()
    }


_USUAL: dict[str, Any] = {
    "schedule": "cosine",
    "schedule_settings": {},
    "optimiser": "adamw",
    "optimiser_settings": {},
    "groups": [],
}


def _with_usual(found: dict[str, Any]) -> dict[str, Any]:
    """What trainings did before they had a choice of it."""
    training = found["training"]
    if isinstance(training, dict) and isinstance(training.get("settings"), dict):
        for name, value in _USUAL.items():
            training["settings"].setdefault(name, copy(value))
    return found


def _parsed(data: bytes, path: str) -> tuple[dict[str, Any], str]:
    if not data.strip():
        raise DamagedError(f"{path} is empty: {AGAIN}")
    if len(data) > BYTES_LIMIT:
        raise DamagedError(f"{path} is larger than {BYTES_LIMIT >> 30} GiB: not an sbtools result")
    try:
        text = data.decode("utf-8")
        found = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as fault:
        ours = FORMAT.encode() in data[:200]
        what = f"cut or damaged: {AGAIN}" if ours else "not an sbtools result"
        raise DamagedError(f"{path} is {what} ({fault})") from None
    if not isinstance(found, dict):
        raise DamagedError(f"{path} is not an sbtools result")
    return found, text


def _require_digest(found: Mapping[str, Any], text: str, path: str) -> None:
    try:
        held = found.get(FIELD) == digest(found) and as_written(text, found)
    except (ValueError, RecursionError):
        held = False
    if not held:
        raise DamagedError(f"{path} is damaged: its digest is not that of its content, {AGAIN}")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:40]} is not a finite number")
    return value


def check(result: Mapping[str, Any], where: str) -> None:
    """DamagedError, naming the field, unless this is a result that this version can read."""
    if result.get("format") != FORMAT:
        raise DamagedError(f"{where} is not an sbtools result")
    version = result.get("version")
    if type(version) is not int or version < 1:
        raise DamagedError(f"{where}: version is {version!a}")
    if version > VERSION:
        maker = result.get("sbtools")
        raise DamagedError(
            f"{where} has version {version} of the result format: install sbtools {maker} or newer"
        )
    for name, kinds in _SECTIONS.items():
        if name not in result or not isinstance(result[name], kinds):
            raise DamagedError(f"{where}: field {name} is missing or of another type")
    for name in _PERHAPS:
        if not isinstance(result.get(name, {}), dict):
            raise DamagedError(f"{where}: field {name} is of another type")
    for view, found in result["views"].items():
        missing = [name for name in _OF_VIEW if not isinstance(found, dict) or name not in found]
        if missing:
            raise DamagedError(f"{where}: view {view!a} has no {missing[0]}")
    _check_clips(result, where)


def _check_clips(result: Mapping[str, Any], where: str) -> None:
    clips = result["per_clip"]
    if clips is None:
        return
    try:
        count, classes = len(clips["id"]), len(result["classes"])
        lists = [clips["label"], *((clips["source"] and [clips["source"]]) or [])]
        lists += [rows[name] for rows in clips["views"].values() for name in ("top1", "predicted")]
        if any(len(rows) != count for rows in lists):
            raise DamagedError(f"{where}: per_clip has lists of several lengths")
        if count and not 0 <= min(clips["label"]) <= max(clips["label"]) < classes:
            raise DamagedError(f"{where}: per_clip has a label that is no class")
    except (KeyError, TypeError, AttributeError):
        raise DamagedError(f"{where}: per_clip is damaged") from None


def dumps(result: Mapping[str, Any]) -> str:
    """ASCII JSON with its digest, one line for each field; SbtoolsError if NaN or Infinity stand in
    it."""
    try:
        whole = {**result, FIELD: digest(result)}
        names = dict.fromkeys(name for name in (*_ORDER, *whole) if name in whole)
        fields = (f" {json.dumps(k)}: {json.dumps(whole[k], allow_nan=False)}" for k in names)
        return "{\n" + ",\n".join(fields) + "\n}\n"
    except ValueError as fault:
        raise SbtoolsError(f"the result cannot be written: {fault}") from None
