"""Masks that the user has: COCO run lengths, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from sbtools.detect.base import Clip
from sbtools.segment.rle import RleSegmenter, decode, encode, from_string, to_string
from tests.segment.given_clip import Frames, kind_of

# COCO run lengths. The mask below, column by column: 0 1 1, 1 1 1, 0 0 1, 1 0 0 gives the runs
# 1, 5, 2, 2, 2. As a string: 1 "1", 5 "5", 2 "2", 2 - 5 = -3, which is 11101 in five bits, "M",
# 2 - 2 = 0 "0".

MASK = np.array([[0, 1, 0, 1], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
RUNS = [1, 5, 2, 2, 2]
TEXT = "152M0"


def test_a_mask_worked_out_by_hand() -> None:
    assert encode(MASK) == RUNS
    assert to_string(RUNS) == TEXT
    assert from_string(TEXT, 12) == RUNS
    np.testing.assert_array_equal(decode(RUNS, 3, 4), MASK)
    np.testing.assert_array_equal(decode(TEXT, 3, 4), MASK)


def test_long_runs_take_several_characters() -> None:
    """16 has its fifth bit set, which alone would be a sign: 10000 + more, then 0. 1000 = 31 * 32
    + 8: 01000 + more, 11111 + more, then 0, since the last five bits would be negative."""
    assert to_string([16]) == chr(48 + 0b110000) + "0" == "`0"
    assert to_string([1000]) == chr(48 + 0b101000) + chr(48 + 0b111111) + "0" == "Xo0"
    assert from_string("`0Xo0", 1000) == [16, 1000]


def test_all_and_nothing() -> None:
    assert encode(np.zeros((2, 3), bool)) == [6]
    assert encode(np.ones((2, 3), bool)) == [0, 6]
    assert decode([6], 2, 3).sum() == 0 and decode([0, 6], 2, 3).sum() == 6
    assert decode([0, 2, 0, 4], 2, 3).all()


@settings(max_examples=100, deadline=None)
@given(st_numpy.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_a_round_trip_changes_nothing(mask: Any) -> None:
    runs = encode(mask)
    text = to_string(runs)
    assert from_string(text, mask.size) == runs
    np.testing.assert_array_equal(decode(text, *mask.shape), mask)
    np.testing.assert_array_equal(decode(runs, *mask.shape), mask)


@settings(max_examples=50, deadline=None)
@given(st_numpy.arrays(bool, st.tuples(st.integers(1, 90), st.integers(1, 90))))
def test_pycocotools_reads_and_writes_the_same(mask: Any) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert to_string(encode(mask)) == theirs["counts"].decode()
    np.testing.assert_array_equal(decode(theirs["counts"].decode(), *mask.shape), mask)


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        ([13], "mismatch"),
        ([], "mismatch"),
        ([11], "mismatch"),
        ([10**30, 1], "mismatch"),
        ([-1, 13], "unreadable"),
        ([6.0, 6], "unreadable"),
        ([True, 11], "unreadable"),
        (["6", 6], "unreadable"),
        ("", "mismatch"),
        ("1", "mismatch"),
        ("1\n", "unreadable"),
        ("\x00", "unreadable"),
        ("é", "unreadable"),
        ("`", "unreadable"),
        ("o" * 1000, "unreadable"),
        ("M", "unreadable"),
        ("P" * 11 + "1", "unreadable"),
    ],
)
def test_hostile_run_lengths_are_refused(counts: Any, kind: str) -> None:
    assert kind_of(lambda: decode(counts, 3, 4))[0] == kind


def test_a_million_empty_runs_are_no_trouble() -> None:
    assert decode("0" * 1_000_001 + "<", 3, 4).shape == (3, 4)


def entry(frame: int, role: str, mask: Any) -> dict[str, Any]:
    return {"frame": frame, "role": role, "size": [*mask.shape], "counts": to_string(encode(mask))}


def test_masks_of_a_record_are_joined_by_frame_and_role() -> None:
    left, right = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
    left[0, 0], right[2, 3] = True, True
    record = {
        "id": "a",
        "sampled": [2, 5, 9],
        "rle": [entry(5, "person", left), entry(2, "object", MASK), entry(5, "person", right)],
    }
    segmenter = RleSegmenter()
    assert segmenter.frames(record) == [2, 5, 9]
    clip: Clip = Frames("a", [2, 5, 9], 3, 4)
    second, fifth, ninth = segmenter.masks(record, clip)
    np.testing.assert_array_equal(second.object, MASK)
    assert not second.person.any()
    np.testing.assert_array_equal(fifth.person, left | right)
    assert ninth.frame == 9 and not ninth.person.any() and not ninth.object.any()


@pytest.mark.parametrize(
    ("record", "kind", "message"),
    [
        ({"id": "a"}, "missing", "no field 'rle'"),
        ({"id": "a", "rle": [entry(3, "person", MASK)]}, "missing", "frame 2 has no mask"),
        (
            {"id": "a", "rle": [entry(2, "person", MASK.T)]},
            "mismatch",
            "the mask of frame 2 is 4x3 (height x width), the frame is 3x4",
        ),
        (
            {"id": "a", "rle": [{**entry(2, "person", MASK), "counts": [5]}]},
            "mismatch",
            "the mask of frame 2: the runs cover 5 pixels, a mask of 3x4 has 12",
        ),
    ],
)
def test_what_does_not_fit_in_a_record_is_named(record: Any, kind: str, message: str) -> None:
    got, text = kind_of(lambda: list(RleSegmenter().masks(record, Frames("a", [2], 3, 4))))
    assert got == kind and message in text
