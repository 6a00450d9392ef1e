"""Pretraining on frames and captions."""

from __future__ import annotations

import hashlib
import logging
from math import cos, exp, log, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.errors import UsageError
from sbtools.mask.fill import NORMALISE
from sbtools.models import clip
from sbtools.train.captioned import Captioned, divided, normalised, read, varied
from sbtools.train.contrast import contrast, retrieval
from sbtools.train.pretrain import Plan, pretrain
from tests.making import figure_frames, write_video

COLOURS = {"red": (200, 30, 30), "green": (30, 190, 40), "blue": (40, 40, 220)}
BARS = {"white": 250, "black": 5}


def made(folder: Path, count: int = 20, frames: int = 4) -> list[dict[str, Any]]:
    """Clips of a bar that blinks before one colour, as arrays."""
    draw = np.random.default_rng(0)
    records = []
    for number in range(count):
        colour = list(COLOURS)[number % 3]
        images = np.empty((frames, 64, 64, 3), np.uint8)
        captions = []
        for t in range(frames):
            bar = list(BARS)[(number + t) % 2]
            images[t] = np.clip(COLOURS[colour] + draw.normal(0, 8, (64, 64, 3)), 0, 255)
            images[t, 24:40, 4:60] = BARS[bar]
            captions.append(f"{colour} behind, {bar} bar" if number % 5 else f"{colour} behind")
        np.save(folder / f"{number}.npy", images)
        records.append(
            {"id": f"clip {number}", "arrays": f"{number}.npy", "captions": captions,
             "video": "none.mp4", "source": f"source {number // 2}"}
        )  # fmt: skip
    return records


def test_the_loss_is_that_of_the_slow_way() -> None:
    draw = np.random.default_rng(1)
    images, texts = (draw.normal(size=(n, 4)) for n in (6, 3))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    own, scale = [0, 1, 1, 2, 0, 1], 5.0
    score = [[exp(scale * float(v @ t)) for t in texts] for v in images]
    to_texts = -sum(log(score[i][k] / sum(score[i])) for i, k in enumerate(own)) / 6
    to_images = 0.0
    for k in range(3):
        total = sum(score[i][k] for i in range(6))
        mine = [i for i in range(6) if own[i] == k]
        to_images -= sum(log(score[i][k] / total) for i in mine) / len(mine) / 3
    found = contrast(
        torch.from_numpy(images), torch.from_numpy(texts), torch.tensor(own), torch.tensor(scale)
    )
    assert float(found) == pytest.approx((to_texts + to_images) / 2, rel=1e-6)


def test_a_tenth_of_the_sources_is_held_out_and_clips_of_one_source_stay_together() -> None:
    records = [
        {"id": f"{n}", "source": f"s{n % 30}", "captions": ["x"], "split": "captions"}
        for n in range(90)
    ]
    left_out = [
        {"id": "failed", "captions": ["x"], "error": {}},
        {"id": "bare"},
        {"id": "empty", "captions": []},
    ]
    own, held = divided([*records, *left_out], seed=1)
    assert len(held) == 9 and len(own) == 81
    assert not {r["source"] for r in own} & {r["source"] for r in held}
    assert divided(records[::-1], seed=1)[1] == held[::-1]
    assert {r["source"] for r in divided(records, seed=2)[1]} != {r["source"] for r in held}
    with pytest.raises(UsageError, match="clips of 1 sources have captions"):
        divided([*records[:1], *left_out], seed=1)


def test_frames_come_with_their_own_captions(tmp_path: Path) -> None:
    records = made(tmp_path)
    found = read(records, str(tmp_path), 64, 3, seed=0)
    assert len(found) == 60 and found.frames.shape == (60, 64, 64, 3) and found.phrases == 2
    for image, phrases in zip(found.frames, found.texts, strict=True):
        bar = next(name for name, value in BARS.items() if (image[30:34, 30:34] == value).all())
        assert phrases[1:] in ([], [f"{bar} bar"])
        corner = image[:4, :4].float().mean((0, 1))
        nearest = min(COLOURS, key=lambda c: float((corner - torch.tensor(COLOURS[c])).abs().sum()))
        assert phrases[0] == f"{nearest} behind"


def test_frames_of_videos_are_brought_to_size_and_their_middle_is_taken(tmp_path: Path) -> None:
    frames = [np.full((96, 160, 3), 100, np.uint8) for _ in range(6)]
    for image in frames:
        image[:, :32], image[:, -32:] = 0, 255
    write_video(tmp_path / "a.mp4", frames, options={"crf": "1"})
    record = {"id": "a", "video": "a.mp4", "captions": [f"frame {n}" for n in range(6)]}
    found = read([record], str(tmp_path), 48, 8, seed=0)
    assert [text for (text,) in found.texts] == record["captions"]
    assert found.frames.shape == (6, 48, 48, 3)
    assert (found.frames.float() - 100).abs().max() < 8


def test_clips_that_cannot_be_read_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = made(tmp_path, 3)
    write_video(tmp_path / "a.mp4", figure_frames(5))
    records += [
        {"id": "gone", "video": "gone.mp4", "captions": ["x"]},
        {"id": "short", "video": "a.mp4", "captions": ["x"] * 4},
    ]
    with caplog.at_level(logging.WARNING, "sbtools"):
        found = read(records, str(tmp_path), 64, 2, seed=0)
    assert found.failed == ["gone", "short"] and len(found) == 6
    assert "short: 4 captions, 5 frames" in caplog.text
    with pytest.raises(UsageError, match="none of the 2 clips"):
        read(records[3:], str(tmp_path), 64, 2, seed=0)


def test_frames_are_flipped_unless_their_caption_tells_the_side() -> None:
    texts = [["an arm on the left"], ["leftovers"], ["to the right", "a"], ["none"]]
    held = Captioned(torch.zeros(4, 8, 8, 3, dtype=torch.uint8), texts)
    assert held.sided.tolist() == [True, False, True, False]
    frames = torch.zeros(200, 32, 32, 3, dtype=torch.uint8)
    frames[:, :, :16] = 255  # light on the left
    sided = np.arange(200) < 100
    images = varied(frames, sided, np.random.default_rng(0))
    left_is_light = images[:, 0, :, 4].mean(1) > images[:, 0, :, -4].mean(1)
    assert left_is_light[:100].all()
    assert 30 < int(left_is_light[100:].sum()) < 70


def test_a_crop_stays_inside_the_frame_and_upright() -> None:
    ramp = torch.arange(90, 154, dtype=torch.uint8)[None, :, None, None].expand(50, 64, 64, 3)
    images = varied(ramp, np.ones(50, bool), np.random.default_rng(0))
    rows = images[:, 0].mean(-1)
    assert (rows.diff(dim=1) > 0).all()
    span = rows[:, -1] - rows[:, 0]
    assert float(span.max() / span.min()) > 1.1


def test_constants_are_clips() -> None:
    grey = normalised(torch.full((1, 3, 2, 2), 0.5))
    mean, std = NORMALISE["clip"]
    for channel in range(3):
        assert float(grey[0, channel, 0, 0]) == pytest.approx((0.5 - mean[channel]) / std[channel])


def test_the_rate_rises_and_falls_to_nothing() -> None:
    plan = Plan(epochs=1, batch=1, lr=2.0, seed=0)
    rates = [plan.rate(step, 100) for step in range(100)]
    assert rates[:5] == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert rates[52] == pytest.approx(1 + cos(pi * 47 / 95))
    assert rates[99] < 0.01 and rates[5:] == sorted(rates[5:], reverse=True)


def train(folder: Path, name: str, **settings: Any) -> Any:
    asked = {"epochs": 8, "batch": 10, "lr": 2e-3, "frames": 4, "seed": 1, **settings}
    return pretrain(made(folder), str(folder), str(folder / name), **asked)


def test_what_is_learnt_is_in_the_file_and_the_same_again(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    told = train(tmp_path, "a.safetensors", epoch_line=lines.append)
    assert [line["epoch"] for line in lines] == list(range(1, 9))
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    assert told["retrieval"] == lines[-1]["retrieval"]
    assert told["phrases"][0]["top1"] == told["phrases"][1]["top1"] == 1
    assert (told["clips"], told["held_out"], told["failed"]) == (18, 2, [])
    assert told["sha256"] == hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()

    model = clip.load(str(tmp_path / "a.safetensors"))
    _, held = divided(made(tmp_path), 1)
    frames = read(held, str(tmp_path), 64, 4, 1)
    assert retrieval(model, frames) == {name: told[name] for name in ("retrieval", "phrases")}


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    found = []
    for place, seed in enumerate((1, 1, 2)):
        train(tmp_path, f"{place}.safetensors", epochs=1, seed=seed)
        found.append(clip.load(str(tmp_path / f"{place}.safetensors")).state_dict())
    one, same, other = found
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(
        torch.equal(one[name], other[name]) for name in ("visual.proj", "text_projection")
    )


def test_retrieval_counts_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images whose features are those of the texts red, blue, blue, against their captions."""
    model = clip.random(clip_arch(), 0)
    table = {"red": [1.0, 0], "blue": [0, 1.0], "red, big": [0.9, 0.5], "blue, big": [0.1, 1]}
    names = list(table)
    monkeypatch.setattr(
        model, "tokenize", lambda texts: torch.tensor([[names.index(t)] for t in texts])
    )
    monkeypatch.setattr(
        model, "encode_text", lambda rows: torch.tensor(list(table.values()))[rows[:, 0]]
    )
    shown = torch.tensor([[1.0, 0], [0, 1], [0, 1]])
    monkeypatch.setattr(model, "encode_image", lambda images: shown)
    table["big"] = [1.0, 1.0]
    names.append("big")
    held = Captioned(
        torch.zeros(3, 8, 8, 3, dtype=torch.uint8), [["red", "big"], ["blue", "big"], ["red"]]
    )
    assert retrieval(model, held) == {
        "retrieval": {"top1": pytest.approx(1 / 3, abs=1e-4), "texts": 3},
        "phrases": [
            {"top1": pytest.approx(2 / 3, abs=1e-4), "texts": 2},
            {"top1": 1.0, "texts": 1},
        ],
    }


def clip_arch() -> Any:
    from sbtools.models.arch import ARCHES

    return ARCHES["tiny"]


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    asked = iter([False] * 5 + [True] * 1000)
    assert train(tmp_path, "a.safetensors", stop=lambda: next(asked)) is None
    assert not list(tmp_path.glob("*safetensors*"))


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        train(tmp_path, "no/such/a.safetensors", epoch_line=lambda line: pytest.fail("too late"))
    with pytest.raises(UsageError, match="no CLIP 'huge'"):
        train(tmp_path, "a.safetensors", arch="huge")
