"""`sbtools card` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.running import sbtools

MODEL = """
class Mean:
    recipe, frames = {"size": 32}, 2

    def __call__(self, video):
        return video.mean((1, 2))[:, :2, 0]

def mean():
    return Mean()
"""


def test_a_card_is_a_page_a_result_and_a_table(clips: Path, tmp_path: Path) -> None:
    shutil.copytree(clips, tmp_path / "clips")
    (tmp_path / "mine.py").write_text(MODEL)
    words = ["--classes", "walk,wave", "--workers", "0", "--bootstrap", "10"]
    done = sbtools("card", "mine:mean", *words, "clips", "-o", "out/card.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out/card.json").read_bytes())
    shown = ["plain", "static", "static-jitter", "shuffled", "reversed"]  # there are no masks
    assert list(found["views"]) == shown and len(found["examples"]) == 2
    lines = done.stdout.decode().splitlines()
    assert lines[0] == found["verdict"]["text"] and found["verdict"]["code"] == "open"
    assert lines[0].startswith("What it goes by cannot be told from ")
    assert found["flips"] == [] or found["flips"][0]["view"] == "static"
    at = lines.index("") + 1
    assert [line.split()[0] for line in lines[at:]] == ["view", *shown, "chance"]
    for line, view in zip(lines[at + 1 :], found["views"].values(), strict=False):
        assert float(line.split()[1]) == round(100 * view["top1"]["value"], 2)
    page = (tmp_path / "out/card.html").read_text()
    assert "static-jitter" in page and found["examples"][0]["views"]["static"][0] in page
    assert lines[0] in page and str(tmp_path) not in page and "<dt>host<" not in page
    assert b"left out bg, person-box" in done.stderr
    wrong = sbtools("card", "mine:mean", *words, "clips", "-o", "card.pdf", cwd=tmp_path)
    assert wrong.returncode == 2 and b".html" in wrong.stderr
