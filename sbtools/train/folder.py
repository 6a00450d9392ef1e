"""The folder of a training run: what was asked for, the records, the epochs so far, the lock."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from sbtools import __version__
from sbtools.errors import DamagedError, UsageError
from sbtools.records.parse import strict_json
from sbtools.store.lock import Lock
from sbtools.store.output import failpoint, read_regular, write_json, writing
from sbtools.store.owner import slurm_task
from sbtools.train.settings import Settings

log = logging.getLogger("sbtools")

RUN, RECORDS, VAL, LOG, DONE = "run.json", "records.jsonl", "val.jsonl", "log.jsonl", "done.json"
CHECKPOINTS = ("last.pt", "previous.pt", "best.pt")
STEP = "last.step"
"""The step of last.pt in digits, for scripts: whether a run that was put back has moved since."""

SIGNS = ".launch-"
"""Hidden files by which the processes of one launch tell each other something."""

_OURS = {RUN, RECORDS, VAL, LOG, DONE, STEP, "track"}
_LIMIT = 64 << 20
RunManifest = dict[str, Any]
"""What RUN/run.json says."""
EpochLine = dict[str, Any]
"""A line of RUN/log.jsonl."""


class RunFolder:
    """RUN, made if need be, and locked until the block ends.

    Raises LockedError when another training holds it, UsageError for a folder that is not a run's
    and not empty, DamagedError for a run.json that cannot be read.
    """

    def __init__(
        self, path: str, overwrite: bool = False, take_over: bool = False, launch: str = ""
    ) -> None:
        """`launch` is the id of this launch, whose signs stay.

        With `overwrite` the run counts as not begun, and stays until `take` puts another in place.
        """
        self.path = path
        with writing(path):
            os.makedirs(path, exist_ok=True)
        _require_a_run(path)
        self._lock = Lock(path, (0, 1), take_over)
        try:
            self._anew = overwrite and not self._requeued()
            self._sweep(launch)
            self.told = None if self._anew else read_run(path)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *details: object) -> None:
        self._lock.release()
        with suppress(OSError):
            os.rmdir(self.path)

    @property
    def begun(self) -> bool:
        """Whether there are weights that were made as run.json says."""
        return bool(self.told) and has_weights(self.path)

    @property
    def done(self) -> bool:
        """Whether the training went to its end."""
        return self.begun and self.has(DONE) and self.has(CHECKPOINTS[0])

    def has(self, name: str) -> bool:
        """Whether RUN holds the file."""
        return os.path.lexists(self.at(name))

    def at(self, name: str) -> str:
        """The path of a file of RUN."""
        return os.path.join(self.path, name)

    def take(self, told: Mapping[str, Any], files: Mapping[str, str | None]) -> None:
        """Write run.json, and move the record files to their names, RECORDS and VAL.

        `files` are name -> path of what was written beside; None removes a file. Where the run
        has begun, UsageError names what was asked otherwise then, and nothing but a difference in
        versions is written anew.
        """
        if self._anew:
            self._clear()
            self._anew = False
        if self.begun and self.told:
            require_same(self.path, self.told, told)
            files = {name: path for name, path in files.items() if not self.has(name)}
        for name, path in files.items():
            with writing(self.at(name)):
                if path is not None:
                    os.replace(path, self.at(name))
                    failpoint("records_moved")
                elif self.has(name):
                    os.unlink(self.at(name))
        if not self.begun:
            write_json(self.path, RUN, dict(told), "run")
            self.told = dict(told)

    def finish(self, told: Mapping[str, Any]) -> None:
        """Note that the training went to its end."""
        write_json(self.path, DONE, dict(told), "done")

    def lines(self) -> Iterator[EpochLine]:
        """The lines of the epochs so far, each epoch once, in order."""
        last = -1
        for line in epoch_lines(self.at(LOG)):
            if line["epoch"] > last:
                last = line["epoch"]
                yield line

    def _requeued(self) -> bool:
        """Whether this is a Slurm job again that began the run before it was requeued."""
        task = slurm_task()
        try:
            old = (read_run(self.path) or {}).get("slurm", {})
        except DamagedError:
            return False
        same = all(old.get(name) == task[name] for name in ("job", "task"))
        return bool(task["job"] and task["restart"] and same)

    def _clear(self) -> None:
        for name in [*CHECKPOINTS, STEP, LOG, DONE, RECORDS, VAL, RUN]:
            for path in (self.at(name), self.at(f"{name}.sha256")):
                with writing(path), suppress(FileNotFoundError):
                    os.unlink(path)
        shutil.rmtree(self.at("track"), ignore_errors=True)

    def _sweep(self, launch: str) -> None:
        """Remove what killed runs left: half-written files, and signs of other launches."""
        for name in os.listdir(self.path):
            half = name.startswith(".") and ".tmp-" in name and not name.startswith(".lock")
            old = name.startswith(SIGNS) and not (launch and name.startswith(f"{SIGNS}{launch}-"))
            if half or old:
                with suppress(OSError):
                    os.unlink(self.at(name))


def _require_a_run(path: str) -> None:
    names = [name for name in os.listdir(path) if not name.startswith(".")]
    if names and RUN not in names and not set(names) <= _OURS:
        raise UsageError(
            f"{path} holds '{sorted(names)[0]}' and no {RUN}, so it is not a run: give another -o"
        )


def has_weights(path: str) -> bool:
    """Whether the folder holds a checkpoint."""
    return any(os.path.lexists(os.path.join(path, name)) for name in CHECKPOINTS)


def read_run(path: str) -> RunManifest | None:
    """RUN/run.json; None when there is none, DamagedError when it is not one."""
    place = os.path.join(path, RUN)
    try:
        told = strict_json(read_regular(place, _LIMIT))
        if _is_of_a_run(told):
            return dict(told)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    except OSError as fault:
        raise DamagedError(f"{place}: {fault.strerror or fault}") from None
    raise DamagedError(f"{place} is damaged: --overwrite, or give another -o")


def _is_of_a_run(told: Any) -> bool:
    parts = [told["records"], told.get("val") or {"clips": 0, "failed": 0}]
    tables = [told["settings"], told.get("facts", {}), told.get("resources", {})]
    return (
        all(isinstance(one, dict) for one in [*parts, *tables, *tables[2].values()])
        and isinstance(told.get("val"), dict | None)
        and all(type(part[name]) is int for part in parts for name in ("clips", "failed"))
    )


def require_same(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """UsageError that names the settings, or records, in which two run.json differ."""
    before, after = Settings.restore(old["settings"]).describe(), dict(new["settings"])
    differ = _other_weights(before, after)
    differ += [
        f"{name} {_shown(was)}, not {_shown(now)}" for name, was, now in _differences(before, after)
    ]
    for name in ("records", "val"):
        was, now = (told.get(name) or {} for told in (old, new))
        if was.get("sha256") != now.get("sha256"):
            differ.append(f"{name} of {_clips(was)}, not of these {_clips(now)}")
    differ += _other_resources(old.get("resources", {}), new.get("resources", {}))
    if old.get("ranks") != new.get("ranks"):
        differ.append(
            f"{old.get('ranks')} ranks, not {new.get('ranks')}, each of which mixes its own clips"
        )
    if old.get("facts", {}) != new.get("facts", {}):
        differ.append("other scenes, verbs or nouns in the records")
    if differ:
        raise UsageError(f"{path} was begun with {'; '.join(differ)}: --overwrite, or another -o")
    if old.get("sbtools") != __version__:
        log.warning("%s was begun by sbtools %s, this is %s", path, old.get("sbtools"), __version__)


def _other_weights(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """In words, where a run was begun with weights of other content, whose fields are taken out."""
    was, now = before["weights_sha256"], after["weights_sha256"]
    if was == now and was is None:
        return []
    paths = [told.pop("weights") for told in (before, after)]
    for told in (before, after):
        del told["weights_sha256"]
    if was == now:
        return []
    if now is None:
        return [f"--weights {paths[0]}, which are not given now"]
    if was is None:
        return [f"no weights, not --weights {paths[1]}"]
    return [f"--weights {paths[0]} of SHA-256 {was[:8]}, not {paths[1]} of {now[:8]}"]


def _other_resources(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"{name.partition('.')[2]} of other content"
        for name in dict.fromkeys([*old, *new])
        if old.get(name, {}).get("sha256") != new.get(name, {}).get("sha256")
    ]


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differences(was, now, f"{name.removesuffix('_settings')} ")
        elif was != now:
            yield prefix + name, was, now


def _shown(value: Any) -> str:
    text = "none" if value is None else json.dumps(value)
    if len(text) <= 60:
        return text
    return (
        f'{text[:40]}..."' if isinstance(value, str) else f"{text[:40]}... ({len(value)} entries)"
    )


def _clips(told: Mapping[str, Any]) -> str:
    return f"{told['clips']} clips" if told.get("sha256") else "nothing"


def epoch_lines(path: str) -> Iterator[EpochLine]:
    """The whole lines of a log that tell of an epoch; none where there is no log."""
    try:
        data = read_regular(path, _LIMIT)
    except FileNotFoundError:
        return
    for line in data.split(b"\n")[:-1]:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and isinstance(told.get("epoch"), int):
            yield told
