"""Files of what a program answered to each clip: csv, or JSON Lines."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sbtools.errors import UsageError
from sbtools.records import Record
from sbtools.records.parse import strict_json
from sbtools.store.output import read_regular

BYTES_LIMIT = 1 << 30
TOLD = ("answer", "answers", "rank")
FIELDS = ("label", "background_label", "still_label", "source", "pair_of", "variant",
          "background_kind", "split", "dataset")  # fmt: skip
"""Of records, those that a row may bring."""
ZHOU = {
    "action_swap_path": "id",
    "full_path": "id",
    "label_A": "label",
    "label_B": "background_label",
    "predicted_label": "answer",
    "clip_choice": "answer",
    "siglip_choice": "answer",
    "choice": "answer",
    "human_action_rank": "rank",
    "correct_ranking": "rank",
    "background_action_rank": "background_rank",
    "top10_predictions": "answers",
    "top5_predictions": "answers",
    "image_type": "variant",
}
"""Columns of the files of Zhou et al. 2025 (EllieZhou1/Seeing_Beyond_the_Scene c82cb72,
clip_experiments/action_swap_experiment.py, three_img_comparison.py and actionswap_mcq_results,
siglip, llm_experiments) -> ours."""
_CHOICE = re.compile(r"choice_\d{1,3}")
_IMAGES = {"original": "", "human_only": "human-only", "background_only": "bg-only"}
_SWAPPED = re.compile(r"_([\w-]{11})_\d{6}_\d{6}_bg_[\w-]{11}_\d{6}_\d{6}")
_CUT = re.compile(r"([\w-]{11})_\d{6}_\d{6}")
_ITEM = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\s*([,\]])")


@dataclass(frozen=True)
class Answer:
    """What a program answered to one clip, as its file has it.

    where: FILE:LINE. names: the best first; empty where it named nothing. rank, background_rank: of
    the label and of the background's class, from 1; None where not told. choices: what it was to
    choose among; empty for all classes. fields: of the record.
    """

    id: str
    where: str
    names: tuple[str, ...] = ()
    rank: int | None = None
    background_rank: int | None = None
    choices: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


def read(path: str, more: Sequence[str] = ()) -> list[Answer]:
    """The answers of a .csv file, in its order; more: other columns that records are to have.

    UsageError, FILE:LINE and what to mend, for anything else.
    """
    header, *rows = _table(path)
    columns = [name.strip() for name in header]
    _require_columns(columns, path)
    found = []
    for number, row in rows:
        where = f"{path}:{number}"
        if len(row) != len(columns):
            raise UsageError(f"{where}: {len(row)} columns, not {len(columns)} as in the first "
                             "line: quote what holds a comma")  # fmt: skip
        found.append(_answer(_ours(dict(zip(columns, row, strict=True)), where), where, more))
    return _distinct(found, path)


def of_records(records: Iterable[Record], path: str, more: Sequence[str] = ()) -> list[Answer]:
    """The answers of records that have `answer`, `answers` or `rank`, in their order."""
    told = ({**record} for record in records)
    return _distinct(
        [_answer(row, f"{path}: clip {row['id'][:120]!a}", more, spread=False) for row in told],
        path,
    )


def _table(path: str) -> list[Any]:
    """The first line's fields, then (line, fields) of every other that is not blank."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as fault:
        raise UsageError(
            f"{path}:{reader.line_num}: {fault}: quote fields as csv does, each below "
            f"{csv.field_size_limit()} characters"
        ) from None
    if len(rows) < 2:
        raise UsageError(f"{path}: there are no answers in it: a line of column names, then a row "
                         "for each clip")  # fmt: skip
    return [rows[0][1], *rows[1:]]


def _text(path: str) -> str:
    try:
        data = read_regular(path, BYTES_LIMIT + 1)
    except OSError as fault:
        raise UsageError(
            f"{path}: {fault.strerror or fault} ({os.path.abspath(path)}): --answers names a csv "
            "or .jsonl file"
        ) from None
    if len(data) > BYTES_LIMIT:
        raise UsageError(f"{path} is larger than {BYTES_LIMIT >> 30} GiB: split it")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise UsageError(f"{path}:{line}: a NUL byte: --answers reads text, csv or .jsonl")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise UsageError(f"{path}:{line}: this is no UTF-8: save it as UTF-8") from None


def _require_columns(columns: Sequence[str], path: str) -> None:
    named = [ZHOU.get(name, name) for name in columns]
    for name, count in Counter(named).items():
        if count > 1:
            raise UsageError(f"{path}: column {name[:40]!a} stands {count} times: keep one")
    if "id" not in named and not {"youtube_id", "time_start", "time_end"} <= set(columns):
        raise UsageError(f"{path}: there is no column id, the clip's: {_listed(columns)}")
    if not {*TOLD} & set(named):
        raise UsageError(f"{path}: there is no column answer, answers or rank: {_listed(columns)}")


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(f"{name[:40]!a}" for name in columns[:12])
    return f"the first line has {shown}; see Answers in sbtools-eval(1)"


def _ours(row: dict[str, str], where: str) -> dict[str, Any]:
    """A row under our own names."""
    made: dict[str, Any] = {ZHOU.get(name, name): text.strip() for name, text in row.items()}
    numbered = [text for name, text in row.items() if _CHOICE.fullmatch(name)]
    if numbered:
        made["choices"] = numbered
    if "youtube_id" in row and "id" not in made:
        made["id"] = _cut(row, where)
    elif "action_swap_path" in row or "full_path" in row:
        made["id"] = made["id"].rstrip("/").rpartition("/")[2]
        if whole := _SWAPPED.search(made["id"]) or _CUT.fullmatch(made["id"]):
            made.setdefault("source", whole[1])
    if "image_type" in row:
        _of_image(made, row["image_type"].strip(), where)
    return made


def _cut(row: Mapping[str, str], where: str) -> str:
    """The id of a clip of Kinetics, of its video and seconds."""
    times = [row[name].strip() for name in ("time_start", "time_end")]
    if not all(re.fullmatch(r"\d{1,6}", time) for time in times):
        raise UsageError(f"{where}: time_start and time_end are whole seconds, not {times}")
    return "_".join([row["youtube_id"].strip(), *(f"{int(time):06d}" for time in times)])


def _of_image(made: dict[str, Any], kind: str, where: str) -> None:
    """Variant and original of a picture that was made of a clip."""
    if kind not in _IMAGES:
        raise UsageError(f"{where}: image_type {kind[:40]!a} is none of {', '.join(_IMAGES)}")
    made["variant"] = _IMAGES[kind]
    if made["variant"]:
        made["pair_of"], made["id"] = made["id"], f"{made['id']}/{made['variant']}"


def _answer(row: Mapping[str, Any], where: str, more: Sequence[str], spread: bool = True) -> Answer:
    """spread: whether lists are one text, as in csv."""
    id = row.get("id")
    if not isinstance(id, str) or not id:
        raise UsageError(f"{where}: the id is empty: name the clip")
    if not {*TOLD} & set(row):
        raise UsageError(
            f"{where}: there is no answer, answers or rank: give null where nothing was named"
        )
    names = _names(row, where, spread)
    choices = _list(row.get("choices"), "choices", where, spread)
    ranks = [_rank(row.get(name), name, where) for name in ("rank", "background_rank")]
    fields = {name: row[name] for name in (*FIELDS, *more) if row.get(name) not in (None, "")}
    for name in FIELDS:
        if not isinstance(fields.get(name, ""), str):
            raise UsageError(f"{where}: {name} is {fields[name]!a:.40}, not a text")
    return Answer(id, where, tuple(names), ranks[0], ranks[1], tuple(choices), fields)


def _names(row: Mapping[str, Any], where: str, spread: bool) -> list[str]:
    """The best first; UsageError where `answer` is not the first of `answers`."""
    names, first = _list(row.get("answers"), "answers", where, spread), row.get("answer")
    if first is not None and not isinstance(first, str):
        raise UsageError(f"{where}: answer is {first!a:.40}, not a text: a name, or null for none")
    first = (first or "").strip()
    if first and names and first != names[0]:
        raise UsageError(
            f"{where}: answer {first[:60]!a} is not the first of answers, {names[0][:60]!a}: "
            "leave one of the columns out"
        )
    return names or [first] * bool(first)


def _list(value: Any, name: str, where: str, spread: bool) -> list[str]:
    """Names: a list, or of csv a text, with | between them or as JSON or Python print a list."""
    if value is None or value == "":
        return []
    found = _split(value) if spread and isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        how = "a|b|c, or ['a', 'b', 'c']" if spread else '["a", "b", "c"]'
        raise UsageError(f"{where}: {name} is no list of names: {how}")
    if not all(map(str.strip, found)):
        raise UsageError(f"{where}: {name} has an empty name in it: leave it out")
    return [one.strip() for one in found]


def _split(text: str) -> list[str] | None:
    if not text.startswith("["):
        return text.split("|")
    try:
        found: list[str] | None = strict_json(text.encode())
        return found
    except ValueError:
        return _printed(text)


def _printed(text: str) -> list[str] | None:
    """A list of texts as Python prints it, without evaluating it; None for anything else."""
    found, at = [], 1
    while one := _ITEM.match(text, at):
        quoted = one[1] if one[1] is not None else one[2]
        found.append(re.sub(r"\\(.)", r"\1", quoted))
        at = one.end()
        if one[3] == "]":
            return found if at == len(text) else None
    return None


def _rank(value: Any, name: str, where: str) -> int | None:
    if value is None or value == "":
        return None
    text = str(value) if type(value) in (int, float, str) else ""
    whole = re.fullmatch(r"([1-9]\d{0,8})(?:\.0*)?", text.strip())
    if not whole:
        raise UsageError(f"{where}: {name} {str(value)[:40]!a} is no rank: 1 for the best, 2, ...")
    return int(whole[1])


def _distinct(answers: list[Answer], path: str) -> list[Answer]:
    seen: dict[str, str] = {}
    for one in answers:
        first = seen.setdefault(one.id, one.where)
        if first != one.where:
            raise UsageError(f"{one.where}: clip {one.id[:120]!a} is answered twice, first at "
                             f"{first}: keep one row")  # fmt: skip
    if not answers:
        raise UsageError(f"{path}: there are no answers in it")
    return answers
