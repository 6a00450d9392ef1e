"""A run from its folder to its end: stopped, killed, damaged, resumed."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.methods import build as build_method
from sbtools.methods.mask import Mask
from sbtools.rng import Draws
from sbtools.train import load
from sbtools.train.checkpoint import read
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.track import require as require_tracker
from tests.loader.made import make as make_videos
from tests.train.faking import (
    CLASSES,
    Fake,
    Stop,
    make_arrays,
    make_run,
    registered,
    settings,
    train,
)
from tests.train.runs import CLIPS, EACH, FULL, STEPS, lines, same


@pytest.fixture(autouse=True)
def fakes() -> Any:
    torch.set_num_threads(1)
    with registered():
        yield


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any], list[Any]]:
    """A folder of arrays; records to train on, and held-out ones."""
    folder = tmp_path_factory.mktemp("clips")
    return folder, make_arrays(folder, CLIPS), make_arrays(folder, 7, seed=1)


@pytest.fixture(scope="module")
def whole(
    clips: tuple[Path, list[Any], list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Mapping[str, Any]]]:
    """A run that nothing disturbed, and its steps."""
    with registered():
        run = make_run(tmp_path_factory.mktemp("whole") / "run", clips[1], FULL, clips[2])
        word, steps = train(run, clips[0])
    assert word == "done" and [s["step"] for s in steps] == list(range(1, STEPS + 1))
    return run, steps


def test_workers_change_nothing(tmp_path: Path, clips: Any, whole: Any) -> None:
    run = make_run(tmp_path / "run", clips[1], settings(epochs=1), clips[2])
    other = make_run(tmp_path / "other", clips[1], settings(epochs=1), clips[2])
    train(run, clips[0], workers=1)
    train(other, clips[0])
    assert same(read(f"{run}/last.pt")[0]["model"], read(f"{other}/last.pt")[0]["model"])
    assert lines(run) == lines(other)


def test_done_is_done(clips: Any, whole: Any) -> None:
    before = os.stat(f"{whole[0]}/last.pt").st_mtime_ns
    assert train(whole[0], clips[0]) == ("done", [])
    assert os.stat(f"{whole[0]}/last.pt").st_mtime_ns == before


def test_the_line_of_an_epoch(tmp_path: Path, clips: Any) -> None:
    """Every loss is the mean over clips; the rest is counted here once more."""
    run = make_run(tmp_path / "run", clips[1], settings(epochs=2, lr_floor=0.1), clips[2])
    told: list[Mapping[str, Any]] = []
    _, steps = train(run, clips[0], epoch_line=told.append)
    assert [line["epoch"] for line in told] == [1, 2]
    for line, these in zip(told, (steps[:EACH], steps[EACH:]), strict=True):
        mean = sum(s["losses"]["infonce"] * s["clips"] for s in these) / CLIPS
        assert line["losses"] == {"infonce": pytest.approx(mean, rel=1e-12)}
        assert (line["clips"], line["failed"], line["step"]) == (CLIPS, 0, these[-1]["step"])
        assert line["lr"] == these[-1]["lr"] > 0
        assert 0 < line["waiting"] < 1 and line["seconds"] > 0
        rate = line["clips"] / line["seconds"]
        assert line["clips_per_second"] == pytest.approx(rate, rel=0.1)
        assert line["val_clips"] == 7 and 0 <= line["val_top1"] <= 100
        assert line["peak_memory"] > 1 << 26
    assert [s["clips"] for s in steps[:EACH]] == [5, 5, 5, 2]
    assert [json.loads(s) for s in Path(run, "log.jsonl").read_text().splitlines()] == told


def test_the_log_is_what_the_checkpoint_says(tmp_path: Path, clips: Any, whole: Any) -> None:
    """A kill between the two leaves the log short, or torn; the next start mends it."""
    run = str(shutil.copytree(whole[0], tmp_path / "run"))
    Path(run, "log.jsonl").write_text('{"epo')
    train(run, clips[0])
    assert lines(run) == lines(whole[0])


def test_best_is_the_first_of_the_best_epochs(
    tmp_path: Path, clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sbtools.train import loop
    from sbtools.train.validate import Validated

    given = iter([2.0, 5.0, 5.0, 4.0])
    monkeypatch.setattr(loop, "validate", lambda *_: Validated(next(given), 10, 0))
    asked = settings(epochs=4, select="eval-as-published")
    run = make_run(tmp_path / "run", clips[1], asked, clips[2])
    train(run, clips[0])
    best = {"epoch": 2, "val_top1": 50.0, "select": "eval-as-published"}
    assert load(run, "best").progress == {"epoch": 2, "step": 2 * EACH, "best": best}
    assert load(run).progress == {"epoch": 4, "step": 4 * EACH, "best": best}


def test_without_select_there_is_no_best(tmp_path: Path, clips: Any) -> None:
    run = make_run(tmp_path / "run", clips[1], settings(epochs=1), clips[2])
    train(run, clips[0])
    with pytest.raises(UsageError, match=r"has no best\.pt: train with --val and --select"):
        load(run, "best")
    with pytest.raises(UsageError, match="no averaged weights: train with --ema"):
        load(run, "ema")
    with pytest.raises(UsageError, match="--which is last, best, ema, not 'worst'"):
        load(run, "worst")
    with pytest.raises(UsageError, match=r"has no last\.pt: nothing was trained"):
        load(tmp_path)


def test_trained_models_come_back(clips: Any, whole: Any) -> None:
    """Scores of what is loaded are those of the weights in the file."""
    video = torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    found = {which: load(whole[0], which) for which in ("last", "best", "ema")}
    for which, file in [("last", "last.pt"), ("best", "best.pt"), ("ema", "last.pt")]:
        state, digest = read(os.path.join(whole[0], file))
        held = state["ema"] if which == "ema" else state
        mine = Fake(CLASSES, frames=3, dropout=0.3).eval()
        mine.load_state_dict(held["model"])
        trained = found[which]
        assert torch.equal(trained.model.scores(video), mine.scores(video))
        assert trained.sha256 == digest and trained.settings == FULL
        assert trained.method.name == "two" and not trained.model.training
        assert same(dict(trained.method.state_dict()), held["method"])
    last, ema = found["last"].model, found["ema"].model
    assert not torch.equal(last.scores(video), ema.scores(video))
    by_file = load(os.path.join(whole[0], "best.pt"), "ema")
    assert by_file.progress["epoch"] == found["best"].progress["epoch"]


def test_not_a_number_stops_and_keeps_what_was_good(tmp_path: Path, clips: Any) -> None:
    poison = {"method": "two", "method_settings": {"poison": "s0c8"}}
    run = make_run(tmp_path / "run", clips[1], settings(**poison))
    with pytest.raises(SbtoolsError, match=r"epoch 1: loss head is not finite; clips 's0c8'"):
        train(run, clips[0], save_every=1)
    state = read(f"{run}/last.pt")[0] if os.path.exists(f"{run}/last.pt") else None
    if state:
        assert all(bool(torch.isfinite(v).all()) for v in state["model"].values())


def test_a_weight_that_is_not_a_number_is_not_saved(
    tmp_path: Path, clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", clips[1], settings())
    train(run, clips[0], Stop(3))
    before = read(f"{run}/last.pt")[1]
    plain = OptimizerStep.__call__

    def spoil(updates: OptimizerStep, *given: Any) -> Any:
        losses = plain(updates, *given)
        updates.step.model.get_parameter("unused").data[0] = float("inf")
        return losses

    monkeypatch.setattr(OptimizerStep, "__call__", spoil)
    with pytest.raises(SbtoolsError, match=r"step 3: model.unused is not finite. Nothing was ove"):
        train(run, clips[0], save_every=1)
    assert read(f"{run}/last.pt")[1] == before


def test_a_clip_that_fails_is_replaced_and_named(
    tmp_path: Path, clips: Any, caplog: pytest.LogCaptureFixture
) -> None:
    gone = {"id": "gone", "arrays": "gone.npy", "label": CLASSES[0]}
    failed = {"id": "bad", "error": {"stage": "segment", "kind": "missing", "message": "x"}}
    run = make_run(tmp_path / "run", [*clips[1], gone, failed], settings(epochs=2), [gone])
    told: list[Mapping[str, Any]] = []
    with caplog.at_level(logging.WARNING, "sbtools"):
        train(run, clips[0], epoch_line=told.append)
    assert [(line["clips"], line["failed"]) for line in told] == [(CLIPS + 1, 1)] * 2
    assert [(line["val_top1"], line["val_failed"]) for line in told] == [(None, 1)] * 2
    assert sum("gone: missing: there is no" in r.getMessage() for r in caplog.records) == 1


def test_masked_clips_are_told_by_mode(tmp_path: Path) -> None:
    """Counts of modes over an epoch, also when it was interrupted."""
    made = [dict(record) for record in make_videos(tmp_path, [f"v{i}" for i in range(6)])]
    asked = settings(
        method="mask", method_settings={"ratio": "0.5:0.5"}, epochs=2, batch=2,
        classes=("walk", "wave"),
    )  # fmt: skip
    whole_, stopped = (make_run(tmp_path / name, made, asked) for name in ("a", "b"))
    train(whole_, tmp_path)
    train(stopped, tmp_path, Stop(2))
    train(stopped, tmp_path)
    assert lines(whole_) == lines(stopped)
    method = build_method("mask", **asked.method_settings)
    assert isinstance(method, Mask)
    ids = [record["id"] for record in made]
    drawn = [Counter(method.mode(Draws(asked.seed, e), id) for id in ids) for e in (0, 1)]
    assert drawn[0] != drawn[1]
    for line, counts in zip(lines(whole_), drawn, strict=True):
        assert line["drawn"] == pytest.approx({mode: counts[mode] / 6 for mode in ("none", "bg")})


def test_first_weights_hang_on_the_seed(tmp_path: Path, clips: Any) -> None:
    found = []
    for name, seed in [("a", 1), ("b", 1), ("c", 2)]:
        torch.manual_seed(int.from_bytes(name.encode(), "big"))
        run = make_run(tmp_path / name, clips[1], settings(seed=seed))
        train(run, clips[0], Stop(1))
        found.append(read(f"{run}/last.pt")[0]["model"]["table"])
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_tracked(tmp_path: Path, clips: Any) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = make_run(tmp_path / "run", clips[1], settings(epochs=2), clips[2])
    _, steps = train(run, clips[0], track="tensorboard")
    held = EventAccumulator(os.path.join(run, "track"))
    held.Reload()
    found = [event.value for event in held.Scalars("step/losses/infonce")]
    assert found == pytest.approx([s["losses"]["infonce"] for s in steps])
    assert [event.step for event in held.Scalars("epoch/val_top1")] == [EACH, 2 * EACH]


def test_a_tracker_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbtools.train.track.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"tensorboard: it is not installed; pip install 'sbtools"):
        require_tracker("tensorboard")


def test_a_tracker_that_is_not_known(tmp_path: Path, clips: Any) -> None:
    run = make_run(tmp_path / "run", clips[1], settings())
    with pytest.raises(UsageError, match="no tracker 'wandb'; there are tensorboard"):
        train(run, clips[0], track="wandb")


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"has no run\.json"):
        train(str(tmp_path), tmp_path)


def test_no_clips(tmp_path: Path) -> None:
    failed = {"id": "bad", "error": {"stage": "segment", "kind": "missing", "message": "x"}}
    with pytest.raises(SbtoolsError, match="no clip is left to train on"):
        train(make_run(tmp_path / "run", [failed], settings()), tmp_path)


def test_failures_are_counted_once_where_a_run_was_stopped(tmp_path: Path, clips: Any) -> None:
    """The batch that was fetched, but not trained on, when the word came."""
    gone = [{"id": f"gone{n}", "arrays": "gone.npy", "label": CLASSES[0]} for n in range(4)]
    run = make_run(tmp_path / "run", [*clips[1], *gone], settings(epochs=1))
    for at in (2, 2, 2, -1):
        train(run, clips[0], Stop(at))
    assert lines(run)[0]["failed"] == 4
