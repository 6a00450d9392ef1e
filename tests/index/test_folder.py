"""Folders, lists and single files become records."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from sbtools.index import folder


def found_ids(*inputs: Path | str, label_from: str = "folder", root: Path | str = "/") -> list[str]:
    return [record["id"] for record in found(*inputs, label_from=label_from, root=root)]


def found(*inputs: Path | str, label_from: str = "folder", root: Path | str = "/") -> list[dict]:
    clips = folder.find(map(str, inputs))
    return folder.to_records(clips, Path(root), label_from)


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_ids_labels_and_sources_come_from_the_path(tmp_path: Path) -> None:
    touch(tmp_path / "in/juggle/g23_c01.avi", tmp_path / "in/top.mp4")
    records = found(tmp_path / "in", root=tmp_path)
    assert records == [
        {"id": "juggle/g23_c01", "video": "in/juggle/g23_c01.avi", "label": "juggle",
         "source": "juggle/g23_c01"},
        {"id": "top", "video": "in/top.mp4", "source": "top"},
    ]  # fmt: skip
    assert "label" not in found(tmp_path / "in", label_from="none")[0]


def test_clashing_names_keep_their_suffix_then_the_inputs_name(tmp_path: Path) -> None:
    touch(tmp_path / "a/x.mp4", tmp_path / "a/x.avi", tmp_path / "a/y.mp4", tmp_path / "b/y.mp4")
    assert found_ids(tmp_path / "a", tmp_path / "b") == ["x.avi", "x.mp4", "a/y.mp4", "b/y.mp4"]


def test_a_clash_with_a_lengthened_name_is_parted_too(tmp_path: Path) -> None:
    touch(tmp_path / "a/x.mp4", tmp_path / "a/x.avi", tmp_path / "a/x.mp4.mkv")
    ids = found_ids(tmp_path / "a")
    assert sorted(ids) == sorted(set(ids)) and len(ids) == 3


def test_one_file_named_twice_is_two_records_with_two_ids(tmp_path: Path) -> None:
    touch(tmp_path / "x.mp4")
    ids = found_ids(tmp_path / "x.mp4", tmp_path / "x.mp4")
    assert len(ids) == len(set(ids)) == 2


def test_a_clip_beside_a_folder_of_its_name(tmp_path: Path) -> None:
    touch(tmp_path / "in/wave.mp4", tmp_path / "in/wave/person.mp4")
    assert sorted(found_ids(tmp_path / "in")) == ["wave", "wave/person"]


def test_frame_folders_with_spaces_are_clips(tmp_path: Path) -> None:
    frames = tmp_path / "in/wave hand/clip 01"
    touch(*(frames / f"img_{n:05}.jpg" for n in range(1, 4)))
    record = found(tmp_path / "in")[0]
    assert (record["id"], record["label"]) == ("wave hand/clip 01", "wave hand")


def test_images_that_are_no_clip_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder.log, "propagate", True)
    touch(tmp_path / "in/dog.jpg", tmp_path / "in/truck.jpg", tmp_path / "in/notes.md")
    with caplog.at_level("INFO", logger="sbtools"):
        assert found_ids(tmp_path / "in") == []
    assert "2 images, not named as frames are" in caplog.text and "1 .md" in caplog.text


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path / "in/real/a.mp4")
    os.symlink("..", tmp_path / "in/real/up")
    os.symlink("self.mp4", tmp_path / "in/self.mp4")
    os.symlink("nowhere", tmp_path / "in/gone.mp4")
    records = {record["id"]: record for record in found(tmp_path / "in")}
    assert set(records) == {"real/a", "self", "gone"}
    assert records["gone"]["error"]["kind"] == "missing" == records["self"]["error"]["kind"]


@pytest.mark.parametrize("name", ["-rf.mp4", "a\nb.mp4", "😀.mp4", "x" * 251 + ".mp4"])
def test_odd_names_are_found(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "in" / name)
    assert found_ids(tmp_path / "in") == [name[:-4]]


def test_a_name_that_is_not_utf8_is_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe.mp4")
    touch(tmp_path / "in" / name)
    assert found(tmp_path / "in")[0]["id"] == name[:-4]


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_list_names_clips_and_their_shared_folder_is_left_out(
    tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "in/juggle/a.mp4", tmp_path / "in/wave/b 1.mp4")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text(f"in/juggle/a.mp4{end}./in/wave/b 1.mp4{end}")
    records = found("list.txt", root=tmp_path)
    assert [(r["id"], r["label"]) for r in records] == [
        ("juggle/a", "juggle"),
        ("wave/b 1", "wave"),
    ]
    assert [r["video"] for r in records] == ["in/juggle/a.mp4", "in/wave/b 1.mp4"]


def zipped(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x")


FRAMES = ("c/000001.jpg", "c/000002.jpg")


def test_zips_of_frames_are_clips_and_others_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder.log, "propagate", True)
    zipped(tmp_path / "in/walk/a__0.zip", *FRAMES)
    zipped(tmp_path / "in/walk/many.zip", *FRAMES, "d/000001.jpg")
    zipped(tmp_path / "in/walk/videos.zip", "a.mp4")
    touch(tmp_path / "in/walk/cut.zip", tmp_path / "in/walk/b.mp4")
    with caplog.at_level("INFO", logger="sbtools"):
        records = found(tmp_path / "in")
    assert [(one["id"], one["label"]) for one in records] == [
        ("walk/a__0", "walk"), ("walk/b", "walk"), ("walk/cut", "walk")]  # fmt: skip
    assert "many.zip: 3 images, not named as frames are" in caplog.text
    assert "2 .zip" in caplog.text


def test_zips_beside_videos_that_are_none_of_frames_change_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder.log, "propagate", True)
    touch(tmp_path / "in/a.mp4", tmp_path / "in/download.zip", tmp_path / "in/dir.zip/b.mp4")
    os.mkfifo(tmp_path / "in/pipe.zip")
    assert found_ids(tmp_path / "in") == ["a", "dir.zip/b"]
    assert "download.zip: left out: the zip is cut or damaged" in caplog.text
    assert caplog.text.count("left out: the") == 1 and "pipe.zip: " not in caplog.text


def test_a_zip_and_an_image_leave_their_bare_name_to_a_video(tmp_path: Path) -> None:
    zipped(tmp_path / "in/a.zip", *FRAMES)
    zipped(tmp_path / "in/b.zip", *FRAMES)
    touch(tmp_path / "in/a.mp4", tmp_path / "in/b.jpg", tmp_path / "in/c.jpg")
    touch(*(tmp_path / "in/d" / name for name in ("1.png", "2.png")), tmp_path / "in/d.zip")
    assert found_ids(tmp_path / "in") == ["a", "a.zip", "b", "d", "d.zip"]
    clips = folder.to_records(folder.find([str(tmp_path / "in")], stills=True), Path("/"), "none")
    assert [one["id"] for one in clips] == [
        "a", "a.zip", "b.jpg", "b.zip", "c", "d/1", "d/2", "d"]  # fmt: skip


def test_images_are_clips_where_they_are_named_or_asked_for(tmp_path: Path) -> None:
    touch(*(tmp_path / "in/walk" / f"v{n}__{n}.jpg" for n in (1, 2)), tmp_path / "in/x.webp")
    touch(*(tmp_path / "in/frames" / f"{n}.png" for n in (1, 2)), tmp_path / "in/.cover.png")
    touch(tmp_path / "in/walk/README")
    (tmp_path / "in/walk/zz").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    assert found_ids(tmp_path / "in") == ["frames"]
    assert found_ids(tmp_path / "in/walk/v1__1.jpg", tmp_path / "in/x.webp") == ["v1__1", "x"]
    clips = folder.to_records(folder.find([str(tmp_path / "in")], stills=True), Path("/"), "folder")
    assert [(one["id"], one.get("label")) for one in clips] == [
        ("frames/1", "frames"), ("frames/2", "frames"), ("walk/v1__1", "walk"),
        ("walk/v2__2", "walk"), ("walk/zz", "walk"), ("x", None)]  # fmt: skip
