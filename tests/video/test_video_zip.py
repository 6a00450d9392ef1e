"""A zip of numbered images is a clip, as the folder of them is; a hostile one is an error."""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_clips import Image, pictures

from sbtools.errors import ClipError
from sbtools.video import archive, digest, open_video, probe
from tests.fuzz.archives import DEFLATED, HOSTILE, Member, hostile, packed, sound
from tests.fuzz.videos import encoded


def zip_of(path: Path, names: Sequence[str], method: int = zipfile.ZIP_DEFLATED) -> list[Image]:
    """A zip of images as Python's zipfile writes it; the images."""
    images = list(pictures(len(names)))
    with zipfile.ZipFile(path, "w", method) as file:
        for name, image in zip(names, images, strict=True):
            file.writestr(name, encoded(image, Path(name).suffix))
    return images


def read(path: Path) -> dict[int, Image]:
    with open_video(path) as video:
        return dict(video.read(video.numbers))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", ["", "clip__0/", "./", "data/HMDB51/clip 1.2/", "a\\"])
def test_frames_come_in_numeric_order(before: str, method: int, tmp_path: Path) -> None:
    images = zip_of(tmp_path / "c.zip", [f"{before}my {i}.png" for i in range(1, 13)], method)
    with open_video(tmp_path / "c.zip") as video:
        assert (video.count, video.declared, video.fps) == (12, 12, 0)
        assert (video.width, video.height, video.codec) == (96, 64, "images")
        assert video.time(5) == 5
        for number, image in video.read([11, 2, 9]):
            assert np.array_equal(image, images[number])
        assert [number for number, _ in video.read(video.numbers)] == list(range(12))
        assert video.decoded_frames == 12


def test_what_lies_beside_the_images_does_not_count(tmp_path: Path) -> None:
    images = [encoded(image) for image in pictures(3)]
    beside = ["notes.txt", "__MACOSX/clip__0/._000001.png", ".thumbs/1.png", "clip__0/.000004.png"]
    data = packed([*sound(images), *(Member(name, b"x") for name in beside)], comment=b"made by me")
    (tmp_path / "c").write_bytes(data)
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None, "the zip itself is not sound"
    with open_video(tmp_path / "c") as video:
        assert [video.numbers, video.verify()] == [range(3), 3]


def test_a_frame_rate_from_outside(tmp_path: Path) -> None:
    zip_of(tmp_path / "c.zip", [f"{i:03}.bmp" for i in range(10)])
    with open_video(tmp_path / "c.zip", start=0.5, end=1.5, fps=4) as video:
        assert video.numbers == range(2, 6)
    assert probe(tmp_path / "c.zip", fps=4, verify=True).duration == 2.5
    with pytest.raises(ClipError, match="need a frame rate") as error:
        open_video(tmp_path / "c.zip", end=1.0)
    assert error.value.kind == "mismatch"


def test_the_digest_is_that_of_the_file_and_the_middle_of_it_counts(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(800_000)
    members = [Member(f"{i}.png", noise) for i in range(4)]
    (tmp_path / "one.zip").write_bytes(packed(members))
    first = digest(tmp_path / "one.zip")
    assert first.startswith(f"{os.path.getsize(tmp_path / 'one.zip')}-")
    changed = bytearray(noise)
    changed[400_000] ^= 1
    members[2] = Member("2.png", bytes(changed))
    (tmp_path / "one.zip").write_bytes(packed(members))
    data = packed(members)
    assert data.index(bytes(changed)) + 400_000 in range(1 << 20, len(data) - (1 << 20))
    assert digest(tmp_path / "one.zip") != first


WORDS = {
    "parent": "../../../outside/000009.png in the zip leads elsewhere",
    "link": "clip__0/000004.png in the zip is a link or a device",
    "a link beside": "notes in the zip is a link",
    "bomb": "bytes of images in the zip unpack to 88080384",
    "huge": "clip__0/000004.png unpacks to 4294967280 bytes",
    "names": "the names of the zip take 18400000 bytes",
    "overlapping": "clip__0/000003.png overlaps with what follows it",
    "twice": "two members of the zip are called clip__0/000004.png",
    "renamed": "clip__0/000004.pnf has another name in the zip itself",
    "swallowed": "the zip announces 5 names and holds 4",
    "checksum": "000004.png: the zip is cut or damaged: Bad CRC-32",
    "longer": "bytes, not ",
    "encrypted": "000004.png is encrypted: unpack the zip into a folder",
    "bzip2": "000004.png is packed by method 12: pack it by deflate",
    "unknown method": "packed by method 99",
    "no end": "the zip is cut or damaged: ",
    "no images": "a zip, but not of two or more numbered images",
    "two folders": "a zip, but not of two or more numbered images",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_zip_is_one_line_of_its_kind(what: str, tmp_path: Path) -> None:
    images = [encoded(image) for image in pictures(4)]
    folder = tmp_path / "in" / "it"
    folder.mkdir(parents=True)
    (folder / "c.zip").write_bytes(hostile(what, images))
    with pytest.raises(ClipError) as error:
        read(folder / "c.zip")
    assert error.value.kind == HOSTILE[what]
    assert WORDS.get(what, "") in str(error.value)
    assert str(error.value).isprintable() and len(str(error.value)) < 300
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "it", "c.zip"]


def test_a_sound_zip_of_the_same_maker_is_read(tmp_path: Path) -> None:
    images = list(pictures(4))
    (tmp_path / "c.zip").write_bytes(packed(sound([encoded(image) for image in images])))
    assert all(np.array_equal(images[i], image) for i, image in read(tmp_path / "c.zip").items())


def test_a_damaged_image_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.zip").write_bytes(hostile("checksum", [encoded(i) for i in pictures(4)]))
    with open_video(tmp_path / "c.zip") as video:
        assert [number for number, _ in video.read([0, 1, 2])] == [0, 1, 2]
        with pytest.raises(ClipError, match=r"^000004\.png: the zip is cut or damaged: Bad CRC"):
            list(video.read([3]))


def test_another_size_and_a_large_image_are_named(tmp_path: Path) -> None:
    frames = [encoded(image) for image in pictures(2)]
    frames.append(encoded(next(pictures(1, 32, 16))))
    (tmp_path / "c.zip").write_bytes(packed(sound(frames)))
    with pytest.raises(ClipError, match=r"^000003\.png is 32x16, the images before it 96x64"):
        read(tmp_path / "c.zip")
    with open_video(tmp_path / "c.zip", max_pixels=100) as video:
        with pytest.raises(ClipError, match=r"^000001\.png: 96x64 is over the limit of 100") as e:
            list(video.read([0]))
    assert e.value.kind == "too-large"


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("NAMES", 3, "the zip holds 4 names, more than 3"),
        ("DIRECTORY_BYTES", 200, "the names of the zip take 2"),
        ("TOTAL_BYTES", 1000, "of images in the zip unpack to"),
        ("ANY_RATIO_BYTES", 0, "of images in the zip unpack to"),
    ],
)
def test_each_limit_holds(
    limit: str, value: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = encoded(np.zeros((200, 300, 3), np.uint8), ".bmp")
    members = [Member(f"{i}.bmp", flat, DEFLATED) for i in range(4)]
    (tmp_path / "c.zip").write_bytes(packed(members))
    assert len(read(tmp_path / "c.zip")) == 4
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(ClipError, match=words) as error:
        open_video(tmp_path / "c.zip")
    assert error.value.kind == "too-large"


def test_every_file_is_closed(tmp_path: Path) -> None:
    images = [encoded(image) for image in pictures(2)]
    before = len(os.listdir("/proc/self/fd"))
    for what in ("no end", "link", "no images", "names"):
        (tmp_path / "c.zip").write_bytes(hostile(what, images))
        with pytest.raises(ClipError):
            open_video(tmp_path / "c.zip")
    zip_of(tmp_path / "c.zip", ["1.png", "2.png"])
    read(tmp_path / "c.zip")
    cv2.imwrite(str(tmp_path / "s.png"), np.zeros((8, 8, 3), np.uint8))
    read(tmp_path / "s.png")
    assert len(os.listdir("/proc/self/fd")) == before


def test_damaged_zips_end_in_frames_or_in_one_error(tmp_path: Path) -> None:
    images = list(pictures(4, 32, 16))
    data = packed(sound([encoded(image) for image in images]))
    whole = 0
    for seed in range(300):
        rng, broken = random.Random(seed), bytearray(data)
        for _ in range(rng.choice((1, 1, 8))):
            broken[rng.randrange(len(data))] = rng.randrange(256)
        length = rng.choice((len(data), rng.randrange(len(data))))
        (tmp_path / "c.zip").write_bytes(broken[:length])
        try:
            found = read(tmp_path / "c.zip")
        except ClipError as error:
            assert error.kind in ("unreadable", "unsafe", "too-large", "mismatch")
            assert str(error).isprintable()
        else:
            whole += 1
            assert all(np.array_equal(images[i], image) for i, image in found.items())
    assert 0 < whole < 250
