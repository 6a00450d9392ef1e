"""The page says what audit.json holds, and nothing of the machine that made it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from sbtools.audit.page import page, verdict
from sbtools.audit.result import name_without_folders

CLASSES = ["<b>run", "walk"]


def cue(accuracy: float, tells: bool, title: str, named: int = 0, **more: Any) -> dict[str, Any]:
    ends = [accuracy - 0.05, accuracy + 0.05]
    each = {"accuracy": accuracy, "interval": ends}
    return {"title": title, "view": "static", **each, "shuffled": 0.3, "floor": None, "p": 0.01,
            "holm": 0.02, "tells": tells, "per_class": [{**each, "accuracy": 0.125}, each],
            "unseen": 0, "named": [f"c{at}" for at in range(named)],
            "by_chance": 3.0 if tells else 0.0, **more}  # fmt: skip


def found(**cues: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": "sbtools-audit", "version": 1, "sbtools": "9.9", "set": "demo",
        "clips": {"asked": 13, "audited": 10, "unlabelled": 2,
                  "failed": [{"id": "bad", "stage": "features", "kind": "x", "message": "cut"}]},
        "sources": 10, "classes": CLASSES, "counts": [4, 6], "chance": 0.5, "majority": 0.6,
        "level": 0.95, "folds": 5, "seed": 0,
        "model": {"name": "hf:clip", "weights_sha256": "ab" * 32, "frames": 1,
                  "recipe": {"size": 224}, "fill": "mean"},
        "cues": cues, "left_out": {"objects": "the records have no masks"},
        "lists": {"full": 10, "debiased": 3, "debiased-balanced": 3, "each": 3,
                  "lost": ["<b>run"], "left": [0, 3]},
    }  # fmt: skip


BOTH = {"frame": cue(0.8, True, "one frame", 7), "clothes": cue(0.61, False, "the clothes")}


class Cells(HTMLParser):
    """The text of every cell, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data.strip() + " "


def rows_of(text: str) -> list[list[str]]:
    reader = Cells()
    reader.feed(text)
    return [[cell.strip() for cell in row] for row in reader.rows]


def test_the_verdict_comes_first_in_one_or_two_sentences() -> None:
    assert verdict(found(**BOTH)) == (
        "From one frame alone 80.0 % of labels can be named (the most frequent class: 60.0 %). 3 "
        "of 10 clips are left when those that a cue names are taken out."
    )
    second = {"background": cue(0.9, True, "the background", 9)}
    assert verdict(found(**BOTH, **second)).startswith(
        "From the background alone 90.0 % of labels can be named, from one frame 80.0 % (the most"
    )
    assert verdict(found(clothes=BOTH["clothes"])) == (
        "No cue gives away more labels than the most frequent class, 60.0 %: no clip is named."
    )
    text = page(found(**BOTH), {})
    assert text.index("From one frame alone") < text.index("<section")


def test_every_number_of_a_cue_stands_in_its_row() -> None:
    floor = {"view": "scene-hole", "accuracy": 0.4, "interval": [0.3, 0.5], "beyond": None}
    more = {"background": cue(0.9, True, "the background", 9, floor=floor, holm=1e-9)}
    rows = rows_of(page(found(**BOTH, **more), {}))
    assert rows[1] == ["one frame frame", "80.0 [75.0, 85.0]", "60.0", "30.0", "\N{EN DASH}",
                       "0.020", "yes", "7", "3"]  # fmt: skip
    assert rows[3][4:7] == ["40.0 [30.0, 50.0]", "< 0.001", "yes"]
    assert rows[2][6:] == ["no", "0", "0"]
    head, first, second = rows[4:7]
    assert head == ["class", "clips", "frame", "clothes", "background", "left"]
    assert (first[0], first[1], first[-1]) == ("walk", "6", "3")
    assert (second[0], second[1], second[2][:4], second[-1]) == ("<b>run", "4", "12.5", "0")


def test_what_is_lost_left_out_failed_and_right_by_chance_is_said() -> None:
    text = page(found(**BOTH), {})
    for told in (
        "<b>objects</b> was not looked at: the records have no masks",
        "1 of 2 classes have no clip left: &lt;b&gt;run.",
        "Named: 7 by one frame (3 would be right by chance).",
        "debiased-balanced: 3 of these, 3 of each class that has any left.",
        "bad: cut",
        "10 clips of 10 sources, 2 classes, 1 failed, 2 without a label; sbtools 9.9",
        "hf:clip", "abababababab",
    ):  # fmt: skip
        assert told in text, told


def test_a_page_is_one_file_that_loads_nothing_and_escapes_what_it_shows() -> None:
    shown = {
        "frame": [{"id": "a\u202e<i>", "label": "<b>run", "picture": "data:image/jpeg;base64,AA=="}]
    }
    text = page(found(**BOTH), shown)
    assert "<b>run" not in text and "<i>" not in text and "\u202e" not in text
    assert "<script" not in text and not re.search(r"(?:href|src)=\"(?!data:)(?!#)", text)
    assert "default-src 'none'" in text and 'src="data:image/jpeg;base64,AA=="' in text
    assert text.count("<svg") == 1 and "None" not in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("hf:/data/me/clip/", "hf:clip"), ("hf:./clip", "hf:clip"), ("hf:org/clip", "hf:org/clip"),
     ("bg50", "bg50"), ("mine.models:build", "mine.models:build"), ("linear", "linear")],
)  # fmt: skip
def test_a_name_is_shown_without_folders(name: str, shown: str) -> None:
    assert name_without_folders(name) == shown
