"""The scene probe of a card: of the evaluation's own pass, and as `sbtools probe` tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.cli.process import call
from sbtools.evaluate.run import Answer
from sbtools.probe.card import Scenes
from sbtools.store import Stores
from tests.features import made as models

pytestmark = pytest.mark.usefixtures("alone")

NAMES = ("tiles", "night", "beach")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the settings of whoever runs the tests."""
    for name in ("SBTOOLS_ROOT", "SBTOOLS_SHARD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def records(clips: Path, tmp_path: Path) -> Path:
    """The four generated videos, three times each, under two scenes."""
    videos = sorted(clips.rglob("*.mp4"))
    kept = [
        {"id": f"{video.stem}/{copy}", "video": str(video), "label": video.parent.name,
         "source": video.stem, "scene": NAMES[at % 2]}
        for at, video in enumerate(videos) for copy in range(3)
    ]  # fmt: skip
    path = tmp_path / "clips.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in kept))
    return path


def test_a_card_has_the_probe_that_the_commands_tell_in_no_more_passes(
    records: Path, tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    kept: list[Scenes] = []
    measured, forward = Scenes.measured, models.Pooled.forward
    monkeypatch.setattr(
        Scenes, "measured", lambda self, *given: (kept.append(self), measured(self, *given))[1]
    )
    monkeypatch.setattr(
        models.Pooled, "forward", lambda self, v: (seen.append(len(v)), forward(self, v))[1]
    )
    common = ["--classes", "walk,wave", "--workers", "0", "-q", "--device", "cpu"]
    words = ["card", "tests.features.made:grid", *common, "--examples", "0", "--bootstrap", "30"]
    assert call([*words, str(records), "-o", str(tmp_path / "card.html")]) == 0
    found = json.loads((tmp_path / "card.json").read_text())
    table = capfd.readouterr().out.splitlines()
    assert sum(seen) <= 12 * len(found["views"]) + 1  # and one that is counted for --threads
    store = ["features", "--model", "tests.features.made:grid", *common]
    assert call([*store, "-o", str(tmp_path / "s"), str(records)]) == 0
    (tmp_path / "f.jsonl").write_text(capfd.readouterr().out)
    records_of = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    stored = {record["id"]: Stores().clip(record["features"]).features for record in records_of}
    for id, row in zip(kept[0]._found.ids, kept[0]._found.features, strict=True):
        np.testing.assert_allclose(row, stored[id], atol=1e-6)
    probe = ["probe", "--target", "scene", "--bootstrap", "30", str(tmp_path / "f.jsonl")]
    assert call(probe) == 0
    told = json.loads(capfd.readouterr().out)
    assert told.pop("store")["view"] == "plain"
    assert found["scene_probe"] == told and (told["n"], told["clusters"]) == (12, 4)
    assert table[-1].split()[:3] == ["scene", "probe", f"{100 * told['accuracy']:.2f}"]
    assert "chance 50.00, majority 50.00" in table[-1]
    page = (tmp_path / "card.html").read_text()
    row = page.partition("<h3>Scene probe</h3>")[2].partition("</table>")[0]
    low, high = told["interval"]
    for shown in (f"{100 * told['accuracy']:.2f}", f"[{100 * low:.1f}, {100 * high:.1f}]", "50.00"):
        assert shown in row


def test_clips_without_a_scene_or_features_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    scenes = Scenes(".")
    row = np.ones(3, np.float32)
    scenes.see(Answer({"id": "a"}, features=row))
    scenes.see(Answer({"id": "b", "scene": "sky"}))
    scenes.see(Answer({"id": "c", "scene_scores": "gone/0.h5::clips/c"}, features=row))
    scenes.see(Answer({"id": "d", "error": {}}))
    assert scenes.measured(10, 0) is None and "does not exist" in caplog.text
    scenes.see(Answer({"id": "e", "scene": "sky"}, features=row))
    assert scenes.measured(10, 0) is None
    assert "there is no scene probe: every clip has the scene 'sky'" in caplog.text
    for at in range(6):
        scenes.see(Answer({"id": f"f{at}", "scene": NAMES[at % 2]}, features=row * at))
    scenes.see(Answer({"id": "g", "scene": NAMES[0]}, features=row * float("nan")))
    assert scenes.measured(10, 0) is None  # sky is of one source
    scenes.see(Answer({"id": "h", "scene": "sky"}, features=row))
    told = scenes.measured(10, 0)
    assert told is not None and (told["n"], told["failed"], told["left_out"]) == (8, 1, 4)
