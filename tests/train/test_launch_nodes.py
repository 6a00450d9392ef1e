"""Several processes that train into one folder: nodes of a Slurm step, and a torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sbtools.train.launch import Ears
from sbtools.train.places import Place
from sbtools.train.plan import TrainFlags
from sbtools.train.prepare import Request
from sbtools.train.stage import train
from tests.cli.running import environment, lines
from tests.train.fake_ranks import notes
from tests.train.test_launch import all_gone
from tests.train.test_meeting import install_scontrol

DRIVER = """
import json, os, sys
from sbtools.train import places
from sbtools.train.launch import Ears
from sbtools.train.plan import TrainFlags
from sbtools.train.prepare import Request, read_file
from sbtools.train.stage import train

foreign = places.in_torchrun()
place = foreign or places.on_slurm(2)
request = Request("run", TrainFlags("vificlip", values={"batch": 2}), ".",
                  run="tests.train.fake_ranks:count")
tell = lambda line: print(json.dumps(dict(line)), flush=True)
word = ["int"] if os.environ.get("FAKE_WORD") == sys.argv[1] else [None]
ears = Ears(lambda: word[0] if os.path.exists("run/last.pt") else None, tell, lambda line: None)
ended = train(request, read_file("clips.jsonl"), place, ears, foreign is not None)
print(json.dumps({"word": ended.word}))
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Records of four clips whose videos are there, as far as anybody looks."""
    with open(tmp_path / "clips.jsonl", "w") as file:
        for number in range(4):
            (tmp_path / f"{number}.mp4").write_bytes(b"")
            record = {"id": str(number), "video": f"{number}.mp4", "label": "ab"[number % 2]}
            file.write(json.dumps(record) + "\n")
    return tmp_path


def together(work: Path, *each: Mapping[str, str]) -> list[list[dict[str, object]]]:
    """What each of the processes prints, one for each environment; all must succeed."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(number)], cwd=work, env=environment(extra),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number, extra in enumerate(each)
    ]  # fmt: skip
    try:
        ended = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * len(each), ended
    return [lines(out) for out, _ in ended]


def node(number: int, **more: str) -> dict[str, str]:
    step = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "2"}
    return {**step, "SLURM_PROCID": str(number), "SLURMD_NODENAME": f"n{number + 1}.invalid",
            "FAKE_EPOCHS": "1000", **more}  # fmt: skip


def test_two_nodes_train_together_and_stop_together(work: Path) -> None:
    """Their names do not resolve; Slurm has their addresses."""
    (work / "bin").mkdir()
    install_scontrol(work / "bin")
    path = f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}"
    told = {"FAKE_WORD": "1", "PATH": path}
    first, second = together(work, node(0, **told), node(1, **told))
    assert second == [{"word": "int"}] and first[-1] == {"word": "int"}
    assert [line["epoch"] for line in first[:-1]] == list(range(1, len(first)))
    assert [(told["rank"], told["world"]) for told in notes(work / "run")] == [(0, 2), (1, 2)]
    assert all_gone(work / "run")
    assert not [path.name for path in (work / "run").iterdir() if path.name.startswith(".")]


def test_under_a_foreign_torchrun_each_process_is_a_rank(work: Path) -> None:
    ranks = [
        {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "localhost",
         "MASTER_PORT": "29871", "GLOO_SOCKET_IFNAME": "lo"}
        for rank in range(2)
    ]  # fmt: skip
    first, second = together(work, *ranks)
    assert [line.get("epoch") for line in first] == [1, 2, None]
    assert first[-1] == {"word": "done"} == second[-1] and len(second) == 1
    assert [told["rank"] for told in notes(work / "run")] == [0, 1]
    assert (work / "run" / "done.json").exists()


def test_a_node_that_comes_to_a_run_that_is_done_or_stopped_goes_home(work: Path) -> None:
    place = Place("7.0.0", 1, 2)
    request = Request(str(work), TrainFlags("vificlip"), str(work))
    for word in ("done", "usr1"):
        place.tell(str(work), "ready", word=word)
        assert train(request, None, place, Ears(lambda: None, print, print)).word == word
