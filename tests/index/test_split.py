"""Records are chosen by class, length and draw, and nothing else is touched."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.index.draws import Amount
from sbtools.index.split import Choice, Split, most_frequent


def clip(id: str, label: str | None = "walk", split: str | None = "train", **more: Any) -> dict:
    record = {"id": id, **more}
    if label is not None:
        record["label"] = label
    return record if split is None else {**record, "split": split}


def run(records: list[dict], **choice: Any) -> list[dict]:
    return list(Split(Choice(**choice)).records(iter(records)))


def ids(records: list[dict], split: str | None = None) -> list[str]:
    return [r["id"] for r in records if split is None or r.get("split") == split]


def groups(classes: int = 3, sources: int = 10, of_source: int = 4) -> list[dict]:
    """Clips as UCF101 has them: `of_source` are cut from one recording."""
    return [
        clip(f"c{c}g{s}n{n}", f"class {c}", source=f"c{c}g{s}")
        for c in range(classes) for s in range(sources) for n in range(of_source)
    ]  # fmt: skip


FAILED = {"stage": "index", "kind": "missing", "message": "there is no such file"}


# Classes


def test_classes_are_kept_and_left_out_in_any_spelling() -> None:
    stream = [clip("1", "brush hair"), clip("2", "Tying_Tie"), clip("3", None), clip("4", "run")]
    assert ids(run(stream, classes=("brush_hair", "tying tie"))) == ["1", "2"]
    assert ids(run(stream, exclude=("brush_hair", "tying tie"))) == ["4"]
    assert ids(run(stream, classes=("run", "brush hair"), exclude=("run",))) == ["1"]
    assert ids(run(stream)) == ["1", "2", "3", "4"]


def test_two_complements_are_all() -> None:
    stream = groups(5)
    kept = run(stream, classes=("class 1", "class 4"))
    left = run(stream, exclude=("class 1", "class 4"))
    assert sorted(ids(kept) + ids(left)) == sorted(ids(stream)) and len(kept) == 2 * 40


def test_base_classes_are_the_half_with_the_most_training_clips() -> None:
    counts = {"a": 1, "b": 5, "c": 3, "d": 4, "e": 2}
    stream = [clip(f"{name}{n}", name) for name, count in counts.items() for n in range(count)]
    stream += [clip(f"v{name}{n}", name, "val") for name in "ae" for n in range(9)]
    stream += [clip("vf", "f", "val")]
    random.Random(3).shuffle(stream)
    base, novel = run(stream, group="base"), run(stream, group="novel")
    assert {record["label"] for record in base} == {"b", "c", "d"}
    assert {record["label"] for record in novel} == {"a", "e", "f"}
    assert len(base) + len(novel) == len(stream)


def test_an_odd_class_is_base_and_equal_counts_go_by_the_alphabet() -> None:
    assert most_frequent(Counter(c=2, b=2, a=2)) == ["a", "b"]
    assert most_frequent(Counter(z=3, b=2, a=2)) == ["z", "a"]


def test_frequency_counts_clips_that_failed_too() -> None:
    stream = [clip("1", "a", error=FAILED), clip("2", "a", error=FAILED), clip("3", "b")]
    assert ids(run(stream, group="base")) == ["1", "2"]


def test_base_by_list_and_by_counts_of_other_records() -> None:
    stream = [clip("1", "a"), clip("2", "a"), clip("3", "b", None), clip("4", "c", "val")]
    assert ids(run(stream, group="base", base=("b", "C"))) == ["3", "4"]
    assert ids(run(stream, group="novel", base=("b", "C"))) == ["1", "2"]
    assert ids(run(stream, group="novel", counts=Counter(a=1, b=2, c=3))) == ["1", "2"]


def test_there_is_no_frequency_without_training_clips() -> None:
    with pytest.raises(UsageError, match="no record of split 'train' has a label"):
        run([clip("1", "a", "val")], group="base")


def test_classes_that_are_left_are_told_in_the_order_of_their_list() -> None:
    stream = [clip("1", "walk"), clip("2", "brush hair"), clip("3", "run")]

    def told(**choice: Any) -> list[str]:
        split = Split(Choice(**choice))
        list(split.records(iter(stream)))
        return split.classes()

    assert told() == ["brush hair", "run", "walk"]
    assert told(classes=("walk", "fly", "brush_hair")) == ["walk", "fly", "brush hair"]
    assert told(classes=("walk", "run"), exclude=("walk",)) == ["run"]
    assert told(group="base", counts=Counter({"walk": 3, "run": 2, "brush hair": 1})) == [
        "run", "walk",
    ]  # fmt: skip
    assert told(group="base", base=("run", "brush_hair")) == ["run", "brush hair"]
    assert told(group="novel", base=("run", "brush_hair")) == ["walk"]


# Length


def test_short_clips_are_left_out_and_unknown_lengths_fail() -> None:
    stream = [clip("15", frames=15), clip("16", frames=16), clip("?"), clip("x", error=FAILED)]
    found = run(stream, min_frames=16)
    assert ids(found) == ["16", "?", "x"]
    assert found[1]["error"]["kind"] == "missing" and found[1]["error"]["stage"] == "split"
    assert found[2]["error"] == FAILED


# Shots


def test_every_class_has_its_shots_and_other_splits_stay() -> None:
    stream = [*groups(4), clip("v1", "class 0", "val"), clip("t1", "class 9", "test")]
    found = run(stream, shots=16)
    per_class = Counter(r["label"] for r in found if r["split"] == "train")
    assert per_class == {f"class {c}": 16 for c in range(4)}
    assert ids(found, "val") == ["v1"] and ids(found, "test") == ["t1"]
    order = ids(stream)
    assert ids(found) == sorted(ids(found), key=order.index)


def test_shots_depend_on_seed_and_ids_alone() -> None:
    stream = groups()
    first = set(ids(run(stream, shots=5, seed=1)))
    mixed = random.Random(0).sample(stream, len(stream))
    assert set(ids(run(mixed, shots=5, seed=1))) == first
    assert set(ids(run(stream, shots=5, seed=2))) != first
    assert first < set(ids(run(stream, shots=6, seed=1)))
    alone = [record for record in stream if record["label"] == "class 1"]
    assert set(ids(run(alone, shots=5, seed=1))) == {i for i in first if i.startswith("c1")}


def test_shots_are_drawn_evenly() -> None:
    stream = groups(1, 10, 1)
    taken = Counter(id for seed in range(400) for id in ids(run(stream, shots=3, seed=seed)))
    expected, deviation = 400 * 0.3, (400 * 0.3 * 0.7) ** 0.5
    assert len(taken) == 10
    assert all(abs(count - expected) < 4 * deviation for count in taken.values())


def test_failed_clips_are_not_drawn_and_few_clips_are_all_taken(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.split.log.propagate", True)
    stream = [clip("1", error=FAILED), clip("2"), clip("3"), clip("4", "run")]
    assert ids(run(stream, shots=2)) == ["2", "3", "4"]
    assert "class 'run' has only 1 clips, not 2" in caplog.text


def test_nothing_is_drawn_where_no_clip_is_for_training() -> None:
    for choice in ({"shots": 2}, {"hold_out": Amount(2)}):
        with pytest.raises(UsageError, match=r"no record is of split 'train' \(val\)"):
            run([clip("1", "a", "val")], **choice)
    with pytest.raises(UsageError, match="none has a split"):
        run([clip("1", "a", None)], shots=1)
    assert len(run([clip("1", "a", None)], shots=1, set_split="train")) == 1
    assert len(run([clip("1", "a", "tr")], shots=1, train="tr")) == 1


# Hold-out


def test_a_hold_out_takes_whole_sources_of_every_class() -> None:
    stream = groups(3, 10, 4)
    found = run(stream, hold_out=Amount(share=0.2))
    assert ids(found) == ids(stream)
    held = [record for record in found if record["split"] == "val"]
    assert Counter(record["label"] for record in held) == {f"class {c}": 8 for c in range(3)}
    assert not {r["source"] for r in held} & {r["source"] for r in found if r["split"] == "train"}
    assert Counter(r["label"] for r in run(stream, hold_out=Amount(6)) if r["split"] == "val") == {
        f"class {c}": 8 for c in range(3)
    }


def test_a_hold_out_depends_on_seed_and_sources_alone() -> None:
    stream = groups()
    held = set(ids(run(stream, hold_out=Amount(4), seed=7), "val"))
    mixed = random.Random(0).sample(stream, len(stream))
    assert set(ids(run(mixed, hold_out=Amount(4), seed=7), "val")) == held
    assert set(ids(run(stream, hold_out=Amount(4), seed=8), "val")) != held


def test_a_hold_out_touches_neither_the_test_clips_nor_their_sources() -> None:
    stream = groups(1, 6, 2)
    stream += [clip(f"t{s}", "class 0", "test", source=f"c0g{s}") for s in range(5)]
    for seed in range(5):
        found = run(stream, hold_out=Amount(4), seed=seed)
        assert ids(found, "test") == [f"t{s}" for s in range(5)]
        assert set(ids(found, "val")) == {"c0g5n0", "c0g5n1"}


def test_a_hold_out_leaves_a_clip_of_every_class_in_training(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.index.draws.log.propagate", True)
    stream = [clip("a1", "a", source="m"), clip("b1", "b", source="m"), clip("b2", "b", source="n")]
    for seed in range(8):
        assert ids(run(stream, hold_out=Amount(5), seed=seed), "val") == ["b2"]
    assert "class 'a': 0 of its 1 clips are held out" in caplog.text


def test_clips_without_a_source_are_their_own_and_failed_ones_go_with_theirs() -> None:
    stream = [clip(str(n)) for n in range(10)]
    assert len(ids(run(stream, hold_out=Amount(3)), "val")) == 3
    stream = [clip("1", source="m"), clip("2", source="m", error=FAILED), clip("3", source="n")]
    for seed in range(6):
        splits = {r["id"]: r["split"] for r in run(stream, hold_out=Amount(1), seed=seed)}
        assert splits["1"] == splits["2"] != splits["3"]


@pytest.mark.parametrize(("share", "clips", "held"), [(0.1, 100, 10), (0.1, 4, 1), (0.25, 10, 3)])
def test_a_share_is_rounded_and_at_least_one(share: float, clips: int, held: int) -> None:
    stream = [clip(str(n)) for n in range(clips)]
    assert len(ids(run(stream, hold_out=Amount(share=share)), "val")) == held


def test_a_hold_out_does_not_join_a_split_that_is_there() -> None:
    stream = [*groups(1), clip("official", "class 0", "val")]
    with pytest.raises(UsageError, match="split 'val' already"):
        run(stream, hold_out=Amount(4))
    assert len(ids(run(stream, hold_out=Amount(4), hold_out_as="held"), "held")) == 4


def test_shots_are_drawn_from_what_is_not_held_out() -> None:
    found = run(groups(2, 5, 2), hold_out=Amount(2), shots=3)
    assert Counter((r["label"], r["split"]) for r in found) == {
        ("class 0", "val"): 2, ("class 0", "train"): 3,
        ("class 1", "val"): 2, ("class 1", "train"): 3,
    }  # fmt: skip


# Splits and records


def test_splits_are_set_first_and_chosen_last() -> None:
    stream = [clip("1", split="test"), clip("2", split=None)]
    assert ids(run(stream, set_split="train", shots=2, only=("train",))) == ["1", "2"]
    assert ids(run(groups(1), hold_out=Amount(4), only=("val",))) == ids(
        run(groups(1), hold_out=Amount(4)), "val"
    )
    assert ids(run(stream, only=("val", "test"))) == ["1"]


def test_a_record_keeps_all_that_it_had_and_says_what_chose_it() -> None:
    record = clip("1", boxes=[], unknown={"a": 1}, made={"index": "x"})
    (once,) = run([record], shots=1, seed=4)
    assert {**once, "made": record["made"]} == record and once["made"]["index"] == "x"
    assert once["made"]["split"].startswith("shots=1 seed=4 sbtools=")
    (twice,) = run([once], min_frames=None)
    assert twice["made"]["split"].startswith(once["made"]["split"] + "; ")


def test_when_the_run_is_stopped_nothing_is_drawn_from_a_part() -> None:
    for choice in (Choice(shots=1), Choice(group="base")):
        assert list(Split(choice, stop=lambda: True).records(iter(groups()))) == []
