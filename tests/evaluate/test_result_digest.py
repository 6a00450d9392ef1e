"""A result file that was changed, by accident or by hand, is found; an older one is still read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import DamagedError
from sbtools.evaluate import from_scores, result
from sbtools.evaluate.scores import from_records
from tests.cli.running import sbtools
from tests.evaluate.made import CLASSES, ids, inline, result_of

OLD = Path(__file__).with_name("result-v1.json")
"""Written by the last sbtools that wrote version 1."""
EDITED = "is not what the rest of the result says: changed by hand?"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """A result that has every section."""
    records: list[dict[str, Any]] = [
        {**record, "background_label": CLASSES[place % 3], "scene": f"s{place % 2}", "text": "\xe9"}
        for place, record in enumerate(inline(ids(60)))
    ]
    records += [
        {**record, "source": ids(60)[place], "split": "do"}
        for place, record in enumerate(inline(ids(4, 100)))
    ]
    scores = from_records(records, CLASSES)
    about = {"name": "caf\xe9", "run": {"seconds": 1e-5}}
    return from_scores(scores, group_by="scene", pairs=True, draws=20, about=about)


def sealed(told: dict[str, Any]) -> str:
    """A result with the digest that sbtools-result(5) describes."""
    rest = {name: value for name, value in told.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return json.dumps({**rest, "digest": hashlib.sha256(text.encode()).hexdigest()})


def refused(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        result.read(str(path))
    except DamagedError as fault:
        assert fault.exit_code == 5 and "r.json" in str(fault) and "\n" not in str(fault)
        return True
    return False


def test_a_file_has_the_digest_that_the_manual_describes(
    tmp_path: Path, found: dict[str, Any]
) -> None:
    path = tmp_path / "r.json"
    result.write(str(path), found)
    told = json.loads(path.read_bytes())
    assert told["version"] == 2 and told["digest"] == json.loads(sealed(told))["digest"]
    again = result.read(str(path))
    assert again == found
    assert result.dumps(again).encode() == path.read_bytes()


def test_every_flipped_bit_is_found(tmp_path: Path, found: dict[str, Any]) -> None:
    whole = result.dumps(found).encode()
    passed = []
    for bit in range(0, 8 * (len(whole) - 1), 71):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        if not refused(tmp_path / "r.json", bytes(data)):
            passed.append(bit)
    assert passed == []


def test_every_changed_digit_is_found(tmp_path: Path, found: dict[str, Any]) -> None:
    whole = result.dumps(found).encode()
    digits = [match.start() for match in re.finditer(rb"\d", whole)]
    assert len(digits) > 3000
    for place in digits[::7]:
        changed = b"%d" % ((int(whole[place : place + 1]) + 1) % 10)
        data = whole[:place] + changed + whole[place + 1 :]
        assert refused(tmp_path / "r.json", data), whole[place - 30 : place + 10]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1e-05", "1E-05"),
        ("1e-05", "0.00001"),
        (r"\u00e9", r"\u00E9"),
        ('"groups":', '"name": "other", "groups":'),
        ('"digest":', '"digests":'),
        ('"version": 2', '"version": 1'),
    ],
)
def test_what_reads_the_same_but_is_written_otherwise_is_found(
    tmp_path: Path, found: dict[str, Any], old: str, new: str
) -> None:
    whole = result.dumps(found)
    assert old in whole
    assert refused(tmp_path / "r.json", whole.replace(old, new, 1).encode())


def test_a_file_that_was_laid_out_anew_is_the_same(tmp_path: Path, found: dict[str, Any]) -> None:
    path = tmp_path / "r.json"
    told = json.loads(result.dumps(found))
    for text in (json.dumps(told, indent=4), json.dumps(told, ensure_ascii=False, sort_keys=True)):
        path.write_text(text, "utf-8")
        assert result.read(str(path)) == found


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all numbers."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield way
    elif isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*way, key))


def changed(told: dict[str, Any], way: tuple[Any, ...], to: Callable[[Any], Any]) -> dict[str, Any]:
    made = json.loads(json.dumps(told))
    where = made
    for step in way[:-1]:
        where = where[step]
    where[way[-1]] = to(where[way[-1]])
    return made


def of_views(told: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Numbers of views that their confusion, or the clips, give again."""
    for view, seen in told["views"].items():
        for name in ("top1", "top5", "mean_class"):
            yield from (("views", view, name, key) for key in ("value", "count"))
        for part in ("per_class", "confusion", "top_class"):
            names = ("label", "predicted", "count", "value", "share")
            for name in (name for name in names if name in seen[part]):
                yield from leaves(seen[part][name], ("views", view, part, name))


def test_a_number_edited_by_hand_is_found_though_its_digest_was_made_anew(
    tmp_path: Path, found: dict[str, Any]
) -> None:
    places = [*(("metrics", *way) for way in leaves(found["metrics"])), *of_views(found)]
    places += [(part, 0, "value") for part in ("differences", "ratios")]
    places += [("groups", "views", "bg", name, "value") for name in ("worst", "gap")]
    places += [("groups", "views", "bg", "value", 1), ("groups", "count", 0)]
    places += [("pairs", "do", "views", "bg", "flip", key) for key in ("value", "count")]
    places += [("clips", name) for name in ("asked", "used", "counterparts")]
    places += leaves(found["per_clip"]["label"], ("per_clip", "label"))
    places += leaves(found["per_clip"]["views"]["bg"]["top1"], ("per_clip", "views", "bg", "top1"))
    assert len(places) > 200
    path = tmp_path / "r.json"
    path.write_text(sealed(found))
    assert result.read(str(path)) == found
    missed = []
    for way in places:
        made = changed(found, way, lambda v: v + 1 if isinstance(v, int) else v - 1e-6)
        if not refused(path, sealed(made).encode()):
            missed.append(way)
    assert missed == []
    path.write_text(sealed(changed(found, ("metrics", "p_top1", "value"), lambda v: v + 0.01)))
    with pytest.raises(DamagedError, match=re.escape(f"metrics.p_top1 {EDITED}")):
        result.read(str(path))


@pytest.mark.parametrize("field", ["metrics", "views", "clips", "differences", "groups"])
def test_a_field_of_another_kind_is_damaged(
    tmp_path: Path, found: dict[str, Any], field: str
) -> None:
    kind = type(found[field])
    for wrong in ([3], {"plain": 3}, {"top1": {"value": "a"}}):
        if isinstance(wrong, kind):
            assert refused(tmp_path / "r.json", sealed({**found, field: wrong}).encode())


def test_numbers_and_clips_need_not_be_there() -> None:
    few = [{**record, "label": "run"} for record in inline(ids(2))]
    made = from_scores(from_records(few, CLASSES), draws=0)
    for told in (made, result.without_clips(made), result_of(ids(3), draws=0)):
        result.consistency.check(told, "r.json")


def test_version_1_is_read_and_called_unchecked(tmp_path: Path) -> None:
    told = json.loads(OLD.read_bytes())
    assert result.read(str(OLD)) == told and result.unchecked(told)
    done = sbtools("report", str(OLD), str(OLD), cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.decode().count("old") == 1
    assert done.stderr.decode().count(f"WARNING: old: {result.UNCHECKED}\n") == 1
    done = sbtools("compare", str(OLD), str(OLD), cwd=tmp_path)
    assert (done.returncode, done.stderr.decode().count(result.UNCHECKED)) == (0, 1)


def test_commands_name_a_damaged_file(tmp_path: Path, found: dict[str, Any]) -> None:
    whole = result.dumps(found)
    (tmp_path / "good.json").write_text(whole)
    (tmp_path / "bad.json").write_text(whole.replace('"value": 0.', '"value": 0.1', 1))
    (tmp_path / "forged.json").write_text(
        sealed(changed(found, ("metrics", "top1", "value"), lambda v: v / 2))
    )
    for name, words in (("bad", "its digest is not that of its content"), ("forged", EDITED)):
        done = sbtools("compare", "good.json", f"{name}.json", cwd=tmp_path)
        assert done.returncode == 5 and f"{name}.json" in done.stderr.decode()
        assert words in done.stderr.decode() and done.stderr.count(b"\n") == 1
    done = sbtools("report", "bad.json", "good.json", "forged.json", cwd=tmp_path)
    told = done.stderr.decode()
    assert done.returncode == 3 and "bad.json is damaged" in told and EDITED in told
    assert done.stdout.decode().count("caf\xe9") == 1 and result.UNCHECKED not in told
