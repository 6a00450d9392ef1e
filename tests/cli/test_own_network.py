"""A network of the user's own, by the example of README and manual; what is said of mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torchvision import models as tv  # type: ignore[import-untyped]

from tests.cli.running import lines, sbtools
from tests.shown import README, files
from tests.test_extend import BLOCKS

TINY = """import torch
from sbtools.models.base import VideoModel

class Net(torch.nn.Module):
    recipe, frames = {"size": 32}, 2
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(3, 2)
    def forward(self, video):
        return self.last(video.mean((1, 3, 4)))

class InTraining(Net):
    def forward(self, video):
        if self.training:
            raise KeyError("no such layer")
        return super().forward(video)

class Ours(VideoModel):
    name = "ours"
    def __init__(self, classes):
        super().__init__()
        self.frames, self.classes, self.texts = 2, list(classes), list(classes)
        self.recipe = {"size": 32}
    def set_classes(self, classes, texts=None):
        pass
    def spec(self):
        return {}
    def logits(self, encoded, classes=None):
        return encoded.features
    def encode(self, video):
        return 1 / 0
"""


@pytest.fixture(scope="module")
def work(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(clips, folder / "clips")
    for name, text in files(README).items():
        (folder / name).write_text(text)
    recipe = 'self.recipe = {"size": 32}'
    made = "from sbtools.models.recipe import Recipe\n" + TINY.replace(
        recipe, "self.recipe = Recipe(size=32)"
    )
    (folder / "tiny.py").write_text(made)
    return folder


def test_manual_and_readme_show_the_same_file() -> None:
    (shown,) = (block for block in BLOCKS if block.startswith("# my.py\n"))
    (read,) = files(README).items()
    assert read == ("my.py", shown.replace("\n\n", "\n\n\n").replace("\n\n\n    ", "\n\n    "))


SMALL = """def r3d_18(num_classes):
    layers = torch.nn.AdaptiveAvgPool3d(4), torch.nn.Flatten(), torch.nn.Linear(192, num_classes)
    return torch.nn.Sequential(*layers)
"""


def test_the_commands_of_the_manual_run_with_a_small_network(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "clips", tmp_path / "clips")
    text = (work / "my.py").read_text()
    line = "from torchvision.models.video import r3d_18\n"
    assert line in text
    (tmp_path / "my.py").write_text(text.replace(line, SMALL))
    run_the_manual(tmp_path)


def test_the_commands_of_the_manual_run(work: Path, unhurried: None) -> None:
    run_the_manual(work)


def run_the_manual(work: Path) -> None:
    made = sbtools(
        "segment", "--detector", "classic", "--segmenter", "grabcut", "--workers", "0", "clips",
        cwd=work,
    )  # fmt: skip
    (work / "masks.jsonl").write_bytes(made.stdout)
    (block,) = (block for block in BLOCKS if block.startswith("sbtools ") and "my:make" in block)
    for line in block.splitlines():
        words, _, file = line.partition(" > ")
        done = sbtools(*words.split()[1:], "--workers", "0", cwd=work)
        assert done.returncode == 0, (line, done.stderr)
        if file:
            (work / file).write_bytes(done.stdout)
    assert json.loads((work / "own.json").read_bytes())["model"]["recipe"]["size"] == 112
    assert all(record["features"] for record in lines((work / "features.jsonl").read_bytes()))
    told = json.loads((work / "runs" / "own" / "run.json").read_bytes())
    assert told["settings"]["model_settings"]["backbone"] == "my:make"


def test_the_example_is_r3d_18_as_torchvision_has_it(work: Path) -> None:
    torch.manual_seed(0)
    torch.save(tv.get_model("r3d_18", num_classes=2).state_dict(), work / "r3d.pth")
    told = {}
    for name in ("my:make", "torchvision:r3d_18"):
        given = ["--model", name, "--weights", "r3d.pth", "--classes", "walk,wave"]
        given += ["--frames", "4", "--top", "2", "--workers", "0"]
        done = sbtools("eval", *given, "clips", cwd=work)
        assert done.returncode == 0, done.stderr
        told[name] = done.stdout
    assert told["my:make"] == told["torchvision:r3d_18"] and b"walk" in told["my:make"]


def test_an_error_of_the_users_is_a_line_and_with_vv_the_way_there(work: Path) -> None:
    first = (work / "my.py").read_text().replace("video.transpose(1, 2)", "video")
    (work / "wrong.py").write_text(first)
    number = next(n for n, line in enumerate(first.splitlines(), 1) if "network(video)" in line)
    words = ["eval", "--model", "wrong:make", "--classes", "walk,wave", "--workers", "0", "clips"]
    done = sbtools(*words, cwd=work)
    *_, last = done.stderr.decode().splitlines()
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert last.startswith(
        f"sbtools eval: ERROR: wrong.py, line {number}, in forward: RuntimeError: "
    )
    assert last.endswith(", recipe = {'size': ...} for another H and W)")
    assert "[clips, frames, 3, H, W] = [4, 16, 3, 112, 112]: transpose(1, 2) for torch" in last
    loud = sbtools(*words, "-vv", cwd=work).stderr.decode()
    assert f'wrong.py", line {number}, in forward' in loud and "conv3d" in loud


def test_an_error_in_training_is_theirs_too(work: Path) -> None:
    words = ["train", "--model", "tiny:InTraining", "--frames", "2", "--epochs", "1", "--warmup"]
    done = sbtools(*words, "0", "--workers", "0", "-o", "runs/broken", "clips", cwd=work)
    *_, last = done.stderr.decode().splitlines()
    assert done.returncode == 1, done.stderr
    expected = "tiny.py, line 16, in forward: KeyError: 'no such layer' (-vv shows where)"
    assert last == f"sbtools train: ERROR: rank 0: {expected}"


def test_an_error_in_a_model_of_our_kind_is_theirs_too(work: Path) -> None:
    words = ["eval", "--model", "tiny:Ours", "--classes", "walk,wave", "--workers", "0", "clips"]
    done = sbtools(*words, cwd=work)
    *_, last = done.stderr.decode().splitlines()
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    expected = "tiny.py, line 32, in encode: ZeroDivisionError: division by zero"
    assert last == f"sbtools eval: ERROR: {expected} (-vv shows where)"


def test_an_option_that_is_missing_is_told_in_a_line(work: Path) -> None:
    done = sbtools("mask", "clips", cwd=work)
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 2 and "Missing option '--mode'. Choose from: none, bg, obj" in line


def test_a_dry_run_of_pretraining_writes_nothing(work: Path) -> None:
    rows = [{"id": f"c{n}", "video": "v", "captions": ["a man"]} for n in range(20)]
    (work / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["train", "--pretrain", "captions", "--dry-run", "-o", "tiny.pt", "captions.jsonl"]
    done = sbtools(*words, "--epochs", "3", cwd=work)
    assert (done.returncode, done.stdout) == (0, b"") and not (work / "tiny.pt").exists()
    assert (
        b"a CLIP tiny would be trained in 3 epochs on the captions of 18 clips, 2 more held "
        in (done.stderr)
    )
    (work / "captions.jsonl").write_text('{"id": "c"}\n')
    done = sbtools(*words, cwd=work)
    assert done.returncode == 2 and b"`sbtools demo --captions` makes some" in done.stderr


@pytest.mark.parametrize("what", ["own", "transformers"])
def test_a_folder_that_is_no_run_is_told_what_to_do(what: str, work: Path) -> None:
    (work / what).mkdir()
    if what == "transformers":
        (work / what / "config.json").touch()
    done = sbtools("eval", what, "clips", cwd=work)
    fix = {
        "own": "name a folder that sbtools train -o has made, or give --model",
        "transformers": "a model of transformers is hf:transformers, in eval --model "
        "hf:transformers",
    }[what]
    (line,) = done.stderr.decode().splitlines()
    assert line == f"sbtools eval: ERROR: {what} is no run, as it has no run.json: {fix}"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--classes", "names.txt"], "there is no file names.txt: classes are a file with a name"),
        (["--classes", "walk,run"], "none of the classes: --classes names all of them, sbtools "
         "split --exclude leaves clips of some out"),
        (["--set", "ratio=0.5:0.5"], "method none has no setting 'ratio': add --method mask"),
        (["--track", "tensorboard"], "--track tensorboard: it is not installed; pip install "),
        (["--weights", "gone.pth"], "--weights names a file, or the folder of a run"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_the_plan(given: list[str], told: str, work: Path) -> None:
    if "tensorboard" in given:
        from importlib.util import find_spec

        if find_spec("tensorboard"):
            pytest.skip("tensorboard is installed")
    backbone = ["--model", "linear", "--set-model", "backbone=frame_cnn"]
    done = sbtools("train", *backbone, *given, "-o", "runs/never", "clips", cwd=work)
    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 2 and told in line
    assert not (work / "runs" / "never" / "records.jsonl").exists()
