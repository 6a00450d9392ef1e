"""Lines of records: what is read, what is refused, what is written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbtools.errors import ClipError, OutputError, RecordError
from sbtools.records import (
    LINE_LIMIT,
    Writer,
    counts_as_failure,
    dump,
    fail,
    parse,
    read,
)

BOX = {"frame": 3, "xyxy": [1, 2.5, 3, 4], "score": 0.5, "role": "person", "prompt": "person"}
FULL = {
    "id": "juggle/g23_c01",
    "video": "clips/juggle/g23_c01.mp4",
    "label": "juggle",
    "text": "juggling balls",
    "source": "g23",
    "dataset": "ucf101",
    "split": "val",
    "start": 0,
    "end": 2.5,
    "frames": 75,
    "fps": 29.97,
    "width": 340,
    "height": 256,
    "objects": ["ball"],
    "scene": "beach",
    "clothes": "red",
    "verb": "juggle",
    "noun": "ball",
    "pair_of": "juggle/g23_c00",
    "variant": "scuba",
    "background_kind": "places365",
    "features": "features/000of001-00000.h5::clips/juggle%2Fg23_c01",
    "scene_scores": "scenes/000of001-00000.h5::clips/juggle%2Fg23_c01",
    "frame_scores": "frame-scores/000of001-00000.h5::clips/juggle%2Fg23_c01",
    "plate": "plates/g23_c01.mp4",
    "sampled": [3, 11],
    "boxes": [BOX],
    "rle": [{"frame": 3, "role": "object", "size": [2, 2], "counts": [0, 4]}],
    "masks": "masks/000of001-00000.h5::clips/juggle%2Fg23_c01",
    "pixels": "masked/000of001-00000.h5::clips/juggle%2Fg23_c01",
    "mask_empty": 0,
    "mode": "bg+obj",
    "mode_effective": "bg",
    "fill": {"bg": [1, 2, 3], "object": [0, 0, 0]},
    "background_id": "a",
    "background_label": "b",
    "foreground_id": "c",
    "foreground_label": "d",
    "made": {"detect": "hog 0.1"},
    "error": {"stage": "mask", "kind": "missing", "message": "gone"},
}

BAD_LINES = {
    b'{"id": "a", "label": "b': "ends in the middle of a record",
    b'{"id": "a"\n': "not JSON",
    b'\xef\xbb\xbf{"id": "a"}\n': "byte order mark",
    b'["id"]\n': "a record is a JSON object",
    b"3\n": "a record is a JSON object",
    b"null\n": "a record is a JSON object",
    b"\n": "empty",
    b" \t\r\n": "empty",
    b'{"id": "a"} {"id": "b"}\n': "more than one JSON value",
    b'{"id": "a"},\n': "more than one JSON value",
    b'{"id": "a", "x": NaN}\n': "NaN is not a JSON number",
    b'{"id": "a", "x": [-Infinity]}\n': "-Infinity is not a JSON number",
    b'{"id": "a", "x": 1e999}\n': "too large",
    b'{"id": "a", "x": {"y": [-1.5E+400]}}\n': "too large",
    b'{"id": "a", "x": ' + b"9" * 400 + b".0}\n": "too large",
    b'{"id": "a", "x": ' + b"9" * 5000 + b"}\n": "5000 digits",
    b'{"id": "a", "id": "a"}\n': "'id' is there twice",
    b'{"id": "a", "x": [{"y": 1, "z": 2, "y": 3}]}\n': "'y' is there twice",
    b'{"id": "a", "x": 1, "\\u0078": 1}\n': "'x' is there twice",
    b'{"id": "\xff"}\n': "not UTF-8",
    b'{"id": "\xed\xb3\xbf"}\n': "not UTF-8",
    b'{"id": "a\\ud800"}\n': "half a character",
    b'{"id": "a", "x": ["\\uDC7F"]}\n': "half a character",
    b'{"id": "a", "x": ["\\uDD00"]}\n': "half a character",
    b'{"id": "a", "\\udcff": 1}\n': "half a character",
    b'{"id": "a", "x": {"\\ud800": 1}}\n': "half a character",
    b'{"id": "a", "text": "\\udcff"}\n': "half a character",
    b'{"id": "a", "objects": ["\\udcff"]}\n': "half a character",
    b'{"id": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n": "nested too deeply",
    b'{"id": "a", "x": ' + b"[" * 80 + b"]" * 80 + b"}\n": "nested too deeply",
    b'{"id": "a", "error": {"stage": "", "kind": "", "message": "", "x": '
    + b"[" * 80
    + b"]" * 80
    + b"}}\n": "nested too deeply",
    b'{"id": "a\nb"}\n': "not JSON",
    b'{"video": "a.mp4"}\n': "field 'id' is missing",
    b'{"id": ""}\n': "field 'id' must be",
    b'{"id": "a\\u0000"}\n': "field 'id' must be",
    b'{"id": 3}\n': "field 'id' must be",
    b'{"id": "' + b"a" * 4097 + b'"}\n': "field 'id' must be",
    b'{"id": "' + b"\\ud83d\\ude00" * 1025 + b'"}\n': "field 'id' must be",
    b'{"id": "a", "start": 2, "end": 2}\n': "field 'end' must be after 'start'",
}


def line(**fields: Any) -> bytes:
    return dump({"id": "a", **fields})


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda bad: bad[:40])
def test_a_bad_line_is_named_with_its_reason(bad: bytes) -> None:
    stream = io.BytesIO(line(id="first") + bad)
    found = read(stream, "stdin")
    assert next(found)["id"] == "first"
    with pytest.raises(RecordError, match=r"^stdin:2: ") as error:
        next(found)
    assert BAD_LINES[bad] in str(error.value)
    assert str(error.value).isascii()
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "id": [None, [], True],
        "video": ["", "a\0b", 3],
        "label": [None, 3],
        "start": ["a", -1, True, None],
        "end": ["a", -1, 10**400],
        "frames": [1.0, -1, True, 10**30],
        "fps": [0, "30", False],
        "width": [0, 1.5],
        "height": ["256", -2],
        "objects": ["ball", [1], {}],
        "sampled": [3, [1.0], [-1], [True], {}],
        "boxes": [{}, [3], [{**BOX, "xyxy": [1, 2, 3]}]],
        "rle": [{}, [[]]],
        "masks": ["", "a.h5", "::clips/a", 3],
        "pixels": ["a.h5::a"],
        "mask_empty": [True, 0.5],
        "mode": [1],
        "fill": [[], {"bg": [1, 2]}, {"bg": [1, 2, "3"]}],
        "verb": [3],
        "noun": [[]],
        "pair_of": ["", 3, "a\0b", ["a"]],
        "variant": [None, ["scuba"]],
        "background_kind": [True],
        "features": ["a.h5", [0.5]],
        "scene_scores": ["::clips/a", {"park": 1}],
        "frame_scores": ["a.h5", [0.5]],
        "made": [[], {"detect": 3}],
        "error": ["x", {"stage": "a", "kind": "b"}, {"stage": 1, "kind": "b", "message": "c"}],
    }.items(),
)
def test_a_bad_field_is_named(field: str, values: list[Any]) -> None:
    for value in values:
        text = json.dumps({"id": "a", field: value}).encode()
        with pytest.raises(RecordError, match=f"^x:7: field '{field}'"):
            parse(text, "x:7")


@pytest.mark.parametrize("missing", BOX)
def test_a_box_needs_all_its_parts(missing: str) -> None:
    box = {name: value for name, value in BOX.items() if name != missing}
    with pytest.raises(RecordError, match=f"field 'boxes', item 1: '{missing}' is missing"):
        parse(line(boxes=[BOX, box]), "x:1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frame", -1),
        ("frame", True),
        ("xyxy", [3, 0, 2, 1]),
        ("xyxy", [0, 3, 1, 2]),
        ("xyxy", [0, 0, 1, True]),
        ("xyxy", [0, 0, 1, 10**400]),
        ("score", "0.5"),
        ("role", "dog"),
        ("role", ["person"]),
        ("prompt", None),
        ("track", -1),
        ("track", 1 << 31),
        ("track", 1.0),
        ("track", None),
        ("track", True),
    ],
)
def test_a_bad_box_is_named(name: str, value: Any) -> None:
    with pytest.raises(RecordError, match=f"'boxes', item 0: '{name}' must be"):
        parse(line(boxes=[{**BOX, name: value}]), "x:1")


def test_a_box_may_have_a_track() -> None:
    """What else it has may not be nested without end, nor may it in an rle with such a part."""
    for track in (0, (1 << 31) - 1):
        assert parse(line(boxes=[{**BOX, "track": track}]), "x:1")["boxes"][0]["track"] == track
    deep: Any = 1
    for _ in range(80):
        deep = [deep]
    mask = {"frame": 0, "role": "person", "size": [1, 1], "counts": [1]}
    for parts in (
        {"boxes": [{**BOX, "x": deep}]},
        {"boxes": [{**BOX, "track": 1, "x": deep}]},
        {"rle": [{**mask, "track": deep}]},
    ):
        with pytest.raises(RecordError, match="nested too deeply"):
            parse(line(**parts), "x:1")


@pytest.mark.parametrize(
    ("name", "value"),
    [("frame", 0.5), ("role", "dog"), ("size", [1]), ("size", [0, 2]), ("counts", [-1])],
)
def test_a_bad_run_length_mask_is_named(name: str, value: Any) -> None:
    mask = {"frame": 0, "role": "person", "size": [2, 2], "counts": "04", name: value}
    with pytest.raises(RecordError, match=f"'rle', item 0: '{name}' must be"):
        parse(line(rle=[mask]), "x:1")


def test_all_fields_of_the_table_pass() -> None:
    assert list(read(io.BytesIO(dump(FULL)), "x")) == [FULL]
    assert dump(parse(dump(FULL), "x")) == dump(FULL)


def test_odd_but_right_lines_pass() -> None:
    lines = [
        b'{"id": "crlf"}\r\n',
        '{"id": "separator \u2028 inside"}\n'.encode(),
        b' {"id": "blanks"}\t \n',
        b'{"id": "emoji \\ud83d\\udc80", "text": "\\uD83D\\uDE00"}\n',
        b'{"id": "name \\udcff.mp4", "video": "\\uDC80.mp4"}\n',
        b'{"id": "looks twice \\"id\\": 1", "x": {"id": 1}}\n',
        b'{"id": "no final newline"}',
    ]
    found = list(read(io.BytesIO(b"".join(lines)), "x"))
    assert [record["id"][:4] for record in found] == [
        "crlf",
        "sepa",
        "blan",
        "emoj",
        "name",
        "look",
        "no f",
    ]
    assert found[3]["id"] == "emoji \U0001f480"
    assert os.fsencode(found[4]["video"]) == b"\x80.mp4"


def test_unknown_fields_pass_through_untouched() -> None:
    text = b'{"z": 123456789012345678901234567890, "id": "a", "y": 0.1, "x": {"b": [null, true]}}\n'
    assert dump(parse(text, "x")) == text


def test_a_repeated_id_names_both_lines() -> None:
    stream = io.BytesIO(line(id="b") + line() + line(id="c") + line())
    with pytest.raises(RecordError, match=r"^x:4: id 'a' is on line 2 already$"):
        list(read(stream, "x"))


def test_no_id_of_many_is_taken_for_a_repeated_one() -> None:
    lines = b"".join(line(id=f"clip{number}") for number in range(5000))
    assert len(list(read(io.BytesIO(lines), "x"))) == 5000


@pytest.mark.parametrize("extra", [0, 1])
def test_the_limit_of_a_line_is_exact(extra: int) -> None:
    text = b'{"id": "a", "x": "' + b"y" * (LINE_LIMIT - 20 + extra) + b'"}\n'
    assert len(text) == LINE_LIMIT + 1 + extra
    if extra:
        with pytest.raises(RecordError, match="x:1: the line is longer than 16 MB"):
            list(read(io.BytesIO(text), "x"))
    else:
        assert len(list(read(io.BytesIO(text), "x"))) == 1


def test_an_endless_line_is_refused_in_little_memory() -> None:
    code = (
        "import sys; from sbtools.records import read\n"
        "try: list(read(sys.stdin.buffer, 'stdin'))\n"
        "except Exception as error: sys.stderr.write(str(error))\n"
        "peak = open('/proc/self/status').read().split('VmHWM:')[1].split()[0]\n"
        "sys.exit(int(peak) > 200 << 10)"
    )
    with open("/dev/zero", "rb") as endless:
        run = subprocess.run([sys.executable, "-c", code], stdin=endless, stderr=-1, check=True)
    assert run.stderr == b"stdin:1: the line is longer than 16 MB"


def test_records_import_nothing_heavy() -> None:
    code = (
        "import sys, sbtools.records, sbtools.rng\n"
        "sbtools.rng.shard_of('a', 3)\n"
        "sys.exit(bool({'numpy', 'h5py', 'torch', 'cv2', 'av'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_json_can_say_survives(fields: dict[str, Any]) -> None:
    record = {"id": "a", "unknown": fields}
    text = dump(record)
    assert text.isascii()
    assert text.count(b"\n") == 1
    assert parse(text, "x") == record


@given(st.binary(max_size=40))
def test_no_line_gets_more_than_a_record_error(noise: bytes) -> None:
    for text in (noise, b'{"id": "a", ' + noise + b"}"):
        try:
            assert "id" in parse(text, "x:1")
        except RecordError as error:
            assert str(error).startswith("x:1: ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_what_is_not_json_is_never_written(value: Any) -> None:
    with pytest.raises(RecordError, match="record 'a' cannot be written"):
        dump({"id": "a", "x": value})


def test_each_record_is_with_the_reader_when_write_returns() -> None:
    out, into = os.pipe()
    with open(into, "wb") as stream, open(out, "rb", buffering=0) as reader:
        writer = Writer(stream)
        for name in ("a", "b"):
            writer.write({"id": name})
            assert reader.read(100) == dump({"id": name})


def test_a_full_disk_is_an_output_error_and_leaves_nothing_to_flush() -> None:
    with open("/dev/full", "wb") as stream, pytest.raises(OutputError, match="No space left"):
        Writer(stream).write({"id": "a"})


def test_a_reader_that_went_away_is_a_broken_pipe() -> None:
    out, into = os.pipe()
    os.close(out)
    with open(into, "wb") as stream, pytest.raises(BrokenPipeError):
        Writer(stream).write({"id": "a"})


def test_a_long_record_goes_whole_through_a_pipe_that_does_not_wait(tmp_path: Any) -> None:
    out, into = os.pipe()
    os.set_blocking(into, False)
    record = {"id": "a", "x": "y" * 1_000_000}
    with open(tmp_path / "copy", "wb") as copy, subprocess.Popen(["cat"], stdin=out, stdout=copy):
        os.close(out)
        with open(into, "wb") as stream:
            Writer(stream).write(record)
    assert (tmp_path / "copy").read_bytes() == dump(record)


def test_a_failed_record_says_where_and_why() -> None:
    record = {"id": "a", "label": "b"}
    failed = fail(record, "mask", ClipError("missing", "no such file"))
    assert record == {"id": "a", "label": "b"}
    assert list(failed) == ["id", "label", "error"]
    assert failed["error"] == {"stage": "mask", "kind": "missing", "message": "no such file"}
    assert parse(dump(failed), "x") == failed
    assert counts_as_failure(failed)
    assert not counts_as_failure(record)
    assert not counts_as_failure(fail(record, "mask", ClipError("dropped", "empty")))


def test_the_limit_of_file_size_is_an_output_error(tmp_path: Any) -> None:
    code = (
        "import resource, sys; from sbtools.records import Writer\n"
        "from sbtools.errors import OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    writer = Writer(sys.stdout.buffer)\n"
        "    for n in range(100): writer.write({'id': f'clip number {n}'})\n"
        "except OutputError: sys.exit(6)"
    )
    with open(tmp_path / "out.jsonl", "wb") as out:
        run = subprocess.run([sys.executable, "-c", code], stdout=out, check=False)
    assert run.returncode == 6
    assert os.path.getsize(tmp_path / "out.jsonl") == 1000
