"""`sbtools train` with real processes: signals, continuing, what is refused."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from sbtools.cli.process import call
from sbtools.train.checkpoint import read
from sbtools.train.folder import RunFolder
from tests.cli.running import SBTOOLS, environment, lines, sbtools
from tests.making import make_clips
from tests.train.strike import strike

TRAIN = ["train", "--set-model", "arch=tiny", "--lr", "1e-3", "--warmup", "0", "--batch", "2"]
TRAIN += ["--frames", "4", "--workers", "0", "--save-every", "1", "-o", "run"]
ENDLESS = ["--epochs", "1000"]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clips, their records, and `run`, trained for two epochs in one go."""
    folder = tmp_path_factory.mktemp("train")
    make_clips(folder / "clips", 4, frames=12)
    indexed = sbtools("index", "clips", cwd=folder)
    (folder / "clips.jsonl").write_bytes(indexed.stdout)
    done = sbtools(*TRAIN, "--epochs", "2", "clips.jsonl", cwd=folder, env=ONE_THREAD, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_bytes(done.stdout)
    (folder / "stderr").write_bytes(done.stderr)
    return folder


@pytest.fixture
def work(trained: Path, tmp_path: Path) -> Path:
    """The clips and records, without a run."""
    shutil.copytree(trained / "clips", tmp_path / "clips")
    shutil.copy(trained / "clips.jsonl", tmp_path)
    return tmp_path


def processes_in(folder: Path) -> list[str]:
    """The command lines of all processes whose working directory is the folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if place.joinpath("cwd").resolve() == folder.resolve():
                found.append(place.joinpath("cmdline").read_bytes().decode().replace("\0", " "))
        except OSError:
            continue
    return list(filter(None, found))


@contextmanager
def running(*words: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once it has told an epoch; killed in the end if it still runs."""
    with subprocess.Popen(
        [*SBTOOLS, *words], cwd=cwd, env=environment(ONE_THREAD), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            assert json.loads(line)["epoch"] == 1
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def state_of(run: Path) -> dict[str, Any]:
    state, _ = read(str(run / "last.pt"))
    return state


def losses(output: bytes) -> list[Any]:
    return [(line["epoch"], line["step"], line["losses"]) for line in lines(output)]


def test_stdout_has_a_line_for_each_epoch_and_stderr_the_plan(trained: Path) -> None:
    told = lines((trained / "stdout").read_bytes())
    assert [(line["epoch"], line["step"], line["clips"]) for line in told] == [(1, 2, 4), (2, 4, 4)]
    text = (trained / "stderr").read_text()
    assert "4 clips of 2 classes" in text and "2 epochs of 2 steps, 2 clips a step" in text
    assert "Traceback" not in text
    run = json.loads((trained / "run" / "run.json").read_bytes())
    assert run["settings"]["classes"] == ["walk", "wave"] and run["settings"]["epochs"] == 2
    assert not processes_in(trained)
    assert [name for name in os.listdir(trained / "run") if name.startswith(".")] == []


def test_the_same_command_again_says_so_and_tells_the_epochs_again(
    trained: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    before = (trained / "run" / "last.pt").read_bytes()
    assert call([*TRAIN, "--epochs", "2"]) == 0
    found = capfdbinary.readouterr()
    assert found.out == (trained / "stdout").read_bytes()
    assert b"run is done already" in found.err and b"with its own records" in found.err
    assert (trained / "run" / "last.pt").read_bytes() == before


def test_a_stop_and_the_same_command_give_the_same_weights(trained: Path, work: Path) -> None:
    """The signal comes to every process, as from scancel: to the rank, its worker, its tracker."""
    words = [*TRAIN, "--epochs", "2", "--workers", "1", "clips.jsonl"]
    with running(*words, cwd=work) as process:
        strike(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=200)
    assert process.returncode in (143, 0), err
    assert not processes_in(work)
    again = sbtools(*TRAIN, "--epochs", "2", cwd=work, env=ONE_THREAD, timeout=300)
    assert again.returncode == 0, again.stderr
    assert losses(again.stdout) == losses((trained / "stdout").read_bytes())
    one, two = (state_of(folder / "run")["model"] for folder in (trained, work))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_from_before_schedules_goes_on_with_its_own(work: Path) -> None:
    """Without --schedule; the rate of step s of 40 is 1e-3 (.01 + .99 (1 + cos(pi s / 40)) / 2)."""
    asked = [*TRAIN, "--epochs", "20"]
    with running(*asked, "--schedule", "cosine", "clips.jsonl", cwd=work) as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=200)
    assert process.returncode == 143
    told = json.loads((work / "run" / "run.json").read_bytes())
    del told["settings"]["schedule"]
    (work / "run" / "run.json").write_text(json.dumps(told))
    other = sbtools(*asked, "--schedule", "vifi", cwd=work)
    assert other.returncode == 2 and b'schedule "cosine", not "vifi"' in other.stderr
    again = sbtools(*asked, cwd=work, env=ONE_THREAD, timeout=300)
    assert again.returncode == 0, again.stderr
    assert b"by schedule cosine" in again.stderr
    rates = [1e-3 * (0.01 + 0.495 * (1 + math.cos(math.pi * s / 40))) for s in range(1, 40, 2)]
    assert [line["lr"] for line in lines(again.stdout)] == pytest.approx(rates)


@pytest.mark.parametrize(
    ("number", "code", "ranks"),
    [(signal.SIGUSR1, 75, 2), (signal.SIGINT, 130, 1)],
)
def test_a_signal_leaves_a_checkpoint_and_no_process(
    number: int, code: int, ranks: int, work: Path
) -> None:
    words = [*TRAIN, *ENDLESS, "--ranks", str(ranks), "clips.jsonl"]
    with running(*words, cwd=work) as process:
        process.send_signal(number)
        time.sleep(0.05)
        if code != 130:
            process.send_signal(number)
        _, err = process.communicate(timeout=200)
    assert process.returncode == code, err
    assert b"the same command goes on" in err and b"Traceback" not in err
    answer = b"finishing this step and keeping the state; Ctrl-C again stops now\n"
    assert (answer in err) == (code == 130)
    assert state_of(work / "run")["progress"]["step"] >= 2
    assert not processes_in(work)


def test_a_second_interrupt_stops_at_once_and_leaves_no_process(work: Path) -> None:
    with running(*TRAIN, *ENDLESS, "clips.jsonl", cwd=work) as process:
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in err
    assert err.endswith(b"sbtools train: stopped; the same command goes on\n")
    assert not processes_in(work)
    assert state_of(work / "run")["progress"]["step"] >= 2


def told(words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit status and the last line of stderr of a command, in this process."""
    code = call(words)
    found = capfd.readouterr()
    assert "Traceback" not in found.err and found.out == ""
    return code, found.err.splitlines()[-1]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--epochs", "3"], "epochs 2, not 3"),
        (["--seed", "5", "--lr", "2e-3"], "lr 0.001, not 0.002; seed 0, not 5"),
        (["--method", "mask", "--fixed-frames"], "'walk/clip0' has no masks"),
        (["--limit", "2"], "records of 4 clips, not of these 2 clips"),
        (["--select", "val"], "give --val"),
        (["--expect", "more.jsonl"], "1 clips of --expect are not in the input"),
        (["--classes", "walk,run"], "label 'wave' of the records is none of the classes"),
        (["--ranks", "3"], "cannot be shared by 3 ranks"),
        (["--nodes", "2"], "srun --nodes=2"),
        (["--gpus", "64"], "--gpus 64"),
        (["--betas", "0.9"], "not two numbers"),
        (["--pretrain", "captions", "--method", "mask"], "--pretrain takes no --method"),
        (["--pretrain", "captions"], "run is there already"),
        (["--overwrite", "--classes", "walk,run"], "label 'wave' of the records is none of the"),
        (["--overwrite", "--lr", "0"], "--lr must be above 0"),
        (["--overwrite", "gone.jsonl"], "there is no such file"),
        (["--overwrite", "--weights", "ViT-B-32.pt"], "weights fetch clip-vit-b-32 -o ."),
        (["--overwrite", "--weights", "w/ViT-B-16.pt"], "weights fetch clip-vit-b-16 -o w"),
        (["--overwrite", "--val", "clips.jsonl"], "4 clips of --val are trained on as well"),
    ],
)
def test_what_is_refused_is_named(
    words: list[str], named: str, trained: Path,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(trained)
    more = {"id": "more", "video": "more.mp4", "label": "walk"}
    (trained / "more.jsonl").write_text(json.dumps(more) + "\n")
    before = contents(trained / "run")
    code, line = told([*TRAIN, "--epochs", "2", "clips.jsonl", *words], capfd)
    assert named in line and code in (1, 2)
    assert contents(trained / "run") == before


def test_two_trainings_in_one_folder(
    trained: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    with RunFolder("run"):
        code, line = told([*TRAIN, "--epochs", "2", "clips.jsonl"], capfd)
    assert code == 7 and "still writing" in line


def test_an_output_is_needed_and_records_are(
    work: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    assert told(["train", "clips.jsonl"], capfd)[1].endswith("-o RUN")
    (work / "empty.jsonl").write_bytes(b"")
    code, line = told([*TRAIN, "empty.jsonl"], capfd)
    assert code == 1 and "there are no records in the input" in line
    code, line = told([*TRAIN, "gone.jsonl"], capfd)
    assert code == 2 and "there is no such file" in line
    assert not (work / "run").exists()


def test_stdin_that_is_gone_needs_a_run_and_torchrun_takes_no_stdin(
    work: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    code, line = told(TRAIN, capfd)
    assert code == 2 and "there are no records: name .jsonl files" in line
    ranks = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_PORT": "29999"}
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    code, line = told(TRAIN, capfd)
    assert code == 2 and "under torchrun the ranks cannot share stdin" in line


def test_dry_run_says_the_plan_and_writes_nothing(
    work: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    before = sorted(os.listdir(work))
    assert call([*TRAIN, "--epochs", "2", "--dry-run", "clips.jsonl"]) == 0
    found = capfd.readouterr()
    assert found.out == "" and sorted(os.listdir(work)) == before
    for text in ("4 clips of 2 classes", "2 epochs of 2 steps", "4 frames from video", "lr 0.001",
                 "vificlip (random weights)", "parameters"):  # fmt: skip
        assert text in found.err


def test_failed_clips_are_counted_and_make_the_exit_status_3(
    work: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = lines((work / "clips.jsonl").read_bytes())
    error = {"stage": "index", "kind": "unreadable", "message": "no video"}
    records[0]["error"] = error
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    words = [*TRAIN, "--epochs", "1", "--classes", "wave,walk"]
    done = sbtools(*words, cwd=work, stdin=text, env=ONE_THREAD, timeout=300)
    assert done.returncode == 3, done.stderr
    assert b"walk/clip0 is left out: no video (index: unreadable)" in done.stderr
    assert [line["clips"] for line in lines(done.stdout)] == [3]
    run = json.loads((work / "run" / "run.json").read_bytes())
    assert run["records"]["failed"] == 1 and run["settings"]["classes"] == ["wave", "walk"]
    monkeypatch.chdir(work)
    assert call(words) == 3 and call([*words, "--max-failed", "1"]) == 0
    assert capfdbinary.readouterr().out == 2 * done.stdout
