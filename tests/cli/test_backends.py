"""What --detector and --segmenter resolve to, and which options reach which back end."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
import pytest

from sbtools.backends import BackendSpec
from sbtools.cli import backends
from sbtools.cli.options import Common, Tolerance
from sbtools.errors import UsageError
from tests.cli.running import lines, shell
from tests.detect.small_dino import save
from tests.making import make_clips


def common(shard: tuple[int, int] = (0, 1)) -> Common:
    return Common(
        inputs=(), root=Path(), workers=0, seed=0, shard=shard, limit=None, label_from="none",
        clip_timeout=1.0, max_failed=Tolerance(), strict=False, dry_run=False, quiet=False,
        verbose=0,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without weights, and not a Slurm job."""
    for name in ("SBTOOLS_WEIGHTS", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(logging.getLogger("sbtools"), "propagate", True)


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("dino") / "small")


def detector(
    name: str, *settings: str, shard: tuple[int, int] = (0, 1), **flags: Any
) -> BackendSpec:
    return backends.detector(common(shard), name, settings, **flags)


def test_auto_without_weights_is_weight_free_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert detector("auto") == BackendSpec("detector", "classic")
    assert backends.segmenter(common(), "auto", ()) == BackendSpec("segmenter", "grabcut")
    assert "no learned detector: classic" in caplog.text
    assert "no learned segmenter: grabcut" in caplog.text


def test_auto_is_learned_where_weights_are_found(
    dino: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SBTOOLS_WEIGHTS", str(dino.parent))
    wanted = BackendSpec("detector", "grounding-dino", {"weights": str(dino)})
    assert detector("auto") == detector("grounding-dino") == wanted
    assert "WARNING" not in caplog.text
    wanted.make().describe()


def test_auto_is_learned_where_weights_are_named(dino: Path) -> None:
    wanted = BackendSpec("detector", "grounding-dino", {"weights": str(dino)})
    assert detector("auto", weights=str(dino)) == wanted
    assert detector("auto", f"weights={dino}") == wanted
    found = backends.segmenter(common(), "auto", (), weights="sam_vit_b_01ec64.pth")
    assert found == BackendSpec("segmenter", "sam", {"weights": "sam_vit_b_01ec64.pth"})


def test_auto_is_refused_where_it_could_differ(dino: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBTOOLS_WEIGHTS", str(dino.parent))
    with pytest.raises(UsageError, match="--shard: name one"):
        detector("auto", shard=(1, 4))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(UsageError, match="Slurm job: name one"):
        backends.segmenter(common(), "auto", ())
    assert detector("grounding-dino", shard=(1, 4)).name == "grounding-dino"


@pytest.mark.parametrize("what", ["detector", "segmenter"])
def test_a_learned_back_end_without_weights_says_how_to_get_them(what: str) -> None:
    with pytest.raises(UsageError, match="sbtools weights fetch"):
        getattr(backends, what)(common(), backends.LEARNED[what], ())


def test_options_become_settings_of_the_detector() -> None:
    found = detector(
        "grounding-dino", "box_threshold=0.4", weights="w", person="woman", download=True,
        device="cpu", batch_frames="4",
    )  # fmt: skip
    assert found.settings == {
        "box_threshold": "0.4", "weights": "w", "person": "woman", "download": True,
        "device": "cpu", "batch_frames": "4",
    }  # fmt: skip
    assert found.make().limits["box_threshold"] == 0.4


def test_options_that_are_not_given_are_no_settings() -> None:
    none = {"weights": None, "person": None, "download": False, "device": None}
    assert detector("hog", **none).settings == {}


def test_any_back_end_may_be_told_the_device_but_not_what_it_cannot_do() -> None:
    assert detector("hog", device="cuda", batch_frames="8").settings == {}
    for flag in ("weights", "person"):
        with pytest.raises(UsageError, match=f"hog has no setting '{flag}'"):
            detector("hog", **{flag: "x"})
    with pytest.raises(UsageError, match="set twice"):
        detector("grounding-dino", "weights=a", weights="b")


@pytest.mark.parametrize("text", ["auto", "1", "64"])
def test_counts_of_frames(text: str) -> None:
    assert backends.BatchFrames().convert(text, None, None) == text


@pytest.mark.parametrize("text", ["0", "-1", "many", "", "1.5"])
def test_what_is_no_count_of_frames(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a count"):
        backends.BatchFrames().convert(text, None, None)


def test_auto_takes_both_learned_back_ends_from_end_to_end(dino: Path, tmp_path: Path) -> None:
    import torch

    from tests.segment.small_sam import official

    make_clips(tmp_path / "clips", 1, frames=6)
    (tmp_path / "weights").mkdir()
    torch.save(official().state_dict(), tmp_path / "weights" / "own.pth")
    (tmp_path / "weights" / "dino").symlink_to(dino)
    line = "sbtools segment -v --frames 1 --object rope --workers 1 --device cpu clips"
    env = {"SBTOOLS_WEIGHTS": str(tmp_path / "weights"), "HF_HUB_OFFLINE": "1"}
    done = shell(line, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr.decode()
    assert b"WARNING" not in done.stderr
    (record,) = lines(done.stdout)
    assert record["made"]["detect"].startswith("grounding-dino; weights=sha256:")
    assert record["made"]["segment"].startswith("sam; ")


def test_boxes_that_records_bring_need_no_word_of_the_detector(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is said before a clip is to be detected, and it is said once."""
    chosen = backends.detector(common(), "auto", (), warn=False)
    boxed, failed, bare = {"id": "a", "boxes": []}, {"id": "b", "error": {}}, {"id": "c"}
    assert [*backends.warned(iter([boxed, failed]), chosen, "auto", False)] == [boxed, failed]
    assert [*backends.warned(iter([bare]), chosen, "classic", False)] == [bare]
    assert not caplog.text
    assert [*backends.warned(iter([boxed, bare, bare]), chosen, "auto", False)][2] == bare
    assert caplog.text.count("no learned detector: classic needs no weights") == 1
    caplog.clear()
    assert [*backends.warned(iter([boxed]), chosen, "auto", True)] == [boxed]
    assert caplog.text.count("no learned detector: classic needs no weights") == 1


def test_segment_says_so_for_clips_without_boxes_alone(tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 1, frames=6)
    boxes = "sbtools detect --detector classic --frames 1 --workers 0 clips"
    env = {"XDG_CACHE_HOME": str(tmp_path / "none")}
    given = shell(f"{boxes} | sbtools segment --frames 1 --workers 0 -o a", cwd=tmp_path, env=env)
    assert given.returncode == 0 and b"no learned segmenter" in given.stderr
    assert b"no learned detector" not in given.stderr
    found = shell("sbtools segment --frames 1 --workers 0 -o b clips", cwd=tmp_path, env=env)
    assert found.stderr.count(b"no learned detector") == 1
