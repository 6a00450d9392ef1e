"""Two ranks against one process, for every method and model."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.errors import SbtoolsError
from sbtools.methods import METHODS
from sbtools.train import checkpoint
from sbtools.train.checkpoint import read
from sbtools.train.group import Ranks
from sbtools.train.loop import RankOptions, Training, run_rank
from sbtools.train.optimizer_step import OptimizerStep
from sbtools.train.settings import Settings
from sbtools.train.training_state import restore_or_init
from tests import two_ranks
from tests.loader.made import make as make_videos
from tests.train.faking import Stop, make_run, register, registered, settings

CLIPS, BATCH, STEPS = 23, 5, 5
"""Shares of 2 and 3 clips; the last of the steps has 3."""

EPS = 1e-3
"""The bias of attention's keys has no gradient but rounding, which AdamW would blow up to lr."""

COMMON = {"classes": ("walk", "wave"), "epochs": 1, "batch": BATCH, "lr": 1e-3, "lr_floor": 1.0}


TOLD: dict[str, dict[str, Any]] = {
    "disentangle": {"l_s": 0.0},
    "sdn": {"alpha": 0.0},
}
"""For clips without scenes; more ways are in test_ranks_toys.py."""

ELSEWHERE = ("stillmix", "mixup", "cutmix", "videomix", "actorcutmix", "fame", "swap", "dark")
"""They mix, where ranks are not to be one, or want what these clips and this model have not."""


def cases() -> dict[str, Settings]:
    """Every method with the small model; every model with the mask method; the ways to go."""
    made = {
        f"method {name}": settings(**COMMON, method=name, method_settings=TOLD.get(name, {}))
        for name in [*METHODS, "two"]
        if name not in ELSEWHERE
    }
    for name in ("vificlip", "actionclip"):
        asked = {**COMMON, "model": name, "frames": 2, "method": "mask", "eps": EPS}
        asked["checkpoint_activations"] = name == "actionclip"
        made[f"model {name}"] = settings(**asked, model_settings={"arch": "tiny"})
    made["accumulate"] = settings(**COMMON, objective="class_ce", accumulate=2)
    made["fixed frames"] = settings(**COMMON, method="mask", fixed_frames=True)
    made["clip"] = settings(**COMMON, clip_grad=0.01, ema=0.5, objective="kl")
    return made


def work(ranks: Ranks, folder: str, names: list[str]) -> None:
    """Each case, to its end; then one that is stopped and continued."""
    register()
    options, rank = RankOptions(root=folder), ranks.rank
    seen: list[list[str]] = []
    plain = OptimizerStep.__call__

    def noted(updates: OptimizerStep, batch: Any, *rest: Any) -> Any:
        seen.append(batch["id"])
        return plain(updates, batch, *rest)

    OptimizerStep.__call__ = noted  # type: ignore[method-assign]
    for name in names:
        seen.clear()
        held = trained(f"{folder}/{name}", ranks, options)
        torch.save({"weights": held, "seen": seen}, f"{folder}/{name}.{rank}")
    words = []
    for name in ("stopped", "moved", "stopped"):
        asked = Stop(3, "usr1") if rank and len(words) < 2 else Stop()
        words.append(run_rank(f"{folder}/{name}", rank, 2, "cpu", asked, options))
    if rank == 0:
        checkpoint.write_synced = full  # type: ignore[assignment]
    words += [failure(f"{folder}/{name}", rank, options) for name in ("poisoned", "full")]
    Path(f"{folder}/words.{rank}").write_text(json.dumps(words))


def trained(run: str, ranks: Ranks, options: RankOptions) -> dict[str, torch.Tensor]:
    """The weights at the end of a run."""
    outset = restore_or_init(run, ranks, options.root, None)
    assert Training(run, outset, ranks, Stop(), options).run() == "done"
    return dict(outset.updates.step.state_dict())


def full(path: str, data: bytes) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")


def failure(run: str, rank: int, options: RankOptions) -> str:
    try:
        return run_rank(run, rank, 2, "cpu", Stop(), options)
    except SbtoolsError as error:
        return f"{type(error).__name__}: {error}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of the cases, each trained by two ranks, and, under "one", by one process."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ranks")
    made = make_videos(folder, [f"v{number}" for number in range(CLIPS)], count=4)
    made = [dict(record) for record in made]
    (folder / "one").mkdir()
    for name, asked in cases().items():
        for place in (folder, folder / "one"):
            make_run(place / name, made, asked, made[:7])
    for name in ("stopped", "moved", "full"):
        make_run(folder / name, made, cases()["method two"], made[:7])
    poison = settings(**COMMON, method="two", method_settings={"poison": "v4"})
    make_run(folder / "poisoned", made, poison)
    two_ranks.start(work, str(folder), list(cases()))
    with registered():
        for run in [*(folder / "one" / name for name in cases()), folder / "moved"]:
            options = RankOptions(root=str(folder))
            assert run_rank(str(run), 0, 1, "cpu", Stop(), options) == "done"
    return folder


def weights(path: Path) -> Mapping[str, torch.Tensor]:
    state = read(str(path / "last.pt"))[0]
    return {f"{part} {k}": v for part in ("model", "method") for k, v in state[part].items()}


def line(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "log.jsonl").read_text()))


@pytest.mark.parametrize("name", cases())
def test_two_ranks_are_one_process(runs: Path, name: str) -> None:
    two, one = weights(runs / name), weights(runs / "one" / name)
    assert two.keys() == one.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=1e-5, atol=1e-5, msg=f"{name} {key}")
    ours, theirs = line(runs / name), line(runs / "one" / name)
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-4)
    assert ours.get("drawn") == theirs.get("drawn")
    for key in ("epoch", "step", "lr", "clips", "failed", "val_clips", "val_failed"):
        assert ours[key] == theirs[key], key
    assert ours["step"] == STEPS


@pytest.mark.parametrize("name", cases())
def test_replicas_are_equal_bit_for_bit(runs: Path, name: str) -> None:
    first, second = (
        torch.load(runs / f"{name}.{rank}", weights_only=True)["weights"] for rank in (0, 1)
    )
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), key


@pytest.mark.parametrize("name", cases())
def test_ranks_share_the_clips(runs: Path, name: str) -> None:
    seen = [torch.load(runs / f"{name}.{rank}", weights_only=True)["seen"] for rank in (0, 1)]
    assert [len(each) for each in seen] == [STEPS, STEPS]
    for first, second in zip(*seen, strict=True):
        assert abs(len(first) - len(second)) <= 1 and not set(first) & set(second)
    ids = [id for each in seen for step in each for id in step]
    assert sorted(ids) == sorted(f"v{number}" for number in range(CLIPS))


def test_stopped_by_one_rank(runs: Path) -> None:
    """All ranks stop at the same step, and end as if they had not."""
    words = [json.loads((runs / f"words.{rank}").read_text())[:3] for rank in (0, 1)]
    assert words == [["usr1", "usr1", "done"]] * 2
    stopped, straight = weights(runs / "stopped"), weights(runs / "method two")
    for key in straight:
        assert torch.equal(stopped[key], straight[key]), key
    assert line(runs / "stopped")["clips"] == CLIPS
    losses = [line(runs / name)["losses"] for name in ("stopped", "method two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_begun_by_two_and_ended_by_one(runs: Path) -> None:
    moved, one = weights(runs / "moved"), weights(runs / "one" / "method two")
    for key in one:
        torch.testing.assert_close(moved[key], one[key], rtol=1e-5, atol=1e-5, msg=key)
    assert line(runs / "moved")["clips"] == CLIPS
    losses = [line(runs / name)["losses"] for name in ("moved", "one/method two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_what_one_rank_meets_all_ranks_tell(runs: Path) -> None:
    """A clip that is not a number, wherever it is; a full disk, which rank 0 writes to."""
    told = [json.loads((runs / f"words.{rank}").read_text())[3:] for rank in (0, 1)]
    assert told[0][0].partition("clips")[2] == told[1][0].partition("clips")[2]
    for poisoned, disk in told:
        assert "is not finite; clips 'v4'. Nothing was overwritten" in poisoned
        assert disk.startswith("OutputError: cannot write") and "No space left" in disk
    assert not (runs / "poisoned" / "last.pt").exists()


def test_weights_moved(runs: Path) -> None:
    """None of the above compares what never changed, or what no method changes."""
    one, other = weights(runs / "method none"), weights(runs / "method mask")
    moved = {key for key in one if not torch.equal(one[key], other[key])}
    assert {"model visual.weight", "model table", "model log_scale"} <= moved
    assert "model unused" not in moved
