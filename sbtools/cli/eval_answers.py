"""`sbtools eval --answers`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sbtools.cli.eval_scores import classes_of, finished, named, require_expected
from sbtools.errors import UsageError
from sbtools.inputs import Inputs, is_stream
from sbtools.records import Record

if TYPE_CHECKING:
    from sbtools.evaluate.answer_files import Answer

NOT_WITH = ("model", "from_scores", "protocol", "scores", "base", "novel", "top", "views",
            "controls", "p_view", "dry_run")  # fmt: skip


def from_answers(flags: Mapping[str, Any]) -> int:
    """Every metric that chosen names or ranks allow."""
    wrong = [name.replace("_", "-") for name in NOT_WITH if flags[name]]
    wrong += ["mask-band"] if flags["mask_band"] is not None else []
    if wrong:
        raise UsageError(
            f"--answers needs neither a model nor scores nor views: leave --{wrong[0]} out"
        )
    if flags["answers"] == "-" and "-" in flags["paths"]:
        raise UsageError("stdin holds either the answers or the records: name a file for one")
    from sbtools.evaluate import measure
    from sbtools.evaluate.answers import answered
    from sbtools.evaluate.catalogue import fields

    path = flags["answers"]
    more = [*fields(), *([flags["group_by"]] if flags["group_by"] else [])]
    answers, records = _read(path, flags, more), _records(flags)
    some = _first(answers, records, flags["limit"])
    found = answered(some, path, records, classes_of(flags["classes"]))
    require_expected({record["id"] for record in found.records}, flags["expect"])
    made = measure.from_scores(
        found, group_by=flags["group_by"], pairs=flags["pairs"], draws=flags["draws"],
        seed=flags["seed"], about=named(flags, path),
    )  # fmt: skip
    return finished(made, flags)


def _read(path: str, flags: Mapping[str, Any], more: Sequence[str]) -> list[Answer]:
    from sbtools.evaluate import answer_files

    if is_stream(path):
        return answer_files.of_records(Inputs([path], flags["root"]), path, more)
    if os.path.splitext(path)[1].lower() != ".csv":
        raise UsageError(f"--answers {path}: name a .csv or .jsonl file, or - for JSON Lines")
    return answer_files.read(path, more)


def _first(answers: list[Answer], records: list[Record] | None, limit: int | None) -> list[Answer]:
    """The answers that --limit leaves: to the first clips, of the records where there are any."""
    if limit and records:
        ids = {record["id"] for record in records}
        return [one for one in answers if one.id in ids]
    return answers[:limit]


def _records(flags: Mapping[str, Any]) -> list[Record] | None:
    """The records of RECORDS, as many as --limit says; None where none are named."""
    if not flags["paths"]:
        return None
    return list(Inputs(flags["paths"], flags["root"], limit=flags["limit"], stage="eval"))
