"""The number of workers and of shards changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbtools.cli.process import call

Judge = Callable[..., dict[str, Any]]
WORDS = ["iid.jsonl", "--views", "plain,bg,person-box"]


def test_workers_change_no_number(judge: Judge) -> None:
    here = judge("linear", *WORDS)
    there = judge("linear", *WORDS, "--workers", "2")
    for part in ("metrics", "views", "per_class", "clips"):
        assert here.get(part) == there.get(part)


def test_a_shard_without_clips_is_done_at_once(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: Judge
) -> None:
    first = (demo / "iid.jsonl").read_bytes().splitlines(True)[:1]
    (tmp_path / "few.jsonl").write_bytes(b"".join(first))
    common = ["--model", "tests.evaluate.scorers:linear", "--classes", "classes.txt", "-q"]
    common += ["--workers", "0", "--device", "cpu", "--p-view", "bg"]
    for shard in range(2):
        words = ["--scores", str(tmp_path / "s"), "--shard", f"{shard}/2"]
        assert call(["eval", *common, *words, str(tmp_path / "few.jsonl")]) == 0
    whole = judge("linear", str(tmp_path / "few.jsonl"), "--views", "plain,bg,person-box")
    joined = judge("", "--from-scores", str(tmp_path / "s"))
    assert joined["metrics"]["top1"]["value"] == whole["metrics"]["top1"]["value"]


def test_another_clips_mask_is_the_same_in_any_order_and_shard(
    judge: Judge, demo: Path, tmp_path: Path
) -> None:
    def rows(found: dict[str, Any]) -> dict[str, Any]:
        clips = found["per_clip"]
        columns = zip(*clips["views"]["other"].values(), strict=True)
        return dict(zip(clips["id"], columns, strict=True))

    views = ["--views", "plain,bg,other"]
    lines = (demo / "iid.jsonl").read_bytes().splitlines(True)
    (tmp_path / "back.jsonl").write_bytes(b"".join(lines[::-1]))
    whole = rows(judge("linear", "iid.jsonl", *views))
    assert whole == rows(judge("linear", str(tmp_path / "back.jsonl"), *views))
    common = ["--model", "tests.evaluate.scorers:linear", "--classes", "classes.txt", "-q", *views]
    for shard in range(2):
        words = ["--workers", "0", "--scores", str(tmp_path / "s"), "--shard", f"{shard}/2"]
        assert call(["eval", *common, *words, str(demo / "iid.jsonl")]) == 0
    assert whole == rows(judge("", "--from-scores", str(tmp_path / "s")))
