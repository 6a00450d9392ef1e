"""Records with an id and bad fields: they go on, as clips that failed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbtools.errors import RecordError
from sbtools.records import dump, parse, read, sound
from tests.cli.running import lines, sbtools
from tests.making import figure_frames, write_video
from tests.records.test_lines import BAD_LINES, FULL

STRANGE: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def mended(text: bytes) -> dict[str, Any]:
    (found,) = read(io.BytesIO(text), "stdin", "segment")
    return found


def test_a_bad_field_is_left_out_and_told() -> None:
    found = mended(b'{"id": "a", "fps": 0.0, "label": "walk", "mine": [1]}\n')
    message = "stdin:1: field 'fps' must be a number above 0, not 0.0"
    error = {"stage": "segment", "kind": "invalid", "message": message}
    assert found == {"id": "a", "label": "walk", "mine": [1], "error": error}


def test_all_bad_fields_are_left_out_and_an_earlier_error_stays() -> None:
    found = mended(b'{"id": "a", "fps": 0, "frames": -1, "start": 2, "end": 1, "width": 3}\n')
    assert found["error"]["message"].endswith("not 0 (and 2 fields more)")
    assert set(found) == {"id", "start", "width", "error"}
    error = {"stage": "index", "kind": "missing", "message": "gone"}
    assert mended(dump({"id": "a", "fps": 0, "error": error}))["error"] == error
    assert mended(b'{"id": "a", "error": "gone"}\n')["error"]["kind"] == "invalid"


STILL_BAD = [bad for bad in BAD_LINES if not bad.startswith((
    b'{"id": "a", "x": ["\\u', b'{"id": "a", "x": {"\\u', b'{"id": "a", "\\u', b'{"id": "a", "text',
    b'{"id": "a", "objects', b'{"id": "a", "x": ' + b"[" * 80 + b"]", b'{"id": "a", "error',
    b'{"id": "a", "start',
))]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda bad: bad[:40])
def test_what_is_no_object_with_an_id_stops_the_stream(bad: bytes) -> None:
    if bad in STILL_BAD:
        with pytest.raises(RecordError, match=r"^stdin:1: ") as error:
            mended(bad)
        assert BAD_LINES[bad] in str(error.value)
    else:
        assert BAD_LINES[bad] in mended(bad)["error"]["message"]


@given(st.dictionaries(st.sampled_from([*FULL, "mine"]), STRANGE, max_size=6))
def test_whatever_fields_hold_the_next_stage_takes_what_goes_on(fields: dict[str, Any]) -> None:
    record = {**FULL, **fields, "id": "a"}
    found = mended(json.dumps(record).encode() + b"\n")
    assert parse(dump(found), "x") == found and ("error" in found)
    assert parse(dump(sound(record, "mask")), "x")["id"] == "a"


def test_one_bad_record_does_not_end_a_pipe(tmp_path: Any) -> None:
    write_video(tmp_path / "clip.avi", figure_frames(2, 32, 32), codec="mpeg4")
    stream = b'{"id": "a", "video": "clip.avi", "fps": 0}\n{"id": "b", "video": "clip.avi"}\n'
    done = sbtools("index", "--workers", "0", "-", cwd=tmp_path, stdin=stream)
    assert done.returncode == 3, done.stderr
    first, second = lines(done.stdout)
    assert first["error"]["stage"] == "index" and "fps" not in first and second["frames"] == 2
    assert (
        b"a: stdin:1: field 'fps' must be a number above 0, not 0 (index: invalid)" in done.stderr
    )
    strict = sbtools("index", "--workers", "0", "--strict", "-", cwd=tmp_path, stdin=stream)
    assert (strict.returncode, lines(strict.stdout)) == (1, [first])
