"""X-CLIP and torchvision's networks against figures of their libraries, called by themselves:
xclip.json, torchvision.json."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.official import figures, files, ours

XCLIP = figures.read("xclip")["cases"]["small"]
NETWORKS = figures.read("torchvision")["cases"]
LARGE = [name for name in NETWORKS if NETWORKS[name]["input"]["video"][3] > 32]
"""Those that take no small clips: seconds to minutes each."""


def test_xclip(tmp_path: Path) -> None:
    given, expected = XCLIP["input"], XCLIP["expected"]
    model = ours.xclip(files.xclip(tmp_path / "xclip", given), given)
    found = ours.video_features(model, given)
    found["class_ce"] = ours.step(model, given, "class_ce", smoothing=given["smoothing"])
    figures.check(found, expected)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in LARGE])
def test_torchvision(name: str) -> None:
    given, expected = NETWORKS[name]["input"], NETWORKS[name]["expected"]
    model = ours.torchvision(name, given)
    found = ours.head_features(model, given)
    if "loss" in expected:
        found |= ours.head_step(model.train(given["mode"] == "train"), given)
    if "statistics" in expected:
        found["statistics"] = ours.statistics(model)
    figures.check(found, expected)


@pytest.mark.parametrize("name", LARGE)
def test_torchvision_with_large_clips(name: str, unhurried: None) -> None:
    test_torchvision(name)
