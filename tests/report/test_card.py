"""The page of one model: what stands first, what names mean, and what is not shown to others."""

from __future__ import annotations

import copy
import os
import re
from typing import Any

import pytest

from sbtools.evaluate import verdict as rule
from sbtools.evaluate.views import VIEWS
from sbtools.report import card, meaning, notices, tables, verdict
from sbtools.report.notices import Notice
from sbtools.report.places import hidden, hidden_in_svg
from sbtools.report.plots import styled
from sbtools.report.runs import of
from tests.evaluate.test_verdict import result as verdict_of
from tests.report.made import FREE, PIXEL, result_of
from tests.report.test_page import HOSTILE, Reader, hostile


def page_of(told: dict[str, Any], **options: Any) -> str:
    run = of(told, "card.json")
    return card.page(run, notices(tables([run])), **options)


def flip(**more: Any) -> dict[str, Any]:
    return {"id": "juggle/1", "label": "jump", "view": "bg", "answers": ["jump", "sit"],
            "pictures": [[PIXEL], [PIXEL, PIXEL]], **more}  # fmt: skip


def test_the_verdict_stands_first_and_the_warnings_last() -> None:
    run = of(result_of(masks=FREE), "card.json")
    assert run.verdict is not None
    text = Reader(page_of(result_of(masks=FREE))).text
    parts = [run.verdict["text"], "What stays right when a part is hidden", "right (top1)",
             "vs plain", "Metrics", "Every table and picture", "weight free masks"]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places) and text.index("Static bias of none") < places[0]
    assert text.count(run.verdict["text"]) == 1


def test_every_name_is_defined_where_it_stands() -> None:
    text = Reader(page_of(result_of())).text
    for said in (
        "bg only the people: everything else is one flat colour",
        "static one frame, shown all along",
        "SHAcc top1 of clips before the background of another class.",
        "SBErr Share of them that are taken for the background's class.",
        "P-top1 top1 of the P view",
    ):
        assert said in text
    assert all(meaning.of_view(name) for name in VIEWS) and meaning.of_view("theirs") == ""


def test_each_number_stands_with_its_interval() -> None:
    told = result_of()
    text = Reader(page_of(told)).text
    for view in told["views"].values():
        low, high = view["top1"]["interval"]
        ends = f"[{100 * low:.1f}, {100 * high:.1f}]"
        assert f"{100 * view['top1']['value']:.2f} {ends}" in text


def test_warnings_of_a_kind_are_one_and_of_controls_none() -> None:
    told = [
        Notice("ties", "view bg: many"), Notice("ties", "view static: many"),
        Notice("ties", "view bg: many"), Notice("ties", "view box-only: many"),
        Notice("few-clips", "9 clips"),
    ]  # fmt: skip
    assert [(one.kind, one.message) for one in card.merged(told)] == [
        ("ties", "view bg: many; view static: many"),
        ("few-clips", "9 clips"),
    ]
    told.append(Notice("empty-masks", "100.0% of the clips have no mask at all in view objects"))
    assert len([*card.merged(told)]) == 3 and len([*card.merged(told, ["objects"])]) == 2


def test_flips_are_shown_with_both_answers() -> None:
    made = page_of({**result_of(), "flips": [flip(), flip(id="x", pictures=[[PIXEL], ["x"]])]})
    text = Reader(made).text
    assert "juggle/1 (jump)" in text and "x (jump)" not in text
    assert "as it is: jump" in text and "everything but the people hidden: sit" in text
    assert made.count(PIXEL) == 3


def test_no_host_and_no_absolute_path_is_shown_unless_asked_for() -> None:
    told = result_of("hf:/home/jane/videomae")
    told["run"] |= {"host": "jane-laptop", "command": "sbtools card '/home/jane doe/run' a.jsonl"}
    told["training"]["run"] = "/home/jane/runs/one"
    told["masks"]["made"] = ["segment: sam weights=/home/jane/sam.pth"]
    told["warnings"] = [{"kind": "mask-band", "message": "view bg: /home/jane/sam is empty"}]
    told["clips"]["failed"] = [{"id": "a", "message": f"no such file ({os.getcwd()}/b c.mp4)"}]
    made = page_of(told)
    assert "jane" not in made and os.getcwd() not in made
    assert "hf:videomae" in made and "view bg: sam is empty" in made
    whole = page_of(told, paths=True)
    for said in ("jane-laptop", "/home/jane/runs/one", "hf:/home/jane/videomae", os.getcwd()):
        assert said in whole


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cannot read /data/k400/val.jsonl: gone", "cannot read val.jsonl: gone"),
        ("runs/bg50/last.pt", "runs/bg50/last.pt"),
        ("../shared/clips", "../shared/clips"),
        ("12 / 40 and P / top1, bg/obj", "12 / 40 and P / top1, bg/obj"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("file:///home/jane/a.mp4", "a.mp4"),
        ("--root=/home/jane/ -o x", "--root=~ -o x"),
        ("--root '/Users/jane doe'", "--root '~'"),
        ("in /scratch/sets/: none", "in sets: none"),
        ('{"weights": "/home/jane doe/a.pt"}', '{"weights": "a.pt"}'),
    ],
)
def test_of_an_absolute_path_the_last_name_is_left(text: str, wanted: str) -> None:
    assert hidden(text) == wanted


def test_words_of_pictures_are_looked_at_too() -> None:
    picture = (
        '<svg aria-label="of /home/jane/a"><image href="data:/9j/b"/><text>/home/jane/c</text>'
    )
    assert hidden_in_svg(picture) == (
        '<svg aria-label="of a"><image href="data:/9j/b"/><text>c</text>'
    )


def test_hostile_names_are_shown_and_nothing_else() -> None:
    told = hostile()
    told["flips"] = [flip(id=HOSTILE, label=HOSTILE, view=HOSTILE, answers=[HOSTILE, HOSTILE])]
    read = Reader(page_of(told))
    assert read.open == [] and "script" not in read.tags
    assert not any(name.startswith("on") for name, _ in read.attributes)
    assert read.text.count("<script>alert(1)</script>") > 10


def test_a_result_without_answers_of_clips_has_a_page_without_a_verdict() -> None:
    text = Reader(page_of({**result_of(), "per_clip": None})).text
    assert "right (top1)" in text and "By rule" not in text


def test_flips_are_of_views_in_which_answers_are_lost() -> None:
    gains = {"plain": 9.0, "bg": 0.0, "person-box": 0.0, "static": 9.0, "shuffled": 9.0}
    run = of({**result_of(gains=gains, clips=200), "flips": [flip(view="static"), flip()]}, "a")
    assert [one.view for one in card.flipped(run)] == ["bg"]
    alone = of({**result_of(gains=gains, clips=200), "flips": [flip(view="static")]}, "a")
    assert [one.view for one in card.flipped(alone)] == ["static"]


def test_a_view_of_objects_that_no_clip_has_is_left_out() -> None:
    told = result_of()
    view = copy.deepcopy(told["views"]["bg"])
    told["views"]["objects"] = view
    assert card.blank(of(told, "a")) == [] and "only the objects" in page_of(told)
    view["coverage"]["empty"]["value"] = 1
    assert card.blank(of(told, "a")) == ["objects"] and "only the objects" not in page_of(told)


def test_the_picture_has_a_row_of_each_view_that_the_sentence_needs() -> None:
    def rows(**stay: int) -> list[str]:
        told = rule.of(verdict_of({name.replace("_", "-"): count for name, count in stay.items()}))
        assert told is not None
        with styled():
            drawn = verdict.drawn(told)
        return [text for text in re.findall(r">([^<>\s][^<>]*)</text>", drawn) if text[0].islower()]

    shown = ["people hidden", "everything but the people hidden", "one frame, shown all along"]
    assert rows(scene=12, scene_hole=10, bg=110, clothes=12, static=20) == shown
    assert rows(static=20, static_jitter=10) == shown[2:] and rows() == []
    worn = rows(scene=12, bg=110, clothes=110)
    assert worn == [*shown[:2], "patches of their clothes alone"]
