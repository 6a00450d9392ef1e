"""Threads on the CPU: how many, by whose word, and where that is told. Nothing is timed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sbtools import models, threads
from sbtools.cli.process import call
from sbtools.errors import SbtoolsError
from sbtools.evaluate.evaluated_model import of_model
from sbtools.evaluate.request import Request
from sbtools.evaluate.stage import predictor_of
from sbtools.models.external import Scorer
from sbtools.models.flops import clip_flops, flops_of
from sbtools.models.recipe import Recipe
from tests.train.faking import make_arrays, make_run, registered, settings, train

FRAME_CNN = 2 * 9 * (32 * 32 * 16 * 3 + 16 * 16 * 32 * 16 + 8 * 8 * 64 * 32)
"""Of frame_cnn for a frame of 32 x 32: 2 x 9 for each output of a 3 x 3 convolution and channel."""

FAKE = 3 * 2 * 12 * 6
"""Of `tests.train.faking.Fake` for 3 frames: a linear map of 12 colours to 6 features."""


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch's number is put back, and the environment says nothing."""
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


@pytest.mark.parametrize(
    ("gigaflops", "cores", "count"),
    [(0.0001, 16, 1), (3.9, 16, 1), (4.0, 16, 2), (13.0, 16, 6), (1e4, 16, 16), (1e4, 1, 1)],
)
def test_a_thread_for_every_two_gigaflops(gigaflops: float, cores: int, count: int) -> None:
    assert threads.worth(gigaflops * 1e9, cores) == count


def test_the_option_comes_first_then_the_environment_then_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (threads.asked(5), threads.asked(None)) == (5, 0)
    for name in threads.VARIABLES:
        monkeypatch.setenv(name, "3")
        assert (threads.asked(5), threads.asked(None)) == (5, None)
        monkeypatch.setenv(name, "")
        assert threads.asked(None) == 0


def frame_cnn(frames: int = 4) -> Any:
    return models.build("linear", ["a", "b"], backbone="frame_cnn", frames=frames)


def test_the_work_of_a_clip_by_hand() -> None:
    assert clip_flops(frame_cnn(4)) == 4 * FRAME_CNN
    assert clip_flops(frame_cnn(5).double()) == 5 * FRAME_CNN


def test_attention_counts_also_where_torch_takes_its_fast_path() -> None:
    """A layer of 24 channels over 10 tokens: four maps of the width, two of 2 x 48, without what
    tokens make of each other where torch has no formula for its kernel."""
    layer = nn.TransformerEncoderLayer(24, 2, 48, batch_first=True).eval()
    x = torch.randn(1, 10, 24)
    maps = 2 * 10 * (4 * 24 * 24 + 2 * 24 * 48)
    among = 2 * 2 * 10 * 10 * 24
    with torch.no_grad():
        found = flops_of(lambda: layer(x))
    assert found in (maps, maps + among)
    assert torch.backends.mha.get_fastpath_enabled()
    with FlopCounterMode(display=False) as counter:
        layer.train()(x)
    assert counter.get_total_flops() == found


def test_counting_changes_nothing() -> None:
    model = frame_cnn().train()
    model.network.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = torch.get_rng_state()
    modes = [module.training for module in model.modules()]
    clip_flops(model)
    clip_flops(Scorer(lambda video: torch.rand(len(video), 2), ["a", "b"], Recipe(size=8), 2))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_cannot_be_counted_leaves_torch_alone(caplog: pytest.LogCaptureFixture) -> None:
    def refusing(video: Tensor) -> Tensor:
        raise ValueError("two clips or more")

    torch.set_num_threads(2)
    strange = Scorer(refusing, ["a", "b"], Recipe(size=8), 2)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 8 * 8, 2))
    whole = Scorer(linear, ["a", "b"], Recipe(size=8), 2)
    assert clip_flops(whole) == 2 * 2 * 384
    whole.predict = lambda batch: linear(batch["video"])
    with caplog.at_level(logging.INFO, "sbtools"):
        for model in (strange, whole):
            assert clip_flops(model) == 0
            threads.settle(0, 7, lambda model=model: clip_flops(model))  # type: ignore[misc]
    assert torch.get_num_threads() == 2 and not caplog.text


def test_on_a_gpu_the_work_is_not_asked_for() -> None:
    torch.set_num_threads(2)

    def unasked() -> float:
        raise AssertionError

    threads.settle(0, 7, unasked, on_cpu=False)
    assert torch.get_num_threads() == 2
    threads.settle(3, 7, unasked, on_cpu=False)
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(
    ("asked", "accumulate", "count"), [(None, 1, 2), (5, 1, 5), (0, 1, 3), (0, 2, 1)]
)
def test_a_run_tells_its_threads(
    asked: int | None, accumulate: int, count: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """A batch of 4 clips is worth 3 of 7 threads here, a half of it 1."""
    monkeypatch.setattr(threads, "FLOPS_A_THREAD", 4 * FAKE / 3.5)
    torch.set_num_threads(2)
    run_settings = settings(batch=4, accumulate=accumulate, epochs=1)
    with registered(), caplog.at_level(logging.INFO, "sbtools"):
        run = make_run(tmp_path / "run", make_arrays(tmp_path, 8), run_settings)
        train(run, tmp_path, threads=asked, cores=7)
    (line,) = map(json.loads, Path(run, "log.jsonl").read_text().splitlines())
    assert line["threads"] == torch.get_num_threads() == count
    assert ("computing with" in caplog.text) == (asked == 0)
    assert f"computing with {count} of 7 cores" in caplog.text or asked != 0


def test_an_evaluation_takes_what_a_batch_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of --batch clips, whatever number of them there is: shards take as many as the whole."""
    evaluated = of_model("linear", ["a", "b"], frames=4, options={"backbone": "frame_cnn"})
    monkeypatch.setattr(threads, "FLOPS_A_THREAD", 4 * FRAME_CNN * 6 / 3.5)
    predictor_of(Request(".", device="cpu", batch=6, threads=0, cores=7), evaluated, [])
    assert torch.get_num_threads() == 3
    predictor_of(Request(".", device="cpu", batch=6, threads=0, cores=2), evaluated, [])
    assert torch.get_num_threads() == 2
    predictor_of(Request(".", device="cpu", batch=6, threads=5, cores=2), evaluated, [])
    assert torch.get_num_threads() == 5


@pytest.mark.parametrize(("words", "told"), [([], 0), (["--threads", "3"], 3)])
@pytest.mark.parametrize("variable", ["", "2"])
@pytest.mark.parametrize("command", ["train", "eval", "pretrain"])
def test_what_commands_ask_for(
    command: str, variable: str, words: list[str], told: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked: list[Any] = []

    def note(request: Any, *rest: Any, **named: Any) -> Any:
        asked.append(named.get("threads", getattr(request, "threads", None)))
        if command == "train":
            asked[-1] = request.options["threads"]
        raise SbtoolsError("that will do")

    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    place = {"train": "train.stage:train", "eval": "evaluate.stage:evaluate",
             "pretrain": "train.pretrain:pretrain"}[command].replace(":", ".")  # fmt: skip
    monkeypatch.setattr(f"sbtools.{place}", note)
    records = tmp_path / "records.jsonl"
    records.write_text('{"id": "a", "video": "a.mp4"}\n')
    given = {
        "train": ["train", "-o", str(tmp_path / "run")],
        "eval": ["eval", "--model", "vificlip", "--classes", "a,b"],
        "pretrain": ["train", "--pretrain", "captions", "-o", str(tmp_path / "t.pt")],
    }[command]
    assert call([*given, "-q", *words, str(records)]) == 1
    assert asked == [told or (None if variable else 0)]
