"""Verbs and nouns from a shell: trained on some pairs, judged on others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import sbtools
from tests.train.faking import make_arrays

PAIRS = [("open", "door"), ("close", "door"), ("open", "box"), ("close", "box")]
TRAIN = ("train", "-q", "--model", "linear", "--set-model", "backbone=frame_cnn", "--set-model",
         "size=8", "--frames", "2", "--epochs", "1", "--warmup", "0", "--batch", "3", "--workers",
         "0")  # fmt: skip
HEAD = ("--set-model", "head=verb-noun")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """seen.jsonl has three pairs, both.jsonl the fourth, too."""
    folder = tmp_path_factory.mktemp("work")
    lines = []
    for place, clip in enumerate(make_arrays(folder, 8)):
        verb, noun = PAIRS[3 if place > 5 else place % 3]
        told: dict[str, Any] = {"label": f"{verb} a {noun}", "verb": verb, "noun": noun}
        lines.append(json.dumps(clip | told))
    (folder / "seen.jsonl").write_text("\n".join(lines[:6]))
    (folder / "both.jsonl").write_text("\n".join(lines[5:]))
    return folder


def test_a_pair_that_was_not_seen_is_judged(work: Path) -> None:
    done = sbtools(*TRAIN, *HEAD, "-o", "run", "seen.jsonl", cwd=work)
    assert done.returncode == 0, done.stderr
    told = json.loads((work / "run" / "run.json").read_text())["settings"]
    assert told["objective"] == "verb_noun" and len(told["classes"]) == 3
    words = ("--workers", "0", "--views", "plain", "--classes", "close a box,open a box")
    done = sbtools("eval", "-q", *words, "-o", "result.json", "run", "both.jsonl", cwd=work)
    assert done.returncode == 0, done.stderr
    found = json.loads((work / "result.json").read_text())
    assert found["clips"]["used"] == 3 and "top1" in found["metrics"]


def test_what_cannot_be_is_refused_before_anything_is_trained(work: Path) -> None:
    first = json.loads((work / "seen.jsonl").read_text().splitlines()[0])
    bare = {name: value for name, value in first.items() if name not in ("verb", "noun")}
    (work / "bare.jsonl").write_text(json.dumps(bare))
    for more, records, told in (
        (HEAD, "bare.jsonl", "is no verb and noun: labels are such as open|door"),
        (
            ("--objective", "verb_noun"),
            "seen.jsonl",
            "linear does not have: a head of verbs and nouns (--set-model head=verb-noun)",
        ),
    ):
        done = sbtools(*TRAIN, *more, "-o", "refused", records, cwd=work)
        assert done.returncode in (1, 2), told
        errors = done.stderr.decode().strip().splitlines()
        assert told in errors[-1] and "Traceback" not in done.stderr.decode()
