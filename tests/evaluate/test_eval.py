"""`sbtools eval`: models made by hand get what must come out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sbtools.cli.process import call
from sbtools.demo.actions import NAMES
from sbtools.demo.looks import CLOTHES
from sbtools.demo.scenes import SCENES
from sbtools.evaluate import combine, result, run
from sbtools.evaluate.predictor import Predictions
from sbtools.evaluate.scores import Collected
from sbtools.loader import Clips, Failure, finish
from sbtools.loader.sample import Sample, collate
from sbtools.models.recipe import Recipe
from sbtools.records import Record
from sbtools.store import read_rows
from sbtools.store.rows_reader import unusable
from tests.evaluate import scorers
from tests.evaluate.scorers import FRAMES, RECIPE, Linear

Judge = Callable[..., dict[str, Any]]


def records(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def value(found: dict[str, Any], view: str) -> float:
    top1: float = found["views"][view]["top1"]["value"]
    return top1


def share(kept: list[Record], field: str, names: list[str]) -> float:
    """Of clips whose cue is that of their own class: what one who goes by it must get."""
    own = [names.index(record[field]) == NAMES.index(record["label"]) for record in kept]
    return sum(own) / len(own)


def videos(demo: Path, kept: list[Record], **options: Any) -> list[torch.Tensor]:
    """What a model sees of clips, item by item: [1, T, 3, 64, 64]."""
    clips = Clips(kept, (), Recipe(**RECIPE), FRAMES, train=False, root=str(demo), **options)
    made = []
    for place in range(len(clips)):
        sample = clips[place, 0]
        assert isinstance(sample, Sample)
        made.append(finish(collate([sample], FRAMES, 64), clips.recipe)["video"])
    return made


def test_a_perfect_and_a_constant_model(judge: Judge) -> None:
    perfect = judge("perfect", "--controls", "iid.jsonl")
    assert {value(perfect, view) for view in perfect["views"]} == {1.0}
    assert len(perfect["views"]) == 11 and perfect["clips"]["used"] == 36
    constant = judge("constant", "--controls", "conflict.jsonl")
    for view in constant["views"]:
        assert value(constant, view) == pytest.approx(1 / 12)
    chief = {name: measure["value"] for name, measure in constant["metrics"].items()}
    assert chief["shacc"] == chief["sberr"] == pytest.approx(1 / 12) and chief["bg_wins"] == 0.5


def test_a_scene_model_lives_by_the_scene_and_dies_with_it(judge: Judge, demo: Path) -> None:
    known = ["--set-model", "records=both.jsonl"]
    both = (demo / "iid.jsonl").read_text() + (demo / "conflict.jsonl").read_text()
    (demo / "both.jsonl").write_text(both)
    iid = judge("by_cue", *known, "--views", "plain,bg,person-box,scene,static", "iid.jsonl")
    expected = share(records(demo / "iid.jsonl"), "scene", list(SCENES))
    assert expected > 0.75
    assert value(iid, "plain") == expected
    assert value(iid, "static") > expected - 0.15
    assert value(iid, "person-box") > expected - 0.1 and value(iid, "scene") > expected - 0.15
    assert value(iid, "bg") < 0.35
    conflict = judge("by_cue", *known, "conflict.jsonl")["metrics"]
    assert (conflict["shacc"]["value"], conflict["sberr"]["value"]) == (0, 1)
    assert conflict["bg_wins"]["value"] == 1


def test_a_clothes_model_survives_masking(judge: Judge, demo: Path) -> None:
    known = ["--set-model", "records=iid.jsonl", "--set-model", "cue=clothes"]
    found = judge("by_cue", *known, "--views", "plain,bg,person-box,static", "iid.jsonl")
    expected = share(records(demo / "iid.jsonl"), "clothes", list(CLOTHES))
    assert value(found, "plain") == value(found, "bg") == expected > 0.75
    assert value(found, "person-box") < 0.35
    assert found["metrics"]["p_ratio"]["value"] == 1


def test_scores_are_those_of_the_model_whatever_the_batch(judge: Judge, demo: Path) -> None:
    kept = sorted(records(demo / "iid.jsonl"), key=lambda record: str(record["id"]))
    network = Linear(list(NAMES))
    with torch.no_grad():
        rows = torch.cat([network(video) for video in videos(demo, kept)])
    expected = rows.argmax(1).tolist()
    for batch in ("5", "7", "36"):  # 36 = 7 * 5 + 1: a last batch of one
        found = judge("linear", "--batch", batch, "--views", "plain", "iid.jsonl")
        assert found["per_clip"]["views"]["plain"]["predicted"] == expected
        assert found["per_clip"]["id"] == [record["id"] for record in kept]


def test_several_clips_and_crops_average_probabilities(judge: Judge, demo: Path) -> None:
    kept = records(demo / "iid.jsonl")[:4]
    network = Linear(list(NAMES))
    seen = videos(demo, kept, clips=2, crops=3)
    with torch.no_grad():
        shares = torch.cat([network(video).softmax(1) for video in seen])
    expected = shares.view(4, 6, 12).mean(1).argmax(1).tolist()
    words = ["--clips", "2", "--crops", "3", "--limit", "4", "--scores", "many", "--batch", "12"]
    found = judge("linear", *words, "--views", "plain", "iid.jsonl")
    assert found["per_clip"]["views"]["plain"]["predicted"] == expected
    assert found["model"]["kind"] == "log-probabilities"
    block = next(read_rows(str(demo / "many")))
    mine = shares.view(4, 6, 12).mean(1).numpy()
    np.testing.assert_allclose(np.exp(block.scores["plain"]), mine, atol=1e-6)


def test_coverage_is_the_share_that_masks_cover(judge: Judge, demo: Path) -> None:
    kept = records(demo / "iid.jsonl")[:5]
    words = ["--clips", "2", "--limit", "5", "--views", "plain,bg", "iid.jsonl"]
    coverage = judge("linear", *words)["views"]["bg"]["coverage"]
    clips = Clips(kept, (), Recipe(**RECIPE), FRAMES, train=False, needs={"masks"},
                  root=str(demo), clips=2)  # fmt: skip
    samples = [clips[place, 0] for place in range(10)]
    areas = [s.arrays["person"].mean() for s in samples if isinstance(s, Sample)]
    assert len(areas) == 10 and 0.02 < np.mean(areas) < 0.5
    assert coverage["area"]["value"] == pytest.approx(np.mean(areas), abs=1e-6)
    assert coverage["frames"]["value"] == 1 and coverage["empty"]["value"] == 0


def test_what_failed_is_out_of_all_views_and_named(judge: Judge, demo: Path) -> None:
    kept = records(demo / "iid.jsonl")[:8]
    kept[1]["video"] = "nowhere.mp4"
    kept[3]["error"] = {"stage": "segment", "kind": "truncated", "message": "cut"}
    kept[5].pop("masks")
    text = "".join(json.dumps(record) + "\n" for record in kept)
    (demo / "some.jsonl").write_text(text)
    found = judge("linear", "some.jsonl", status=3)
    names = {clip["id"]: (clip["stage"], clip["kind"]) for clip in found["clips"]["failed"]}
    assert names == {
        kept[1]["id"]: ("eval", "missing"),
        kept[3]["id"]: ("segment", "truncated"),
        kept[5]["id"]: ("eval", "missing"),
    }
    assert (found["clips"]["asked"], found["clips"]["used"]) == (8, 5)
    for view in found["views"].values():
        assert view["top1"]["count"] == 5
    judge("linear", "--max-failed", "3", "some.jsonl")


def test_a_clip_that_fails_in_one_view_is_out_of_all(judge: Judge, demo: Path) -> None:
    found = judge("touchy", "--limit", "6", "--views", "plain,static", "iid.jsonl")
    assert found["clips"]["used"] == 6
    words = ["--limit", "6", "--views", "plain,bg", "--scores", "touched", "iid.jsonl"]
    judge("touchy", *words, status=1)
    kept = [record for block in read_rows(str(demo / "touched")) for record in block.records]
    assert len(kept) == 6
    for record in kept:
        assert "view bg" in record["error"]["message"] and record["error"]["stage"] == "eval"


def test_a_record_that_fails_in_one_item_has_failed() -> None:
    shown: list[list[str]] = []

    def said(batch: dict[str, Any], look: Any, each: int) -> Predictions:
        assert each == 2
        shown.append(batch["id"])
        rows = np.zeros((len(set(batch["id"])), 2), np.float32)
        return Predictions({"plain": rows + batch["video"][::2, :1].numpy()})

    video = torch.arange(5.0).view(5, 1)
    batch = {"id": ["a", "a", "b", "c", "c"], "video": video, "place": [0, 0, 1, 2, 2]}
    sink = Collected(["x", "y"], "logits", ["plain"])
    known = {id: {"id": id} for id in "abc"}
    said.stage = "eval"  # type: ignore[attr-defined]
    said.unusable = unusable  # type: ignore[attr-defined]
    cut = [Failure("b", "truncated", "cut")]
    for answer in run._answers(known, said, batch, cut, None, 2):  # type: ignore[arg-type]
        sink.add_scores(answer.record, answer.scores, answer.covered, answer.area)
    assert shown == [["a", "a", "c", "c"]]
    (block,) = sink.scores().blocks
    assert [record["id"] for record in block.records] == ["a", "b", "c"]
    assert block.records[1]["error"] == {"stage": "eval", "kind": "truncated", "message": "cut"}
    np.testing.assert_array_equal(block.scores["plain"], [[0, 0], [np.nan, np.nan], [3, 3]])


def test_the_number_of_classes_is_that_of_the_list(judge: Judge, demo: Path) -> None:
    few = "".join(
        json.dumps(r) + "\n" for r in records(demo / "iid.jsonl") if r["label"] in NAMES[:2]
    )
    (demo / "few.jsonl").write_text(few)
    found = judge("linear", "--views", "plain", "few.jsonl")
    assert len(found["classes"]) == 12
    assert found["metrics"]["top1"]["chance"] == pytest.approx(1 / 12)
    judge("linear", "--classes", ",".join(NAMES[1:]), "few.jsonl", status=2)


def test_a_model_with_classes_of_its_own_takes_labels_in_any_spelling(
    judge: Judge, tmp_path: Path
) -> None:
    out = tmp_path / "own.json"
    words = ["--model", "tests.evaluate.scorers:own", "--views", "plain", "--workers", "0", "-q"]
    assert call(["eval", *words, "-o", str(out), "iid.jsonl"]) == 0
    found = result.read(str(out))
    assert found["classes"] == list(NAMES) and found["model"]["name"] == words[1]
    given = judge("linear", "--views", "plain", "iid.jsonl")
    assert found["per_clip"] == given["per_clip"]


def test_masks_are_looked_for_beyond_the_first_record(judge: Judge, demo: Path) -> None:
    kept = records(demo / "iid.jsonl")[:3]
    kept[0].pop("masks")
    (demo / "late.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))
    found = judge("linear", "late.jsonl", status=3)
    assert list(found["views"]) == ["plain", "bg", "person-box"] and found["clips"]["used"] == 2


def test_base_and_novel_choose_among_their_own_and_share_a_mean(
    judge: Judge, demo: Path, tmp_path: Path
) -> None:
    for name, part in (("base", NAMES[:8]), ("novel", NAMES[8:])):
        (demo / f"{name}.txt").write_text("\n".join(part) + "\n")
    words = ["--model", "tests.evaluate.scorers:linear", "--base", "base.txt", "--novel"]
    words += ["novel.txt", "--workers", "0", "--bootstrap", "20", "-q"]
    assert call(["eval", *words, "-o", str(tmp_path / "r.json"), "iid.jsonl"]) == 0
    base, novel = (result.read(str(tmp_path / f"r-{name}.json")) for name in ("base", "novel"))
    assert (len(base["classes"]), len(novel["classes"])) == (8, 4)
    assert base["clips"]["used"] == 24 and novel["clips"]["used"] == 12
    b, n = base["metrics"]["top1"]["value"], novel["metrics"]["top1"]["value"]
    expected = 2 * b * n / (b + n) if b + n else 0
    assert base["metrics"]["harmonic"]["value"] == pytest.approx(expected)
    assert base["metrics"]["harmonic"] == novel["metrics"]["harmonic"]
    p_view = combine.base_to_novel(base, novel, 20)["bg"]
    assert novel["metrics"]["p_harmonic"]["value"] == p_view["value"]


def test_a_store_is_continued_and_judged_again_without_a_model(
    judge: Judge, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = judge("linear", "iid.jsonl")
    judge("linear", "--limit", "10", "--scores", "kept", "iid.jsonl")
    whole = judge("linear", "--scores", "kept", "iid.jsonl")
    again = judge("", "--from-scores", "kept")
    for found in (whole, again):
        for part in ("metrics", "views", "differences", "per_clip", "masks", "classes"):
            assert found[part] == direct[part], part
    assert again["model"]["name"] == "tests.evaluate.scorers:linear"
    assert again["protocol"]["frames"] == FRAMES
    calls: list[int] = []
    monkeypatch.setattr(Linear, "forward", lambda self, video: calls.append(1))
    few = judge("linear", "--limit", "10", "--examples", "0", "--scores", "kept", "iid.jsonl")
    assert not calls
    assert few["clips"]["asked"] == few["clips"]["used"] == 10
    judge("linear", "--scores", "kept", "--seed", "1", "iid.jsonl", status=2)
    judge("linear", "--scores", "kept", "--set-model", "gain=2", "iid.jsonl", status=2)
    monkeypatch.setattr(scorers, "GAIN", 3.0)
    judge("linear", "--scores", "kept", "iid.jsonl", status=2)  # other weights, the same name


def test_shards_keep_scores_alone(judge: Judge, demo: Path) -> None:
    direct = judge("linear", "iid.jsonl")
    words = ["eval", "--model", "tests.evaluate.scorers:linear", "--classes", "classes.txt"]
    counts: list[int] = []
    for index in range(3):
        mine = ["--shard", f"{index}/3", "--scores", "parts", "--workers", "0", "-q", "iid.jsonl"]
        assert call([*words, *mine]) == 0
        counts.append(sum(len(block.records) for block in read_rows(str(demo / "parts"))))
    assert 0 < counts[0] < counts[1] < counts[2] == 36
    found = judge("", "--from-scores", "parts")
    assert found["clips"]["used"] == 36
    for view in direct["views"]:
        assert value(found, view) == value(direct, view)
    assert call([*words, "--shard", "0/3", "-q", "iid.jsonl"]) == 2


def test_masked_clips_are_never_masked_twice_nor_read_from_their_video(
    judge: Judge, demo: Path
) -> None:
    import subprocess

    from tests.cli.running import SBTOOLS, environment

    with open(demo / "pixels.jsonl", "wb") as out:
        subprocess.run(
            [*SBTOOLS, "mask", "--mode", "bg", "--fill", "mean", "-o", "pixels", "iid.jsonl"],
            cwd=demo, env=environment(), stdout=out, check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    judge("linear", "--views", "plain,bg", "pixels.jsonl", status=2)
    judge("linear", "--scores", "one", "--fill", "mean", "--views", "plain,bg", "iid.jsonl")
    masked = judge("linear", "--scores", "two", "pixels.jsonl")
    assert list(masked["views"]) == ["plain"] and masked["protocol"]["frame_source"] == "pixels"
    view = next(read_rows(str(demo / "one"))).scores
    pixels = next(read_rows(str(demo / "two"))).scores["plain"]
    weights = Linear(list(NAMES)).weight.detach().abs().sum(1).max().item()
    rounding = 0.5 / 255 / 0.224 * weights  # half a grey level, over the least deviation
    assert np.abs(view["bg"] - pixels).max() <= rounding
    assert np.abs(view["plain"] - pixels).max() > 10 * rounding


def test_examples_show_what_the_model_saw(judge: Judge, demo: Path) -> None:
    found = judge("linear", "--examples", "2", "--views", "plain,bg", "--fill", "200,100,0",
                  "iid.jsonl")  # fmt: skip
    assert [set(clip["views"]) for clip in found["examples"]] == [{"plain", "bg"}] * 2
    assert len({clip["label"] for clip in found["examples"]}) == 2
    uri = found["examples"][0]["views"]["bg"][0]
    assert uri.startswith("data:image/jpeg;base64,")
    data = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    corner = picture[:10, :10].reshape(-1, 3).mean(0)
    assert np.abs(corner - (0, 100, 200)).max() < 6


def test_single_clips_are_named_not_judged(
    judge: Judge, demo: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    first = records(demo / "iid.jsonl")[0]
    with torch.no_grad():
        shares = Linear(list("abc"))(videos(demo, [{"id": "x", "video": first["video"]}])[0])
    shares = shares.softmax(1)[0]
    words = ["eval", "--model", "tests.evaluate.scorers:linear", "--classes", "a,b,c"]
    assert call([*words, "--workers", "0", "-q", first["video"]]) == 0
    told = capfdbinary.readouterr().out.decode().split("\n")
    best = int(shares.argmax())
    assert told[1].split() == ["plain", f"{100 * float(shares[best]):.2f}", "abc"[best]]
    assert len(told) == 1 + 3 + 1
    assert call([*words, "--top", "2", "--workers", "0", "-q", "--limit", "2", "iid.jsonl"]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == 2 * (1 + 3 * 2)


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["--views", "plain,bg,bg+obj", "iid.jsonl"], 2, b"--p-view"),
        (["--views", "plain,sideways", "iid.jsonl"], 2, b"no view 'sideways'"),
        (["--expect", "conflict.jsonl", "iid.jsonl"], 2, b"clips of --expect"),
        (["--which", "best", "iid.jsonl"], 2, b"--which"),
        (["--base", "classes.txt", "iid.jsonl"], 2, b"go together"),
        (["empty.jsonl"], 1, b"no records"),
        (["-o", "classes.txt/r.json", "iid.jsonl"], 2, b"classes.txt is no folder"),
        (["--fill", "inpaint", "iid.jsonl"], 2, b"not inpainted"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    judge: Judge,
    demo: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    words: list[str],
    status: int,
    reason: bytes,
) -> None:
    (demo / "empty.jsonl").write_text("")
    common = ["--model", "tests.evaluate.scorers:linear", "--classes", "classes.txt"]
    assert call(["eval", *common, "--workers", "0", *words]) == status
    told = capfdbinary.readouterr().err
    assert reason in told and b"Traceback" not in told and told.count(b"ERROR") == 1


def test_the_folder_of_the_result_is_made(judge: Judge, demo: Path, tmp_path: Path) -> None:
    """A command that is refused makes none, and leaves the result as it was."""
    path = tmp_path / "a" / "b" / "r.json"
    judged = ["eval", "--model", "tests.evaluate.scorers:linear", "--workers", "0", "-q"]
    judged += ["--device", "cpu", "--limit", "2", "--bootstrap", "0", "-o", str(path), "iid.jsonl"]
    good, wrong = ["--classes", "classes.txt"], ["--classes", "walk,wave"]
    assert call([*judged, *wrong]) == 2 and not (tmp_path / "a").exists()
    assert call([*judged, *good]) == 0
    before = path.read_bytes()
    assert result.read(str(path))["clips"]["used"] == 2
    assert call([*judged, *wrong]) == 2 and path.read_bytes() == before


@pytest.mark.parametrize("model", ["short", "nothing", "absent"])
def test_a_factory_that_is_none_is_a_usage_error(judge: Judge, model: str) -> None:
    judge(model, "--limit", "2", "iid.jsonl", status=2)
