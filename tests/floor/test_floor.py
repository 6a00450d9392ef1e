"""The comparison finds what changed: a loss by 1e-10, a draw, a bit of a mask, a digest."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.floor import compare, pieces, steps
from tests.floor.pieces import Case, Training
from tests.floor.tensors import described

MIXED = {"ratio": "1:3"}
CASE = Case("vificlip", "mask", method_settings=MIXED)
STEPS = 2
Told = dict[str, Any]


def figures(case: Case = CASE) -> Told:
    told = steps.trained(case, steps=STEPS)
    about = {"torch": torch.__version__}
    return {
        "about": about,
        "digests": {"masks": "3d"},
        "figures": {"a": json.loads(json.dumps(told))},
    }


@pytest.fixture(scope="module")
def before() -> Told:
    torch.set_num_threads(1)
    return figures()


def found(before: Told, after: Told) -> list[str]:
    return list(compare.changes(before, after))


def test_the_same_figures_twice(before: Told, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(before))
    (tmp_path / "b.json").write_text(json.dumps(figures()))
    assert compare.main([str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "1 of 1 digests are the same" and out[-1] == "nothing changed"
    assert "1 of 1 trainings equal bit for bit" in out[1]


def loss_off(patch: pytest.MonkeyPatch) -> None:
    plain = Training.step

    def off(*given: Any) -> dict[str, float]:
        return {name: loss + 1e-10 for name, loss in plain(*given).items()}

    patch.setattr(Training, "step", off)


def rate_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pieces, "RATE", pieces.RATE * (1 + 1e-10))


def draws_swapped(patch: pytest.MonkeyPatch) -> None:
    other = {"clip 0": "clip 1", "clip 1": "clip 0"}
    _clips(patch, lambda batch: {**batch, "id": [other.get(id, id) for id in batch["id"]]})


def one_bit(patch: pytest.MonkeyPatch) -> None:
    def changed(batch: Told) -> Told:
        batch["person"][0, 1, 3, 4] ^= True
        return batch

    _clips(patch, changed)


def _clips(patch: pytest.MonkeyPatch, change: Callable[[Told], Told]) -> None:
    plain = steps.clips
    patch.setattr(steps, "clips", lambda *given: change(plain(*given)))


@pytest.mark.parametrize("change", [loss_off, rate_off, draws_swapped, one_bit])
def test_a_change_is_found(
    change: Callable[[pytest.MonkeyPatch], None], before: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    assert found(before, figures())


def test_texts_that_are_read_are_counted(before: Told) -> None:
    """Of the clips 0 1 2 3, then 4 5 6 0, whose labels are their numbers modulo 5."""
    assert before["figures"]["a"]["texts"] == [[1, 4], [1, 3]]
    after = copy.deepcopy(before)
    after["figures"]["a"]["texts"] = [[1, 4], [2, 3]]
    text = "a: the text tower is called more, or reads more, in step 2"
    assert found(before, after) == [text] and found(after, before) == []


def test_a_resumed_training_and_one_in_parts_are_told_apart(before: Told) -> None:
    resumed = figures(replace(CASE, resumed=True))
    assert found(before, resumed) == []
    assert found(before, figures(replace(CASE, accumulate=2)))


def test_digests_and_what_is_gone(before: Told) -> None:
    after = copy.deepcopy(before)
    after["digests"]["masks"] = "3e"
    weights = after["figures"]["a"]["weights"]
    name = next(iter(weights))
    del weights[name]
    assert found(before, after) == ["masks: another digest", f"a: weight {name} is gone"]
    after = {**before, "digests": {}, "figures": {}}
    assert found(before, after) == ["masks: gone", "a: gone"]
    after["figures"] = {"a": {**before["figures"]["a"], "losses": [{"infonce": float("nan")}] * 2}}
    assert "a: losses differ by inf" in found(before, after)


def test_weights_that_change_places_or_by_little() -> None:
    weights = torch.linspace(-1, 1, 40, dtype=torch.float64)
    plain = described({"w": weights})["w"]
    swapped = weights.clone()
    swapped[[20, 21]] = weights[[21, 20]]
    for changed, off in ((swapped, True), (weights * (1 + 1e-10), True), (weights + 1e-14, False)):
        told = described({"w": changed})["w"]
        assert told["sha256"] != plain["sha256"]
        assert (compare.weight_apart(plain, told) > 1e-12) is off


def test_the_bias_of_keys_stands_apart() -> None:
    told = described({"attn.in_proj_bias": torch.arange(6.0)})
    keys, others = told["attn.in_proj_bias[keys]"], told["attn.in_proj_bias"]
    assert keys["norm"] == pytest.approx(13**0.5) and others["values"] == [0, 1, 4, 5]


def test_saving_keeps_the_bits() -> None:
    training = Training(CASE)
    training.step(steps.clips(0, "float64"), 0, [steps.CLIPS])
    again = Training(CASE)
    again.load(training.save())
    for name, value in training.state().items():
        assert torch.equal(value, again.state()[name]), name


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in steps.cases()]
    assert len(set(names)) == len(names) > 128
    assert np.mean(["2 ranks" in name for name in names]) > 0.4
