"""Counterparts: who is whose, what becomes of those that cannot be paired, means over kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sbtools.cli.process import call
from sbtools.errors import DamagedError
from sbtools.evaluate import eval_records, from_scores, result
from sbtools.evaluate.clips import Clips
from sbtools.evaluate.counterparts import split
from sbtools.evaluate.intervals import clusters
from sbtools.evaluate.scores import from_records
from sbtools.records import Record, parse
from tests.evaluate.test_result_digest import changed, leaves, sealed

CLASSES = ["run", "jump", "sit"]
RIGHT, WRONG = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
GONE = {"stage": "mask", "kind": "missing", "message": "no masks"}
DROPPED = {"stage": "index", "kind": "dropped", "message": "masks in 80 % of the frames"}


def clip(id: str, right: bool, pair_of: str = "", variant: str = "", kind: str = "") -> Record:
    """A clip of the class run, answered right or wrong."""
    fields = {"pair_of": pair_of, "variant": variant, "background_kind": kind}
    told = {name: value for name, value in fields.items() if value}
    return {"id": id, "label": "run", "scores": {"plain": RIGHT if right else WRONG}, **told}


def judged(records: list[Record], **options: Any) -> dict[str, Any]:
    return from_scores(from_records(records, CLASSES), **{"draws": 50, "pairs": True, **options})


# number of the original: is it right; of each kind: is scuba right, is scufo right
BENCHMARK = {
    0: (True, {"places": (True, False), "stripe": (True, True)}),
    1: (True, {"places": (True, False), "stripe": (False, False)}),
    2: (False, {"places": (False, True)}),
    3: (True, {"places": (True, True)}),
    4: (True, {"vqgan": (True, False)}),
}


def benchmark(named: str = "{number}{kind}") -> list[Record]:
    """Originals, two sets of composites, and the still frames of these."""
    made = []
    for number, (right, kinds) in BENCHMARK.items():
        own = named.format(number=number, kind="")
        made.append(clip(own, right))
        for kind, (scuba, scufo) in kinds.items():
            one = named.format(number=f"{number}+", kind=kind)
            made.append(clip(one, scuba, own, "scuba", kind))
            made.append(clip(f"{one}!", scufo, one, "scufo", kind))
    return made


def over_kinds(part: int, contrasted: bool = False) -> float:
    """The mean of the means of the kinds, by hand."""
    found: dict[str, list[float]] = {}
    for _, kinds in BENCHMARK.values():
        for kind, answers in kinds.items():
            value = answers[0] and not answers[1] if contrasted else answers[part]
            found.setdefault(kind, []).append(float(value))
    return float(np.mean([np.mean(values) for values in found.values()]))


def test_means_over_kinds_are_those_worked_out_by_hand() -> None:
    found = judged(benchmark())
    metrics = found["metrics"]
    assert metrics["scuba_avg"]["value"] == pytest.approx(over_kinds(0)) == (3 / 4 + 1 / 2 + 1) / 3
    assert metrics["scufo_avg"]["value"] == pytest.approx(over_kinds(1)) == (1 / 2 + 1 / 2 + 0) / 3
    assert metrics["contrasted"]["value"] == pytest.approx(over_kinds(0, contrasted=True))
    assert metrics["top1"]["value"] == 4 / 5 and metrics["top1"]["count"] == 5
    scuba, scufo, only = (
        metrics[name]["value"] for name in ("scuba_avg", "scufo_avg", "contrasted")
    )
    assert scuba - scufo <= only <= scuba, "as it is of any pairs"
    assert [metrics[name]["count"] for name in ("scuba_avg", "scufo_avg", "contrasted")] == [7] * 3
    seen = found["variants"]["scuba"]
    assert seen["kinds"] == {"names": ["places", "stripe", "vqgan"], "count": [4, 2, 1]}
    assert seen["views"]["plain"]["value"] == [3 / 4, 1 / 2, 1]
    assert (seen["asked"], seen["left_out"], seen["failed"], seen["used"]) == (7, 0, 0, 7)
    assert found["clips"]["counterparts"] == 14
    pairs = found["pairs"]["scufo"]["views"]["plain"]
    assert pairs["original"]["value"] == pytest.approx(5 / 7)


def test_names_and_order_of_clips_say_nothing() -> None:
    """The very numbers, with names that sort otherwise and tell of other clips and kinds."""
    one = judged(benchmark("{kind}{number}"))["metrics"]
    records = benchmark("scufo__{number}_stripe{kind}")
    np.random.default_rng(0).shuffle(records)  # type: ignore[arg-type]
    other = judged(records)["metrics"]
    for name in ("scuba_avg", "scufo_avg", "contrasted"):
        assert one[name]["value"] == pytest.approx(other[name]["value"])
        assert one[name]["interval"] == pytest.approx(other[name]["interval"])


def test_of_a_benchmark_without_its_originals_the_composites_are_the_originals() -> None:
    records = [record for record in benchmark() if "variant" in record]
    found = judged(records)
    assert found["clips"]["used"] == 7 and found["clips"]["counterparts"] == 7
    assert found["metrics"]["top1"]["value"] == pytest.approx(5 / 7)
    assert found["metrics"]["contrasted"]["value"] == pytest.approx(over_kinds(0, contrasted=True))
    assert found["clips"]["sources"] == 5, "composites of one clip are one source"
    alone = judged([record for record in records if record["variant"] == "scuba"], pairs=False)
    assert alone["metrics"]["scuba_avg"] == found["metrics"]["scuba_avg"]


def test_portions_are_ratios_to_the_originals_of_the_very_clips() -> None:
    """30 clips right of 40; human-only: 12 of 32, whose originals have 24; bg-only: 6 of 20."""
    records = [clip(f"c{n}", n < 30) for n in range(40)]
    records += [clip(f"h{n}", n % 2 == 0, f"c{n}", "human-only") for n in range(6, 38)]
    records += [clip(f"b{n}", n < 6, f"c{n}", "bg-only") for n in range(20)]
    found = judged(records, draws=400)["metrics"]
    assert found["hor"]["value"] == pytest.approx((16 / 32) / (24 / 32))
    assert found["bor"]["value"] == pytest.approx((6 / 20) / (20 / 20))
    assert found["hor"]["count"] == 32 and found["hor"]["interval"][0] < 2 / 3
    assert found["top1_human-only"]["value"] == 0.5 and "top1_scuba" not in found
    near = [clip(f"c{n}", n < 12) for n in range(30)]
    near += [clip(f"h{n}", True, f"c{n}", "human-only") for n in range(30)]
    bare = judged(near)["metrics"]["hor"]
    assert bare["value"] is None and "two standard errors above chance" in bare["reason"]


def test_the_interval_of_one_kind_is_exact() -> None:
    records = [clip(f"c{n}", True) for n in range(20)]
    records += [clip(f"s{n}", n < 7, f"c{n}", "scuba", "places") for n in range(20)]
    ends = stats.binomtest(7, 20).proportion_ci(method="exact")
    told = judged(records)["metrics"]["scuba_avg"]
    assert told["interval"] == pytest.approx([ends.low, ends.high])
    assert told["method"] == "clopper-pearson"


def faulty() -> list[Record]:
    """One good pair, and a counterpart of every kind of fault."""
    return [
        clip("a", True),
        clip("do-a", False, "a", "swap"),
        {**clip("b", True), "error": GONE},
        clip("do-b", True, "b", "swap"),
        {**clip("c", True, variant="swap"), "error": DROPPED},
        clip("do-c", True, "c", "swap"),
        clip("do-d", True, "d", "swap"),
        clip("e", True),
        clip("e", False),
        clip("do-e", True, "e", "swap"),
        clip("self", True, "self", "swap"),
        clip("x", True, "z", "swap"),
        clip("y", True, "x", "swap"),
        clip("z", True, "y", "swap"),
        clip("to-x", True, "x", "swap"),
        clip("do-do-d", True, "do-d", "swap"),
        {**clip("bad", True, "a", "swap"), "error": GONE},
    ]


FAULTS = {
    "do-b": "b failed, its original",
    "do-c": "c was left out, its original",
    "do-d": "d is not among the clips, its original",
    "do-e": "e is there twice among the clips, its original",
    "self": "it is named as its own original",
    "x": "z, its original, leads back to it",
    "y": "x, its original, leads back to it",
    "z": "y, its original, leads back to it",
    "to-x": "x was left out, its original",
    "do-do-d": "do-d was left out, its original",
}


def test_who_cannot_be_paired_is_counted_named_and_paired_with_nobody() -> None:
    found = judged(faulty())
    named = {one["id"]: one["message"] for one in found["clips"]["excluded"]}
    assert named == {**FAULTS, "c": DROPPED["message"]}
    assert {one["kind"] for one in found["clips"]["excluded"]} == {"dropped", "missing", "mismatch"}
    assert found["pairs"]["swap"]["per_pair"]["id"] == ["do-a"]
    assert found["metrics"]["flip_swap"]["count"] == 1
    told = found["variants"]["swap"]
    assert (told["asked"], told["used"], told["left_out"], told["failed"]) == (13, 1, 11, 1)
    clips = found["clips"]
    assert clips["asked"] == 17 == clips["used"] + clips["counterparts"] + 11 + 2
    assert clips["used"] == 3, "a, and e twice"


ORIGINALS = st.lists(st.integers(-2, 9), min_size=1, max_size=10)


@given(ORIGINALS)
def test_pairs_are_those_of_a_slow_reference(originals: list[int]) -> None:
    """Clip n is a counterpart of clip originals[n]; -1: of nobody, -2: of one that is not there."""
    ids = [f"c{n}" for n in range(len(originals))]
    names = {-1: "", -2: "nobody"}
    pair_of = [names.get(n, f"c{n}") for n in originals]
    if "" not in pair_of:
        ids, pair_of = [*ids, "root"], [*pair_of, ""]

    def paired(at: int) -> bool:
        """Whether the way from original to original ends at a clip that is nobody's."""
        for _ in ids:
            if not pair_of[at]:
                return True
            if pair_of[at] not in ids:
                return False
            at = ids.index(pair_of[at])
        return False

    wanted = {(ids[n], pair_of[n]) for n in range(len(ids)) if pair_of[n] and paired(n)}
    empty = [""] * len(ids)
    sources = clusters(ids, empty, pair_of)
    clips = Clips(["a"], [*ids], sources, [*empty], pair_of=pair_of, variants=[*empty])
    clips.labels = clips.background = np.zeros(len(ids), np.int64)
    main, found = split(clips)
    pairs = zip(found.counterparts.ids, found.originals.ids, strict=True) if found else ()
    assert set(pairs) == wanted
    assert {*main.ids} == {id for id, of in zip(ids, pair_of, strict=True) if not of}
    assert len(main) + len(wanted) + len(clips.excluded) == len(ids)
    for id, of in wanted:
        assert sources[ids.index(id)] == sources[ids.index(of)], "pairs are of one source"


def test_what_records_say_reaches_the_scores() -> None:
    told = {"pair_of": "a", "variant": "scuba", "background_kind": "places"}
    line = json.dumps({"id": "b", "label": "run", "video": "b.mp4", **told}).encode() + b"\n"
    kept = eval_records.read([{"id": "a", "label": "run", "video": "a.mp4"}, parse(line, "x")])
    assert {name: kept[1][name] for name in told} == told and "variant" not in kept[0]


def test_what_a_result_says_of_variants_cannot_be_edited(tmp_path: Path) -> None:
    found, path = judged(faulty() + benchmark()), tmp_path / "r.json"
    result.write(str(path), found)
    assert result.read(str(path)) == found
    assert found["per_clip"].keys() >= {"id", "label"}
    assert found["pairs"]["scufo"]["per_pair"]["background_kind"][:2] == ["places", "stripe"]
    places = [("variants", *way) for way in leaves(found["variants"])]
    places = [way for way in places if way[-1] not in ("chance", "count", 0, 1, 2)]
    places = [way for way in places if "interval" not in way and "low" not in way]
    assert len(places) > 12
    for way in places:
        made = changed(found, way, lambda v: v + 1 if isinstance(v, int) else v - 1e-6)
        path.write_text(sealed(made))
        with pytest.raises(DamagedError, match="is not what the rest of the result says"):
            result.read(str(path))


def lines_of(records: list[Record]) -> Iterator[str]:
    return (f"{json.dumps(record)}\n" for record in records)


def test_eval_and_report_print_what_came_in_what_was_left_out_and_n(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [record for record in faulty() if record["id"] != "e"] + benchmark()
    (tmp_path / "scores.jsonl").write_text("".join(lines_of(records)))
    words = ["--from-scores", "scores.jsonl", "--classes", ",".join(CLASSES), "--pairs"]
    assert call(["eval", *words, "-o", "r.json", "--max-failed", "2"]) == 0
    text = capfd.readouterr().err
    assert "r.json: swap: 13 clips in, 11 left out by rule, 1 failed, N = 1\n" in text
    assert "r.json: scuba: 7 clips in, 0 left out by rule, 0 failed, N = 7\n" in text
    assert "r.json: 34 clips in, 11 left out by rule, 2 failed, N = 21\n" in text
    assert call(["report", "r.json", "-o", "p.html"]) == 0
    told = capfd.readouterr().out
    assert "swap: 13 clips in, 11 left out by rule, 1 failed, N = 1" in told
    heads = told.splitlines()[1]
    assert heads.split("top1 (IID)", 1)[1].split()[:3] == ["SCUBA", "SCUFO", "contrasted"]
    html = (tmp_path / "p.html").read_text()
    assert "Variant: scuba" in html and "places (4)" in html and "N = 7" in html


def swapped(pairs: bool = True) -> dict[str, Any]:
    """Six swaps, of which one has a background of its own class, beside other counterparts."""
    backs = {"jump": (RIGHT, WRONG, WRONG, [0.0, 0.0, 1.0]), "sit": (RIGHT,), "run": (WRONG,)}
    records = [clip(f"clip {n}", True) for n in range(6)]
    scores = [(back, one) for back, every in backs.items() for one in every]
    for n, (back, told) in enumerate(scores):
        one = clip(f"clip {n}//swap-random-0", True, f"clip {n}", "swap", "random")
        records.append({**one, "scores": {"plain": told}, "background_label": back})
        records.append(clip(f"clip {n}//human-only", False, f"clip {n}", "human-only"))
    return judged(records if pairs else records[6:], pairs=pairs)


def test_swapped_clips_are_judged_beside_their_originals() -> None:
    """Of five before another class two are right, and two are taken for the background's."""
    made = swapped()
    found = {name: made["metrics"][name] for name in ("shacc", "sberr", "bg_wins")}
    assert [one["value"] for one in found.values()] == pytest.approx([2 / 5, 2 / 5, 2.5 / 5])
    assert {one["count"] for one in found.values()} == {5}
    ends = stats.binomtest(2, 5).proportion_ci(method="exact")
    assert found["sberr"]["interval"] == pytest.approx([ends.low, ends.high])
    assert made["metrics"]["top1"]["value"] == 1 and made["clips"]["used"] == 6


def test_clips_before_other_backgrounds_go_before_counterparts() -> None:
    """Where the clips themselves have backgrounds of other classes, these are meant."""
    records = [{**clip(f"clip {n}", n < 3), "background_label": "jump"} for n in range(4)]
    one = clip("clip 0//swap", False, "clip 0", "swap")
    made = judged([*records, {**one, "background_label": "jump"}])
    assert made["metrics"]["shacc"]["value"] == 3 / 4


@pytest.mark.parametrize(
    ("made", "free"),
    [
        ({"segment": "grabcut; weights=none", "mask": "mask; mode=scuba; seed=0"}, True),
        ({"segment": "sam; weights=0123", "mask": "mask; mode=scuba; seed=0"}, False),
        ({"segment": "grabcut; weights=none", "mask": "mask; mode=bg; fill=mean"}, True),
        ({"segment": "grabcut; weights=none", "mask": "mask; mode=none; fill=mean"}, None),
        ({"mask": "mask; mode=appearance-free; seed=0"}, None),
        ({"segment": "grabcut; weights=none"}, None),
        ({}, None),
    ],
)
def test_clips_composed_by_masks_without_weights_say_so(
    made: dict[str, str], free: bool | None
) -> None:
    records = [clip("a", True), {**clip("a//x", True, "a", "x"), "made": made}]
    for some in (records, records[1:]):
        assert judged(some)["masks"]["weight_free"] is free
