"""GroundingDINO: which box is whose, in batches and passes, and what is said of bad weights."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sbtools.detect.base import OBJECT, PERSON
from sbtools.detect.grounding_dino import xyxy
from sbtools.errors import ClipError
from tests.cli.running import lines, shell
from tests.detect.made import MadeClip
from tests.detect.planted_dino import OBJECTS, Planted, by_query, detector, flat, found
from tests.detect.small_dino import save
from tests.making import figure_frames, make_clips


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("dino") / "small")


def test_tokens_lead_to_the_prompts_that_they_were_written_for(weights: Path) -> None:
    plan = [{token: 0.8} for token in range(11)]
    assert by_query(found(weights, Planted(plan))) == {
        1: ("person", PERSON),
        3: ("hand", PERSON),
        5: ("baseball bat", OBJECT),
        6: ("baseball bat", OBJECT),
        8: ("bat", OBJECT),
    }


def test_the_best_token_of_a_prompt_is_its_score_and_the_best_prompt_gets_the_box(
    weights: Path,
) -> None:
    plan = [
        {5: 0.5, 6: 0.6, 8: 0.55},
        {6: 0.5, 8: 0.7},
        {1: 0.4, 3: 0.9},
        {1: 0.8, 3: 0.7, 10: 0.99},
    ]
    boxes = found(weights, Planted([{**scores, 2: 0.99, 0: 0.99} for scores in plan]))
    assert by_query(boxes) == {
        0: ("baseball bat", OBJECT),
        1: ("bat", OBJECT),
        2: ("hand", PERSON),
        3: ("person", PERSON),
    }
    assert sorted(round(box.score, 5) for box in boxes) == [0.6, 0.7, 0.8, 0.9]


def test_words_in_pieces_and_prompts_that_would_shift_the_others(weights: Path) -> None:
    """[CLS] person . hand . b c . skate ##board ##ing . bat . bat [UNK] t . [SEP], from 0."""
    hostile = ["a. b. c", "the Skateboarding!", "bat?", "[SEP]. .", "...", "bat [MASK] t"]
    plan = [{token: 0.8} for token in (5, 6, 8, 9, 10, 12, 1, 3)]
    boxes = by_query(found(weights, Planted(plan), hostile))
    names = [boxes[query][0] for query in range(8)]
    assert names == ["b c", "b c", *["skateboarding"] * 3, "bat", "person", "hand"]


def test_objects_that_are_called_as_the_person_are_the_person(weights: Path) -> None:
    model = Planted([{1: 0.8}, {3: 0.8}])
    boxes = found(weights, model, ["The person", "a hand", "Rope"])
    assert {box.role for box in boxes} == {PERSON}
    assert detector(weights).processor.tokenizer.decode(model.texts[0]) == (
        "[CLS] person. hand. rope. [SEP]"
    )
    model = Planted([{1: 0.8}, {3: 0.8}])
    assert by_query(found(weights, model, ["person"], person="club,cup")) == {
        0: ("club", PERSON),
        1: ("cup", PERSON),
    }


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [0.36, 0.5, 0.7]),
        ({"box_threshold": 0.6}, [0.7]),
        ({"box_threshold": 0.3}, [0.34, 0.36, 0.5, 0.7]),
        ({"text_threshold": 0.6}, [0.7]),
        ({"box_threshold": 0.0, "text_threshold": 0.4}, [0.5, 0.7]),
    ],
)
def test_thresholds(settings: dict[str, float], kept: list[float], weights: Path) -> None:
    plan = [{1: score} for score in (0.1, 0.34, 0.36, 0.5, 0.7)]
    boxes = found(weights, Planted(plan), [], **settings)
    assert sorted(round(box.score, 5) for box in boxes) == kept


def test_a_person_wins_where_boxes_coincide(weights: Path) -> None:
    """The second box shares 0.9 of the first, the third 0.8; the fourth is the second's equal."""
    boxes = [(0.5, 0.5, w, 0.5) for w in (0.5, 0.46, 0.4, 0.46)]
    plan = [{1: 0.5}, {5: 0.9}, {5: 0.9}, {3: 0.4}]
    kept = found(weights, Planted(plan, boxes))
    assert [(box.prompt, round(box.xyxy[2] - box.xyxy[0])) for box in kept] == [
        ("baseball bat", 40), ("person", 50), ("hand", 46),
    ]  # fmt: skip
    assert len(found(weights, Planted(plan, boxes), coincide=0.95)) == 3
    far = [(0.5, 0.5, w, 0.5) for w in (0.5, 0.46, 0.4, 0.2)]
    assert len(found(weights, Planted(plan, far), coincide=0.95)) == 4


def test_overlapping_boxes_of_one_prompt_go_only_on_request(weights: Path) -> None:
    boxes = [(0.5, 0.5, w, 0.5) for w in (0.5, 0.45, 0.4)]
    plan = [{1: 0.5}, {1: 0.9}, {3: 0.4}]
    assert len(found(weights, Planted(plan, boxes))) == 3
    kept = found(weights, Planted(plan, boxes), overlap=0.7)
    assert [box.prompt for box in kept] == ["person", "hand"] and kept[0].score > 0.8


def test_boxes_are_pixels_of_the_frame_and_lie_in_it(weights: Path) -> None:
    assert xyxy((0.5, 0.25, 0.2, 0.1), 200, 100) == pytest.approx((40, 40, 60, 60))
    boxes = [(0.0, 1.0, 0.5, 0.5), (1.5, 0.5, 0.1, 0.1), (0.5, 0.5, float("nan"), 0.2)]
    (only,) = found(weights, Planted([{1: 0.9}] * 3, boxes))
    assert only.xyxy == pytest.approx((0, 45, 25, 60))


def test_many_prompts_are_asked_in_passes(weights: Path) -> None:
    """Captions of 9 tokens hold [CLS] x . x . x . x [SEP], that is three prompts and two ends."""
    names = ["rope", "cup", "red", "baseball bat", "club"]
    model = Planted([{1: 0.9}, {3: 0.9}, {5: 0.9}, {6: 0.9}], longest=9)
    boxes = found(weights, model, names, frames=2)
    assert max(map(len, model.texts)) <= 9 and all(text[-2] == 1012 for text in model.texts)
    assert {box.prompt for box in boxes} == {"person", "hand", *names}
    assert [box.frame for box in boxes] == sorted(box.frame for box in boxes)


def test_a_prompt_longer_than_a_caption_is_cut_not_lost(weights: Path) -> None:
    model = Planted([{1: 0.9}], longest=6)
    boxes = found(weights, model, [" ".join(["rope"] * 30)])
    assert {box.prompt[:9] for box in boxes} == {"person", "rope rope"}
    assert max(map(len, model.texts)) == 6


def test_single_words_come_out_as_transformers_has_them(weights: Path) -> None:
    """Scores, boxes and words are those of post_process_grounded_object_detection."""
    generator = np.random.default_rng(0)
    plan = [{int(generator.choice([1, 3, 5])): generator.uniform(0.05, 0.95)} for _ in range(60)]
    boxes = generator.uniform(0.3, 0.5, (60, 4)).tolist()
    model = Planted(plan, boxes)
    ours = found(weights, model, ["bat"], coincide=1.0)
    processor = detector(weights).processor
    text = torch.tensor([model.texts[0]])
    out = SimpleNamespace(logits=model.logits(text)[None], pred_boxes=model.boxes[None])
    (theirs,) = processor.post_process_grounded_object_detection(
        out, text, threshold=0.35, text_threshold=0.25, target_sizes=[(60, 100)]
    )
    assert 20 < len(ours) < 60
    order = theirs["scores"].argsort(descending=True).tolist()
    assert [box.prompt for box in ours] == [theirs["text_labels"][i] for i in order]
    scores, corners = theirs["scores"][order], theirs["boxes"][order]
    assert np.allclose([box.score for box in ours], scores.numpy(), atol=1e-6)
    assert np.allclose([box.xyxy for box in ours], corners.numpy(), atol=1e-3)


@pytest.mark.parametrize("batch", ["2", "5", "9"])
def test_batched_boxes_equal_single_ones(batch: str, weights: Path) -> None:
    clip = MadeClip(figure_frames(9), wanted=[0, 2, 3, 5, 6, 7, 8])
    single = detector(weights, batch_frames="1").detect(clip, OBJECTS)
    batched = detector(weights, batch_frames=batch).detect(clip, OBJECTS)
    assert len(single) > 20 and {box.frame for box in single} == set(clip.wanted)
    assert flat(batched) == flat(single)
    for box, other in zip(batched, single, strict=True):
        assert box.xyxy == pytest.approx(other.xyxy, abs=1e-3)
        assert box.score == pytest.approx(other.score, abs=1e-5)


def test_each_frame_is_looked_at_for_itself(weights: Path) -> None:
    """The boxes of a frame do not depend on which others are wanted, and frames differ."""
    frames = [*figure_frames(2), np.zeros((72, 96, 3), np.uint8)]
    maker = detector(weights, batch_frames="3")
    whole = maker.detect(MadeClip(frames), OBJECTS)
    last = maker.detect(MadeClip(frames, wanted=[2]), OBJECTS)
    assert flat([box for box in whole if box.frame == 2]) == flat(last)
    shapes = [{box.score for box in whole if box.frame == n} for n in range(3)]
    assert shapes[0] != shapes[2] and shapes[1] != shapes[2]


def test_too_little_memory_changes_nothing_but_the_batch(weights: Path) -> None:
    clip = MadeClip(figure_frames(5))
    maker = detector(weights, batch_frames="4")
    network, sizes = maker.model, []

    def scarce(pixel_values: torch.Tensor, **rest: Any) -> Any:
        sizes.append(len(pixel_values))
        if len(pixel_values) > room:
            raise torch.OutOfMemoryError("out of memory")
        return network(pixel_values=pixel_values, **rest)

    scarce.config = network.config  # type: ignore[attr-defined]
    maker.__dict__["model"] = scarce
    room = 1
    boxes = maker.detect(clip, OBJECTS)
    assert sizes == [4, 2, 1, 1, 1, 1, 1]
    assert flat(boxes) == flat(detector(weights).detect(clip, OBJECTS))
    room = 0
    with pytest.raises(ClipError, match="one frame"):
        maker.detect(clip, OBJECTS)


def test_a_clip_without_wanted_frames_has_no_boxes(weights: Path) -> None:
    assert detector(weights).detect(MadeClip(figure_frames(2), wanted=[]), OBJECTS) == []


def test_bfloat16_finds_about_the_same(weights: Path) -> None:
    clip = MadeClip(figure_frames(2))
    half = detector(weights, dtype="bfloat16", batch_frames="2")
    encoded = half.processor.tokenizer("person. hand.", return_offsets_mapping=True)
    frames = [clip.frame(n) for n in clip.wanted]
    for (a, _), (b, _) in zip(
        half.infer(frames, encoded), detector(weights).infer(frames, encoded), strict=True
    ):
        assert a.dtype == np.float32 and a.shape == (20, 6) and not np.array_equal(a, b)
        assert np.median(np.abs(a - b)) < 0.05
    assert half.describe()["dtype"] == "bfloat16"


def test_detect_and_segment_offline_from_end_to_end(weights: Path, tmp_path: Path) -> None:
    make_clips(tmp_path / "clips", 2, frames=10)
    objects = {"clip0": ["a rope"], "clip1": ["the baseball bat", "bat."]}
    line = f"""set -eo pipefail
    sbtools index -q clips | sed -e '/clip0/s/}}$/, "objects": {json.dumps(objects["clip0"])}}}/' \
        -e '/clip1/s/}}$/, "objects": {json.dumps(objects["clip1"])}}}/' |
    sbtools detect -q --detector grounding-dino --weights {weights} --object cup \
        --frames 4 --batch-frames 3 --device cpu --set box_threshold=0.3 --workers 1 |
    tee boxes.jsonl | sbtools segment -q --detector classic --segmenter grabcut --workers 1"""
    done = shell(line, cwd=tmp_path, env={"HF_HUB_OFFLINE": "1"})
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    boxes = {record["id"]: record for record in lines((tmp_path / "boxes.jsonl").read_bytes())}
    asked = {"person", "hand", "cup"}
    for name, own in (("walk/clip0", {"rope"}), ("wave/clip1", {"baseball bat", "bat"})):
        record = boxes[name]
        assert len(record["sampled"]) == 4
        prompts = {box["prompt"] for box in record["boxes"]}
        assert prompts <= asked | own and prompts & own
        for box in record["boxes"]:
            x0, y0, x1, y1 = box["xyxy"]
            assert 0 <= x0 < x1 <= 96 and 0 <= y0 < y1 <= 72 and 0.3 < box["score"] <= 1
            assert (box["role"] == "person") == (box["prompt"] in ("person", "hand"))
        assert "weights=sha256:" in record["made"]["detect"]
    masked = lines(done.stdout)
    assert [record["id"] for record in masked] == ["walk/clip0", "wave/clip1"]
    assert all(record["masks"] for record in masked)
