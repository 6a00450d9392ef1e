"""`sbtools eval --mask-band`: a model that counts pixels, and discs of known radii.

What it sees of a clip under masks that are dilated, eroded or another store's is counted by hand;
the numbers and the band follow.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from sbtools.cli.process import call
from sbtools.evaluate import result
from sbtools.loader.excerpt import Reader
from sbtools.records import Record, dump
from sbtools.store import StoreWriter, check_store, digest, read_rows
from tests.evaluate import scorers
from tests.making import write_video

SIDE, MIDDLE, PIXELS = 128, 64, 3
"""Of the pictures; masks are dilated and eroded by 2 % of the side, 2.56."""
RADII = (10, 12, 14, 16, 18, 20)
LARGE = 16
FRAMES = 4
Judge = Callable[..., dict[str, Any]]


def disc(radius: int) -> np.ndarray:
    """bool [128, 128]: the pixels whose distance from one in the middle is at most the radius."""
    y, x = np.mgrid[:SIDE, :SIDE] - MIDDLE
    return x**2 + y**2 <= radius**2


def pixels_of(radius: int, by: int) -> int:
    """How many pixels a disc has whose mask is dilated by a square (eroded: by below 0).

    Row by row: a row of a dilated disc is as wide as the widest of the rows that it takes in.
    """
    half = {y: int((radius**2 - y**2) ** 0.5) for y in range(-radius, radius + 1)}
    count = 0
    for y in range(-radius - abs(by), radius + abs(by) + 1):
        rows = [half.get(y + step, -1 - max(by, 0)) for step in range(-abs(by), abs(by) + 1)]
        widest = max(rows) if by >= 0 else min(rows)
        count += max(0, 2 * (widest + by) + 1) if widest >= 0 else 0
    return count


def put(
    folder: Path, name: str, radii: dict[str, int], boxes: bool = True, by: str = "",
    more: int = 0,
) -> list[Record]:  # fmt: skip
    """A store of discs, and records with it; an id is r and the radius of the clip's own disc.

    more: pixels that scipy has dilated them by, with a square, or eroded below 0; boxes likewise.
    """
    made: list[Record] = []
    kept = list(range(FRAMES))
    square = np.ones((2 * abs(more) + 1,) * 2)
    change = binary_dilation if more >= 0 else binary_erosion
    with StoreWriter(str(folder / name), "masks", {"by": by or name}, {}, root=str(folder)) as out:
        for id, radius in radii.items():
            mask = np.stack([change(disc(radius), square)] * FRAMES)
            ends = MIDDLE - radius - more, MIDDLE + radius + 1 + more
            corner = [float(end) for end in ends for _ in range(2)]
            found = [
                {"frame": at, "xyxy": corner, "score": 1.0, "role": "person", "prompt": "person"}
                for at in kept
            ]
            arrays = {"person": mask, "object": np.zeros_like(mask)}
            arrays |= {"frame": np.array(kept), "time": np.array(kept) / 25}
            told = {"height": SIDE, "width": SIDE, "packets": FRAMES}
            label = "large" if int(id[1:]) >= LARGE else "small"
            record = {"id": id, "video": f"{id}.mkv", "label": label}
            made += out.add(record, told, arrays, found if boxes else None)
        made += out.close()
    return made


@pytest.fixture
def discs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six clips, a store of their masks, and clips.jsonl."""
    radii = {f"r{radius}": radius for radius in RADII}
    for id in radii:
        frames = [np.full((SIDE, SIDE, 3), 40 + at, np.uint8) for at in range(FRAMES)]
        write_video(tmp_path / f"{id}.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    lines = b"".join(map(dump, put(tmp_path, "masks", radii)))
    (tmp_path / "clips.jsonl").write_bytes(lines)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def judge(discs: Path) -> Judge:
    """Run eval on the model that counts; the result."""

    def run(*words: str, least: int = 700, classes: str = "small,large", status: int = 0) -> Any:
        model = ["--model", "tests.evaluate.scorers:counting", "--set-model", f"least={least}"]
        common = ["--classes", classes, "--fill", "mean", "--device", "cpu", "--bootstrap", "20"]
        common += [] if "--workers" in words else ["--workers", "0"]
        inputs = [] if any(map(is_input, words)) else ["clips.jsonl"]
        out = discs / "result.json"
        out.unlink(missing_ok=True)
        assert call(["eval", *model, *common, "-o", str(out), *words, *inputs]) == status
        return result.read(str(out)) if out.exists() else {}

    return run


def is_input(word: str) -> bool:
    return word.endswith("jsonl") and not word.startswith("-")


def band(found: dict[str, Any], metric: str) -> dict[str, Any]:
    told: dict[str, Any] = found["metrics"][metric]["band"]
    return told


def test_the_counts_by_hand() -> None:
    """Of a cross of five pixels, and of discs against pixels looked at one by one."""
    assert [pixels_of(1, by) for by in (-1, 0, 1)] == [0, 5, 21]
    for radius in (3, 10, 16):
        y, x = np.nonzero(disc(radius))
        near = {(a + i, b + j) for a, b in zip(y, x, strict=True)
                for i in range(-3, 4) for j in range(-3, 4)}  # fmt: skip
        assert pixels_of(radius, 3) == len(near)
        inside = {(a, b) for a, b in zip(y, x, strict=True)
                  if all(disc(radius)[a + i, b + j] for i in (-3, 3) for j in (-3, 3))}  # fmt: skip
        assert pixels_of(radius, -3) == len(inside)


def test_the_band_of_p_top1_is_what_counting_gives(judge: Judge) -> None:
    """Of 700 pixels or more is called large: of the discs as they are those of radius 16 and more,
    all right; dilated 12 and 14 too, eroded 16 and 18 no more."""
    right = {}
    for kind, by in {"given": 0, "dilated": PIXELS, "eroded": -PIXELS}.items():
        called = {radius: pixels_of(radius, by) >= 700 for radius in RADII}
        right[kind] = {radius for radius in RADII if called[radius] == (radius >= LARGE)}
    assert right == {
        "given": {*RADII}, "dilated": {10, 16, 18, 20}, "eroded": {10, 12, 14, 20},
    }  # fmt: skip
    found = judge("--mask-band")
    assert band(found, "p_top1") == {
        "low": 4 / 6, "high": 1.0, "value": 1.0, "count": 6,
        "of": {"dilated": 4 / 6, "eroded": 4 / 6},
    }  # fmt: skip
    assert found["views"]["bg"]["top1"]["value"] == 1 and list(found["views"]) == [
        "plain", "bg", "person-box",
    ]  # fmt: skip
    areas = found["views"]["bg"]["coverage"]["area"]["band"]
    for kind, by in {"dilated": PIXELS, "eroded": -PIXELS}.items():
        mean = np.mean([pixels_of(radius, by) for radius in RADII]) / SIDE**2
        assert areas["of"][kind] == pytest.approx(mean, rel=1e-6)
    told = found["protocol"]["mask_band"]
    assert told == {"share": 0.02, "pixels": PIXELS, "store": None}


def test_the_band_of_b_top1_is_of_grown_and_shrunk_boxes(judge: Judge) -> None:
    """A disc's box has 2 r + 1 pixels a side, 6 more or less under other masks. Where at least
    16384 - 965 pixels are left the person is called small: dilated 14 (35 a side, 1225) is not,
    eroded 16 (27: 729) and 18 (31: 961) are."""
    found = judge("--mask-band", least=SIDE**2 - 965, classes="large,small")
    assert band(found, "b_top1") == {
        "low": 4 / 6, "high": 1.0, "value": 1.0, "count": 6,
        "of": {"dilated": 5 / 6, "eroded": 4 / 6},
    }  # fmt: skip
    areas = found["views"]["person-box"]["coverage"]["area"]["band"]["of"]
    for kind, by in {"dilated": 6, "eroded": -6}.items():
        mean = np.mean([(2 * radius + 1 + by) ** 2 for radius in RADII]) / SIDE**2
        assert areas[kind] == pytest.approx(mean, rel=1e-6)


def test_another_store_is_in_the_band(judge: Judge, discs: Path) -> None:
    """Its discs are of radius 15 all: small."""
    put(discs, "other", {f"r{radius}": 15 for radius in RADII})
    assert pixels_of(15, 0) == 709
    found = judge("--mask-band=other", least=710)
    assert band(found, "p_top1")["of"]["other"] == 0.5
    assert (
        band(found, "p_top1")["low"] == 0.5 and found["protocol"]["mask_band"]["store"] == "other"
    )
    assert not [w for w in found["warnings"] if w["kind"] == "mask-band"]


@pytest.mark.parametrize(("kind", "more"), [("dilated", PIXELS), ("eroded", -PIXELS)])
def test_a_store_that_scipy_has_dilated_or_eroded_comes_to_the_same(
    judge: Judge, discs: Path, kind: str, more: int
) -> None:
    """Score by score, and pixel by pixel as far as areas tell."""
    put(discs, "other", {f"r{radius}": radius for radius in RADII}, more=more)
    judge("--mask-band=other", "--scores", "kept", least=SIDE**2 - 965)
    (block,) = read_rows("kept")
    for view in ("bg", "person-box"):
        for kept in (block.scores, block.area, block.covered):
            np.testing.assert_array_equal(kept[f"{view}~other"], kept[f"{view}~{kind}"])
        assert (block.area[f"{view}~{kind}"] != block.area[view]).all()


def test_the_same_masks_again_give_a_band_of_no_width(judge: Judge) -> None:
    found = judge("--mask-band=masks/", "--controls", "--views", "plain,bg,person-box,obj-shape")
    for name, view in found["views"].items():
        of_masks = name in ("bg", "person-box", "obj-shape")
        for part in (view, view["coverage"] or {}):
            for measure in part.values():
                if isinstance(measure, dict) and "chance" in measure:
                    known = of_masks and measure["value"] is not None
                    assert ("band" in measure) == known, name
                    if known:
                        assert measure["band"]["of"]["other"] == measure["band"]["value"]


def test_a_mask_that_vanishes_is_empty(judge: Judge, discs: Path) -> None:
    """A disc of radius 3 has no square of 7 in it."""
    put(discs, "tiny", {f"r{radius}": 3 if radius == 10 else radius for radius in RADII})
    lines = [json.loads(line) for line in (discs / "clips.jsonl").read_text().splitlines()]
    for line in lines:
        line["masks"] = line["masks"].replace("masks/", "tiny/")
    (discs / "tiny.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    coverage = judge("--mask-band", "tiny.jsonl")["views"]["bg"]["coverage"]
    assert coverage["empty"]["value"] == 0
    assert coverage["empty"]["band"]["of"] == {"dilated": 0.0, "eroded": 1 / 6}
    assert coverage["covered"]["band"]["of"]["eroded"] == 3 / 5  # 12, 14 and 20 of five


def test_clips_that_the_other_store_lacks_are_told_and_counted(
    judge: Judge, discs: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The number itself stays; the band is of the five others, of which 4 and 3 are right."""
    put(discs, "other", {f"r{radius}": radius for radius in RADII if radius != 20})
    found = judge("--mask-band=other", "--scores", "kept")
    assert found["metrics"]["p_top1"]["value"] == 1 and found["clips"]["failed"] == []
    assert band(found, "p_top1") == {
        "low": 3 / 5, "high": 1.0, "value": 1.0, "count": 5,
        "of": {"dilated": 3 / 5, "eroded": 3 / 5, "other": 1.0},
    }  # fmt: skip
    told = capfdbinary.readouterr().err.decode()
    why = "r20: not in the band of --mask-band: the other store has no masks of it"
    assert told.count(why) == 1 and "view bg: 1 of 6 clips are not in the band" in told
    assert list(check_store("kept")) == []
    (block,) = read_rows("kept")
    assert list(block.scores) == [
        "plain", "bg", "person-box", "bg~dilated", "bg~eroded", "bg~other",
        "person-box~dilated", "person-box~eroded", "person-box~other",
    ]  # fmt: skip
    gone = [record["id"] == "r20" for record in block.records]
    assert np.isnan(block.scores["bg~other"]).all(1).tolist() == gone
    assert np.isnan(block.area["bg~other"]).tolist() == gone
    assert np.isfinite(block.scores["bg~dilated"]).all()


def test_a_store_without_boxes_is_in_the_band_of_shapes_alone(judge: Judge, discs: Path) -> None:
    put(discs, "other", {f"r{radius}": radius for radius in RADII}, boxes=False)
    found = judge("--mask-band=other")
    assert band(found, "p_top1")["of"]["other"] == 1
    assert set(band(found, "b_top1")["of"]) == {"dilated", "eroded"}
    told = [w["message"] for w in found["warnings"] if w["kind"] == "mask-band"]
    assert told == ["view person-box: other has masks of none of the clips: the band is without it"]


@pytest.mark.parametrize(
    ("words", "before"),
    [
        (["--mask-band", "masks", "--scores", "s"], []),
        (["--mask-band", "--mask-band=masks", "--scores", "s"], []),
        (["--mask-band=masks", "--scores", "s", "--batch", "1"], []),
        (["--mask-band=masks", "--scores", "s", "--workers", "2", "--batch", "4"], []),
        (["--mask-band=masks", "--scores", "s"], ["0/2", "1/2"]),
        (["--mask-band=masks", "--scores", "s", "turned.jsonl"], []),
        (["--mask-band=masks", "--scores", "s", "--cache", "cache"], []),
    ],
)  # fmt: skip
def test_order_shards_batches_and_workers_change_nothing(
    judge: Judge, discs: Path, words: list[str], before: list[str]
) -> None:
    lines = (discs / "clips.jsonl").read_text().splitlines(True)
    (discs / "turned.jsonl").write_text("".join(lines[::-1]))
    whole = judge("--mask-band=masks", "--scores", "one")
    for shard in before:
        model = ["--model", "tests.evaluate.scorers:counting", "--set-model", "least=700"]
        given = [*model, "--classes", "small,large", "--fill", "mean", "--workers", "0"]
        assert call(["eval", *given, *words, "--shard", shard, "clips.jsonl"]) == 0
    again = judge(*words) if not before else {}
    assert digest(str(discs / "s")) == digest(str(discs / "one"))
    assert call(["eval", "--from-scores", "s", "--bootstrap", "20", "-o", "from.json"]) == 0
    kept = result.read("from.json")
    for found in [kept, *([again] if again else [])]:
        for part in ("metrics", "views", "differences", "ratios", "warnings", "per_clip"):
            assert found[part] == whole[part], part
    assert kept["protocol"]["mask_band"] == whole["protocol"]["mask_band"]


def test_without_the_option_nothing_is_other_than_it_was(judge: Judge, discs: Path) -> None:
    """And with it all but the bands stays."""
    plain, banded = judge("--scores", "a"), judge("--scores", "b", "--mask-band")
    (block,) = read_rows("a")
    assert list(block.scores) == ["plain", "bg", "person-box"]
    assert '"band"' not in json.dumps(plain) and "mask_band" not in plain["protocol"]
    bare = json.loads(json.dumps(banded), object_hook=lambda one: {
        k: v for k, v in one.items() if k not in ("band", "mask_band")
    })  # fmt: skip
    for part in plain.keys() - {"time", "run", "scores", "digest"}:
        assert bare[part] == plain[part], part
    (more,) = read_rows("b")
    for view, rows in block.scores.items():
        np.testing.assert_array_equal(rows, more.scores[view])


def test_a_store_of_scores_is_not_continued_under_other_masks(
    judge: Judge, discs: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    judge("--scores", "a", "--mask-band=masks")
    judge("--scores", "a", "--mask-band=masks")
    put(discs, "other", {f"r{radius}": 15 for radius in RADII})
    for words in (["--mask-band"], ["--mask-band=other"], []):
        capfdbinary.readouterr()
        judge("--scores", "a", *words, status=2)
        told = capfdbinary.readouterr().err
        assert told.count(b"ERROR") == 1 and b"--overwrite" in told
    judge("--scores", "b", "--mask-band=other")
    shutil.rmtree("other")
    put(discs, "other", {f"r{radius}": 15 for radius in RADII}, by="another segmenter")
    judge("--scores", "b", "--mask-band=other", status=2)
    assert b"other_masks" in capfdbinary.readouterr().err


@pytest.mark.parametrize(
    ("words", "views"), [([], 3), (["--mask-band"], 7), (["--mask-band=masks"], 9)]
)
def test_what_it_costs(
    judge: Judge, monkeypatch: pytest.MonkeyPatch, words: list[str], views: int
) -> None:
    """Passes of six clips through the model, in batches of four; each clip is decoded once."""
    passes, decoded = [], []
    count, take = scorers.Counting.__call__, Reader.take_views

    def passing(self: Any, video: Any) -> Any:
        passes.append(len(video))
        return count(self, video)

    def taking(self: Any, record: Any, *rest: Any) -> Any:
        decoded.append(record["id"])
        return take(self, record, *rest)

    monkeypatch.setattr(scorers.Counting, "__call__", passing)
    monkeypatch.setattr(Reader, "take_views", taking)
    judge(*words, "--batch", "4")
    assert passes == [4] * views + [2] * views
    assert sorted(decoded) == [f"r{radius}" for radius in RADII]


def test_clips_and_crops_are_averaged_under_other_masks_too(judge: Judge) -> None:
    found = judge("--mask-band=masks", "--clips", "2", "--crops", "3")
    assert band(found, "p_top1")["of"] == {"dilated": 4 / 6, "eroded": 4 / 6, "other": 1.0}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--mask-band=absent"], b"absent is no store of masks"),
        (["--mask-band=clips.jsonl"], b"clips.jsonl is no store of masks"),
        (["--mask-band=a", "--mask-band=b"], b"takes the masks of one other store, not of a, b"),
        (["--mask-band", "--views", "plain,static"], b"--mask-band needs a view that masks"),
        (["--mask-band", "bare.jsonl"], b"--mask-band needs a view that masks"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    judge: Judge, discs: Path, capfdbinary: pytest.CaptureFixture[bytes], words: list[str],
    reason: bytes,
) -> None:  # fmt: skip
    lines = [json.loads(line) for line in (discs / "clips.jsonl").read_text().splitlines()]
    bare = [{k: v for k, v in line.items() if k != "masks"} for line in lines]
    (discs / "bare.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bare))
    judge(*words, status=2)
    told = capfdbinary.readouterr().err
    assert reason in told and b"Traceback" not in told and told.count(b"ERROR") == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--from-scores", "kept", "--mask-band"], b"leave --mask-band out"),
        (["--answers", "a.csv", "--mask-band"], b"leave --mask-band out"),
        (["--model", "tests.evaluate.scorers:counting", "--classes", "a,b", "--top", "2",
          "--mask-band", "clips.jsonl"], b"without --mask-band"),
        (["--model", "tests.evaluate.scorers:counting", "--classes", "a,b", "--workers", "0",
          "--mask-band", "r10.mkv"], b"is a band of results"),
    ],
)  # fmt: skip
def test_where_there_is_no_band(
    discs: Path, capfdbinary: pytest.CaptureFixture[bytes], words: list[str], reason: bytes
) -> None:
    (discs / "a.csv").write_text("id,answer\nr10,a\n")
    assert call(["eval", *words]) == 2
    told = capfdbinary.readouterr().err
    assert reason in told and told.count(b"ERROR") == 1


def test_a_configuration_file_may_ask_for_it(judge: Judge, discs: Path) -> None:
    for text, store in (("true", None), ('"masks"', "masks"), ("false", "nothing")):
        (discs / "c.toml").write_text(f"[eval]\nmask-band = {text}\n")
        told = judge("--config", "c.toml")["protocol"].get("mask_band", {"store": "nothing"})
        assert told["store"] == store


def test_a_masked_view_may_stand_alone(judge: Judge) -> None:
    found = judge("--mask-band", "--views", "bg")
    assert list(found["views"]) == ["bg"] and found["differences"] == found["ratios"] == []
    assert band(found, "p_top1")["of"] == {"dilated": 4 / 6, "eroded": 4 / 6}


def test_views_that_are_no_modes_of_masking_have_no_band(judge: Judge) -> None:
    """Objects, clothes and holes are shown by the clip's own masks alone."""
    views = "plain,bg,objects,clothes,scene-hole,random,scene"
    found = judge("--mask-band", "--views", views)
    banded = [name for name, view in found["views"].items() if "band" in view["top1"]]
    assert banded == ["bg"] and len(found["views"]) == 7


def test_many_clips_that_the_other_store_lacks_are_not_all_named(
    judge: Judge, discs: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: Any
) -> None:
    monkeypatch.setattr("sbtools.evaluate.run.NAMED", 2)
    put(discs, "other", {"r10": 10})
    judge("--mask-band=other")
    told = capfdbinary.readouterr().err.decode()
    assert told.count("the other store has no masks of it") == 2
    assert "3 more clips are not in the band of --mask-band" in told
    assert "view bg: 5 of 6 clips are not in the band" in told


def test_a_card_has_the_bands(discs: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Of the views that mask and are no controls, on the page and on stdout."""
    model = ["tests.evaluate.scorers:counting", "--set-model", "least=700", "--fill", "mean"]
    words = ["--classes", "small,large", "--workers", "0", "--device", "cpu", "--bootstrap", "0"]
    assert call(["card", *model, *words, "--mask-band", "-o", "c.html", "clips.jsonl"]) == 0
    lines = [line.split() for line in capfdbinary.readouterr().out.decode().splitlines()]
    told = {line[0]: line[-2:] for line in lines if line and line[-2].startswith("~")}
    assert told == {"bg": ["~[66.67,", "100.00]"], "person-box": ["~[50.00,", "50.00]"]}
    assert "~[66.7, 100.0]" in (discs / "c.html").read_text()
    assert band(result.read("c.json"), "p_top1")["low"] == 4 / 6
