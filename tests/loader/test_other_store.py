"""The masks of a clip as another store has them: by its id and the numbers of its frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sbtools.errors import UsageError
from sbtools.loader import Clips, Sample
from sbtools.loader.needs.other_store import folder_of, reasons
from sbtools.records import Record
from sbtools.store import StoreWriter
from tests.loader.made import PLAIN, boxes_of, make, shapes

IDS = ["c0", "c1", "c2"]
SIZE = (96, 128)
NAMES = ("person", "object", "person_box", "object_box")
Known = tuple[Path, list[Record]]


@pytest.fixture
def known(tmp_path: Path) -> Known:
    """Clips of 24 frames, of which masks/ has every third."""
    return tmp_path, make(tmp_path, IDS, numbers=range(0, 24, 3))


def put(
    known: Known, ids: list[str], numbers: Any = range(24), boxes: bool = True, shift: int = 0,
    size: tuple[int, int] = SIZE, **attrs: Any,
) -> str:  # fmt: skip
    """Another store of the clips' masks at these frames, moved down by `shift` pixels."""
    kept = list(numbers)
    with StoreWriter(str(known[0] / "other"), "masks", {"test": 2}, {}) as out:
        for id in ids:
            masks = {
                k: np.roll(m, shift, 1)[kept] for k, m in shapes(24, *size, int(id[1])).items()
            }
            found = [
                boxes_of(masks[role][at], number, role)
                for at, number in enumerate(kept) for role in masks
            ]  # fmt: skip
            arrays = {**masks, "frame": np.array(kept), "time": np.array(kept) / 25}
            told = {"height": size[0], "width": size[1], "packets": 24, **attrs}
            out.add({"id": id}, told, arrays, found if boxes else None)
        out.close()
    return "other"


def sample(known: Known, store: str, place: int = 0, needs: Any = ("masks", "boxes"), **options: Any
           ) -> dict[str, Any]:  # fmt: skip
    wanted = {**{name: {} for name in needs}, "store": {"store": store}}
    made = Clips(known[1], [], PLAIN, frames=4, train=False, needs=wanted, root=known[0], **options)
    got = made[place, 0]
    assert isinstance(got, Sample), got
    return got.arrays


def told(arrays: dict[str, Any]) -> list[str]:
    return reasons(arrays["store_lacks"][None])[0]


@pytest.mark.parametrize("numbers", [range(24), range(0, 24, 3)])
def test_the_same_masks_are_the_same_to_the_bit(known: Known, numbers: range) -> None:
    """Whatever other frames the store has, and however frames are resized and cut."""
    store = put(known, IDS, numbers)
    for place in range(3):
        found = sample(known, store, place)
        for name in NAMES:
            np.testing.assert_array_equal(found[f"store_{name}"], found[name])
            assert found[name].any() and found[name].shape == (4, 64, 64)
        assert told(found) == ["", ""]


def test_a_cache_several_clips_and_crops_change_nothing(known: Known) -> None:
    store = put(known, IDS)
    many = {"clips": 2, "crops": 3}
    for place in range(6):
        plain = sample(known, store, place, **many)
        np.testing.assert_array_equal(plain["store_person"], plain["person"])
        for _ in range(2):
            kept = sample(known, store, place, cache=known[0] / "cache", **many)
            assert all(np.array_equal(kept[name], plain[name]) for name in plain)


def test_other_masks_are_those_of_their_store(known: Known) -> None:
    found, same = sample(known, put(known, IDS, shift=9)), sample(known, "masks")
    np.testing.assert_array_equal(same["store_person"], found["person"])
    rows = [found[name].any((0, 2)).argmax() for name in ("store_person", "person")]
    assert rows[0] - rows[1] == 7  # 9 of 96 rows, of which 73 are left before the crop: 6.8


def test_only_what_the_views_need_is_read(known: Known) -> None:
    found = sample(known, put(known, IDS, boxes=False), needs=["masks"])
    assert set(found) == {"person", "object", "store_person", "store_object", "store_lacks"}
    assert told(found) == ["", ""]


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({"ids": ["c1"]}, ["the other store has no masks of it"] * 2),
        ({"numbers": range(0, 24, 2)}, ["the other store has no mask of frame 3"] * 2),
        ({"size": (96, 120)}, ["masks of the other store are 96x120, its own 96x128"] * 2),
        ({"digest": "1-2-3"}, ["the other store's masks were made of another video"] * 2),
        ({"boxes": False}, ["", "the other store has no boxes of it"]),
    ],
)
def test_what_the_other_store_lacks_is_told_and_the_clip_stays(
    known: Known, options: dict[str, Any], want: list[str]
) -> None:
    found = sample(known, put(known, **{"ids": IDS, **options}))
    assert told(found) == want
    for name in NAMES:
        lacks = want[name.endswith("box")]
        assert found[f"store_{name}"].any() == (not lacks) and found[name].any()


def test_a_damaged_clip_of_the_other_store_is_told(known: Known) -> None:
    (part,) = (known[0] / put(known, IDS)).glob("*.h5")
    with h5py.File(part) as file:
        chunk = file["clips/c0/person"].id.get_chunk_info(3)
    data = bytearray(part.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    part.write_bytes(data)
    texts = told(sample(known, "other"))
    assert "c0/person" in texts[0] and not texts[1]
    assert told(sample(known, "other", 1)) == ["", ""]


def test_what_is_no_store_of_masks_is_a_usage_error(known: Known) -> None:
    (known[0] / "file").write_text("x")
    (known[0] / "empty").mkdir()
    for name in ("file", "empty", "absent", ""):
        with pytest.raises(UsageError, match="is no store of masks"):
            folder_of(name, str(known[0]))
    assert folder_of("masks", str(known[0])) == str(known[0] / "masks")
