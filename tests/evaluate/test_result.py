"""A result file is whole, and what is none is named."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import DamagedError, OutputError, SbtoolsError, UsageError
from sbtools.evaluate import from_scores, result
from sbtools.evaluate.scores import from_records
from sbtools.records import parse
from tests.evaluate.made import ids, result_of

MAN = Path(__file__).resolve().parents[2] / "man" / "sbtools-result.5"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return result_of(ids(12), group_by="source", about={"name": "mine"})


def test_what_is_written_is_read(tmp_path: Path, found: dict[str, Any]) -> None:
    path = str(tmp_path / "r.json")
    result.write(path, found)
    told = json.loads(Path(path).read_text("ascii"))
    assert len(told.pop("digest")) == 64 and result.read(path) == found == told
    assert os.listdir(tmp_path) == ["r.json"]
    assert found["name"] == "mine" and found["time"].endswith("+00:00")


@pytest.mark.parametrize("now", ["cosine", "vifi"])
def test_a_training_from_before_schedules_had_names_went_by_the_cosine(
    tmp_path: Path, found: dict[str, Any], now: str
) -> None:
    """So that it is of one recipe with a later one of the same schedule, and of no other."""
    recipes = []
    for name, more in (("old", {}), ("new", {"schedule": now})):
        training = {"seed": 1, "settings": {"lr": 1e-3, **more}}
        result.write(str(tmp_path / name), {**found, "training": training})
        recipes.append(result.read(str(tmp_path / name))["training"])
    assert (recipes[0] == recipes[1]) == (now == "cosine")
    told = {name: recipes[0]["settings"][name] for name in ("optimiser", "groups")}
    assert told == {"optimiser": "adamw", "groups": []}
    first, second = (recipe["settings"]["groups"] for recipe in recipes)
    assert first is not second


def test_every_cut_of_a_file_is_named(tmp_path: Path, found: dict[str, Any]) -> None:
    whole = result.dumps(found).encode()
    path = tmp_path / "cut.json"
    for size in [*range(0, 200, 7), *range(200, len(whole) - 2, 211)]:
        path.write_bytes(whole[:size])
        with pytest.raises(
            DamagedError, match=r"cut\.json is (empty|cut|not an sbtools)"
        ) as caught:
            result.read(str(path))
        assert caught.value.exit_code == 5
    path.write_bytes(b"")
    with pytest.raises(DamagedError, match="is empty: run its evaluation again"):
        result.read(str(path))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match="cut or damaged: run its evaluation again"):
        result.read(str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3, "sbtools": "0.9.0"}, "version 3 .*install sbtools 0.9.0 or newer"),
        ({"version": "1"}, "version is '1'"),
        ({"version": 0}, "version is 0"),
        ({"version": True}, "version is True"),
        ({"format": "coco"}, "is not an sbtools result"),
        ({"metrics": []}, "metrics is missing or of another type"),
        ({"views": {"plain": {}}}, "view 'plain' has no top1"),
        ({"per_clip": {}}, "per_clip is damaged"),
        ({"classes": ["run"]}, "label that is no class"),
    ],
)
def test_other_files_are_named(
    tmp_path: Path, found: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**found, **change}))
    with pytest.raises(DamagedError, match=message) as caught:
        result.read(str(path))
    assert "other.json" in str(caught.value)


@pytest.mark.parametrize("name", ["clips", "views", "per_clip", "warnings", "run", "model"])
def test_a_field_that_is_missing_is_named(found: dict[str, Any], name: str) -> None:
    less = {key: value for key, value in found.items() if key != name}
    with pytest.raises(DamagedError, match=f"field {name} is missing"):
        result.check(less, "r.json")


def test_lists_of_clips_must_be_of_one_length(found: dict[str, Any]) -> None:
    clips = {**found["per_clip"], "label": found["per_clip"]["label"][1:]}
    with pytest.raises(DamagedError, match="several lengths"):
        result.check({**found, "per_clip": clips}, "r.json")


@pytest.mark.parametrize("text", ["[]", "3", '"x"', "{}", "nonsense", "\xff", "[" * 100_000])
def test_foreign_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DamagedError, match="not an sbtools result"):
        result.read(str(tmp_path / "f.json"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(
    tmp_path: Path, found: dict[str, Any], number: str
) -> None:
    text = json.dumps({**found, "extra": "HERE"}).replace('"HERE"', number)
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(DamagedError, match="not a finite number"):
        result.read(str(tmp_path / "n.json"))
    with pytest.raises(SbtoolsError, match="cannot be written"):
        result.write(str(tmp_path / "m.json"), {**found, "extra": float(number)})
    assert not (tmp_path / "m.json").exists()


def test_missing_files_and_folders_are_usage_errors(tmp_path: Path, found: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no such file"):
        result.read(str(tmp_path / "none.json"))
    with pytest.raises(UsageError):
        result.read(str(tmp_path))
    with pytest.raises(UsageError, match="cannot write"):
        result.write(str(tmp_path / "no" / "r.json"), found)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_result(
    tmp_path: Path, found: dict[str, Any], call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.json"
    result.write(str(path), found)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(OutputError, match="No space left"):
            result.write(str(path), {**found, "name": "new"})
    assert result.read(str(path)) == found and os.listdir(tmp_path) == ["r.json"]


def test_what_the_caller_knows_is_joined_field_by_field() -> None:
    about = {
        "model": {"name": "vificlip", "kind": "logits"},
        "protocol": {"frames": 8, "p_view": "bg"},
        "masks": {"made": ["given"]},
        "training": {"select": "eval-as-published", "log": []},
        "run": {"command": "sbtools eval"},
        "scores": {"store": "s", "digest": "ab"},
    }
    made = result_of(ids(4), about=about)
    assert made["model"] == about["model"] and made["run"]["command"] == "sbtools eval"
    assert made["protocol"]["frames"] == 8 and made["protocol"]["views"] == ["plain", "bg"]
    assert made["protocol"]["crops"] is None and made["masks"]["made"] == ["given"]
    assert made["masks"]["weight_free"] is False and made["scores"]["digest"] == "ab"
    assert "selected-on-test" in [warning["kind"] for warning in made["warnings"]]
    with pytest.raises(ValueError, match="about has no 'modle'"):
        result_of(ids(4), about={"modle": {}})


def test_the_example_of_a_record_with_scores_is_one() -> None:
    text = MAN.read_text("utf-8").partition(".SH SCORES")[2].partition(".EX\n")[2]
    line = " ".join(text.partition(".EE")[0].split())
    made = from_scores(from_records([parse(line.encode(), "page")], ["walk", "run", "sit"]))
    assert made["metrics"]["top1"]["value"] == 1 and made["metrics"]["p_top1"]["value"] == 0
    assert made["views"]["bg"]["coverage"]["area"]["value"] == 0.125


def test_every_field_is_in_the_manual(found: dict[str, Any]) -> None:
    page = re.sub(r"\\f.|\\", "", MAN.read_text("utf-8"))
    fields = page.partition(".SH FIELDS")[2]
    headed = set(re.findall(r"^\.TP\n\.B([RI]? .*)$", fields, flags=re.M))
    words = {word for head in headed for word in re.findall(r"[a-z_0-9]+", head)}
    assert set(found) <= words
    for view in found["views"].values():
        assert set(view) <= words
    for name in ("dataset", "protocol", "masks", "clips", "bootstrap", "run", "per_clip"):
        told = fields.partition(f".B {name}\n")[2].partition("\n.TP\n.B r")[0]
        assert set(found[name]) <= set(re.findall(r"[a-z_0-9]+", told)), name
    kinds = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)",', Path(result.__file__).with_name("warn.py")
                           .read_text("utf-8")))  # fmt: skip
    assert kinds and kinds <= set(re.findall(r"[a-z-]+", fields.partition(".B warnings")[2]))
