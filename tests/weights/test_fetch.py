"""Entries of one file and of several: fetched, taken up, checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.weights.catalogue import CATALOGUE, File, Weights
from sbtools.weights.download import Tell
from sbtools.weights.fetch import asked, check, check_path, fetch
from tests.weights.server import Page, Site, sha256

BODIES = {"config.json": b"{}", "model.safetensors": b"m" * 100_000, "vocab.txt": b"the"}


def begin(file: File) -> Tell:
    return lambda have, total: None


def folder_entry(site: Site) -> Weights:
    """A folder of three files that the site serves."""
    files = []
    for name, body in BODIES.items():
        site.pages[f"/d/{name}"] = Page(body)
        files.append(File(name, f"{site.url}/d/{name}", len(body), sha256(body)))
    return Weights("grounding-dino", "Apache-2.0", tuple(files), "dino")


def test_a_folder_gets_its_name_when_all_is_there(site: Site, tmp_path: Path) -> None:
    entry = folder_entry(site)
    site.pages["/d/vocab.txt"].faults = [{"status": 404}]
    with pytest.raises(SbtoolsError, match="404"):
        list(fetch(entry, tmp_path / "c", begin, wait=0))
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["dino.part"]
    site.asked.clear()
    found = list(fetch(entry, tmp_path / "c", begin, wait=0))
    assert [one[0] for one in site.asked] == ["/d/vocab.txt"]
    assert {one.path.name: one.path.read_bytes() for one in found} == BODIES
    assert all(one.good and one.path.parent == tmp_path / "c" / "dino" for one in found)
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["dino"]


def test_a_file_of_an_unfinished_folder_that_was_damaged_is_fetched_again(
    site: Site, tmp_path: Path
) -> None:
    entry = folder_entry(site)
    (tmp_path / "dino.part").mkdir()
    (tmp_path / "dino.part" / "vocab.txt").write_bytes(b"tha")
    assert all(one.good for one in fetch(entry, tmp_path, begin, wait=0))
    assert (tmp_path / "dino" / "vocab.txt").read_bytes() == b"the"


def test_what_is_there_is_checked_and_not_fetched(site: Site, tmp_path: Path) -> None:
    entry = folder_entry(site)
    list(fetch(entry, tmp_path, begin, wait=0))
    site.asked.clear()
    assert all(one.good for one in fetch(entry, tmp_path, begin, wait=0)) and site.asked == []
    (tmp_path / "dino" / "vocab.txt").write_bytes(b"tha")
    with pytest.raises(DamagedError, match=r"vocab.txt is there, and is not .* remove it"):
        list(fetch(entry, tmp_path, begin, wait=0))
    assert [one.good for one in check(entry, tmp_path / "dino")] == [True, True, False]
    (tmp_path / "dino" / "vocab.txt").unlink()
    with pytest.raises(DamagedError, match=r"vocab.txt: No such file"):
        list(check(entry, tmp_path / "dino"))


def test_a_mirror_serves_every_file_of_a_folder_and_digests_still_hold(site: Site) -> None:
    moved = asked("grounding-dino-tiny", f"{site.url}/m/", None)
    assert {one.url.rpartition("/")[0] for one in moved.files} == {f"{site.url}/m"}
    known = CATALOGUE["grounding-dino-tiny"]
    assert [one.sha256 for one in moved.files] == [one.sha256 for one in known.files]
    assert asked("sam-vit-b", f"{site.url}/x.bin", None).files[0].url == f"{site.url}/x.bin"


def test_a_mirror_with_other_bytes_is_found_out(site: Site, tmp_path: Path) -> None:
    site.pages["/x"] = Page(b"not sam")
    with pytest.raises(DamagedError, match="has 7 bytes, not 375042383"):
        list(fetch(asked("sam-vit-b", f"{site.url}/x", None), tmp_path, begin, wait=0))
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


def test_a_file_of_no_catalogue_is_not_vouched_for_unless_pinned(
    site: Site, tmp_path: Path
) -> None:
    site.pages["/x"] = Page(b"mine")
    (found,) = fetch(asked("my.pth", f"{site.url}/x", None), tmp_path, begin, wait=0)
    assert found.good is None and found.sha256 == sha256(b"mine")
    (found,) = fetch(asked("my.pth", f"{site.url}/x", found.sha256.upper()), tmp_path, begin)
    assert found.good is True
    with pytest.raises(DamagedError, match=r"my.pth is there"):
        list(fetch(asked("my.pth", f"{site.url}/x", "1" * 64), tmp_path, begin, wait=0))


@pytest.mark.parametrize(("name", "url", "pin", "said"), [
    ("sam", None, None, "no weights 'sam'; there are sam-vit-b, .* or give --url"),
    ("../x.pth", "https://a/b", None, "plain file name"),
    (".x", "https://a/b", None, "plain file name"),
    ("a\nb", "https://a/b", None, "plain file name"),
    ("x.pth", "https://a/b", "12", "64 hexadecimal digits"),
    ("sam-vit-b", None, "0" * 64, "that of sam-vit-b is ec2df6"),
    ("grounding-dino-tiny", None, "0" * 64, "each of its files"),
])  # fmt: skip
def test_what_cannot_be_asked_for(name: str, url: str | None, pin: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(name, url, pin)


def test_a_path_is_known_by_its_name_or_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Weights("sam", "MIT", (File("s.pth", "https://a/s.pth", 3, sha256(b"abc")),))
    monkeypatch.setitem(CATALOGUE, "small", small)
    for name, body in {"s.pth": b"abd", "renamed.pth": b"abc", "other.pth": b"x"}.items():
        (tmp_path / name).write_bytes(body)
    good = {name: [one.good for one in check_path(tmp_path / name)]
            for name in ("s.pth", "renamed.pth", "other.pth")}  # fmt: skip
    assert good == {"s.pth": [False], "renamed.pth": [True], "other.pth": [None]}
    with pytest.raises(SbtoolsError, match="no such file"):
        list(check_path(tmp_path / "missing"))
