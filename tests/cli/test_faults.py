"""Full disks, damaged and hostile input, odd environments: nothing lost, nothing else touched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.cli.running import SBTOOLS, environment, ids, lines, sbtools, shell
from tests.making import figure_frames, make_clips, write_video

CANARY = b"never to be seen by anyone"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips, their masks and their pixels."""
    folder = tmp_path_factory.mktemp("faults")
    make_clips(folder / "clips", 6, frames=10)
    line = (
        "set -e; sbtools segment -q --frames 3 --part-clips 2 clips > masks.jsonl;"
        "sbtools mask -q --mode bg -o clean masks.jsonl > clean.jsonl"
    )
    done = shell(line, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; videos are named relative to it."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def digest(store: str, cwd: Path) -> str:
    done = sbtools("check", "--digest", store, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split()[0]


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, and the hash of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha1(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("blocks", [1, 15, 75, 110])
def test_a_file_size_limit_is_exit_6_and_the_rest_goes_on_later(blocks: int, copy: Path) -> None:
    command = "sbtools mask -q --mode bg --part-clips 3 masks.jsonl"
    done = shell(f"ulimit -f {blocks}; {command}", cwd=copy)
    assert done.returncode == 6, (done.returncode, done.stderr)
    assert done.stderr.count(b"\n") == 1 and b"cannot write" in done.stderr
    assert not list(copy.glob("masked/.*tmp*"))
    if list(copy.glob("masked/*.h5")):
        assert sbtools("check", "masked", cwd=copy).returncode == 0
    done = shell(command, cwd=copy)
    assert done.returncode == 0 and len(ids(done.stdout)) == 6
    assert digest("masked", copy) == digest("clean", copy)


def test_a_full_file_system_is_exit_6_and_the_rest_goes_on_later(copy: Path) -> None:
    small = copy / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=260k", "tmpfs", str(small)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small file system cannot be mounted here")
    try:
        command = "sbtools mask -q --mode bg --part-clips 2 -o small/masked masks.jsonl"
        done = shell(command, cwd=copy)
        assert done.returncode == 6, (done.returncode, done.stderr)
        assert 0 < len(ids(done.stdout)) < 6
        assert sbtools("check", "small/masked", cwd=copy).returncode == 0
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        done = shell(command, cwd=copy)
        assert done.returncode == 0 and len(ids(done.stdout)) == 6
        assert digest("small/masked", copy) == digest("clean", copy)
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.parametrize("target", ["clips/walk/clip0.mp4/masks", "/proc/masks"])
def test_an_output_that_cannot_be_made_is_told_before_any_work(target: str, copy: Path) -> None:
    done = sbtools("segment", "-q", "--frames", "3", "-o", target, "clips", cwd=copy)
    assert done.returncode in (2, 6) and done.stderr.count(b"\n") == 1
    assert done.stdout == b""


@pytest.mark.parametrize("keep", [0, 100, 0.5, -1])
def test_a_cut_part_fails_its_clips_alone(keep: float, copy: Path) -> None:
    part = sorted(copy.glob("masks/*.h5"))[0]
    data = part.read_bytes()
    size = int(len(data) * keep) if isinstance(keep, float) else keep
    part.write_bytes(data[:size])
    done = sbtools("mask", "-q", "--mode", "bg", "masks.jsonl", cwd=copy)
    assert done.returncode == 5
    failed = [record for record in lines(done.stdout) if "error" in record]
    assert len(failed) == 2 and {record["error"]["kind"] for record in failed} == {"damaged"}
    assert len(ids(done.stdout)) == 6
    check = sbtools("check", "masks", "masks.jsonl", cwd=copy)
    assert check.returncode == 5 and part.name.encode() in check.stderr


def _external_link(file: h5py.File, other: Path) -> None:
    file["clips/walk%2Fclip0/person"] = h5py.ExternalLink(str(other), "/secret")


def _soft_link(file: h5py.File, other: Path) -> None:
    file["outside"] = h5py.ExternalLink(str(other), "/secret")
    file["clips/walk%2Fclip0/person"] = h5py.SoftLink("/outside")


def _raw_storage(file: h5py.File, other: Path) -> None:
    file["clips/walk%2Fclip0"].create_dataset(
        "person", (8, 72, 12), "u1", external=[(str(other), 0, 8 * 72 * 12)]
    )


def _virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((8, 72, 12), "u1")
    layout[:] = h5py.VirtualSource(str(other), "secret", (8, 72, 12))
    file["clips/walk%2Fclip0"].create_virtual_dataset("person", layout)


def _bomb(file: h5py.File, other: Path) -> None:
    file["clips/walk%2Fclip0"].create_dataset(
        "person", (8, 1 << 20, 1 << 20), "u1", chunks=(1, 1 << 10, 1 << 10), compression="gzip"
    )


def _objects(file: h5py.File, other: Path) -> None:
    file["clips/walk%2Fclip0"].create_dataset("person", (8,), h5py.vlen_dtype(np.uint8))


@pytest.mark.parametrize(
    "plant", [_external_link, _soft_link, _raw_storage, _virtual, _bomb, _objects]
)
def test_a_hostile_store_is_refused_and_no_other_file_is_read(plant, copy: Path) -> None:
    secret = copy / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.frombuffer(CANARY * 266, np.uint8)[: 8 * 72 * 12].reshape(8, 72, 12)
    part = sorted(copy.glob("masks/*.h5"))[0]
    with h5py.File(part, "r+") as file:
        del file["clips/walk%2Fclip0/person"]
        plant(file, secret)
    before = tree(copy)
    done = sbtools("mask", "-q", "--mode", "bg", "masks.jsonl", cwd=copy)
    assert done.returncode == 5, done.stderr
    bad, *others = lines(done.stdout)
    assert bad["error"]["kind"] == "damaged" and all("pixels" in record for record in others)
    after = tree(copy)
    assert {name: after[name] for name in before} == before
    assert sbtools("check", "masks", cwd=copy).returncode == 5
    for path in copy.glob("masked/*.h5"):
        assert CANARY not in path.read_bytes()


@pytest.mark.parametrize("id", ["../../x", "/x", "a/../../x", "..", "x\u202e", "con/.", "a//b"])
def test_ids_cannot_leave_the_folder_for_files(id: str, copy: Path) -> None:
    record = {"id": id, "video": "clips/walk/clip0.mp4"}
    first = sbtools(
        "segment", "-q", "--frames", "3", "-o", "in/m", cwd=copy, stdin=json.dumps(record).encode()
    )
    assert first.returncode == 0, first.stderr
    before = tree(copy)
    done = sbtools("mask", "-q", "--mode", "bg", "--video", "in/deep/look", "-o", "in/p", cwd=copy,
                   stdin=first.stdout)  # fmt: skip
    assert done.returncode == 0, done.stderr
    new = set(tree(copy)) - set(before)
    assert sum(name.endswith(".mp4") for name in new) == 1
    assert all(name.startswith(("in/deep/look/", "in/p/")) for name in new)


def test_masked_clips_are_not_written_over_the_videos(copy: Path) -> None:
    before = tree(copy / "clips")
    done = sbtools("mask", "-q", "--mode", "bg", "--video", "clips", "masks.jsonl", cwd=copy)
    assert done.returncode == 2 and b"another folder" in done.stderr
    assert tree(copy / "clips") == before


def test_files_that_are_no_videos_fail_at_once(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 1, frames=8)
    whole = (clips / "walk/clip0.mp4").read_bytes()
    os.mkfifo(clips / "pipe.mp4")
    (clips / "empty.mp4").write_bytes(b"")
    (clips / "page.mp4").write_text("<html>404</html>")
    (clips / "list.mp4").write_text("ffconcat version 1.0\nfile walk/clip0.mp4\n")
    (clips / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (clips / "folder.mp4").mkdir()
    done = sbtools("segment", "-q", "clips", cwd=tmp_path, timeout=30)
    assert done.returncode == 3
    failed = {record["id"] for record in lines(done.stdout) if "error" in record}
    assert failed == {"pipe", "empty", "page", "list", "cut"}
    assert len(ids(done.stdout)) == 6


def test_frames_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    huge = np.zeros((8192, 8192, 3), np.uint8)
    write_video(tmp_path / "clips/huge.mkv", [huge], codec="mjpeg", pix_fmt="yuvj420p")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30));"
        "from sbtools.cli.process import call; sys.exit(call(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "segment", "-q", "--workers", "0", "clips"],
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert lines(done.stdout)[0]["error"]["kind"] == "too-large"


def test_an_endless_line_is_refused_in_little_memory(tmp_path: Path) -> None:
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdin=sys.stdin)\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(done.returncode, peak)\n"
    )
    feed = f"head -c 200000000 /dev/zero | tr '\\0' 'x' | {sys.executable} -c '{code}'"
    done = shell(f"{feed} {sys.executable} -m sbtools index", cwd=tmp_path)
    status, peak = map(int, done.stdout.split())
    assert status == 1 and b"stdin:1" in done.stderr
    assert peak * 1024 < 300e6


@pytest.mark.parametrize(
    ("line", "env"),
    [
        ("ulimit -n 64; {}", {}),
        ("unset HOME; {}", {}),
        ("{}", {"TMPDIR": "/nowhere"}),
        ("{}", {"LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "7"}),
        ("find clips -exec touch -d 1970-01-02 {{}} +; {}", {}),
    ],
)
def test_odd_environments_give_the_same_store(line: str, env: dict[str, str], copy: Path) -> None:
    command = (
        "sbtools segment -q --frames 3 --part-clips 2 clips | sbtools mask -q --mode bg -o odd"
    )
    done = shell(f"set -e -o pipefail; {line.format(command)}", cwd=copy, env=env)
    assert done.returncode == 0, done.stderr
    assert digest("odd", copy) == digest("clean", copy)


def test_readers_beside_a_writer_see_whole_clips_only(copy: Path) -> None:
    shutil.rmtree(copy / "masks")
    make_clips(copy / "clips", 12, frames=10)
    command = [
        *SBTOOLS,
        "segment",
        "-q",
        "--frames",
        "3",
        "--workers",
        "1",
        "--part-clips",
        "1",
        "clips",
    ]
    with subprocess.Popen(
        command, cwd=copy, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as writer:
        looks = 0
        while writer.poll() is None:
            if list(copy.glob("masks/*.h5")):
                done = sbtools("check", "masks", cwd=copy)
                assert done.returncode == 0, done.stderr
                looks += 1
            if looks > 3:
                break
        assert writer.stdout is not None
        assert len(ids(writer.stdout.read())) == 12
    assert writer.returncode == 0 and looks > 0


def test_peak_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    frames = figure_frames(16, 480, 640)
    write_video(tmp_path / "clips/long.mp4", (frames[i % 16] for i in range(300)))
    small = "--detector motion --segmenter grabcut --set area=4000"
    peaks = {}
    for rule in ("8", "all"):
        line = f"sbtools segment -q --workers 0 --frames {rule} {small} -o m{rule} clips"
        peaks[rule] = _peak(f"{line} > {rule}.jsonl", tmp_path)
        line = f"sbtools mask -q --workers 0 --mode bg -o p{rule} {rule}.jsonl"
        peaks[f"mask {rule}"] = _peak(line, tmp_path)
    # All frames at once would be 276 MB more.
    assert peaks["all"] - peaks["8"] < 200e6 and peaks["mask all"] - peaks["mask 8"] < 200e6


def _peak(line: str, cwd: Path) -> int:
    words = line.replace("sbtools", f"{sys.executable} -m sbtools", 1)
    code = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run(['bash', '-c', 'exec ' + sys.argv[1]]).returncode\n"
        "print('peak', code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, words], cwd=cwd, env=environment(),
        stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    _, status, peak = done.stdout.splitlines()[-1].split()
    assert int(status) == 0, done.stderr
    return int(peak)
