"""Downloads that are cut, changed, refused, too long, too short, or run out of disk."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import resource
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import DamagedError, LockedError, OutputError, SbtoolsError, UsageError
from sbtools.weights.catalogue import File
from sbtools.weights.download import TRIES, download
from sbtools.weights.https import Redirects, check_address
from tests.weights.server import Page, Site, sha256

DATA = random.Random(1).randbytes(3_000_001)


def get(site: Site, target: Path, **known: Any) -> tuple[str, list[int]]:
    """Download /w of the site; the digest, and the byte counts that were told."""
    told: list[int] = []
    file = File("w", f"{site.url}/w", **known)
    digest = download(file, target, lambda have, total: told.append(have), wait=0)
    return digest, told


def interrupted(site: Site, target: Path, have: int) -> None:
    """Bring `have` bytes here, as a run that was killed leaves them."""

    def stop(count: int, total: int | None) -> None:
        if count >= have:
            raise KeyboardInterrupt

    site.pages["/w"].faults = [{"cut": have}]
    with pytest.raises(KeyboardInterrupt):
        download(File("w", f"{site.url}/w"), target, stop, wait=0)
    site.pages["/w"].faults = []
    assert target.with_name("w.part").stat().st_size == have
    site.asked.clear()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "home")


def test_a_file_arrives_whole_and_alone(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    digest, told = get(site, tmp_path / "w", size=len(DATA), sha256=sha256(DATA))
    assert (tmp_path / "w").read_bytes() == DATA and digest == sha256(DATA)
    assert left(tmp_path) == ["w"] and told[0] == 0 and told[-1] == len(DATA)


def test_a_cut_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"cut": 1_000_000}, {"cut": 500_000}])
    digest, _ = get(site, tmp_path / "w")
    assert digest == sha256(DATA)
    assert [asked[1] for asked in site.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert {asked[2] for asked in site.asked[1:]} == {'"1"'}


def test_a_single_byte_that_is_missing_is_fetched(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"cut": len(DATA) - 1}])
    assert get(site, tmp_path / "w")[0] == sha256(DATA)
    assert site.asked[1][1] == "bytes=3000000-"


def test_a_later_run_goes_on_where_the_first_was_stopped(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", 1_200_000)
    digest, told = get(site, tmp_path / "w", sha256=sha256(DATA))
    assert digest == sha256(DATA) and told[0] == 1_200_000
    assert site.asked == [("/w", "bytes=1200000-", '"1"')]
    assert left(tmp_path) == ["w"]


def test_a_file_that_changed_in_between_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", 1_200_000)
    other = DATA[::-1]
    site.pages["/w"] = Page(other, tag='"2"')
    assert get(site, tmp_path / "w")[0] == sha256(other)


@pytest.mark.parametrize("length", [10, 1_200_000 - 1])
def test_a_file_that_shrank_in_between_is_fetched_anew(
    site: Site, tmp_path: Path, length: int
) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", 1_200_000)
    site.pages["/w"] = Page(DATA[:length])
    assert get(site, tmp_path / "w")[0] == sha256(DATA[:length])


def test_a_server_that_ignores_if_range_is_noticed_by_its_tag(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", 1_200_000)
    site.pages["/w"].faults = [{"tag": '"2"'}]
    assert get(site, tmp_path / "w")[0] == sha256(DATA)
    assert [asked[1] for asked in site.asked] == ["bytes=1200000-", None]


def test_a_part_that_is_whole_already_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", len(DATA))
    digest, told = get(site, tmp_path / "w")
    assert digest == sha256(DATA) and told == []


def test_a_server_without_ranges_starts_again(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, ranges=False, faults=[{"cut": 2_000_000}])
    digest, told = get(site, tmp_path / "w")
    assert digest == sha256(DATA) and 2_000_000 in told and told.count(0) == 2


def test_without_a_tag_nothing_is_taken_up(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, tag=None, faults=[{"cut": 2_000_000}])
    assert get(site, tmp_path / "w")[0] == sha256(DATA)
    assert [asked[1] for asked in site.asked] == [None, None]


def test_the_part_of_another_address_is_not_taken_up(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", 1_200_000)
    site.pages["/v"] = Page(DATA[::-1])
    download(File("w", f"{site.url}/v"), tmp_path / "w", lambda have, total: None, wait=0)
    assert (tmp_path / "w").read_bytes() == DATA[::-1]


@pytest.mark.parametrize("said", ["bytes 0-9/10", "bytes 1200001-3000000/3000001", "all", ""])
def test_an_answer_for_another_range_is_refused(site: Site, tmp_path: Path, said: str) -> None:
    site.pages["/w"] = Page(DATA)
    interrupted(site, tmp_path / "w", 1_200_000)
    site.pages["/w"].faults = [{"range": said}]
    with pytest.raises(SbtoolsError, match="asked to go on at byte 1200000"):
        get(site, tmp_path / "w")
    assert (tmp_path / "w.part").read_bytes() == DATA[:1_200_000] and not (tmp_path / "w").exists()


def test_a_wrong_length_is_refused_before_a_byte_is_written(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    with pytest.raises(DamagedError, match=r"has 3000001 bytes, not 3000000: it is another"):
        get(site, tmp_path / "w", size=len(DATA) - 1)
    assert left(tmp_path) == []


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_length_that_was_not_announced_is_refused_too(
    site: Site, tmp_path: Path, change: int
) -> None:
    site.pages["/w"] = Page(DATA, announce=False, tag=None)
    with pytest.raises((DamagedError, SbtoolsError)):
        get(site, tmp_path / "w", size=len(DATA) + change)
    assert not (tmp_path / "w").exists()


def test_a_wrong_digest_is_thrown_away(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    with pytest.raises(DamagedError, match=f"SHA-256 is {sha256(DATA)}, not 000"):
        get(site, tmp_path / "w", sha256="0" * 64)
    assert left(tmp_path) == []


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"status": 503}, {"status": 429}])
    assert get(site, tmp_path / "w")[0] == sha256(DATA)


def test_a_server_that_stays_busy_is_given_up(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"status": 503}] * 10)
    with pytest.raises(SbtoolsError, match="503"):
        get(site, tmp_path / "w")
    assert len(site.asked) == TRIES and left(tmp_path) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_told_and_leaves_nothing(site: Site, tmp_path: Path, status: int) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"status": status}])
    with pytest.raises(SbtoolsError, match=f"/w: the server said {status}"):
        get(site, tmp_path / "w")
    assert len(site.asked) == 1 and left(tmp_path) == []


def test_redirects_are_followed_with_the_range(site: Site, tmp_path: Path) -> None:
    site.pages["/x"] = Page(DATA, faults=[{"cut": 1000}])
    site.pages["/w"] = Page(b"", faults=[{"status": 302, "location": f"{site.url}/x"}] * 2)
    assert get(site, tmp_path / "w")[0] == sha256(DATA)
    assert site.asked[-1] == ("/x", "bytes=1000-", '"1"')


@pytest.mark.parametrize("where", ["http://192.0.2.1/w", "file:///etc/passwd", "ftp://a/b"])
def test_a_redirect_away_from_https_is_refused(site: Site, tmp_path: Path, where: str) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"status": 302, "location": where}])
    with pytest.raises(SbtoolsError, match=r"only fetched over https|the server said 302"):
        get(site, tmp_path / "w")
    assert left(tmp_path) == []


def test_a_redirect_from_https_to_this_machine_is_refused() -> None:
    request = urllib.request.Request("https://a.test/w")
    with pytest.raises(UsageError, match="leads to http://127"):
        Redirects().redirect_request(request, None, 302, "", {}, "http://127.0.0.1/w")


def test_a_server_that_falls_silent_is_asked_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbtools.weights.https.SECONDS", 0.5)
    site.pages["/w"] = Page(DATA, faults=[{"cut": 1000, "hold": True}])
    assert get(site, tmp_path / "w")[0] == sha256(DATA)
    assert site.asked[1][1] == "bytes=1000-"


def test_a_proxy_of_the_environment_is_used(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.setenv("no_proxy", "elsewhere")
    site.pages["http://localhost:9/w"] = Page(DATA)
    file = File("w", "http://localhost:9/w")
    assert download(file, tmp_path / "w", lambda have, total: None) == sha256(DATA)


def test_a_compressed_answer_is_refused(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"coding": "gzip"}])
    with pytest.raises(SbtoolsError, match="as gzip"):
        get(site, tmp_path / "w")


def test_nobody_there_is_told_with_what_to_do(site: Site, tmp_path: Path) -> None:
    file = File("w", "http://127.0.0.1:9/w")
    with pytest.raises(SbtoolsError, match=r"cannot be reached .*refused.*https_proxy"):
        download(file, tmp_path / "w", lambda have, total: None, wait=0)


def test_a_certificate_that_is_not_trusted_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ssl.SSLCertVerificationError(1, "no")
    error.verify_message = "self-signed certificate"

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError(error)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    with pytest.raises(SbtoolsError, match=r"self-signed certificate: SSL_CERT_FILE"):
        download(File("w", "https://a.test/w"), tmp_path / "w", lambda a, b: None, wait=0)


@pytest.mark.parametrize("url", ["http://example.org/w", "ftp://127.0.0.1/w", "file:///w",
                                 "https:///w", "w", "http://127.0.0.1.example.org/w",
                                 "http://[::1/w"])  # fmt: skip
def test_addresses_that_are_not_https_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        check_address(url)


@pytest.mark.parametrize("url", ["https://a/w", "http://127.0.0.1:1/w", "http://localhost/w",
                                 "http://[::1]:8/w"])  # fmt: skip
def test_addresses_that_are_fine(url: str) -> None:
    check_address(url)


def test_a_full_disk_keeps_what_arrived(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(OutputError, match=r"w.part cannot be written: .*the same command"):
            get(site, tmp_path / "w")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "w.part").read_bytes() == DATA[:2_000_000]
    site.asked.clear()
    assert get(site, tmp_path / "w")[0] == sha256(DATA)
    assert site.asked[0][1] == "bytes=2000000-"


def test_a_disk_that_fails_keeps_what_arrived(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(handle: int) -> None:
        if os.fstat(handle).st_size == len(DATA):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    site.pages["/w"] = Page(DATA)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OutputError, match="Input/output error; what has arrived is kept"):
            get(site, tmp_path / "w")
    assert not (tmp_path / "w").exists()
    assert get(site, tmp_path / "w")[0] == sha256(DATA)


def test_a_disk_without_room_is_named_before_the_download(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA, faults=[{"length": 10**18}])
    with pytest.raises(OutputError, match=r"w.part cannot be written: .* bytes are needed"):
        get(site, tmp_path / "w")


def test_two_runs_do_not_write_into_each_other(site: Site, tmp_path: Path) -> None:
    site.pages["/w"] = Page(DATA)
    with open(tmp_path / "w.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(LockedError, match="another process"):
            get(site, tmp_path / "w")
    assert site.asked == []
