"""Methods from outside the package over two ranks, against one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sbtools.errors import SbtoolsError
from sbtools.methods import METHODS
from sbtools.methods.base import Method, Phase
from sbtools.train.group import Ranks
from sbtools.train.loop import RankOptions, run_rank
from tests import two_ranks
from tests.toys import TOYS
from tests.toys.centred import Centred
from tests.toys.mixing import Mixing
from tests.train.faking import Stop
from tests.train.toy_runs import (
    SETTINGS,
    asked,
    begin,
    make_clips,
    register_toys,
    require_identical,
    state,
    toys,
)

DISENTANGLED: dict[str, dict[str, Any]] = {
    "disentangle hsic": {"queue": 3},
    "disentangle joint": {"l_s": 0.0, "independence": "adversarial", "biased": "head"},
    "disentangle scene": {"independence": "adversarial", "seen": "shuffled", "l_b": 1.0},
}
NAMES = [*TOYS, "idle", *DISENTANGLED]


class Idle(Method):
    """Has a phase without terms, which is left out, before that of the objective."""

    name = "idle"

    def build_modules(self, model: Any, facts: Any, build: Any) -> list[dict[str, Any]]:
        self.head = nn.Linear(2, 2)
        return [{"name": "idle.head", "params": list(self.head.parameters())}]

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("idle", trains=("idle.head",), objective=False), Phase())


class MixingWithin(Mixing):
    """What two ranks do, in one process: clips are mixed within the share of each."""

    def augment(self, batch: Any, rng: Any) -> Any:
        half = len(batch["id"]) // 2
        own = (batch["video"], batch["target"])
        parts = [
            super(MixingWithin, self).augment(
                {"video": video, "target": target, "id": batch["id"]}, rng
            )
            for video, target in zip(*(values.tensor_split([half]) for values in own), strict=True)
        ]
        return {**batch, **{k: torch.cat([p[k] for p in parts]) for k in ("video", "target")}}


def register() -> None:
    register_toys()
    METHODS["idle"] = f"{__name__}:Idle"


def work(ranks: Ranks, folder: str) -> None:
    """Each to its end, and one that rank 1 stops; then what may become of a fit."""
    register()
    told: list[Any] = []
    plain = Centred.fit
    Centred.fit = lambda self, run: (told.append("fit"), plain(self, run))[1]  # type: ignore
    for name in NAMES:
        told.append(run(ranks, f"{folder}/{name}"))
        told.append(run(ranks, f"{folder}/{name} stopped", Stop(3, "usr1") if ranks.rank else None))
        told.append(run(ranks, f"{folder}/{name} stopped"))
    told.append(run(ranks, f"{folder}/cut", None if ranks.rank else Stop(4)))
    told.append(run(ranks, f"{folder}/cut"))
    Centred.fit = fails  # type: ignore[method-assign]
    told.append(run(ranks, f"{folder}/failed"))
    Path(f"{folder}/told.{ranks.rank}").write_text(json.dumps(told))


def run(ranks: Ranks, folder: str, stop: Stop | None = None) -> str:
    options = RankOptions(root=str(Path(folder).parent))
    try:
        return run_rank(folder, ranks.rank, 2, "cpu", stop or Stop(), options)
    except SbtoolsError as fault:
        return str(fault)


def fails(method: Method, run: Any) -> dict[str, Tensor]:
    raise ZeroDivisionError("of all things")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "one").mkdir()
    with toys():
        METHODS["idle"] = f"{__name__}:Idle"
        records = make_clips(folder)
        make_clips(folder / "one")
        for name in NAMES:
            told = {**SETTINGS, **DISENTANGLED}.get(name, {})
            # Under AdamW gradients of nearly 0 move weights by rounding.
            more = {"optimiser": "sgd"} if name in DISENTANGLED else {}
            wanted = asked(name.partition(" ")[0], told, dropout=0.0, **more)
            for place in (folder / name, folder / f"{name} stopped", folder / "one" / name):
                begin(place, records, wanted)
        for name in ("cut", "failed"):
            begin(folder / name, records, asked("centred", SETTINGS["centred"], dropout=0.0))
        two_ranks.start(work, str(folder))
        METHODS["mixing"] = f"{__name__}:MixingWithin"
        for name in NAMES:
            options = RankOptions(root=str(folder))
            assert run_rank(f"{folder}/one/{name}", 0, 1, "cpu", Stop(), options) == "done"
        begin(folder / "one" / "none", records, asked("none", {}, dropout=0.0))
        assert run_rank(f"{folder}/one/none", 0, 1, "cpu", Stop(), options) == "done"
        del METHODS["idle"]
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_two_ranks_are_one_process(runs: Path, name: str) -> None:
    two, one = state(runs / name), state(runs / "one" / name)
    assert two.keys() == one.keys()
    for key, value in one.items():
        if not key.startswith("/optimizer"):
            torch.testing.assert_close(two[key], value, rtol=1e-5, atol=1e-5, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_stopped_by_one_rank_and_resumed(runs: Path, name: str) -> None:
    require_identical(state(runs / f"{name} stopped"), state(runs / name))


def test_one_rank_fits_once_and_again_only_where_it_was_stopped(runs: Path) -> None:
    first, second = (json.loads((runs / f"told.{rank}").read_text()) for rank in (0, 1))
    each = ["done", "usr1", "done"]
    failed = "fit: ZeroDivisionError: of all things"
    others = each * (len(NAMES) - 1)
    assert first == ["fit", "done", "fit", "usr1", "done", *others, "fit", "term", "fit", "done",
                     failed]  # fmt: skip
    assert second == [*each, *others, "term", "done", failed]
    require_identical(state(runs / "cut"), state(runs / "centred"))
    assert not (runs / "failed" / "last.pt").exists()


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_phase_without_terms_changes_nothing(runs: Path, ranks: int) -> None:
    idle, plain = state(runs / ("one/idle" if ranks == 1 else "idle")), state(runs / "one" / "none")
    if ranks == 1:
        shared = {k: v for k, v in idle.items() if k.startswith(("/model", "/ema/model"))}
        require_identical(shared, {key: plain[key] for key in shared})
    else:
        torch.testing.assert_close(idle["/model/table"], plain["/model/table"])
    line = json.loads((runs / "one" / "idle" / "log.jsonl").read_text().splitlines()[0])
    assert list(line["losses"]) == ["infonce"]
    steps = [key for key in idle if key.startswith("/optimizer") and key.endswith("/step")]
    assert len(steps) == len([k for k in plain if k.startswith("/optimizer") and k[-5:] == "/step"])
