"""What is checked before a training begins: records, settings, classes, stores."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import OutputError, RecordError, SbtoolsError, UsageError
from sbtools.loader import batches
from sbtools.records import Record
from sbtools.train import plan
from sbtools.train.gather import SAMPLE, gather, require_expected
from sbtools.train.plan import TrainFlags, settle
from sbtools.train.prepare import Request, prepared
from sbtools.train.resources import devices
from sbtools.train.settings import Settings


def record(number: int, **more: Any) -> Record:
    label = ("walk", "wave")[number % 2]
    return {"id": f"clip{number}", "video": f"{number}.mp4", "label": label, **more}


def some(count: int = 4, **more: Any) -> list[Record]:
    return [record(number, **more) for number in range(count)]


FAILED = {**record(9), "error": {"stage": "segment", "kind": "timeout", "message": "too long"}}


def test_good_records_are_kept_and_failed_ones_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [{"frame": 0, "xyxy": [0, 0, 1, 1], "score": 1, "role": "person", "prompt": "x"}]
    first = record(0, boxes=boxes, sampled=[0], made={"segment": "sam"}, grip="left")
    found = gather([first, FAILED, record(1)], str(tmp_path), "records.jsonl")
    data = Path(found.path).read_bytes()
    assert [json.loads(line) for line in data.splitlines()] == [record(0, grip="left"), record(1)]
    assert found.describe() == {
        "sha256": hashlib.sha256(data).hexdigest(), "clips": 2, "failed": 1,
    }  # fmt: skip
    assert found.labels == {"walk": 1, "wave": 1} and found.made == {"segment": ["sam"]}
    assert "clip9 is left out: too long (segment: timeout)" in caplog.text
    found.remove()
    assert not list(tmp_path.iterdir())


class _Full(io.FileIO):
    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found at the flush; closing the file fails once more and must not speak in its place."""
    monkeypatch.setattr(
        "sbtools.train.gather.open",
        lambda path, mode: io.BufferedWriter(_Full(path, "x")), raising=False,
    )  # fmt: skip
    with pytest.raises(OutputError, match=r"cannot write .*records\.jsonl.*: No space left"):
        gather(some(), str(tmp_path), "records.jsonl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("bad", "masks", "told"),
    [
        ({"id": "a", "video": "a.mp4"}, False, "'a' has no label"),
        (record(5), True, "'clip5' has no masks"),
        (record(5, masks="m.h5::clips/a", pixels="p.h5::clips/a"), True, "'clip5' is masked"),
        (record(4, text="strolling"), False, "class 'walk' is 'strolling' here, and 'walk' before"),
    ],
)
def test_a_record_that_no_training_can_use_is_named(
    bad: Record, masks: bool, told: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordError, match=told):
        gather(
            [record(0, masks="m.h5::clips/b"), bad],
            str(tmp_path),
            "records.jsonl",
            ["masks"] if masks else [],
        )
    assert not list(tmp_path.iterdir())


def test_the_sample_is_spread_evenly(tmp_path: Path) -> None:
    for count in (3, SAMPLE, 2 * SAMPLE, 1000):
        found = gather(some(count), str(tmp_path), "records.jsonl")
        places = [int(each["id"][4:]) for each in found.sample]
        steps = set(np.diff(places).tolist())
        assert places[0] == 0 and len(steps) == 1 and count - places[-1] <= max(steps)
        assert min(count, SAMPLE) <= len(places) < 2 * SAMPLE
        found.remove()


def test_clips_that_a_stage_lost_are_named(tmp_path: Path) -> None:
    found = gather([*some(2), FAILED], str(tmp_path), "records.jsonl")
    require_expected(found, [record(0), record(1), record(9)])
    with pytest.raises(
        UsageError, match=r"2 clips of --expect are not in the input.*'clip2', 'clip3'"
    ):
        require_expected(found, some(4))


def test_flags_come_before_the_model_and_the_model_before_the_rest() -> None:
    settings, method = settle(
        TrainFlags("actionclip", values={"lr": 0.5, "seed": 3, "epochs": None})
    )
    assert (settings.lr, settings.seed, settings.weight_decay) == (0.5, 3, 0.2)
    assert settings.objective != Settings("x").objective and not method.needs
    assert settings.clip_grad == Settings("x").clip_grad
    settings, method = settle(
        TrainFlags("vificlip", "mask", "class_ce", method_pairs=["ratio=1:3"],
              objective_pairs=["smoothing=0.2"], model_pairs=["arch=tiny"])
    )  # fmt: skip
    assert settings.method_settings["ratio"] == "1:3" and "masks" in method.needs
    assert settings.objective_settings["smoothing"] == 0.2
    assert settings.model_settings == {"arch": "tiny", "seed": 0}


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        ("0.7:0.7", "ratio 0.7:0.7 adds up to 1.4, so the shares are none 0.5, bg 0.5"),
        ("1:3", "ratio 1:3 adds up to 4, so the shares are none 0.25, bg 0.75"),
        ("0.25:0.75", ""),
        ("0.33:0.33:0.17:0.168", ""),
    ],
)
def test_shares_that_do_not_add_up_to_1_are_told(
    ratio: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sbtools"):
        settle(TrainFlags("vificlip", "mask", "class_ce", method_pairs=[f"ratio={ratio}"]))
    assert [text for text in caplog.messages if "ratio" in text] == (
        [f"method mask: {told}"] if told else []
    )


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (TrainFlags("gpt"), "there is no model 'gpt'"),
        (TrainFlags("vificlip", "hope"), "there is no method 'hope'"),
        (TrainFlags("vificlip", objective="luck"), "there is no objective 'luck'"),
        (TrainFlags("vificlip", "mask", method_pairs=["ration=1:1"]), "no setting 'ration'"),
        (TrainFlags("vificlip", "mask", method_pairs=["ratio"]), "not NAME=VALUE"),
        (TrainFlags("vificlip", values={"lr": 0.0}), "--lr must be above 0, not 0"),
        (TrainFlags("vificlip", values={"lr": float("nan")}), "--lr must be above 0, not nan"),
        (TrainFlags("vificlip", values={"weight_decay": -1.0}), "--weight-decay"),
        (TrainFlags("vificlip", values={"ema": 1.0}), "--ema must be from 0 to below 1"),
        (TrainFlags("vificlip", values={"betas": (0.9, 1.0)}), "--betas"),
        (TrainFlags("vificlip", values={"epochs": 0}), "--epochs must be 1 or more"),
        (
            TrainFlags("vificlip", values={"batch": 4, "accumulate": 8}),
            "8 is more than the clips of --batch 4",
        ),
    ],
)
def test_settings_that_cannot_be_are_named(asked: TrainFlags, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        settle(asked)


def test_classes_are_those_that_are_named_or_the_labels(tmp_path: Path) -> None:
    found = gather(some(4, text="x"), str(tmp_path), "records.jsonl")
    settings = plan.with_classes(Settings("m"), None, found.labels, found.texts)
    assert (settings.classes, settings.texts) == (("walk", "wave"), ("x", "x"))
    settings = plan.with_classes(Settings("m"), "wave,run,walk", found.labels, {"walk": "walk"})
    assert (settings.classes, settings.texts) == (("wave", "run", "walk"), ())
    with pytest.raises(UsageError, match=r"label 'walk' .* classes \(it is spelled 'Walk'"):
        plan.with_classes(Settings("m"), "Walk,wave", found.labels, {})
    with pytest.raises(UsageError, match=r"'walk' of the records is none .* nor are 1 other"):
        plan.with_classes(Settings("m"), "run,jump", found.labels, {})


@pytest.mark.parametrize("clips", [1, 5, 8, 9, 10, 16, 17, 23])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_plan_counts_the_steps_that_the_loader_makes(clips: int, ranks: int) -> None:
    settings = Settings("m", batch=8)
    if clips < ranks:
        with pytest.raises(UsageError, match="cannot be shared by"):
            plan.steps_of(settings, clips, ranks)
    else:
        assert plan.steps_of(settings, clips, ranks) == len(batches(clips, 0, 0, 8, ranks, 0))
    with pytest.raises(UsageError, match="--batch 2 cannot be shared by 3 ranks"):
        plan.steps_of(replace(settings, batch=2), 9, 3)


def test_weights_are_summed_and_may_be_gone_later(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"weights")
    settings = plan.with_weights(Settings("vificlip", weights=str(file)))
    assert settings.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    file.unlink()
    assert plan.with_weights(replace(settings, weights_sha256=None), settings) == settings
    assert plan.with_weights(Settings("vificlip", weights="openai")).weights_sha256 is None


def request(tmp_path: Path, **more: Any) -> Request:
    return Request(str(tmp_path / "run"), TrainFlags("vificlip"), str(tmp_path), **more)


def prepare(asked: Request, incoming: Iterable[Record], tmp_path: Path, world: int = 1) -> Any:
    with prepared(asked, incoming, str(tmp_path), world) as ready:
        return ready


def test_run_json_says_what_the_weights_depend_on(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.mp4").write_bytes(b"")
    val = tmp_path / "val.jsonl"
    val.write_text("".join(json.dumps(record(number)) + "\n" for number in (4, 5)))
    asked = request(tmp_path, val=str(val), command="sbtools train")
    with prepared(asked, some(4), str(tmp_path), 1) as ready:
        assert ready is not None
        told, paths = ready.told, list(ready.files.values())
        assert list(ready.files) == ["records.jsonl", "val.jsonl"]
        assert all(path and Path(path).exists() for path in paths)
    assert not any(path and Path(path).exists() for path in paths)
    assert told["records"]["clips"] == 4 and told["val"]["clips"] == 2
    assert told["frame_source"] == {"video": 4, "candidates": None}
    assert Settings.restore(told["settings"]).classes == ("walk", "wave")
    assert told["command"] == "sbtools train"


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ([record(3)], "1 clips of --val are trained on as well"),
        ([{**record(7), "label": "fly"}], "label 'fly'"),
        ([FAILED], "--val has no clip"),
    ],
)
def test_clips_to_validate_on_are_other_clips_of_these_classes(
    held: list[Record], told: str, tmp_path: Path
) -> None:
    val = tmp_path / "val.jsonl"
    val.write_text("".join(json.dumps(each) + "\n" for each in held))
    with pytest.raises(UsageError, match=told):
        prepare(request(tmp_path, val=str(val)), some(4), tmp_path)


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SbtoolsError, match="no records in the input but 1 that failed") as caught:
        prepare(request(tmp_path), [FAILED], tmp_path)
    assert caught.value.exit_code == 1
    chosen = replace(request(tmp_path), asked=TrainFlags("vificlip", values={"select": "val"}))
    with pytest.raises(UsageError, match=r"--select val needs .* give --val"):
        prepare(chosen, some(4), tmp_path)
    with pytest.raises(UsageError, match=r"--val .*gone\.jsonl: No such file"):
        prepare(request(tmp_path, val=str(tmp_path / "gone.jsonl")), some(4), tmp_path)


def test_a_stop_while_records_are_read_is_no_training(tmp_path: Path) -> None:
    with prepared(request(tmp_path), some(2), str(tmp_path), 1, None, lambda: True) as ready:
        assert ready is None
    assert not list(tmp_path.iterdir())


def test_what_the_ranks_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices("auto", None, None) == ("cpu", 1) == devices("cpu", None, 1)
    assert devices("auto", None, 3) == ("cpu", 3)
    for flags, told in (
        (("auto", 2, None), "--gpus 2: torch sees 0 GPUs"),
        (("cuda", None, None), "torch sees 0 CUDA devices"),
        (("cuda", None, 2), "trains on the CPU, not on cuda"),
        (("cpu", 1, None), "do not go together"),
        (("auto", 1, 2), "give --gpus or --ranks, not both"),
    ):
        with pytest.raises(UsageError, match=told):
            devices(*flags)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices("auto", 2, None) == ("cuda", 2) == devices("cuda", 2, None)
    assert devices("auto", None, None) == ("cuda", 1)
    assert devices("cuda:1", None, None) == ("cuda:1", 1)
    assert devices("auto", None, 2) == ("cpu", 2)


@pytest.fixture(autouse=True)
def shown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)
    caplog.set_level(logging.INFO, logger="sbtools")
