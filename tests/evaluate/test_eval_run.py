"""`sbtools eval RUN`: which weights, which classes, what the result says of the training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools import models
from sbtools.cli.process import call
from sbtools.errors import SbtoolsError
from sbtools.evaluate import choice, result
from sbtools.evaluate.evaluated_model import of_run
from sbtools.evaluate.predictor import Predictor
from sbtools.evaluate.request import Request
from sbtools.evaluate.stage import evaluate
from sbtools.loader import Clips, finish
from sbtools.loader.sample import Sample, collate
from sbtools.records import Record
from sbtools.store.done import index_of
from sbtools.store.layout import parts_of
from sbtools.store.open_part import OpenPart
from sbtools.train.checkpoint import read
from tests.train import faking

Made = tuple[Path, list[Record]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A folder with `run`, which kept its best epoch too, val.jsonl, and its records."""
    folder = tmp_path_factory.mktemp("run")
    with faking.registered():
        train, val = faking.make_arrays(folder, 9), faking.make_arrays(folder, 7, seed=1)
        (folder / "val.jsonl").write_text("".join(json.dumps(r) + "\n" for r in val))
        asked = faking.settings(select="val", ema=0.5)
        faking.train(faking.make_run(folder / "run", train, asked, val), folder)
        yield folder, val


def judged(made: Made, *words: str, status: int = 0) -> dict[str, Any]:
    folder, _ = made
    out = str(folder / "out.json")
    common = ["--root", str(folder), "--workers", "0", "--device", "cpu", "--bootstrap", "0", "-q"]
    given = [str(folder / word) if word.endswith("jsonl") else word for word in words]
    assert call(["eval", str(folder / "run"), *common, "-o", out, *given]) == status
    return result.read(out) if not status else {}


def by_hand(made: Made, state: dict[str, Any], spec: dict[str, Any]) -> list[int]:
    """What the weights say of each clip, one after the other."""
    folder, val = made
    model = models.rebuild(spec)
    model.load_state_dict(state["model"])
    clips = Clips(val, (), model.recipe, frames=3, train=False, root=str(folder))
    found = []
    for place in range(len(val)):
        sample = clips[place, 0]
        assert isinstance(sample, Sample)
        video = finish(collate([sample], 3, faking.SIZE), model.recipe)["video"]
        with torch.no_grad():
            found.append(int(model.scores(video).argmax()))
    return found


@pytest.mark.parametrize("which", ["last", "best", "ema"])
def test_each_kind_of_weights_is_judged(made: Made, which: str) -> None:
    path = made[0] / "run" / ("best.pt" if which == "best" else "last.pt")
    state, digest = read(str(path))
    expected = by_hand(made, state["ema"] if which == "ema" else state, state["spec"])
    found = judged(made, "--which", which, "val.jsonl")
    assert found["per_clip"]["views"]["plain"]["predicted"] == expected
    assert found["model"]["weights_sha256"] == digest
    assert found["training"]["which"] == which and found["training"]["run"] == str(path.parent)
    epoch = state["progress"]["best"]["epoch"] if which == "best" else 3
    assert found["training"]["epoch"] == epoch


def test_the_result_tells_the_training(made: Made) -> None:
    found = judged(made, "val.jsonl")
    assert found["training"]["which"] == "best" and found["training"]["select"] == "val"
    lines = (made[0] / "run" / "log.jsonl").read_text().splitlines()
    assert found["training"]["log"] == [json.loads(line) for line in lines] and len(lines) == 3
    assert found["method"]["name"] == "none" and found["training"]["settings"]["epochs"] == 3
    assert found["classes"] == list(faking.CLASSES)
    assert found["metrics"]["top1"]["count"] == 7
    assert list(found["views"]) == ["plain"]  # there are no masks


def test_the_result_tells_where_training_had_its_frames_from(made: Made) -> None:
    """Scores that were kept before it did go on: they do not depend on it."""
    place = made[0] / "run" / "run.json"
    words = ["--scores", str(made[0] / "frames-of"), "val.jsonl"]
    assert judged(made, *words)["training"]["frame_source"] is None
    before = place.read_text()
    source = {"masks": 9, "candidates": 32}
    place.write_text(json.dumps({**json.loads(before), "frame_source": source}))
    try:
        assert judged(made, *words)["training"]["frame_source"] == source
    finally:
        place.write_text(before)


def test_clips_that_were_scored_before_are_shown_again(made: Made) -> None:
    """A result is that of a run that nobody killed, also where the first clip of a class fails."""
    folder, val = made
    spoilt = [{**val[0], "arrays": "gone.npy"}, *val[1:]]
    (folder / "spoilt.jsonl").write_text("".join(json.dumps(r) + "\n" for r in spoilt))
    for count in (2, 4):
        words = ["--max-failed", "1", "--examples", str(count), "spoilt.jsonl"]
        alone = judged(made, *words)
        assert [clip["id"] for clip in alone["examples"]] == ["s1c1", "s1c2", "s1c3"][:count]
        store = folder / f"shown{count}"
        judged(made, "--limit", "4", "--scores", str(store), *words)
        for _ in range(2):
            again = judged(made, "--scores", str(store), *words)
            for part in ("examples", "clips", "per_clip", "metrics"):
                assert again[part] == alone[part], part
        ids = [[line.id[-1] for line in index_of(OpenPart(str(store / name)))]
               for name in parts_of(str(store))]  # fmt: skip
        assert ids == [["0", "1", "2", "3"], ["0", "4", "5", "6"], ["0"]]


def test_a_label_that_is_no_class_is_an_error(
    made: Made, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    folder, val = made
    strange = [*val, {**val[0], "id": "new", "label": "swim"}]
    (folder / "strange.jsonl").write_text("".join(json.dumps(r) + "\n" for r in strange))
    judged(made, "strange.jsonl", status=2)
    assert b"'swim'" in capfdbinary.readouterr().err


def test_texts_are_encoded_once(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    plain = faking.Fake.test_classes

    def counted(self: faking.Fake) -> torch.Tensor:
        calls.append(1)
        return plain(self)

    monkeypatch.setattr(faking.Fake, "test_classes", counted)
    judged(made, "--views", "plain,static,reversed", "--batch", "2", "val.jsonl")
    assert len(calls) == 1


def test_the_model_runs_without_gradient_in_test_mode(made: Made) -> None:
    folder, val = made
    judged = of_run(str(folder / "run"))
    seen: list[tuple[bool, bool]] = []
    predict = judged.predict

    def watched(batch: Any, classes: Any) -> torch.Tensor:
        seen.append((judged.model.training, torch.is_grad_enabled()))
        return predict(batch, classes)

    judged.predict = watched
    judge = Predictor(
        judged, choice.build(["plain"], None, "normal", "imagenet"), torch.device("cpu")
    )
    clips = Clips(val[:2], (), judged.model.recipe, frames=3, train=False, root=str(folder))
    samples = [clips[place, 0] for place in range(2)]
    assert all(isinstance(sample, Sample) for sample in samples)
    batch = finish(collate(samples, 3, faking.SIZE), clips.recipe)  # type: ignore[arg-type]
    rows = judge(batch).scores["plain"]
    assert seen == [(False, False)] and rows.dtype == np.float32 and rows.shape == (2, 3)


def test_a_folder_that_is_no_run_is_a_usage_error(tmp_path: Path, made: Made) -> None:
    val = str(made[0] / "val.jsonl")
    assert call(["eval", str(tmp_path), "-q", val]) == 2
    assert call(["eval", str(tmp_path / "absent.pt"), "-q", val]) != 0


def test_a_request_to_stop_that_comes_before_the_first_record_is_no_failure() -> None:
    """As USR1 while Python starts: else the task would end with 1, and not be requeued."""
    assert evaluate(Request("."), iter(()), lambda: True).stopped
    with pytest.raises(SbtoolsError, match="there are no records in the input"):
        evaluate(Request("."), iter(()))
