"""`sbtools eval --answers`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from sbtools.cli.eval_scores import classes_of, finished, named, require_expected
from sbtools.errors import UsageError
from sbtools.inputs import Inputs, is_stream

if TYPE_CHECKING:
    from sbtools.evaluate.answer_files import Answer

NOT_WITH = ("model", "from_scores", "protocol", "scores", "base", "novel", "top", "views",
            "controls", "p_view", "dry_run")  # fmt: skip


def from_answers(flags: Mapping[str, Any]) -> int:
    """Every metric that chosen names or ranks allow."""
    wrong = [name.replace("_", "-") for name in NOT_WITH if flags[name]]
    if wrong:
        raise UsageError(
            f"--answers needs neither a model nor scores nor views: leave --{wrong[0]} out"
        )
    from sbtools.evaluate import measure
    from sbtools.evaluate.answers import answered
    from sbtools.evaluate.catalogue import fields

    path = flags["answers"]
    more = [*fields(), *([flags["group_by"]] if flags["group_by"] else [])]
    answers = _read(path, flags, more)
    records = Inputs(flags["paths"], flags["root"], stage="eval") if flags["paths"] else None
    found = answered(answers, path, records, classes_of(flags["classes"]))
    ids = {record["id"] for record in found.records}
    require_expected(ids, flags["expect"])
    made = measure.from_scores(
        found, group_by=flags["group_by"], pairs=flags["pairs"], draws=flags["draws"],
        seed=flags["seed"], about=named(flags, path),
    )  # fmt: skip
    return finished(made, flags)


def _read(path: str, flags: Mapping[str, Any], more: Sequence[str]) -> list[Answer]:
    from sbtools.evaluate import answer_files

    if is_stream(path):
        rows = Inputs([path], flags["root"], limit=flags["limit"])
        return answer_files.of_records(rows, path, more)
    if os.path.splitext(path)[1].lower() != ".csv":
        raise UsageError(f"--answers {path}: name a .csv or .jsonl file, or - for JSON Lines")
    return list(islice(answer_files.read(path, more), flags["limit"]))
