"""examples/card-rule.py: what it asks of the commands, and what the manual says of its values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.evaluate.test_verdict import result
from tests.test_examples import HERE
from tests.test_methods_demo import asked, script

VALUES = HERE / "examples" / "results" / "card-rule.jsonl"
PAGE = HERE / "man" / "sbtools-card.1"
SOURCES = {"id": "a", "video": "a.mp4", "label": "walk", "masks": "m/0.h5::clips/a", "plate": "p",
           "scene": "sand", "clothes": "red", "background_label": "run"}  # fmt: skip


def demo() -> Any:
    tables()
    return script("card-rule")


def tables() -> Any:
    return script("card_rule_table")


def recorded(folder: Path) -> tuple[Any, list[dict[str, Any]]]:
    """Cards whose commands are read and leave their files, and are not run."""
    calls: list[dict[str, Any]] = []

    def call(words: Sequence[str], log: Path) -> None:
        assert str(folder) not in " ".join(words), "results would name a place of this machine"
        told = asked(words)
        calls.append({"command": words[0], **told})
        if words[0] == "demo":
            made = folder / words[-1]
            made.mkdir(parents=True)
            for cell in ("s00c00", "s90c00", "s00c90"):
                for split in ("train", "test-iid"):
                    (made / f"{cell}-{split}.jsonl").write_text(json.dumps(SOURCES) + "\n")
        elif words[0] == "train":
            made = folder / told["output"]
            made.mkdir(parents=True)
            (made / "done.json").touch()
        else:
            path = (folder / told["output"]).with_suffix(".json")
            path.parent.mkdir(exist_ok=True)
            path.touch()

    return demo().Cards(folder, call=call), calls


def test_every_command_is_one_that_there_is_and_runs_once(tmp_path: Path) -> None:
    made, calls = recorded(tmp_path)
    for _ in range(2):
        for cell in demo().CELLS:
            made.run(3, cell)
            for tested in demo().TESTED[cell]:
                made.card(3, cell, tested)
    assert Counter(call["command"] for call in calls) == {"demo": 2, "train": 3, "card": 4}
    assert {call["seed"] for call in calls if call["command"] in ("demo", "train")} == {3}


def test_models_are_those_of_the_benchmarks_demo() -> None:
    assert demo().TRAINED == script("benchmarks-demo").TRAINED["conv3d"]
    assert demo().CELLS == script("benchmarks-demo").CELLS


def test_records_are_as_a_user_has_them(tmp_path: Path) -> None:
    made, _ = recorded(tmp_path)
    kept = json.loads(made.records(3, "s90c00").read_text())
    assert set(kept) == {"id", "video", "label", "masks"}


def test_few_clips_are_taken_from_all_over_the_test() -> None:
    whole = result({"static": 60, "scene": 60}, clips=120)
    some = demo().result_of(whole, 4, demo().STILL)
    assert some["per_clip"]["id"] == ["clip0", "clip30", "clip60", "clip90"]
    assert set(some["views"]) == set(some["per_clip"]["views"]) == {"plain", "static"}
    assert some["per_clip"]["views"]["static"]["top1"] == [1, 1, 0, 0]
    assert len(whole["per_clip"]["id"]) == 120
    sizes = {(line["clips"], line["masks"]) for line in demo().values_of(whole)}
    assert sizes == {(size, masks) for size in (5, 10, 20, 40, 80, 120) for masks in (True, False)}


def test_the_table_counts_right_wrong_and_neither() -> None:
    codes = ("scene", "scene", "either", "open", "people", "not-scene")
    lines = [
        {"seed": seed, "cell": "s90c00", "tested": "s90c00", "clips": 300, "masks": True,
         "rule": 2, "code": code}
        for seed, code in enumerate(codes, 3)
    ]  # fmt: skip
    made = tables().table(lines)
    assert made[0] == "Verdicts right / wrong / neither, seeds: 6"
    assert made[2].split() == ["scene", ".9", "2/1/3"] and made[3].split()[-1] == "-"
    later = made.index("Verdicts right / wrong / neither, of these not used to decide the rule: 2")
    assert made[later + 2].split()[-1] == "0/1/1"  # seeds 7 and 8: people, not-scene


def test_the_manual_has_the_table_of_the_values_that_are_kept() -> None:
    lines = tables().read(VALUES)
    assert {line["rule"] for line in lines} == {2}, "the rule has changed: count its errors again"
    before, after = tables().MARK
    told = PAGE.read_text().split(before)[1].split(after)[0]
    assert told.replace("\\-", "-").splitlines() == tables().table(lines)


def test_at_most_one_unbiased_model_is_said_to_go_by_the_scene() -> None:
    """On all clips; of 12 biased models all but 2 are to be, and no verdict is of 5 clips."""
    lines = tables().read(VALUES)
    scene, _, free, on_biased, *_ = tables().COUNTS
    right, _, models = scene.of(lines, 300)
    assert models >= 6 and right >= models - models // 6
    assert free.of(lines, 300)[1] <= 1 and on_biased.of(lines, 300)[1] <= 1
    few = [line for line in lines if line["clips"] == 5]
    assert len(few) > 20 and {line["code"] for line in few} == {"open"}
