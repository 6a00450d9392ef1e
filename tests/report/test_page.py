"""The page: whole, alone, and safe to open."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import UsageError
from sbtools.report import notices, page, tables
from sbtools.report.runs import of
from tests.report.made import FREE, PIXEL, put, result_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}\x1b[0m\u202e\udc80"
VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Tags that are open, elements and attributes that were seen, text outside of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(*told: dict[str, Any], **options: Any) -> str:
    found = tables([of(each, f"{place}.json") for place, each in enumerate(told)])
    return page.page(found, notices(found, ["cut.json is cut"]), **options)


def hostile() -> dict[str, Any]:
    told = result_of(HOSTILE, classes=(HOSTILE, "b", "c", "d"))
    told["examples"] = [
        {"id": HOSTILE, "label": HOSTILE, "views": {"plain": [PIXEL], HOSTILE: [PIXEL]}}
    ]
    told["warnings"].append({"kind": HOSTILE, "message": HOSTILE})
    told["clips"]["failed"] = [{"id": HOSTILE, "message": HOSTILE}]
    told["views"][HOSTILE] = told["views"]["static"]
    told["run"]["command"] = HOSTILE
    told["dataset"]["name"] = HOSTILE
    told["metrics"][f"flip_{HOSTILE}"] = told["metrics"]["top1"]
    told["groups"]["names"][0] = told["groups"]["field"] = HOSTILE
    told["pairs"] = {HOSTILE: {"views": {}}}
    told["training"]["log"][0]["losses"][HOSTILE] = 1.0
    return told


def test_hostile_names_are_shown_and_nothing_else() -> None:
    made = page_of(hostile(), result_of(), floor=HOSTILE, with_published=True)
    read = Reader(made)
    assert read.open == [] and "script" not in read.tags
    assert not any(name.startswith("on") for name, _ in read.attributes)
    assert read.text.count("<script>alert(1)</script>") > 10 and "{{ 7*7 }}" in read.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", made)
    made.encode("utf-8")


def test_the_page_asks_for_nothing() -> None:
    read = Reader(page_of(hostile()))
    for name, value in read.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster"):
            assert value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,", "#"))
    assert not {"link", "iframe", "object", "embed", "form", "base"} & set(read.tags)
    style = page_of(result_of()).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style and "prefers-color-scheme: dark" in style
    policy = dict(read.attributes)["content"]
    policies = [value for name, value in read.attributes if value.startswith("default-src 'none'")]
    assert policy and len(policies) == 1


def test_every_colour_is_defined_in_light_and_dark() -> None:
    made = page_of(result_of("a"), result_of("b", ratio="0.5:0.5"))
    light, dark = made.partition("prefers-color-scheme: dark")[::2]
    for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", made)):
        assert f"{name}:" in light.partition("<style>")[2] and f"{name}:" in dark.partition("}")[0]


def test_it_shows_the_numbers_warnings_and_how_it_was_made() -> None:
    told = result_of("bg50", ratio="0.5:0.5")
    text = Reader(page_of(told)).text
    assert text.startswith("Static bias of bg50") and "unread cut.json is cut" in text
    for view in told["views"].values():
        low, high = view["top1"]["interval"]
        assert f"{100 * view['top1']['value']:.2f} [{100 * low:.1f}, {100 * high:.1f}]" in text
    assert "few clips 60 clips from 30 sources: the intervals are rough" in text
    assert "training seed 0" in text and "file 0.json" in text and "Paired differences" in text
    ends = [one["interval"] for one in told["differences"]]
    assert text.count("not shown") == sum(low <= 0 <= high for low, high in ends) > 0
    empty = told["views"]["bg"]["coverage"]["empty"]["value"]
    assert f"{100 * empty:.2f}" in text and "worst" in text


def test_published_numbers_stand_beside_learned_masks_alone() -> None:
    fifty = tuple(map(str, range(50)))
    for masks in ("demo: exact", FREE):
        told = result_of("m", classes=fifty, ratio="0.33:0.67", masks=masks)
        told["dataset"]["name"] = "mimetics"
        text = Reader(page_of(told, with_published=True)).text
        assert ("19.27" in text) is (masks != FREE)
        assert ("fits no count of 576 clips: 16.50 P-top1" in text) is (masks != FREE)
        if masks != FREE:
            value = f"ours (1) {100 * told['metrics']['top1']['value']:.2f}"
            assert text.count(value) == 2  # Table 2 and Table 3
    assert "19.27" not in Reader(page_of(told)).text


def test_details_are_of_the_first_results() -> None:
    told = [result_of(f"n{place}", seed=None) for place in range(3)]
    for count, tags in ((0, 0), (2, 2), (9, 3)):
        read = Reader(page_of(*told, details=count))
        assert read.attributes.count(("class", "result")) == tags
        assert ("of 3; --details N shows more" in read.text) is (count < 3)


def test_the_same_results_make_the_same_page() -> None:
    told = result_of("a"), result_of("b", ratio="0.5:0.5")
    assert page_of(*told) == page_of(*told)


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    page.write(str(path), "one")
    page.write(str(path), "two")
    assert path.read_text() == "two" and list(tmp_path.iterdir()) == [path]
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*folder\.html"):
        page.write(str(tmp_path / "folder.html"), "x")
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(UsageError, match="cannot write"):
        page.write(str(tmp_path / "none" / "page.html"), "x")


def test_results_read_back_from_files(tmp_path: Path) -> None:
    from sbtools.report import read_all

    path = put(tmp_path, "a.json", {**result_of(), "examples": []})
    (run,), faults = read_all([str(path)])
    assert not faults and "Static bias of none" in page.page(tables([run]))
