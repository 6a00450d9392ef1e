"""Stills in clips: the equation by hand, which clips, which stills; and banks that are none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools import methods
from sbtools.errors import SbtoolsError, UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.methods.stillmix import StillMix
from sbtools.records import key_of
from sbtools.rng import Draws
from sbtools.store import StoredClip, Stores, StoreWriter, stored_clips
from sbtools.train.folder import require_same
from sbtools.train.opened import open_all, resolve
from tests.bank.made import still_bank
from tests.train.faking import Stop, make_arrays, registered, train
from tests.train.toy_runs import asked, begin, require_identical, state

COUNT, FRAMES, SIDE = 9, 3, 6
DRAWS = Draws(seed=5, epoch=1, step=3)
COLOURS = NORMALISE["clip"]


def batch(count: int = COUNT) -> dict[str, Any]:
    video = np.random.default_rng(1).normal(size=(count, FRAMES, 3, SIDE, SIDE))
    made = {"video": torch.from_numpy(video), "id": [f"v{n}" for n in range(count)]}
    return {**made, "target": torch.eye(count), "normalise": COLOURS}


def opened(folder: Path, **settings: Any) -> StillMix:
    method = methods.build("stillmix", **settings)
    assert isinstance(method, StillMix)
    open_all(method, resolve(method, str(folder)), torch.device("cpu"))
    return method


def stills(store: Path) -> list[np.ndarray]:
    """Frames of a bank, by id, normalised: float64 [3, H, W]."""
    stores = Stores()
    by_id = dict(stored_clips(str(store), stores))
    mean, std = (np.array(values)[:, None, None] for values in COLOURS)
    frames = [StoredClip(stores, by_id[id], key_of(id)).rgb(0) for id in sorted(by_id)]
    return [(frame.transpose(2, 0, 1) / 255 - mean) / std for frame in frames]


def test_the_equation_with_a_bank(tmp_path: Path) -> None:
    still_bank(tmp_path / "bank", 4, SIDE)
    method = opened(tmp_path, bank="bank", p=0.6, alpha=2.0, beta=3.0)
    found, given = method.augment(batch(), DRAWS), batch()
    bank = stills(tmp_path / "bank")
    lam = DRAWS.batch("stillmix").beta(2.0, 3.0)
    mixed = 0
    for place, id in enumerate(given["id"]):
        x = given["video"][place]
        if DRAWS.clip(id, "stillmix").random() < 0.6:
            still = torch.from_numpy(bank[DRAWS.clip(id, "stillmix frame").integers(4)])
            x, mixed = torch.stack([lam * frame + (1 - lam) * still for frame in x]), mixed + 1
            torch.testing.assert_close(found["video"][place], x, rtol=1e-12, atol=1e-12)
        else:
            assert torch.equal(found["video"][place], x)
    assert 0 < mixed < COUNT and 0.05 < lam < 0.95
    assert torch.equal(found["target"], given["target"]) and not method.mixes
    assert method.tally() == {"mixed": mixed, "left": COUNT - mixed}
    assert method.tally() == {"mixed": 0, "left": 0}


def test_the_equation_with_stills_of_the_batch() -> None:
    """Each clip has drawn one still, which all that take it are given; never its own."""
    method = methods.build("stillmix", frames="random", p=1.0)
    assert method.mixes and not method.resources
    found, given = method.augment(batch(), DRAWS), batch()
    lam = DRAWS.batch("stillmix").beta(200.0, 200.0)
    video = given["video"]
    for place, id in enumerate(given["id"]):
        others = [n for n in range(COUNT) if n != place]
        other = others[DRAWS.clip(id, "stillmix other").integers(COUNT - 1)]
        at = DRAWS.clip(given["id"][other], "stillmix frame").integers(FRAMES)
        wanted = lam * video[place] + (1 - lam) * video[other, at]
        torch.testing.assert_close(found["video"][place], wanted, rtol=1e-12, atol=1e-12)
    assert torch.equal(found["target"], given["target"])
    alone = batch(1)
    assert torch.equal(method.augment(alone, DRAWS)["video"], alone["video"])


def test_what_is_drawn_when(tmp_path: Path) -> None:
    """lam by step, the still and whether there is one by clip and epoch."""
    still_bank(tmp_path / "bank", 40, SIDE)
    method = opened(tmp_path, bank="bank", p=0.5)
    given = batch()
    shown = [
        method.augment(given, draws)["video"] != given["video"]
        for draws in (DRAWS, Draws(5, 1, 4), Draws(5, 2, 3))
    ]
    mixed = [part.flatten(1).any(1).tolist() for part in shown]
    assert mixed[0] == mixed[1] != mixed[2]
    part = {"video": given["video"][2:4], "id": given["id"][2:4], "normalise": COLOURS}
    whole = method.augment(given, DRAWS)["video"][2:4]
    assert torch.equal(method.augment(part, DRAWS)["video"], whole)


def test_nothing_is_mixed_and_nothing_opened_with_p_of_0() -> None:
    method = methods.build("stillmix", p=0.0)
    given = batch()
    assert method.augment(given, DRAWS) is given
    assert not method.resources and not method.mixes and method.tally() == {}


def test_frames_of_another_size_are_stretched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch stretches the whole bank; on bytes, which are kept."""
    still_bank(tmp_path / "bank", 3, 15)
    method = opened(tmp_path, bank="bank", p=1.0, alpha=1.0, beta=1.0)
    given = batch()
    first = method.augment(given, DRAWS)["video"]
    method.opened.clear()  # read no more
    assert torch.equal(method.augment(given, DRAWS)["video"], first)
    mean, std = (torch.tensor(values, dtype=torch.float64)[:, None, None] for values in COLOURS)
    large = torch.stack([torch.from_numpy(still) for still in stills(tmp_path / "bank")])
    small = torch.nn.functional.interpolate(
        large * std + mean, (SIDE, SIDE), mode="bilinear", antialias=True
    )
    lam = DRAWS.batch("stillmix").beta(1.0, 1.0)
    for place, id in enumerate(given["id"]):
        still = (small[DRAWS.clip(id, "stillmix frame").integers(3)] - mean) / std
        away = (first[place] - lam * given["video"][place]) / (1 - lam) - still
        assert (away.abs() <= 0.51 / 255 / std).all()
    (kept,) = method._stills.values()
    assert kept.dtype == torch.uint8 and kept.shape == (3, 3, SIDE, SIDE)


def test_state_and_settings(tmp_path: Path) -> None:
    still_bank(tmp_path / "bank", 3, SIDE)
    method = opened(tmp_path, bank="bank", p=0.7, alpha=20.0, beta=60.0)
    method.augment(batch(), DRAWS)
    assert not method.state_dict()
    again = methods.build("stillmix", **method.settings())
    assert again.settings() == method.settings() == {
        "bank": "bank", "p": 0.7, "alpha": 20.0, "beta": 60.0, "frames": "bank"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"p": 1.5}, "p is a probability, 0 to 1, not 1.5"),
        ({"alpha": 0}, "alpha is above 0, not 0"),
        ({"beta": float("nan")}, "beta is above 0, not nan"),
        ({"frames": "all"}, "frames is bank, random, not 'all'"),
        ({"frames": "random", "bank": "b"}, "frames=random takes frames of the batch"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        methods.build("stillmix", **settings)


def test_what_is_no_bank_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    still_bank(tmp_path / "long", frames=2)
    still_bank(tmp_path / "empty", count=0)
    still_bank(tmp_path / "cut", count=2, what={"count": 3})
    with StoreWriter(str(tmp_path / "features"), "features", {}, {}) as out:
        out.add({"id": "a"}, {"digest": "1-a"}, {"features": np.zeros(2, np.float32)})
        out.close()
    (tmp_path / "file").touch()
    (tmp_path / "none").mkdir()
    for bank, told in (
        ("", "method stillmix needs a store: --set bank=PATH"),
        ("gone", "--set bank=gone: there is no such store"),
        ("file", "file is a file, not a store: name a folder"),
        ("none", "not a store: no made.json"),
        ("features", "a store of features, not pixels: make one with `sbtools bank`"),
        ("long", "clip 'c0#0' has 2 frames, not one: make one with `sbtools bank`"),
        ("cut", "the store has 2 of 3 frames: run the same `sbtools bank` to its end"),
        ("empty", "the store is empty: make one with `sbtools bank`"),
    ):
        with pytest.raises(UsageError, match=told):
            resolve(methods.build("stillmix", bank=bank), str(tmp_path))


def test_a_run_that_was_stopped_goes_on_with_its_bank_and_no_other(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    still_bank(tmp_path / "bank")
    records = make_arrays(tmp_path, 7)
    wanted = asked("stillmix", {"bank": "bank", "p": 0.8})
    ends = []
    with registered():
        for name in ("whole", "stopped"):
            run = begin(tmp_path / name, records, wanted)
            if name == "stopped":
                assert train(run, tmp_path, Stop(3))[0] == "term"
            assert train(run, tmp_path)[0] == "done"
            ends.append(state(run))
        require_identical(*ends)
    told = json.loads((tmp_path / "whole" / "run.json").read_text())
    resources = resolve(methods.build("stillmix", bank="bank"), str(tmp_path))
    require_same("whole", told, {**told, "resources": resources})
    shutil.rmtree(tmp_path / "bank")
    still_bank(tmp_path / "bank", seed=1)
    resources = resolve(methods.build("stillmix", bank="bank"), str(tmp_path))
    with pytest.raises(UsageError, match="whole was begun with bank of other content"):
        require_same("whole", told, {**told, "resources": resources})


def test_a_batch_that_does_not_tell_its_colours(tmp_path: Path) -> None:
    still_bank(tmp_path / "bank", 3, SIDE)
    given = {name: value for name, value in batch().items() if name != "normalise"}
    with pytest.raises(SbtoolsError, match="does not say how it is normalised"):
        opened(tmp_path, bank="bank", p=1.0).augment(given, DRAWS)
