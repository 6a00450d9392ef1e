"""Hostile JSON and TOML: records, results, configuration, lists; JSON-aware and byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.case import LINK, Case, Ran, Step, changed, copied, hurt, pick
from tests.fuzz.corpus import EVAL, MASK, SEGMENT

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 1e308, -1e39, 5e-324, 1 << 31, 1 << 63, 1 << 70, -(1 << 64),
    "", " ", "a", "0", "walk", "../../outside/secret.txt", "/etc/hostname", "/dev/zero",
    "/dev/stdin", "\x1b]0;x\x07\x1b[31m", "a\rb", "a\nb", "\u202e", "\x00", "\ud800", "=1+1",
    "+cmd|'x'!A1", "é" * 300, "../outside/secret.jsonl", "x" * 70_000,
    [], {}, [[]], [1, "a", None], {"": {}}, [0] * 9_999,
]  # fmt: skip

RAW = ["NaN", "Infinity", "1e999", "-0", "[" * 3000 + "]" * 3000, '{"a":' * 2000 + "1" + "}" * 2000,
       "9" * 5000, '"\\ud800"', "1.0000000000000000001", "\ufeff1", "0x10", "'a'"]  # fmt: skip
"""What stands for a value as JSON or nearly so."""

MARK = "@@here@@"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value within."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield (*path, key)
        if isinstance(one, dict | list):
            yield from places(one, (*path, key))


def mutated(value: dict[str, Any], draws: np.random.Generator) -> tuple[str, str]:
    """JSON text of the object with one value lost, doubled, renamed or another; and what it is."""
    value = json.loads(json.dumps(value))
    ways = list(places(value))
    *way, last = ways[int(draws.integers(len(ways)))]
    inner: Any = value
    for key in way:
        inner = inner[key]
    how = str(pick(draws, ["value", "value", "value", "raw", "lost", "renamed", "number"]))
    was = inner[last]
    raw = ""
    if how == "lost":
        del inner[last]
    elif how == "renamed" and isinstance(inner, dict):
        inner[str(pick(draws, ["id", "error", "masks", "", "__class__", "path"]))] = inner.pop(last)
    elif how == "number" and isinstance(was, int | float):
        inner[last] = was + float(pick(draws, [1, -1, 1e-3, 1e9]))
    elif how == "raw":
        inner[last], raw = MARK, str(pick(draws, RAW))
    else:
        inner[last] = pick(draws, VALUES)
    text = json.dumps(value, allow_nan=True)
    return text.replace(f'"{MARK}"', raw), f"{how} at {[*way, last]}: {raw[:40] or 'see input'}"


def records(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """Records with one thing wrong, given to every command that reads them."""
    copied(corpus, work, "clips", "masks", "pixels", "mine.py")
    name = str(pick(draws, ["clips.jsonl", "masks.jsonl", "pixels.jsonl"]))
    rows = (corpus / name).read_text().splitlines()
    number = int(draws.integers(len(rows)))
    if draws.integers(5) == 0:
        data, what = changed("\n".join(rows).encode() + b"\n", draws)
    else:
        rows[number], what = mutated(json.loads(rows[number]), draws)
        data = "\n".join(rows).encode("utf-8", "surrogatepass") + b"\n"
    (work / "in.jsonl").write_bytes(data)
    words = pick(draws, [
        ["index", "--workers", "0"], ["split", "--limit", "3"],
        ["split", "--write-classes", "c.txt"],
        [*SEGMENT, "-o", "new"], [*MASK, "-o", "new"], [*MASK, "--video", "new"],
        ["view", "--workers", "0", "-o", "s.png"],
        ["view", "--workers", "0", "--video", "seen"],
        ["detect", "--detector", "motion", "--workers", "0", "--frames", "2"],
    ])  # fmt: skip
    follow = [*EVAL, "--model", "mine:mean", "-o", "r.json", "--max-failed", "100%", "out.jsonl"]
    steps = [
        Step(words, stdin="in.jsonl", out="out.jsonl"),
        Step(["split"], stdin="out.jsonl"),
        Step(follow),
        Step(["check", "-q", "in.jsonl"]),
    ]
    return Case(steps, what)


def results(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """Results that were changed: refused, or what comes of them is the same."""
    copied(corpus, work, "result.json", "other.json")
    if draws.integers(2):
        what = hurt(work / "result.json", draws)
    else:
        text, what = mutated(json.loads((corpus / "result.json").read_bytes()), draws)
        (work / "result.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    shape = str(pick(draws, ["csv", "md", "latex", "json"]))
    steps = [
        Step(["report", "--format", shape, "result.json", "other.json"]),
        Step(["compare", "result.json", "other.json"]),
        Step(["report", "-o", "page.html", "result.json"]),
    ]
    clean = [(corpus / f"said-{place}").read_bytes() for place in (shape, "compare")]
    return Case(steps, what, same=lambda _, ran: _as_before(ran, clean))


def _as_before(ran: list[Ran], clean: list[bytes]) -> str | None:
    for one, wanted in zip(ran, clean, strict=False):
        if one.status == 0 and one.out != wanted:
            return f"a changed result was taken, and gave {one.out[:300]!r}"
    return None


def configs(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """Options from files, lists of classes and annotations, that are not as they should be."""
    copied(corpus, work, "clips", "options.toml", "list.txt", "clips.jsonl")
    kind = str(pick(draws, ["toml", "nested", "list", "classes", "values"]))
    what = kind
    if kind == "toml":
        what = hurt(work / "options.toml", draws)
    elif kind == "nested":
        depth = int(pick(draws, [50, 500, 5_000, 50_000]))
        (work / "options.toml").write_text(f"frames = {'[' * depth}{']' * depth}\n")
    elif kind == "values":
        value = str(pick(draws, ["nan", "inf", "-1", '""', "[]", "{}", "1979-05-27", "1e400",
                                 "9" * 40, '"\\u001b[31m"', "true"]))  # fmt: skip
        key = str(pick(draws, ["frames", "workers", "seed", "limit", "set", "output", "unknown"]))
        (work / "options.toml").write_text(f"{key} = {value}\n")
        what = f"{key} = {value}"
    elif kind == "list":
        what = hurt(work / "list.txt", draws)
    (work / "classes.txt").write_bytes(
        draws.bytes(int(draws.integers(200))) if kind == "classes" else b"walk\nwave\n"
    )
    listed = [
        "index",
        "--dataset",
        "kinetics",
        "--annotations",
        "list.txt",
        "--workers",
        "0",
        "clips",
    ]
    steps = [
        Step([*SEGMENT, "--config", "options.toml", "--dry-run", "clips.jsonl"]),
        Step(listed, out="listed.jsonl"),
        Step(["split", "--classes", "classes.txt"], stdin="clips.jsonl", out="few.jsonl"),
    ]
    return Case(steps, what)


def words(corpus: Path, work: Path, draws: np.random.Generator) -> Case:
    """Every command with options that nobody would give."""
    copied(corpus, work, "clips", "clips.jsonl", "masks", "masks.jsonl", "mine.py", "result.json")
    (work / LINK).symlink_to("../outside/secret.jsonl")
    for device in ("null", "full"):  # by links: a command that replaces one breaks no machine
        (work / device).symlink_to(f"/dev/{device}")
    command, given = pick(draws, list(OPTIONS.items()))
    chosen = ["--scale", "0.002"] if command == "demo" else []  # whole it takes minutes, rightly
    for option in draws.choice(given, int(draws.integers(0, 4)), replace=False):
        chosen.append(str(option))
        if draws.integers(8):
            chosen.append(str(pick(draws, ODD)))
    inputs = [str(pick(draws, INPUTS)) for _ in range(int(draws.integers(0, 3)))]
    return Case([Step([command, *chosen, *inputs])], "words")


ODD = ["-1", "0", "1", "nan", "inf", "1e9", "99999999999999999999", "", " ", "/", ".", "..", "-",
       "--", "a,b", "walk,wave", "mine:mean", "none", "\x1b[31m", "é", "result.json", "masks",
       "clips", "null", "full", LINK, "50%", "-5%", "1/2", "2/2", "0/0",
       "x" * 5000, "bg", "bg+obj", "plain,bg", "json", "out", "new.png", "new.html"]  # fmt: skip
INPUTS = ["clips", "clips.jsonl", "masks.jsonl", "result.json", "mine:mean", "masks", "none", "-",
          "", LINK, "null", "vs", "clips/walk/clip0.mp4", "mine.py"]  # fmt: skip
_MANY = ["--seed", "--limit", "--shard", "--root", "--workers", "--max-failed", "--config",
         "--label-from", "--clip-timeout"]  # fmt: skip
OPTIONS = {
    "index": [*_MANY, "--dataset", "--annotations", "--labels", "--split", "--fold"],
    "split": [*_MANY, "--classes", "--exclude", "--group", "--base", "--counts", "--min-frames",
              "--hold-out", "--shots", "--set-split", "--only", "--write-classes"],
    "detect": [*_MANY, "--detector", "--person", "--object", "--frames", "--set", "-o"],
    "segment": [*_MANY, "--segmenter", "--detector", "--frames", "--boxes", "--part-clips", "-o"],
    "mask": [*_MANY, "--mode", "--fill", "--on-empty", "--video", "--compress", "-o"],
    "bank": [*_MANY, "--score", "--scores", "--every", "--quantiles", "--frames", "--size", "-o"],
    "view": [*_MANY, "-o", "--video", "--what", "--columns", "--rows", "--frame-width"],
    "eval": ["--model", "--views", "--fill", "--frames", "--classes", "--scores", "--from-scores",
             "--base", "--novel", "--top", "--bootstrap", "--shard", "-o", "--batch", "--expect"],
    "card": ["--frames", "--classes", "--fill", "--p-view", "--bootstrap", "-o", "--expect"],
    "compare": ["--difference", "--view", "--test-clips", "--published", "--clips", "--json"],
    "report": ["-o", "--format", "--columns", "--published", "--floor", "--details"],
    "check": ["--against", "--digest", "--root"],
    "train": ["--model", "--method", "--set", "--classes", "--frames", "--epochs", "--batch",
              "--lr", "--select", "--val", "-o", "--expect", "--config"],
    "weights": ["--sha256", "-o", "--json"],
    "demo": ["--bias", "--splits", "--size", "--frames", "--table", "--limit"],
}  # fmt: skip
