"""Answers without scores: names, ranks, choices; what is computed of them, and what is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.evaluate import answer_files, combine, differences, from_scores, result
from sbtools.evaluate.answers import answered
from sbtools.evaluate.scores import from_records
from sbtools.index.labels import Labels
from sbtools.records import Record
from tests.evaluate.zhou import CHOICES, MIMETICS, PICTURES, RANKS

CLASSES = ["golf", "run", "sit", "wave", "swim", "row"]


def told(
    rows: list[dict[str, Any]],
    classes: list[str] | None = CLASSES,
    records: list[Record] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The result of rows as JSON Lines have them."""
    answers = answer_files.of_records(rows, "a.jsonl", ("hour",))
    table = Labels(enumerate(classes), "the classes") if classes else None
    found = answered(answers, "a.jsonl", records, table)
    return from_scores(found, **{"draws": 40, **options})


def of_csv(path: Path, classes: list[str] | None = None, **options: Any) -> dict[str, Any]:
    answers = answer_files.read(str(path))
    table = Labels(enumerate(classes), "the classes") if classes else None
    return from_scores(answered(answers, str(path), None, table), **{"draws": 40, **options})


def put(folder: Path, text: str) -> Path:
    path = folder / "answers.csv"
    path.write_text(text)
    return path


def names_in(text: str) -> list[str]:
    """All names of classes in the lists of a file, as Python prints them."""
    return sorted(set(re.findall(r"'(.*?)'", text)))


def values(found: dict[str, Any]) -> dict[str, float | None]:
    return {name: one["value"] for name, one in found["metrics"].items()}


def kinds(found: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in found["warnings"] if one["kind"] != "few-clips"]


def test_the_published_ranks_of_clip(tmp_path: Path) -> None:
    """human_top1, human_top5, background_top1 and background_wins of the three lines: FFF F,
    TTF F, FFT T."""
    classes = [*names_in(RANKS), "drinking", "dunking basketball"]
    found = of_csv(put(tmp_path, RANKS), classes)
    assert values(found) == {
        "top1": 1 / 3, "top5": 1 / 3, "mean_class": 1 / 3, "shacc": 1 / 3, "sberr": 1 / 3,
        "bg_wins": 1 / 3,
    }  # fmt: skip
    assert found["metrics"]["top1"]["chance"] == 1 / len(classes) and kinds(found) == []
    assert found["answers"]["left_out"] == [] and found["answers"]["choices"] is None
    assert found["per_clip"]["source"] == ["f8dp7wR4GWg", "ecNLf37mews", "f0H5AVFMHrg"]
    names = [classes[number] for number in found["per_clip"]["views"]["plain"]["predicted"]]
    assert names == ["skipping rope", "tying tie", "flying kite"]
    result.write(str(tmp_path / "r.json"), found)
    assert result.read(str(tmp_path / "r.json"))["answers"] == found["answers"]


def test_the_published_choices_of_a_video_language_model(tmp_path: Path) -> None:
    """choice_is_human and choice_is_bg of the four lines: FT, TF, TF, and FF of the answer T."""
    found = of_csv(put(tmp_path, CHOICES))
    shares = {"top1": 0.5, "shacc": 0.5, "sberr": 0.25, "top5": None, "bg_wins": None}
    assert {name: values(found)[name] for name in shares} == shares
    assert found["metrics"]["sberr"]["chance"] == found["metrics"]["top1"]["chance"] == 1 / 5
    assert found["views"]["plain"]["top5"]["k"] == 5
    assert found["answers"] == {
        "choices": 5, "none": 0, "no_class": {"count": 1, "names": [["T", 1]]},
        "left_out": ["top5", "bg_wins"],
    }  # fmt: skip
    assert kinds(found) == ["no-class", "left-out", "left-out"]
    assert (
        found["classes"] == sorted(set(found["classes"])) and "sword fighting" in found["classes"]
    )


def test_the_published_pictures_of_people_and_backgrounds(tmp_path: Path) -> None:
    """correct_ranking 1, 24, 2: right, wrong, wrong; top5 True, False, True."""
    classes = [*names_in(PICTURES), *(f"class {n}" for n in range(24))]
    path = put(tmp_path, PICTURES)
    found = of_csv(path, classes, pairs=True)
    assert values(found)["top1"] == 1 and values(found)["top1_human-only"] == 0
    assert values(found)["flip_bg-only"] == 1 and found["clips"]["counterparts"] == 2
    assert found["per_clip"]["id"] == ["-Qz25rXdMjE_000014_000024"]
    alone = of_csv(path, classes)
    assert values(alone)["top1"] == 1 / 3 and values(alone)["top5"] == 2 / 3
    assert alone["clips"]["sources"] == 1


def test_the_published_choices_on_mimetics(tmp_path: Path) -> None:
    found = of_csv(put(tmp_path, MIMETICS.replace("057,", "057/,")))
    assert values(found)["top1"] == 1 and "shacc" not in found["metrics"]
    assert found["per_clip"]["id"] == ["G_3kwIzNN3g_000050_000057"]
    assert found["per_clip"]["source"] == ["G_3kwIzNN3g"]


def scored(count: int = 60) -> list[Record]:
    """Clips of known scores, with all that records can bring; every third is a counterpart."""
    rng = np.random.default_rng(0)
    made = []
    for n in range(count):
        label, other = rng.choice(6, 2, replace=False)
        one: Record = {"id": f"c{n:02d}", "label": CLASSES[label], "source": f"s{n // 2}",
                       "background_label": CLASSES[other if n % 5 else label],
                       "hour": "day" if n % 4 else "night"}  # fmt: skip
        if n % 3 == 2:
            kind = {"variant": "human-only" if n % 2 else "scufo", "background_kind": f"k{n % 2}"}
            one |= {"pair_of": f"c{n - 1:02d}", **kind}
        scores = rng.standard_normal(6)
        scores[label] += rng.random() * 2
        made.append({**one, "scores": {"plain": scores.tolist()}})
    return made


def as_order(record: Record) -> Record:
    order = np.argsort(-np.array(record["scores"]["plain"]))
    bare = {name: value for name, value in record.items() if name != "scores"}
    return {**bare, "answers": [CLASSES[number].upper() for number in order]}


def as_ranks(record: Record) -> Record:
    one = as_order(record)
    names = [name.lower() for name in one.pop("answers")]
    rank, other = (names.index(one[name]) + 1 for name in ("label", "background_label"))
    return {**one, "rank": rank, "background_rank": other}


OPTIONS = {"pairs": True, "group_by": "hour", "draws": 60}
APART = ("answers", "time", "warnings", "scores")


def test_answers_give_what_their_scores_give() -> None:
    """All of the result: numbers, intervals, clips, pairs, variants, groups."""
    records = scored()
    ours = told([as_order(record) for record in records], **OPTIONS)
    theirs = from_scores(from_records(records, CLASSES), **OPTIONS)
    assert ours["answers"]["left_out"] == [] and "answers" not in theirs
    assert {"bg_wins", "top5", "worst_group", "scufo_avg", "flip_scufo", "hor"} <= {*values(ours)}
    for name in theirs:
        if name not in APART:
            assert ours[name] == theirs[name], name
    assert ours["warnings"] == theirs["warnings"]


def test_ranks_alone_tell_all_but_which_class_is_the_answer() -> None:
    records = scored()
    ours = told([as_ranks(record) for record in records], **OPTIONS)
    theirs = from_scores(from_records(records, CLASSES), **OPTIONS)
    unknown = ["flip_human-only", "flip_scufo"]
    assert ours["answers"]["left_out"] == unknown
    for name, one in theirs["metrics"].items():
        assert ours["metrics"][name] == one or name in unknown, name
    assert ours["views"]["plain"]["per_class"] == theirs["views"]["plain"]["per_class"]
    assert set(ours["pairs"]["scufo"]["per_pair"]["views"]["plain"]["flip"]) == {None}
    assert ours["metrics"]["flip_scufo"]["count"] == 0
    assert "do not tell which class is the answer" in ours["metrics"]["flip_scufo"]["reason"]


def test_counted_by_hand() -> None:
    """Six clips: right, the background's class, none of the classes, refused twice, right but for
    spelling."""
    swap = {"label": "golf", "background_label": "row"}
    rows = [
        {"id": "a", "answer": "golf", **swap}, {"id": "b", "answer": "row", **swap},
        {"id": "c", "answer": "Dancing!", **swap}, {"id": "d", "answer": None, **swap},
        {"id": "e", "answer": " ", **swap}, {"id": "f", "answer": "GOLF.", **swap},
    ]  # fmt: skip
    found = told(rows)
    shares = {"top1": 2 / 6, "shacc": 2 / 6, "sberr": 1 / 6, "top5": None, "bg_wins": None}
    assert {name: values(found)[name] for name in shares} == shares
    assert found["answers"]["none"] == 2 and found["clips"]["used"] == 6
    assert found["answers"]["no_class"] == {"count": 1, "names": [["Dancing!", 1]]}
    told_of = {one["kind"]: one["message"] for one in found["warnings"]}
    assert told_of["no-answer"] == "2 of 6 clips got no answer: they count as wrong"
    assert told_of["no-class"].endswith("none of the classes and count as wrong: 'Dancing!' 1")
    assert "bg_wins is left out: 1 of 6 clips do not tell" in found["warnings"][-1]["message"]
    plain = found["per_clip"]["views"]["plain"]
    assert plain["predicted"] == [0, 5, 6, 6, 6, 0] and plain["top5"] == [None] * 6
    assert found["views"]["plain"]["confusion"] == {
        "label": [0, 0, 0], "predicted": [0, 5, 6], "count": [2, 1, 3],
    }  # fmt: skip
    assert found["views"]["plain"]["top_class"] == {"class": "golf", "share": 2 / 6}


def test_who_stands_higher_needs_no_more_than_it_needs() -> None:
    """A refusal puts neither class higher: half. What is not listed stands below what is."""
    swap = {"label": "golf", "background_label": "row"}
    rows = [
        {"id": "a", "answers": ["run", "row", "golf"], **swap},
        {"id": "b", "answers": ["run", "golf"], **swap},
        {"id": "c", "answers": ["row"], **swap}, {"id": "d", "answers": [], **swap},
        {"id": "e", "rank": 1, **swap}, {"id": "f", "rank": 5, "background_rank": 1, **swap},
    ]  # fmt: skip
    assert values(told(rows))["bg_wins"] == (1 + 0 + 1 + 0.5 + 0 + 1) / 6
    behind = told([{"id": "a", "rank": 2, **swap}])
    assert values(behind)["bg_wins"] is None and values(behind)["sberr"] is None
    told_less = told([*rows, {"id": "g", "answers": ["run"], **swap}])
    assert values(told_less)["bg_wins"] is None and values(told_less)["sberr"] == 2 / 7


def test_five_best() -> None:
    """Right within five, wrong within five, known by rank, refused; a list of four tells too
    little."""
    rows = [
        {"id": "a", "label": "sit", "answers": ["run", "golf", "wave", "swim", "sit"]},
        {"id": "b", "label": "sit", "answers": ["run", "golf", "wave", "swim", "row"]},
        {"id": "c", "label": "sit", "rank": 5}, {"id": "d", "label": "sit", "rank": 6},
        {"id": "e", "label": "sit", "answer": None},
    ]  # fmt: skip
    assert values(told(rows))["top5"] == 2 / 5
    four = {"id": "f", "label": "sit", "answers": ["run", "golf", "wave", "swim"]}
    assert values(told([*rows, four]))["top5"] is None
    two = {"id": "a", "label": "sit", "answers": ["run", "polo"], "choices": ["run", "sit"]}
    assert values(told([two]))["top5"] == 0


def test_two_refusals_are_alike_and_two_other_words_are_not() -> None:
    rows = [
        {"id": "a", "label": "golf", "answer": None}, {"id": "b", "label": "golf", "answer": "x"},
        {"id": "a2", "label": "golf", "answer": None, "pair_of": "a", "variant": "v"},
        {"id": "b2", "label": "golf", "answer": "y", "pair_of": "b", "variant": "v"},
        {"id": "b3", "label": "golf", "answer": "X!", "pair_of": "b", "variant": "v"},
        {"id": "c", "label": "golf", "answer": "x", "pair_of": "a", "variant": "v"},
    ]  # fmt: skip
    found = told(rows, pairs=True)
    assert found["pairs"]["v"]["per_pair"]["views"]["plain"]["flip"] == [0, 1, 0, 1]


@pytest.mark.parametrize("answer", ["B", "b", "2", "B. row", "(b) Row", "2) row", "row", "ROW"])
def test_a_choice_is_named_by_letter_number_or_name(answer: str) -> None:
    row = {"id": "a", "label": "row", "answer": answer, "choices": ["golf", "row", "sit"]}
    found = told([row], None)
    assert values(found)["top1"] == 1 and found["metrics"]["top1"]["chance"] == 1 / 3


@pytest.mark.parametrize("answer", ["D", "4", "0", "B. golf", "a row", "BB"])
def test_what_names_no_choice_is_wrong(answer: str) -> None:
    row = {"id": "a", "label": "row", "answer": answer, "choices": ["golf", "row", "sit"]}
    found = told([row], None)
    assert values(found)["top1"] == 0 and found["answers"]["no_class"]["count"] == 1


def test_records_bring_the_rest() -> None:
    rows = [
        {"id": "a", "answer": "golf", "source": "t"}, {"id": "d", "answer": "polo"},
        {"id": "b", "answer": "golf", "background_label": "Row"},
    ]  # fmt: skip
    error = {"stage": "mask", "kind": "missing", "message": "no masks"}
    records = [
        {"id": "b", "label": "GOLF", "source": "s"}, {"id": "a", "label": "run", "source": "s"},
        {"id": "c", "label": "golf"}, {"id": "d", "label": "golf", "error": error},
    ]  # fmt: skip
    found = told(rows, records=records)
    assert values(found)["top1"] == 0.5 and found["clips"]["sources"] == 1
    assert found["metrics"]["shacc"]["count"] == 1
    failed = {one["id"]: one["message"] for one in found["clips"]["failed"]}
    assert found["answers"]["no_class"]["count"] == 0
    assert failed["d"] == "no masks" and failed["c"].startswith("a.jsonl has no row of it: add one")


def test_a_background_of_no_class_is_passed_over() -> None:
    row = {"id": "a", "label": "Golf", "background_label": "polo", "rank": 1, "background_rank": 1}
    found = told([{**row, "answers": ["GOLF"], "choices": ["golf!", "row"]}], ["Golf", "Row"])
    assert values(found) == {"top1": 1, "top5": 1, "mean_class": 1}


LABELLED = {"id": "a", "label": "golf", "background_label": "row"}
CONTRADICTIONS = [
    ({"rank": 2, "answers": ["golf"]}, "rank is 2, and among the answers that class is in place 1"),
    ({"rank": 1, "answers": ["row"]}, "rank is 1, and among the answers that class is not there"),
    ({"background_rank": 2, "answer": "row"}, "background_rank is 2, and among the answers"),
    ({"rank": 3, "background_rank": 3}, "label and background share rank 3: break the tie"),
    ({"rank": None, "background_rank": 2}, "background_rank without rank or answer"),
    ({"rank": 7}, "rank is 7 among 6 classes: name the right --classes"),
    ({"rank": 3, "choices": ["golf", "row"]}, "rank is 3 among 2 classes"),
    ({"answers": ["run", " "]}, "answers has an empty name in it: leave it out"),
    ({"rank": 0}, "rank '0' is no rank"),
    ({"rank": -1}, "rank '-1' is no rank"),
    ({"rank": 1.5}, "rank '1.5' is no rank"),
    ({"rank": True}, "rank 'True' is no rank"),
    ({"answers": ["run", "Run!"]}, "'Run!' is there twice among the answers"),
    ({"answers": ["run", 3]}, "answers is no list of names"),
    ({"answers": "run"}, "answers is no list of names"),
    ({"answer": 3}, "answer is 3, not a text"),
    ({"answer": "run", "answers": ["row"]}, "answer 'run' is not the first of answers, 'row'"),
    ({"answer": "run", "choices": ["run", "row"]}, "label 'golf' is none of its choices"),
    ({"answer": "A", "choices": ["golf", "Golf"]}, "choice 'golf' is there twice"),
    ({"answer": "A", "source": 7}, "source is 7, not a text"),
    ({"answer": "A", "label": "polo"}, "'a' is labelled 'polo', which is none of the 6 classes"),
    ({}, "there is no answer, answers or rank"),
]


@pytest.mark.parametrize(("row", "message"), CONTRADICTIONS, ids=[m for _, m in CONTRADICTIONS])
def test_an_answer_that_cannot_be_is_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        told([{**LABELLED, **row}])
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith(("a.jsonl: clip 'a': ", "clip 'a'"))


def test_what_answers_and_records_do_not_share_is_named() -> None:
    rows = [{"id": "a", "answer": "golf", "label": "run"}, {"id": "b", "answer": "golf"}]
    with pytest.raises(UsageError, match=r"clip 'b' is not among the records .1 answers are of no"):
        told(rows, records=[{"id": "a", "label": "run"}])
    with pytest.raises(UsageError, match="label is 'run', 'sit' in the record of clip 'a'"):
        told(rows, records=[{"id": "a", "label": "sit"}, {"id": "b", "label": "sit"}])
    with pytest.raises(UsageError, match=r"a.jsonl has no label of any clip: add a column label"):
        told([{"id": "a", "answer": "golf"}])
    with pytest.raises(UsageError, match=r"does not say what the classes are.*--classes FILE"):
        told(rows, None)
    two = [{**LABELLED, "answer": "A", "choices": ["golf", "row"]},
           {**LABELLED, "id": "b", "answer": "A", "choices": ["golf"]}]  # fmt: skip
    with pytest.raises(UsageError, match=r"1 choices, 2 at a.jsonl: clip 'a': chance is another"):
        told(two)


HOSTILE = [
    (b"", "there are no answers in it"),
    (b"id,answer,label\n", "there are no answers in it"),
    (b"clip,answer\na,golf\n", "there is no column id, the clip's: the first line has 'clip'"),
    (b"id,label\na,golf\n", "there is no column answer, answers or rank"),
    (b"id,answer,answer\na,b,c\n", "column 'answer' stands 2 times"),
    (b"id,choice,clip_choice\na,b,c\n", "column 'answer' stands 2 times"),
    (b"id,answer,label\na,golf\n", ":2: 2 columns, not 3 as in the first line"),
    (b"id,answer,label\na,golf,golf\n\na,run,golf\n", ":4: clip 'a' is answered twice, first at"),
    (b"id,answer,label\n,golf,golf\n", ":2: the id is empty"),
    (b"id,rank,label\na,first,golf\n", ":2: rank 'first' is no rank: 1 for the best"),
    (b"id,rank,label\na,nan,golf\n", ":2: rank 'nan' is no rank"),
    (b"id,rank,label\na," + b"9" * 5000 + b",golf\n", ":2: rank '9999"),
    (b"id,answer,label\na,golf\x00,golf\n", ":2: a NUL byte"),
    (b"id,answer,label\na,\xff\xfe,golf\n", ":2: this is no UTF-8"),
    (b'id,answer,label\na,"golf,golf\n', "unexpected end of data"),
    (b'id,answer,label\na,"go"lf,golf\n', ":2: "),
    (b"id,answer,label\na," + b"x" * 200_000 + b",golf\n", "field larger than field limit"),
    (b"id,answers,label\na,\"['golf', open('x')]\",golf\n", "answers is no list of names"),
    (b"id,answers,label\na,['golf'] or 1,golf\n", "answers is no list of names"),
    (b'id,answers,label\na,"[' + b"[" * 50_000 + b'",golf\n', "answers is no list of names"),
    (b'id,answers,label\na,"[' + b"'\\" * 60_000 + b'",golf\n', "answers is no list of names"),
    (b"label,youtube_id,time_start,time_end,image_type,correct_ranking\nrun,x,a,2,original,1\n",
     ":2: time_start and time_end are whole seconds"),
    (b"label,youtube_id,time_start,time_end,image_type,correct_ranking\nrun,x,1,2,blurred,1\n",
     ":2: image_type 'blurred' is none of original, human_only, background_only"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), HOSTILE, ids=[message for _, message in HOSTILE])
def test_a_csv_that_cannot_be_read_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        of_csv(path, CLASSES)
    assert message in str(caught.value) and str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400 + len(str(path))


def test_a_file_that_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No such file.*--answers names a csv"):
        of_csv(tmp_path / "no.csv", CLASSES)
    with pytest.raises(UsageError, match="--answers names a csv"):
        of_csv(tmp_path, CLASSES)


def test_a_csv_of_our_own(tmp_path: Path) -> None:
    """A byte order mark, lists in three forms, quotes inside, an empty answer, ranks as pandas
    writes them."""
    path = tmp_path / "a.csv"
    path.write_text(
        "﻿id,label,answers,rank,note\n"
        "a,it's,run|it's|sit,2.0,x\n"
        'b,it\'s,"[""it\'s"", ""run""]",,x\n'
        "c,it's,\"[\"\"it's\"\", 'run']\",1,x\n"
        "d,it's,'odd',,x\n"
        "e,it's,,,x\n"
        "f,,run,,x\n"
        "g,run,\"['it\\'s', 'run \"\"\"\"']\",2,x\n"
    )  # fmt: skip
    found = of_csv(path, ["it's", "run", "sit"])
    assert found["per_clip"]["views"]["plain"]["predicted"] == [1, 0, 0, 3, 3, 0]
    assert found["clips"]["failed"][0]["message"] == "the record has no label"
    assert found["answers"]["none"] == 1 and values(found)["top1"] == 2 / 6


def test_results_of_answers_are_compared_like_others() -> None:
    records = scored()
    good = [{**as_order(record), "answers": [record["label"]]} for record in records]
    a, b = told([as_order(record) for record in records]), told(good)
    found = combine.compare(a, b)
    gain = 1 - values(a)["top1"]
    assert found["views"]["plain"]["difference"]["value"] == pytest.approx(gain)
    assert found["views"]["plain"]["discordant"][0] == 0
    scores = from_scores(from_records(records, CLASSES), draws=40)
    assert combine.compare(scores, a)["views"]["plain"]["difference"]["value"] == 0
    seeds = differences.arms([a], [b])["outcomes"]["top1 plain"]
    assert seeds["a"]["chance"] == 1 / 6
    ranks = told([as_ranks(record) for record in records], pairs=True)
    assert "flip_scufo plain" not in differences.arms([ranks], [ranks])["outcomes"]
    choice = [{**row, "answer": row["answers"][0], "answers": [], "choices": CLASSES}
              for row in good]  # fmt: skip
    assert combine.compare(told(choice), a)["warnings"] == []


def test_chance_of_few_choices_stands_apart() -> None:
    row = {"label": "golf", "answer": "A", "choices": ["golf", "row"]}
    two = told([{**row, "id": f"c{n}"} for n in range(60)])
    six = told([{**row, "id": f"c{n}", "choices": []} for n in range(60)])
    found = combine.compare(two, six)
    assert "the classes to choose among differ (2 and 6)" in found["warnings"]
    assert found["views"]["plain"]["a"]["chance"] == 1 / 2
    assert found["views"]["plain"]["b"]["chance"] == 1 / 6
    assert combine.compare(six, two)["views"]["plain"]["b"]["chance"] == 1 / 2


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("views", "plain", "top5", "value"), 0.5),
        (("views", "plain", "top1", "chance"), 1 / 6),
        (("answers", "choices"), 6),
        (("answers", "choices"), "2"),
        (("views", "plain", "confusion", "predicted"), [0, 7]),
        (("per_clip", "views", "plain", "predicted"), [0] * 9),
    ],
)
def test_a_changed_number_is_seen(tmp_path: Path, place: tuple[str, ...], value: Any) -> None:
    row = {"label": "golf", "choices": ["golf", "row"]}
    found = told([{**row, "id": f"c{n}", "answer": "A" if n else "x"} for n in range(9)])
    result.write(str(tmp_path / "r.json"), found)
    assert result.read(str(tmp_path / "r.json"))["views"] == found["views"]
    changed = json.loads(json.dumps(found))
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    result.write(str(tmp_path / "r.json"), changed)
    with pytest.raises(result.DamagedError):
        result.read(str(tmp_path / "r.json"))
