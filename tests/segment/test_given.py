"""Masks that the user has: PNG images."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sbtools.detect.base import Box, Clip
from sbtools.errors import UsageError
from sbtools.segment.base import FrameMasks
from sbtools.segment.boxed import BoxSegmenter
from sbtools.segment.given import GivenMasks, boxes_of, boxes_of_mask
from sbtools.segment.mat import MatSegmenter
from sbtools.segment.png import PngSegmenter, read_values
from sbtools.segment.rle import RleSegmenter
from tests.segment.given_clip import Frames, H, W, kind_of

VALUES = np.array([[0, 1, 2, 0, 0], [0, 2, 2, 3, 0], [1, 0, 0, 0, 3]], np.uint8)
PERSON = np.array([[0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 1]], bool)
OBJECT = np.array([[0, 0, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


def png(values: Any, depth: int, kind: int, extra: bytes = b"") -> bytes:
    """A PNG written from its specification: kind 0 grey, 2 colour, 3 palette, 4 grey and alpha."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2}[kind]
    rows = np.asarray(values).reshape(len(values), -1)
    bits = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    packed = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", rows.shape[1] // channels, len(rows), depth, kind, 0, 0, 0)
    palette = chunk(b"PLTE", os.urandom(3 * 2**depth)) if kind == 3 else b""
    pixels = chunk(b"IDAT", zlib.compress(lines))
    return SIGNATURE + chunk(b"IHDR", header) + palette + extra + pixels + chunk(b"IEND", b"")


SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def segmented(folder: Path, id: str, wanted: list[int], **size: int) -> list[FrameMasks]:
    clip: Clip = Frames(id, wanted, **size)
    return list(PngSegmenter(str(folder)).segment(clip, []))


GREY = png(VALUES, 8, 0)


@pytest.mark.parametrize(
    ("depth", "kind"), [(8, 0), (4, 0), (2, 0), (16, 0), (8, 3), (4, 3), (2, 3)]
)
def test_samples_of_any_depth_say_what_is_where(tmp_path: Path, depth: int, kind: int) -> None:
    write(tmp_path / "juggle", **{"7.png": png(VALUES, depth, kind)})
    [masks] = segmented(tmp_path, "juggle", [7])
    assert masks.frame == 7 and masks.person.dtype == masks.object.dtype == bool
    np.testing.assert_array_equal(masks.person, PERSON)
    np.testing.assert_array_equal(masks.object, OBJECT)


@pytest.mark.parametrize("kind", [0, 3])
def test_one_bit_is_a_person(tmp_path: Path, kind: int) -> None:
    """Also a width that is no multiple of eight."""
    values = np.random.default_rng(0).integers(0, 2, (9, 13), dtype=np.uint8)
    write(tmp_path / "a", **{"0.png": png(values, 1, kind)})
    [masks] = segmented(tmp_path, "a", [0], height=9, width=13)
    np.testing.assert_array_equal(masks.person, values == 1)
    assert not masks.object.any()


def test_values_as_other_programs_write_them(tmp_path: Path) -> None:
    """OpenCV's own images, in grey, in grey stored as colours, with and without alpha, 16 bit."""
    values = np.random.default_rng(1).choice([0, 2, 200], (40, 30)).astype(np.uint8)
    opaque = np.full_like(values, 255)
    images = [
        values,
        values.astype(np.uint16),
        cv2.merge([values] * 3),
        cv2.merge([values] * 3 + [opaque]),
    ]
    for n, image in enumerate(images):
        write(tmp_path / "a", **{f"{n}.png": cv2.imencode(".png", image)[1].tobytes()})
    for masks in segmented(tmp_path, "a", [0, 1, 2, 3], height=40, width=30):
        np.testing.assert_array_equal(masks.person, values == 200)
        np.testing.assert_array_equal(masks.object, values == 2)


def test_large_values_of_sixteen_bits_are_people(tmp_path: Path) -> None:
    write(tmp_path / "a", **{"0.png": png(np.array([[2, 258, 512, 65535]]), 16, 0)})
    [masks] = segmented(tmp_path, "a", [0], height=1, width=4)
    assert masks.object.tolist() == [[True, False, False, False]]
    assert masks.person.tolist() == [[False, True, True, True]]


def test_what_else_an_image_holds_changes_nothing(tmp_path: Path) -> None:
    """Transparency, gamma and text would change the samples, or cost memory."""
    extra = chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tRNS", b"\0\x80\xff")
    extra += chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(bytes(10**6)))
    write(tmp_path / "a", **{"0.png": png(VALUES, 8, 3, extra), "1.png": png(VALUES, 8, 0, extra)})
    for masks in segmented(tmp_path, "a", [0, 1]):
        np.testing.assert_array_equal(masks.person, PERSON)
        np.testing.assert_array_equal(masks.object, OBJECT)


def test_frames_are_numbered_by_the_last_digits_of_a_name(tmp_path: Path) -> None:
    names = ["000012.png", "v2_frame_3.png", "mask-0004-person.PNG", "notes.txt"]
    write(tmp_path / "a", **dict.fromkeys(names, GREY))
    segmenter = PngSegmenter(str(tmp_path))
    assert segmenter.frames({"id": "a"}) == [3, 4, 12]
    assert [masks.frame for masks in segmented(tmp_path, "a", [3, 12])] == [3, 12]


def test_ids_with_folders_and_odd_names(tmp_path: Path) -> None:
    ids = ["hand stand/g 1_c01", "\N{SNOWMAN}", "a\nb", os.fsdecode(b"\xff\xfe"), "-rf", "x" * 255]
    for id in ids:
        write(tmp_path / id, **{"1.png": GREY})
        assert len(segmented(tmp_path, id, [1])) == 1
    segmenter = PngSegmenter(str(tmp_path))
    assert [segmenter.frames({"id": id}) for id in ids] == [[1]] * len(ids)


@pytest.mark.parametrize("id", ["..", "../b", "a/../../b", "/etc", "a//b", "a/.", "", "a\0b"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, id: str) -> None:
    folder = write(tmp_path / "masks", **{"1.png": GREY})
    write(tmp_path / "b", **{"1.png": GREY})
    write(folder / "a", **{"1.png": GREY})
    assert kind_of(lambda: segmented(folder, id, [1]))[0] == "unsafe"
    assert kind_of(lambda: PngSegmenter(str(folder)).frames({"id": id}))[0] == "unsafe"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a", **{"1.png": GREY})
    kind, message = kind_of(lambda: segmented(tmp_path, "a", [1, 2]))
    assert kind == "missing" and message.endswith(f"there is no {tmp_path}/a/2.png")
    kind, message = kind_of(lambda: segmented(tmp_path, "b", [1]))
    assert (kind, message) == ("missing", f"there is no folder {tmp_path}/b with masks")
    assert kind_of(lambda: segmented(tmp_path, "y" * 300, [1]))[0] == "missing"
    assert kind_of(lambda: segmented(tmp_path, "\ud800", [1]))[0] == "missing"
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere with masks"):
        PngSegmenter(str(tmp_path / "nowhere"))


def test_another_size_is_told_with_both_and_nothing_is_decoded(tmp_path: Path) -> None:
    """The second image claims to be 2 billion pixels wide and high."""
    write(tmp_path / "a", **{"1.png": GREY, "2.png": bomb()})
    message = "is 5x3, the frame is 340x256"
    kind, got = kind_of(lambda: segmented(tmp_path, "a", [1], height=256, width=340))
    assert kind == "mismatch" and got.endswith(message)
    kind, got = kind_of(lambda: segmented(tmp_path, "a", [2]))
    assert kind == "mismatch" and got.endswith("is 2000000000x2000000000, the frame is 5x3")


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 2 * 10**9, 2 * 10**9, 8, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def colours() -> bytes:
    return png(np.random.default_rng(0).integers(0, 256, (H, 3 * W)), 8, 2)


def with_alpha() -> bytes:
    return png(np.random.default_rng(0).integers(0, 256, (H, 2 * W)), 8, 4)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (colours(), "mismatch", "is a colour image; a mask has one channel"),
        (with_alpha(), "mismatch", "is transparent in places; a mask has one channel"),
        (b"", "unreadable", "is not a PNG image"),
        (b"\xff\xd8\xff\xe0 a JPEG", "unreadable", "is not a PNG image"),
        (GREY[:-1], "unreadable", "is cut short or damaged"),
        (GREY[:40], "unreadable", "is cut short or damaged"),
        (GREY[:45] + bytes([GREY[45] ^ 1]) + GREY[46:], "unreadable", "is cut short or damaged"),
        (SIGNATURE + chunk(b"IEND", b""), "unreadable", "is cut short or damaged"),
        (GREY + bytes(2 << 20), "too-large", "is larger than any mask"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_line(
    tmp_path: Path, data: bytes, kind: str, message: str
) -> None:
    write(tmp_path / "a", **{"1.png": data})
    got, text = kind_of(lambda: segmented(tmp_path, "a", [1]))
    assert got == kind and message in text and "a/1.png" in text and "\n" not in text


def test_pixels_that_end_early_are_not_made_up(tmp_path: Path) -> None:
    """A well-formed file whose compressed data holds one row of three."""
    header = struct.pack(">IIBBBBB", W, H, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" + VALUES[0].tobytes())
    data = SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    write(tmp_path / "a", **{"1.png": data})
    assert kind_of(lambda: segmented(tmp_path, "a", [1]))[0] == "unreadable"


def test_a_pipe_or_a_folder_in_the_place_of_an_image(tmp_path: Path) -> None:
    write(tmp_path / "a")
    os.mkfifo(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "2.png").mkdir()
    for number in (1, 2):
        kind, message = kind_of(lambda number=number: segmented(tmp_path, "a", [number]))
        assert kind == "unreadable" and "not a regular file" in message


@pytest.mark.parametrize("names", [("1.png", "01.png"), ("a.png", "1.png")])
def test_names_that_do_not_tell_the_frame_are_refused(tmp_path: Path, names: Any) -> None:
    write(tmp_path / "a", **dict.fromkeys(names, GREY))
    kind, message = kind_of(lambda: segmented(tmp_path, "a", [1]))
    assert kind == "mismatch"
    assert "of the same frame" in message or "has no frame number in its name" in message


def test_samples_are_read_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 16, (50, 61), dtype=np.uint8)
    write(tmp_path, **{"1.png": png(values, 4, 3)})
    np.testing.assert_array_equal(read_values(str(tmp_path / "1.png"), 50, 61), values)


def test_the_first_frame_has_the_number_that_is_said(tmp_path: Path) -> None:
    """HAT numbers its masks from 1, as it does its frames: 000001.png is of frame 0."""
    write(tmp_path / "a", **{"000001.png": GREY, "000003.png": GREY})
    segmenter = PngSegmenter(str(tmp_path), first=1)
    assert segmenter.frames({"id": "a"}) == [0, 2]
    assert [masks.frame for masks in segmenter.segment(Frames("a", [0, 2]), [])] == [0, 2]
    kind, message = kind_of(lambda: list(segmenter.segment(Frames("a", [1]), [])))
    assert kind == "missing" and message.endswith("frame 1 has no mask: there is no "
                                                  f"{tmp_path}/a/2.png")  # fmt: skip
    write(tmp_path / "b", **{"000000.png": GREY, "000001.png": GREY})
    kind, message = kind_of(lambda: segmenter.frames({"id": "b"}))
    assert kind == "mismatch" and message.endswith("b/000000.png is before the first frame, 1")


def test_a_threshold_makes_people_of_what_is_above_it(tmp_path: Path) -> None:
    """Of HAT's probabilities, 8 bits, 129 is the least that is a person."""
    values = np.array([[0, 2, 127, 128], [129, 130, 254, 255]])
    write(tmp_path / "a", **{"0.png": png(values, 8, 0), "1.png": png(values, 16, 0)})
    segmenter = PngSegmenter(str(tmp_path), threshold=128)
    for masks in segmenter.segment(Frames("a", [0, 1], height=2, width=4), []):
        assert masks.person.tolist() == [[False] * 4, [True] * 4]
        assert masks.object.dtype == bool and not masks.object.any()
    (masks,) = PngSegmenter(str(tmp_path), threshold=0).segment(Frames("a", [0], 2, 4), [])
    assert masks.person.tolist() == [[False, True, True, True], [True] * 4]


def test_what_is_said_of_the_images_is_part_of_what_was_made(tmp_path: Path) -> None:
    """And says nothing where it is as it always was, so that stores go on."""
    told = {"name": "png", "folder": str(tmp_path)}
    assert PngSegmenter(str(tmp_path)).describe() == told
    made = PngSegmenter(str(tmp_path), first=1, threshold=0).describe()
    assert made == {**told, "first": 1, "threshold": 0}


def test_masks_lie_in_folders_of_classes_too(tmp_path: Path) -> None:
    write(tmp_path / "Archery/v_Archery_g01_c01", **{"1.png": GREY})
    write(tmp_path / "Archery/v_Archery_g01_c02", **{"1.png": GREY})
    write(tmp_path / "v_Archery_g01_c02", **{"2.png": GREY})
    segmenter = PngSegmenter(str(tmp_path))
    assert segmenter.frames({"id": "v_Archery_g01_c01"}) == [1]
    assert segmenter.frames({"id": "v_Archery_g01_c02"}) == [2]
    assert kind_of(lambda: segmenter.frames({"id": "x/v_Archery_g01_c01"}))[0] == "missing"
    write(tmp_path / "Diving/v_Archery_g01_c01", **{"1.png": GREY})
    other = PngSegmenter(str(tmp_path))
    kind, message = kind_of(lambda: other.frames({"id": "v_Archery_g01_c01"}))
    folders = f"{tmp_path}/Archery/v_Archery_g01_c01 and {tmp_path}/Diving/v_Archery_g01_c01"
    assert (kind, message) == ("mismatch", f"two folders may hold its masks, {folders}")


def test_all_are_given_masks(tmp_path: Path) -> None:
    folder = str(tmp_path)
    every: list[GivenMasks] = [
        PngSegmenter(folder), RleSegmenter(), BoxSegmenter(), MatSegmenter(folder),
    ]  # fmt: skip
    assert [given.context([0], 9, 25.0) for given in every] == [[]] * 4
    assert [given.describe() for given in every] == [
        {"name": "png", "folder": folder},
        {"name": "rle"},
        {"name": "boxes"},
        {"name": "mat", "folder": folder},
    ]
    assert all(given.in_worker and not given.wants for given in every)


def test_boxes_hold_the_parts_of_a_mask() -> None:
    """Parts that touch at a corner are one; xyxy, with x1 and y1 exclusive."""
    mask = np.zeros((10, 20), bool)
    mask[1:3, 2:5] = mask[3, 5] = mask[7:, 15:] = True
    assert boxes_of_mask(mask) == [(2.0, 1.0, 6.0, 4.0), (15.0, 7.0, 20.0, 10.0)]
    nothing = np.zeros_like(mask)
    assert boxes_of(FrameMasks(4, nothing, mask)) == [
        Box(4, (2.0, 1.0, 6.0, 4.0), 1.0, "object", "object"),
        Box(4, (15.0, 7.0, 20.0, 10.0), 1.0, "object", "object"),
    ]
    assert boxes_of(FrameMasks(4, nothing, nothing)) == []


def test_noise_has_one_box() -> None:
    mask = np.zeros((40, 60), bool)
    mask[4::4, 6::4] = True
    assert boxes_of_mask(mask) == [(6.0, 4.0, 59.0, 37.0)]
