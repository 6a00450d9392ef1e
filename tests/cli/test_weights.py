"""`sbtools weights` as a user runs it: real processes against a site on loopback."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbtools.weights.catalogue import CATALOGUE
from tests.cli.running import SBTOOLS, environment, sbtools
from tests.weights.server import Page, Site, serving, sha256

DATA = bytes(range(256)) * 4000


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.pages["/my.pth"] = Page(DATA)
        yield found


def run(*words: str, cwd: Path, **env: str) -> tuple[int, str, str]:
    quiet = {"http_proxy": "", "no_proxy": "127.0.0.1", "HOME": str(cwd), "XDG_CACHE_HOME": ""}
    done = sbtools("weights", *words, cwd=cwd, env={**quiet, **env})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_list_names_every_entry_and_where_it_lies(tmp_path: Path) -> None:
    own = tmp_path / ".cache" / "sbtools"
    own.mkdir(parents=True)
    (own / "sam_vit_b_01ec64.pth").write_bytes(b"x")
    code, out, err = run("list", cwd=tmp_path)
    assert code == 0 and err == ""
    found = {line.split()[0]: line for line in out.splitlines()}
    assert list(found) == list(CATALOGUE)
    assert found["sam-vit-b"].split()[1:] == ["375", "MB", "Apache-2.0",
                                              str(own / "sam_vit_b_01ec64.pth")]  # fmt: skip
    assert found["clip-vit-b-32"].split()[1:] == ["354", "MB", "MIT", "-"]
    code, out, err = run("list", "--json", cwd=tmp_path)
    told: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [one["name"] for one in told] == list(CATALOGUE)
    assert told[0]["found"].endswith(".pth") and told[0]["size"] == 375042383


def test_fetch_verify_and_pin_a_file_of_ones_own(site: Site, tmp_path: Path) -> None:
    words = ("fetch", "my.pth", "--url", f"{site.url}/my.pth")
    code, out, err = run(*words, cwd=tmp_path)
    place = tmp_path / ".cache/sbtools/my.pth"
    assert (code, out) == (0, f"unknown  {sha256(DATA)}  {place}\n")
    assert place.read_bytes() == DATA and f"--sha256 {sha256(DATA)}" in err
    code, out, err = run(*words, "-o", "here", "--sha256", sha256(DATA), cwd=tmp_path)
    assert (code, out, err) == (0, f"ok       {sha256(DATA)}  here/my.pth\n", "")
    assert run("verify", str(place), "--sha256", sha256(DATA), cwd=tmp_path)[0] == 0
    code, out, err = run("verify", str(place), "--sha256", "0" * 64, cwd=tmp_path)
    assert code == 5 and out.startswith("WRONG") and "fetch it again" in err
    code, out, err = run(*words, "-o", "there", "--sha256", "0" * 64, cwd=tmp_path)
    assert code == 5 and "thrown away" in err and os.listdir(tmp_path / "there") == []


def test_verify_finds_damage_in_what_the_catalogue_knows(tmp_path: Path) -> None:
    own = tmp_path / ".cache" / "sbtools"
    own.mkdir(parents=True)
    assert run("verify", cwd=tmp_path)[:2] == (0, "")
    (own / "sam_vit_b_01ec64.pth").write_bytes(b"x")
    code, out, err = run("verify", cwd=tmp_path)
    assert code == 5 and out.startswith(f"WRONG    {sha256(b'x')}") and err.count("ERROR") == 1
    code, out, err = run("verify", "sam-vit-h", cwd=tmp_path)
    assert code == 1 and "sbtools weights fetch sam-vit-h" in err


@pytest.mark.parametrize(("words", "said"), [
    (["fetch"], "needs the NAME"),
    (["list", "sam-vit-b"], "takes no NAME"),
    (["fetch", "sam"], "no weights 'sam'; there are sam-vit-b"),
    (["fetch", "a", "b", "--url", "https://a/b"], "one NAME at a time"),
    (["fetch", "x.pth", "--url", "http://example.org/x"], "only fetched over https"),
    (["list", "--url", "https://a/b"], "for fetch, not for list"),
    (["verify", ".", "--sha256", "0" * 64], "is a folder"),
    (["grow"], "'grow' is not one of"),
])  # fmt: skip
def test_misuse(tmp_path: Path, words: list[str], said: str) -> None:
    code, out, err = run(*words, cwd=tmp_path)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1


def test_a_refused_address_is_one_line(site: Site, tmp_path: Path) -> None:
    code, out, err = run("fetch", "x.pth", "--url", f"{site.url}/none", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert err == f"sbtools weights: ERROR: {site.url}/none: the server said 404 Not Found\n"


def test_a_full_disk_is_exit_6_and_the_same_command_goes_on(site: Site, tmp_path: Path) -> None:
    line = f"ulimit -f 500; exec {' '.join(SBTOOLS)} weights fetch my.pth --url {site.url}/my.pth"
    env = environment({"HOME": str(tmp_path), "no_proxy": "127.0.0.1", "XDG_CACHE_HOME": ""})
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True,
                          timeout=60, check=False)  # fmt: skip
    assert done.returncode == 6 and b"the same command goes on" in done.stderr
    part = tmp_path / ".cache/sbtools/my.pth.part"
    assert 0 < part.stat().st_size <= 512_000
    assert run("fetch", "my.pth", "--url", f"{site.url}/my.pth", cwd=tmp_path)[0] == 0
    assert part.with_name("my.pth").read_bytes() == DATA and not part.exists()


def test_an_interrupt_keeps_what_arrived(site: Site, tmp_path: Path) -> None:
    site.pages["/my.pth"].faults = [{"cut": 300_000, "hold": True}]
    env = environment({"HOME": str(tmp_path), "no_proxy": "127.0.0.1", "XDG_CACHE_HOME": ""})
    words = [*SBTOOLS, "weights", "fetch", "my.pth", "--url", f"{site.url}/my.pth"]
    part = tmp_path / ".cache/sbtools/my.pth.part"
    with subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.PIPE) as child:
        for _ in range(600):
            if part.exists() and part.stat().st_size == 300_000:
                break
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        error = child.stderr.read()
        site.hold.set()
    assert child.returncode == 130 and b"Traceback" not in error
    assert part.read_bytes() == DATA[:300_000]
    site.asked.clear()
    assert run("fetch", "my.pth", "--url", f"{site.url}/my.pth", cwd=tmp_path)[0] == 0
    assert site.asked[0][1] == "bytes=300000-"


def test_a_terminal_shows_how_far_it_is(site: Site, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [*SBTOOLS, "weights", "fetch", "my.pth", "--url", f"{site.url}/my.pth"]
    env = environment({"HOME": str(tmp_path), "no_proxy": "127.0.0.1", "XDG_CACHE_HOME": ""})
    subprocess.run(words, cwd=tmp_path, env=env, stderr=theirs, check=True, timeout=60,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 10_000)
    os.close(ours)
    assert b"\r\x1b[Kmy.pth: 1.0 MB of 1.0 MB, 100%, " in shown


def test_without_a_home_fetch_says_what_to_set(tmp_path: Path) -> None:
    code = ("import os, sys; os.path.expanduser = lambda path: path\n"
            "from sbtools.cli.process import call\n"
            "sys.exit(call(['weights', 'fetch', 'sam-vit-b']))")  # fmt: skip
    done = subprocess.run([SBTOOLS[0], "-c", code], cwd=tmp_path, capture_output=True, timeout=60,
                          env=environment({"XDG_CACHE_HOME": ""}), check=False)  # fmt: skip
    assert done.returncode == 2 and b"set XDG_CACHE_HOME, or give --output" in done.stderr
