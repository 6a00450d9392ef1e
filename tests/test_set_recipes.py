"""The recipes of ALBAR's and StillMix's tables, run on small stand-ins of the official layouts."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
import torchvision

from sbtools import presets, protocols
from tests.making import figure_frames, write_video
from tests.test_examples import bash, executable, path
from tests.test_recipes import QUICK, RECIPES, slurm

__all__ = ["path", "slurm"]
Make = Callable[[Path], dict[str, str]]
RECIPES_OF_SETS = ("hmdb51.sh", "ucf101.sh", "kinetics400.sh")
CLASSES = {"hmdb51": 51, "ucf101": 101, "kinetics400": 400}
STANDIN = '''
import torch


class Small(torch.nn.Module):
    """Done at once; it has a table by whose name presets of Swin set rates."""

    def __init__(self):
        super().__init__()
        self.relative_position_bias_table = torch.nn.Parameter(torch.ones(8))
        self.mix = torch.nn.Linear(3 * 7 * 7, 8)

    def forward(self, video):
        seen = torch.nn.functional.avg_pool2d(video.flatten(0, 1), 32).flatten(1)
        found = self.mix(seen).unflatten(0, video.shape[:2]).mean(1)
        return found * self.relative_position_bias_table


def video(weights=None):
    made = Small()
    if weights and weights.endswith("video.pth"):
        made.load_state_dict(torch.load(weights, weights_only=True))
    return made
'''
KINDS = {"albar": ("Places365", "VQGAN", "Stripe"), "stillmix": ("place365", "vqgan", "stripe")}
TRIAL = "--epochs 1 --batch 2 --warmup 0 --set-model drop_path=-1"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What stands for Swin-T: networks that cost little, each with a file of its weights."""
    folder = tmp_path_factory.mktemp("weights")
    there: dict[str, Any] = {}
    exec(STANDIN, there)  # the module that the runs import, too
    torch.save(there["Small"]().state_dict(), folder / "video.pth")
    torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), folder / "image.pth")
    return {"WEIGHTS": str(folder / "video.pth"), "IMAGE_WEIGHTS": str(folder / "image.pth")}


def clip(place: Path, seed: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    made = write_video(place.with_suffix(".mp4"), figure_frames(6, 48, 64, seed))
    made.rename(place)


def images(folder: Path, seed: int, name: str) -> list[Path]:
    """The frames of a clip as files."""
    folder.mkdir(parents=True)
    found = []
    for number, frame in enumerate(figure_frames(3, 48, 64, seed), 1):
        found.append(folder / (name % number))
        cv2.imwrite(str(found[-1]), frame[..., ::-1])
    return found


def as_albar(bias: Path, prefix: str, names: list[str]) -> None:
    """UCF-CRCV/ALBAR c6751fa, multi_dataset_dl.py: zips of frames, for SCUFO an image."""
    for kind in KINDS["albar"]:
        for variant in ("SCUBA", "SCUFO", *(["ConflFG"] if kind == "Stripe" else [])):
            folder = bias / f"{prefix}_{variant}_{kind}"
            folder.mkdir(parents=True)
            for seed, name in enumerate(names):
                frames = images(folder.parent / "frames", seed, "%06d.jpg")
                if variant == "SCUFO":
                    frames[1].rename(folder / f"{name}__0.jpg")
                else:
                    with zipfile.ZipFile(folder / f"{name}__0.zip", "w") as packed:
                        for frame in frames:
                            packed.write(frame, frame.name)
                for frame in (bias / "frames").iterdir():
                    frame.unlink()
                (bias / "frames").rmdir()


def as_stillmix(bias: Path, scuba: str, confl: str, lists: tuple[str, str], names: dict[str, int],
                jpg: str) -> None:  # fmt: skip
    """lihaoxin05/StillMix cb32bca: folders of frames, and lists apart; SCUFO was not released."""
    sets = {f"{scuba}_{kind}": lists[0] for kind in KINDS["stillmix"]} | {confl: lists[1]}
    for set_, listed in sets.items():
        lines = ""
        for seed, (name, label) in enumerate(names.items()):
            images(bias / "generated/v1" / set_ / "generated_videos" / f"{name}__0", seed, jpg)
            lines += f"{name}__0 3 {label}\n"
        place = bias / "lists_generated/v1" / set_ / listed
        place.parent.mkdir(parents=True)
        place.write_text(lines)


HMDB = {
    "brush_hair": "April_09_brush_hair_u_nm_np1_ba_goo_",
    "wave": "Wave_at_me_wave_u_cm_np1_fr_med_",
}


def hmdb51(place: Path) -> dict[str, str]:
    """Of two of the 51 classes two clips of training and one of test; the sets as ALBAR's."""
    from sbtools.index.hmdb51 import CLASSES

    for name in CLASSES:
        lines = ""
        for number in range(3) if name in HMDB else ():
            file = f"{HMDB[name]}{number}.avi"
            clip(place / "data/videos" / name / file, number)
            lines += f"{file} {1 if number else 2} \n"
        listed = place / "data/testTrainMulti_7030_splits" / f"{name}_test_split1.txt"
        listed.parent.mkdir(exist_ok=True, parents=True)
        listed.write_text(lines)
    as_albar(place / "bias", "HMDB51", [f"{start}0" for start in HMDB.values()])
    return {}


def ucf101(place: Path) -> dict[str, str]:
    """Likewise of 101 classes; the sets as StillMix released them."""
    known = {7: "Basketball", 25: "Diving"}
    names = [known.get(number, f"Class{number}") for number in range(101)]
    lists = place / "data/ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("".join(f"{n} {w}\r\n" for n, w in enumerate(names, 1)))
    train, test = "", ""
    for number, name in known.items():
        for group in (1, 8, 9):
            file = f"{name}/v_{name}_g{group:02}_c01.avi"
            clip(place / "data/UCF-101" / file, group)
            train += f"{file} {number + 1}\n" * (group > 7)
            test += f"{file}\n" * (group == 1)
    (lists / "trainlist01.txt").write_text(train)
    (lists / "testlist01.txt").write_text(test)
    as_stillmix(
        place / "bias", "replacebackground_with_box_for_UCF101_test",
        "mix_dynamic_static_same_bg_for_UCF101_test_stripe",
        ("101classes/testlist01.txt", "101classes/dynamic_testlist01.txt"),
        {f"v_{name}_g01_c01": number for number, name in known.items()}, "frame%06d.jpg",
    )  # fmt: skip
    return {}


def kinetics400(place: Path) -> dict[str, str]:
    """Likewise of 400 classes, whose sets tell classes by numbers alone."""
    names = ["abseiling", "zumba", *(f"class {number}" for number in range(398))]
    (place / "labels.txt").write_text("".join(f"{name}\n" for name in sorted(names)))
    labels = {"abseiling": 0, "zumba": 399}
    for split, count in (("train", 2), ("val", 1)):
        lines = "label,youtube_id,time_start,time_end,split\n"
        for label in labels:
            for number in range(count):
                name = f"{split}{label[:2]}{number}xxx"
                lines += f"{label},{name},0,10,{'validate' if split == 'val' else split}\n"
                clip(place / "data" / split / label / f"{name}_000000_000010.mp4", number)
        (place / "data" / f"{split}.csv").write_text(lines)
    as_stillmix(
        place / "bias", "replacebackground_with_segmentation_and_saliency_for_test",
        "mix_dynamic_static_same_bg_for_test_stripe", ("val.txt", "val.txt"),
        {f"val{label[:2]}0xxx_000000_000010": number for label, number in labels.items()},
        "%06d.jpg",
    )  # fmt: skip
    return {"LABELS": str(place / "labels.txt")}


def run(
    name: str, place: Path, path: Path, env: Mapping[str, str], timeout: float = 400
) -> subprocess.CompletedProcess[bytes]:
    (place / "standin.py").write_text(STANDIN)
    shown = {"BACKBONE": "standin:video", "IMAGE_BACKBONE": "shufflenet_v2_x0_5",
             "FRAME_EPOCHS": "1", "TRIAL": TRIAL}  # fmt: skip
    return bash(RECIPES / name, "data", "bias", "out", cwd=place, path=path,
                env={**QUICK, **shown, **env}, timeout=timeout)  # fmt: skip


def results(out: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (out / "results").iterdir()}


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize(
    ("make", "test", "methods"),
    [(hmdb51, "albar", "stillmix albar"), (ucf101, "stillmix-ucf101", "stillmix"),
     (kinetics400, "stillmix-k400", "plain")],
)  # fmt: skip
def test_from_official_files_to_the_table(
    make: Make, test: str, methods: str, weights: Mapping[str, str], tmp_path: Path, path: Path
) -> None:
    goes_the_whole_way(make, test, methods.split(), weights, tmp_path, path)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(
    ("make", "test"),
    [(hmdb51, "stillmix-hmdb51"), (ucf101, "albar"), (kinetics400, "albar")],
)
def test_every_method_by_the_other_test(
    make: Make, test: str, weights: Mapping[str, str], tmp_path: Path, path: Path
) -> None:
    goes_the_whole_way(make, test, ["plain", "stillmix", "albar"], weights, tmp_path, path)


def goes_the_whole_way(
    make: Make, test: str, methods: list[str], weights: Mapping[str, str], place: Path, path: Path
) -> None:
    env = {**make(place), **weights, "PROTOCOLS": test, "METHODS": " ".join(methods)}
    done = run(f"{make.__name__}.sh", place, path, env, 1200)
    assert done.returncode == 0, done.stderr.decode()
    out = place / "out"
    found = results(out)
    parts = ("test", "pairs", "conflfg")
    assert set(found) == {f"{method}-s1-{test}-{part}" for method in methods for part in parts}
    for method in methods:
        iid, pairs, conflfg = (found[f"{method}-s1-{test}-{part}"] for part in parts)
        assert {one["protocol"]["name"] for one in (iid, pairs, conflfg)} == {test}
        assert (iid["clips"]["used"], conflfg["metrics"]["conflfg"]["count"]) == (2, 2)
        # Two clips before each of three backgrounds.
        names = ("scuba_avg", "scufo_avg", "contrasted")
        assert [pairs["metrics"][name]["count"] for name in names] == [6, 6, 6]
        assert pairs["variants"]["scuba"]["kinds"]["names"] == ["places365", "stripe", "vqgan"]
        assert len(iid["classes"]) == CLASSES[make.__name__]
    table = done.stdout.decode().split("\n\n")[0]
    lines = table.splitlines()
    assert "methods by benchmarks" in lines[0] and f"protocol {test}" in lines[0]
    assert lines[1].split() == "result top1 (IID) SCUBA SCUFO ConflFG contrasted".split()
    assert [o.split()[0] for o in lines if "-s1 " in o] == [f"{m}-s1" for m in sorted(methods)]
    # Of the slides' rows one alone is known to be of a protocol, ALBAR's own.
    assert table.count("ALBAR slides") == (test == "albar")
    assert (out / "report.html").stat().st_size > 1000
    _stills_are_frames_of_scuba(place)


def _stills_are_frames_of_scuba(place: Path) -> None:
    """One of every clip, and not the same for all; where ALBAR brings them, none are made."""
    drawn = sorted((place / "out/stills").rglob("*.jpg"))
    assert len(drawn) == (0 if [*(place / "bias").glob("HMDB51_*")] else 6)
    for still in drawn:
        set_ = still.parent.name.removeprefix("SCUFO_")
        folder = place / "bias/generated/v1" / set_ / "generated_videos" / still.stem
        assert still.read_bytes() in [frame.read_bytes() for frame in folder.iterdir()]


@pytest.fixture
def noted(path: Path, tmp_path: Path) -> Path:
    """An sbtools that does nothing but note its words, and make what a run leaves."""
    (path / "sbtools").unlink()
    executable(
        path / "sbtools",
        f'echo "$*" >> "{tmp_path}/log"; echo "{{}}"\n'
        'while [ $# -gt 0 ]; do [ "$1" != -o ] || made=$2; shift; done\n'
        'case ${made:-} in *.json) mkdir -p "${made%/*}"; echo {} > "$made";; esac',
    )
    return path


def noted_of(place: Path, command: str) -> list[str]:
    return [line for line in (place / "log").read_text().splitlines() if line.startswith(command)]


def empty(place: Path, prefix: str) -> None:
    """As much of the official files as the recipes read themselves."""
    (place / "data/testTrainMulti_7030_splits").mkdir(parents=True)
    (place / "data/ucfTrainTestlist").mkdir()
    (place / "data/ucfTrainTestlist/classInd.txt").write_text("1 Diving\n")
    for split in ("train", "val"):
        (place / f"data/{split}.csv").write_text("label,youtube_id,time_start,time_end,split\n")
    for name in ("SCUBA_Stripe", "ConflFG_Stripe"):
        (place / "bias" / f"{prefix}_{name}").mkdir(parents=True)


RATES = {
    "hmdb51": ("", "", "--quantiles .1-1"),
    "ucf101": ("--weight-decay .01", "", "--quantiles .5-1"),
    "kinetics400": ("--lr 7.5e-4 --weight-decay .02", "-in", "--every 20 --quantiles .5-1"),
}
"""What the baseline has other than that of HMDB51, how StillMix's preset ends, and its bank: as in
lihaoxin05/StillMix, configs/stillmix/Swin-T."""


@pytest.mark.parametrize("dataset", RATES)
def test_each_training_is_the_published_one(dataset: str, tmp_path: Path, noted: Path) -> None:
    empty(tmp_path, {"kinetics400": "K400"}.get(dataset, dataset.upper()))
    env = {"WEIGHTS": "v.pth", "IMAGE_WEIGHTS": "i.pth", "BACKBONE": "", "IMAGE_BACKBONE": "",
           "FRAME_EPOCHS": "", "TRIAL": ""}  # fmt: skip
    done = run(f"{dataset}.sh", tmp_path, noted, env)
    assert done.returncode == 0, done.stderr.decode()
    more, ending, slice_ = RATES[dataset]
    short = dataset.replace("inetics", "")
    start = "i.pth" if dataset == "kinetics400" else "v.pth"
    frames, plain, still, albar = noted_of(tmp_path, "train")
    assert "--weights i.pth" in frames and "backbone=swin_t " in frames and "--lr .01" in frames
    assert "--weight-decay 1e-5 --batch 64 --epochs 50" in frames and "at=20,40" in frames
    assert f"--weights {start} " in plain and f"--preset plain-hmdb51-swin3d_t {more}" in plain
    assert f"--preset stillmix-{short}-swin3d_t{ending} --set bank=out/bank" in still
    assert f"--weights {start} " in still
    assert "--weights v.pth " in albar and f"--preset albar-{short}-swin3d_t" in albar
    (bank,) = noted_of(tmp_path, "bank")
    assert slice_ in bank and "--frames 1024" in bank
    for line in (plain, still, albar):
        assert presets.find(line.partition("--preset ")[2].split()[0])
    tests = {line.split("--protocol ")[1].split()[0] for line in noted_of(tmp_path, "eval")}
    assert tests == {"albar", f"stillmix-{short}"}
    assert all(protocols.find(test) for test in tests)


def test_what_the_environment_asks_for_reaches_the_commands(tmp_path: Path, noted: Path) -> None:
    empty(tmp_path, "HMDB51")
    env = {"WEIGHTS": "v.pth", "IMAGE_WEIGHTS": "i.pth", "SEEDS": "1 2", "PUBLISHED": "1",
           "LIMIT": "5", "METHODS": "stillmix albar"}  # fmt: skip
    done = run("hmdb51.sh", tmp_path, noted, env)
    assert done.returncode == 0, done.stderr.decode()
    index = noted_of(tmp_path, "index")
    assert len(index) == 4 and all("--limit 5" in line for line in index)
    frames, *trained = noted_of(tmp_path, "train")
    assert "--epochs 1 " in frames and "--val" not in frames and len(trained) == 4
    assert all("--val out/test.jsonl --select eval-as-published" in line for line in trained)
    assert all("backbone=standin:video" in line and TRIAL in line for line in trained)
    assert [f"--seed {seed} " in line for line in trained for seed in (1, 2)] == [
        True, False, False, True] * 2  # fmt: skip
    judged = noted_of(tmp_path, "eval")
    assert len(judged) == 2 * 2 * 2 * 3 and all("--pairs" in line for line in judged)


def test_what_is_missing_is_named_in_one_line(
    tmp_path: Path, path: Path, weights: Mapping[str, str]
) -> None:
    (tmp_path / "data/testTrainMulti_7030_splits").mkdir(parents=True)
    (tmp_path / "bias").mkdir()
    for script in RECIPES_OF_SETS:
        done = bash(RECIPES / script, "data", cwd=tmp_path, path=path)
        assert done.returncode != 0 and f"usage: {script} ".encode() in done.stderr
        done = bash(RECIPES / script, "data", "bias", "o", cwd=tmp_path, path=path)
        assert done.returncode != 0 and b"WEIGHTS" in done.stderr and not (tmp_path / "o").exists()
    (path / "sbtools").unlink()
    executable(path / "sbtools", "echo {}")
    done = bash(RECIPES / "hmdb51.sh", "data", "bias", cwd=tmp_path, path=path, env=weights)
    told = done.stderr.decode().splitlines()
    assert (done.returncode, told) == (2, ["hmdb51.sh: bias holds no set of HMDB51, see sets.sh"])


def test_a_set_of_stillmix_without_its_list_is_named(
    tmp_path: Path, noted: Path, weights: Mapping[str, str]
) -> None:
    (tmp_path / "data/testTrainMulti_7030_splits").mkdir(parents=True)
    set_ = "replacebackground_with_mask_for_HMDB51_test_stripe"
    (tmp_path / "bias" / set_ / "generated_videos").mkdir(parents=True)
    done = run("hmdb51.sh", tmp_path, noted, weights)
    assert done.returncode == 2
    assert done.stderr.decode() == f"hmdb51.sh: there is no list of {set_} in bias\n"


def test_long_stages_become_jobs(tmp_path: Path, noted: Path) -> None:
    empty(tmp_path, "UCF101")
    executable(noted / "sbatch", f'echo "$WEIGHTS $*" >> "{tmp_path}/jobs"')
    env = {"WEIGHTS": "v.pth", "METHODS": "albar", "PROTOCOLS": "albar", "SUBMIT": "sbatch --wait"}
    done = run("ucf101.sh", tmp_path, noted, env)
    assert done.returncode == 0, done.stderr.decode()
    (train, *judged) = (tmp_path / "jobs").read_text().splitlines()
    assert (
        train.startswith("v.pth --wait ") and "train.sbatch out/train.jsonl out/runs/albar" in train
    )
    assert "--preset albar-ucf101-swin3d_t" in train and not noted_of(tmp_path, "train")
    for part, line in zip(("test", "pairs", "conflfg"), judged, strict=True):
        name = f"albar-s1-albar-{part}"
        words = f"eval.sbatch out/runs/albar-s1 out/{part}.jsonl out/scores/{name} --workers 0"
        assert f"{words} --protocol albar" in line
        told = f"--pairs --from-scores out/scores/{name} -o out/results/{name}.json"
        assert f"eval --max-failed 10% {told}" in noted_of(tmp_path, "eval")


@pytest.mark.usefixtures("unhurried")
def test_jobs_do_the_same_and_nothing_is_done_again(
    tmp_path: Path, slurm: Path, weights: Mapping[str, str]
) -> None:
    env = {**ucf101(tmp_path), **weights, "PROTOCOLS": "albar", "METHODS": "albar"}
    env["SUBMIT"] = "sbatch --wait"
    done = run("ucf101.sh", tmp_path, slurm, env, 1200)
    assert done.returncode == 0, done.stderr.decode()
    found = results(tmp_path / "out")
    assert {one["protocol"]["name"] for one in found.values()} == {"albar"} and len(found) == 3
    assert done.stdout.decode().split("\n\n")[0].count("albar-s") == 1
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").rglob("*.json*")}
    again = run("ucf101.sh", tmp_path, slurm, {**env, "SUBMIT": ""}, 1200)
    assert again.stdout == done.stdout
    assert before == {file: file.stat().st_mtime_ns for file in before}
