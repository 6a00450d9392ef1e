"""Methods from outside the package: stopped, killed, resumed, loaded, and with weights of 0."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.errors import SbtoolsError, UsageError
from sbtools.methods import METHODS
from sbtools.models.outputs import predicted
from sbtools.train import load
from sbtools.train.folder import require_same
from sbtools.train.loop import RankOptions, run_rank
from tests.toys import TOYS
from tests.toys.centred import Centred
from tests.train.faking import Stop, train
from tests.train.toy_runs import (
    CLIPS,
    EPOCHS,
    PLAIN,
    SETTINGS,
    asked,
    begin,
    make_clips,
    require_identical,
    state,
    toys,
)


class Killed(BaseException):
    """Stands for the end of a process: nothing here catches it."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("toys")
    with toys():
        records = make_clips(folder)
        for name in TOYS:
            run = begin(folder / name, records, asked(name, SETTINGS[name]))
            assert train(run, folder)[0] == "done"
    return folder, records


@pytest.fixture(autouse=True)
def known() -> Any:
    with toys():
        yield


def begun(clips: Any, method: str, told: Any, folder: str, **more: Any) -> Path:
    """A run in a folder of its own beside the clips."""
    place: Path = clips[0] / folder
    begin(place, clips[1], asked(method, told, **more))
    return place


@pytest.mark.parametrize("name", TOYS)
def test_a_toy_has_at_most_40_lines(name: str) -> None:
    path = Path(TOYS[name].partition(":")[0].replace(".", "/") + ".py")
    assert len((Path(__file__).parents[2] / path).read_text().splitlines()) <= 40


@pytest.mark.parametrize("name", TOYS)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(clips: Any, name: str) -> None:
    run = begun(clips, name, SETTINGS[name], f"{name} stopped")
    stop = Stop(CLIPS + 3 if name == "centred" else 3)  # the fit asks for each clip
    assert train(str(run), clips[0], stop)[0] == "term"
    assert train(str(run), clips[0])[0] == "done"
    require_identical(state(run), state(clips[0] / name))


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
def test_a_fit_that_was_cut_short_begins_again(
    clips: Any, stopped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(clips, "centred", SETTINGS["centred"], f"fit {stopped}")
    if stopped:
        assert train(str(run), clips[0], Stop(4, "usr1"))[0] == "usr1"
    else:
        with pytest.raises(Killed):
            run_rank(str(run), 0, 1, "cpu", Ends(4), RankOptions(root=str(clips[0])))
    assert not (run / "last.pt").exists()
    assert train(str(run), clips[0])[0] == "done"
    require_identical(state(run), state(clips[0] / "centred"))


class Ends:
    """Ends the process when it is asked for the Nth time."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> None:
        self.left -= 1
        if not self.left:
            raise Killed


def test_a_run_fits_once_though_it_is_killed_before_its_first_step(
    clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(clips, "centred", SETTINGS["centred"], "fitted")
    fitted: list[str] = []
    plain = Centred.fit
    monkeypatch.setattr(Centred, "fit", lambda self, run: fitted.append("") or plain(self, run))
    options = RankOptions(root=str(clips[0]))
    with pytest.raises(Killed):
        run_rank(str(run), 0, 1, "cpu", Ends(CLIPS + 1), options)
    held = state(run)["/fitted/centred/mean"]
    assert train(str(run), clips[0])[0] == "done"
    assert len(fitted) == 1 and float(held.abs().sum()) > 0
    require_identical(state(run), state(clips[0] / "centred"))
    assert torch.equal(load(run).method.fitted["mean"], held)


@pytest.mark.parametrize("name", TOYS)
def test_a_run_is_loaded_where_records_and_resources_are_gone(
    clips: Any, name: str, tmp_path: Path
) -> None:
    shutil.copytree(clips[0] / name, tmp_path / "run")
    for gone in ("run.json", "records.jsonl"):
        (tmp_path / "run" / gone).unlink()
    held = state(clips[0] / name)
    for which, part in (("last", ""), ("ema", "/ema")):
        found = load(tmp_path / "run", which)
        assert not found.method.opened
        with torch.no_grad():
            video = torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
            scores = predicted(found.model, video, found.model.test_classes(),
                               found.method.represent)  # fmt: skip
        frames = torch.nn.functional.adaptive_avg_pool2d(video.flatten(0, 1), 2).flatten(1)
        weights = (held[f"{part}/model/visual.weight"], held[f"{part}/model/visual.bias"])
        features = torch.nn.functional.linear(frames, *weights).unflatten(0, (2, 3)).mean(1)
        if name == "centred":
            features = features - held["/fitted/centred/mean"]
        if name == "streams":
            own = (held[f"{part}/method/u.weight"], held[f"{part}/method/u.bias"])
            features = torch.nn.functional.linear(features, *own)
        cosines = torch.nn.functional.cosine_similarity(
            features[:, None], held[f"{part}/model/table"][None], dim=2
        )
        want = held[f"{part}/model/log_scale"].exp() * cosines
        torch.testing.assert_close(scores, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TOYS)
def test_weights_of_0_are_plain_training_bit_for_bit(clips: Any, name: str) -> None:
    plain = clips[0] / "plain"
    if not plain.exists():
        assert train(str(begun(clips, "none", {}, "plain")), clips[0])[0] == "done"
    run = begun(clips, name, PLAIN[name], f"{name} plain")
    assert train(str(run), clips[0])[0] == "done"
    require_identical(state(run), state(plain))
    moved = state(clips[0] / name)["/model/visual.weight"]
    assert not torch.equal(moved, state(plain)["/model/visual.weight"])


def test_toys_together(clips: Any) -> None:
    """Each changes what comes of it; the run is loaded, and goes on from where it was stopped."""
    names = "centred+fooling+mixing"
    told = {name: SETTINGS[name] for name in names.split("+")}
    whole = begun(clips, names, told, "together")
    assert train(str(whole), clips[0])[0] == "done"
    run = begun(clips, names, told, "together stopped")
    assert train(str(run), clips[0], Stop(CLIPS + 3))[0] == "term"
    assert train(str(run), clips[0])[0] == "done"
    require_identical(state(run), state(whole))
    assert {"/fitted/centred/mean", "/method/members.fooling.head.weight"} <= state(run).keys()
    for name in ("centred", "fooling", "mixing"):
        alone = state(clips[0] / name)["/model/visual.weight"]
        assert not torch.equal(state(run)["/model/visual.weight"], alone)
    assert "mean" in load(run).method.members["centred"].fitted  # type: ignore[index]


class Changing(Centred):
    def fit(self, run: Any) -> Any:
        with torch.no_grad():
            run.model.visual.weight.mul_(1.01)
        return super().fit(run)


class Keeping(Centred):
    def fit(self, run: Any) -> Any:
        return {"mean": run.model.visual.weight[:, 0]}


class Large(Centred):
    def fit(self, run: Any) -> Any:
        return {"mean": torch.zeros((16 << 20) // 4 + 1)}


class Strange(Centred):
    def fit(self, run: Any) -> Any:
        return {"mean": [1.0]}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Changing, "method centred: its fit changed the model, which begins trained"),
        (Large, "fit returned 16,777,220 bytes, at most 16,777,216"),
        (Strange, "fit returns tensors by name"),
    ],
)
def test_a_fit_that_must_not_be_is_refused(
    clips: Any, kind: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(clips, "centred", SETTINGS["centred"], f"refused {kind.__name__}")
    monkeypatch.setitem(METHODS, "centred", f"{__name__}:{kind.__name__}")
    with pytest.raises(SbtoolsError, match=message):
        train(str(run), clips[0])
    assert not (run / "last.pt").exists()


def test_what_was_fitted_does_not_move_with_the_model(
    clips: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "centred", f"{__name__}:Keeping")
    held = []
    for stop in (1, 3):
        run = begun(clips, "centred", SETTINGS["centred"], f"kept {stop}")
        assert train(str(run), clips[0], Stop(stop))[0] == "term"
        held.append(state(run))
    first, later = held
    assert torch.equal(first["/fitted/centred/mean"], later["/fitted/centred/mean"])
    assert torch.equal(first["/fitted/centred/mean"], first["/model/visual.weight"][:, 0])
    assert not torch.equal(first["/model/visual.weight"], later["/model/visual.weight"])


def test_another_resource_or_number_of_ranks_is_another_run() -> None:
    told = {"settings": asked("none", {}).describe(), "records": {"clips": 1, "sha256": "a"}}
    first = {**told, "resources": {"centred.target": {"sha256": "a"}}, "ranks": 2}
    other = {**told, "resources": {"centred.target": {"sha256": "b"}}, "ranks": 1}
    require_same("RUN", first, first)
    with pytest.raises(UsageError, match="RUN was begun with target of other content; 2 ranks, n"):
        require_same("RUN", first, other)


def test_epochs_are_whole() -> None:
    """What the comparisons above are of."""
    assert EPOCHS * -(-CLIPS // 4) == 4
